"""What sums of usage are made from: roll-up rows, and single requests where those do not reach.

Both are selects with one column per dimension asked for and one per sum, so that they can be put together
and summed up once more. In the place of any value may be a parameter, for a statement that is kept.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    and_,
    case,
    func,
    literal,
    literal_column,
    select,
)

from adapters.sql.rollup_tables import usage_rollups
from adapters.sql.schema import usage_attempts, usage_requests
from application.ports.usage_query import UNROLLED, UsageDimension, UsageFilter
from domain.analytics.rollup import DAY_US, HOUR_US, RollupSums, month_of
from domain.caching.effect import HITS, LOOKUPS

Dimensions = tuple[UsageDimension, ...]
Bound = int | BindParameter[int]
Values = Sequence[str] | BindParameter[Any]
"""Any of these; a parameter that is not `expanding` is one value."""


class Demanding(Protocol):
    """Which requests count, but for their time: a `UsageFilter`, or one with parameters for values."""

    def demands(self) -> Iterable[tuple[UsageDimension, Values]]: ...


class Part(NamedTuple):
    """Of the time asked for, from inclusive, to exclusive: from roll-ups, or from single requests."""

    rolled: bool
    from_us: Bound | None
    to_us: Bound | None


_ROWS: Final = usage_requests.c
_ROLLED: Final = usage_rollups.c
_ONE: Final = literal_column("1", Integer)
_NONE: Final = literal_column("0", Integer)
_LAST: Final = usage_attempts.alias("last_attempt")
_STORED: Final = {
    UsageDimension.TENANT: "tenant_id",
    UsageDimension.KEY: "key_id",
    UsageDimension.TEAM: "team",
    UsageDimension.PROJECT: "project",
    UsageDimension.COST_CENTER: "cost_center",
    UsageDimension.ROUTE: "route",
    UsageDimension.OPERATION: "operation",
    UsageDimension.PROVIDER: "provider",
    UsageDimension.MODEL: "model",
    UsageDimension.OUTCOME: "outcome",
    UsageDimension.CACHE: "cache",
    UsageDimension.TASK: "task",
}


def _times(start_us: ColumnElement[int]) -> dict[UsageDimension, ColumnElement[Any]]:
    return {
        UsageDimension.MONTH: month_of(start_us // DAY_US),
        UsageDimension.DAY: start_us // DAY_US,
        UsageDimension.HOUR: start_us // HOUR_US,
    }


_ROLLED_DIMENSIONS: Final[dict[UsageDimension, ColumnElement[Any]]] = {
    **{dimension: _ROLLED[name] for dimension, name in _STORED.items()},
    **_times(_ROLLED.hour_us),
}
_ROW_DIMENSIONS: Final[dict[UsageDimension, ColumnElement[Any]]] = {
    **{dimension: _ROWS[name] for dimension, name in _STORED.items()},
    **_times(_ROWS.started_at_us),
    UsageDimension.AGENT: _ROWS.agent_id,
    UsageDimension.USER: _ROWS.user_id,
    UsageDimension.SESSION: _ROWS.session_id,
    UsageDimension.WORKFLOW: _ROWS.workflow_id,
    UsageDimension.CREDENTIAL: func.coalesce(_LAST.c.credential, ""),
    UsageDimension.EXPERIMENT: _ROWS.experiment,
    UsageDimension.ARM: _ROWS.arm,
}


def label_of(dimension: UsageDimension) -> str:
    """The column of a select of facts that holds this dimension."""
    return f"by_{dimension.value}"


def parts_of(where: UsageFilter, by: Dimensions) -> list[Part]:
    """Whose sums are the answer: roll-ups for all whole hours, requests for what is left at both ends.

    Requests alone where a dimension is asked for that roll-ups do not know, or where no hour is whole.
    """
    from_us, to_us = where.from_us, where.to_us
    first = None if from_us is None else -(-from_us // HOUR_US) * HOUR_US
    last = None if to_us is None else to_us // HOUR_US * HOUR_US
    if _asked(where, by) & UNROLLED or (first is not None and last is not None and first >= last):
        return [Part(False, from_us, to_us)]
    parts = [Part(True, first, last)]
    if from_us != first:
        parts.append(Part(False, from_us, first))
    if to_us != last:
        parts.append(Part(False, last, to_us))
    return parts


def facts(where: Demanding, by: Dimensions, parts: Sequence[Part]) -> "Select[Any] | CompoundSelect[Any]":
    """All parts together."""
    selects = [
        _rollup_facts(where, by, from_us, to_us) if rolled else row_facts(where, by, from_us, to_us)
        for rolled, from_us, to_us in parts
    ]
    if len(selects) == 1:
        return selects[0]
    return selects[0].union_all(*selects[1:])


def _asked(where: Demanding, by: Dimensions) -> set[UsageDimension]:
    return {*by, *(dimension for dimension, _ in where.demands())}


def _rollup_facts(
    where: Demanding, by: Dimensions, from_us: Bound | None, to_us: Bound | None
) -> Select[Any]:
    groups = [_ROLLED_DIMENSIONS[dimension].label(label_of(dimension)) for dimension in by]
    return (
        select(*groups, *_ROLLED_AMOUNTS)
        .select_from(usage_rollups)
        .where(*rollup_conditions(where, from_us, to_us))
    )


def row_facts(where: Demanding, by: Dimensions, from_us: Bound | None, to_us: Bound | None) -> Select[Any]:
    """One line per request, begun in this time."""
    groups = [_ROW_DIMENSIONS[dimension].label(label_of(dimension)) for dimension in by]
    return (
        select(*groups, *_ROW_AMOUNTS)
        .select_from(row_source(where, by))
        .where(*row_conditions(where, from_us, to_us))
    )


def _row_amounts() -> list[ColumnElement[Any]]:
    mine = usage_attempts.c.request_id == _ROWS.request_id
    attempts = select(func.count()).select_from(usage_attempts).where(mine).scalar_subquery()
    attempt_cost = select(func.sum(usage_attempts.c.cost_nano_usd)).where(mine).scalar_subquery()
    prompts = usage_attempts.c.prompt_cache_saved_nano_usd
    prompts_saved = select(func.sum(prompts)).where(mine).scalar_subquery()
    unpriced = select(func.count()).where(mine, prompts.is_(None), _in_prompt_cache()).scalar_subquery()
    hit = _one_of(_ROWS.cache, HITS)
    amounts: dict[str, ColumnElement[Any]] = {
        "requests": _ONE,
        "ok_requests": _one_if(_ROWS.outcome == "ok"),
        "attempts": attempts,
        **{name: _ROWS[name] for name in RollupSums._fields if name in _ROWS},
        "attempt_cost_nano_usd": attempt_cost,
        "unpriced_requests": _one_if(_ROWS.cost_nano_usd.is_(None)),
        "estimated_requests": _one_if(_ROWS.estimated),
        "first_token_requests": _one_if(_ROWS.first_token_us.is_not(None)),
        "cache_lookups": _one_if(_one_of(_ROWS.cache, LOOKUPS)),
        "cache_hits": _one_if(hit),
        "unpriced_hits": _one_if(and_(hit, _ROWS.saved_nano_usd.is_(None))),
        "prompt_cache_saved_nano_usd": prompts_saved,
        "unpriced_prompt_cache_attempts": unpriced,
    }
    return [amounts[name].label(name) for name in RollupSums._fields]


def _in_prompt_cache() -> ColumnElement[bool]:
    tries = usage_attempts.c
    return (tries.cached_read_tokens + tries.cache_write_tokens + tries.cache_write_long_tokens) > 0


def row_source(where: Demanding, by: Dimensions = ()) -> FromClause:
    """Requests; each with its last attempt, if it has one, where that is asked for."""
    if UsageDimension.CREDENTIAL not in _asked(where, by):
        return usage_requests
    last = and_(_LAST.c.request_id == _ROWS.request_id, _LAST.c.ordinal == _ROWS.attempts_made - 1)
    return usage_requests.outerjoin(_LAST, last)


def rollup_conditions(
    where: Demanding, from_us: Bound | None, to_us: Bound | None
) -> list[ColumnElement[bool]]:
    """Which roll-ups, of those whose hour begins in this time."""
    return [*_demands(where, _ROLLED_DIMENSIONS), *between(_ROLLED.hour_us, from_us, to_us)]


def row_conditions(where: Demanding, from_us: Bound | None, to_us: Bound | None) -> list[ColumnElement[bool]]:
    """Which requests, of those begun in this time."""
    conditions = [*_demands(where, _ROW_DIMENSIONS), *between(_ROWS.started_at_us, from_us, to_us)]
    if UsageDimension.TENANT not in _asked(where, ()) and from_us is not None:
        # Requests are found by tenant and time. Who asked anything in these hours, roll-ups know: the first
        # of them may have begun before.
        hours = [_ROLLED.hour_us > from_us - HOUR_US, *between(_ROLLED.hour_us, None, to_us)]
        conditions.append(_ROWS.tenant_id.in_(select(_ROLLED.tenant_id).where(*hours).distinct()))
    return conditions


def _demands(
    where: Demanding, columns: dict[UsageDimension, ColumnElement[Any]]
) -> list[ColumnElement[bool]]:
    return [_among(columns[dimension], values) for dimension, values in where.demands()]


def _among(column: ColumnElement[Any], values: Values) -> ColumnElement[bool]:
    if isinstance(values, BindParameter):
        return column.in_(values) if values.expanding else column == values
    return column == values[0] if len(values) == 1 else column.in_(values)


def between(
    column: ColumnElement[int], from_us: Bound | None, to_us: Bound | None
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if from_us is not None:
        conditions.append(column >= from_us)
    if to_us is not None:
        conditions.append(column < to_us)
    return conditions


def _one_if(condition: ColumnElement[Any]) -> ColumnElement[int]:
    return case((condition, _ONE), else_=_NONE)


def _one_of(column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """With a parameter for each value: a list of them would be put into the statement whenever it is run."""
    return column.in_([literal(value) for value in sorted(values)])


# The same for every question; to make them takes as long as all that is asked.
_ROLLED_AMOUNTS: Final = [_ROLLED[name].label(name) for name in RollupSums._fields]
_ROW_AMOUNTS: Final = _row_amounts()
