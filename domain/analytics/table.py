"""Tables that leave the house: named columns, and what their values mean."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple, get_args, get_type_hints

from domain.analytics.event import AttemptEvent, RequestEvent
from domain.analytics.rollup import RollupSums


class ColumnKind(Enum):
    """Any value may be None: unknown."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    """A fraction, in double precision."""
    BOOLEAN = "boolean"
    TIME = "time"
    """UTC epoch microseconds."""
    USD = "usd"
    """Nano-dollars."""


class Column(NamedTuple):
    name: str
    kind: ColumnKind


_KINDS: Final[Mapping[type, ColumnKind]] = {
    str: ColumnKind.TEXT,
    int: ColumnKind.INTEGER,
    float: ColumnKind.NUMBER,
    bool: ColumnKind.BOOLEAN,
}
_WHO: Final = ("tenant_id", "key_id", "team", "project", "cost_center", "agent_id", "session_id", "operation")
"""Of the request, shown beside each of its attempts."""


def _columns(event: type) -> tuple[Column, ...]:
    """Fields as columns; a start is a time, and a cost is shown in dollars as well."""
    columns: list[Column] = []
    for name, hint in get_type_hints(event).items():
        if name == "attempts":
            continue
        kind = next(_KINDS[choice] for choice in get_args(hint) or (hint,) if choice is not type(None))
        if name == "started_at_us":
            columns.append(Column("started_at", ColumnKind.TIME))
            continue
        columns.append(Column(name, kind))
        if name == "cost_nano_usd":
            columns.append(Column("cost_usd", ColumnKind.USD))
    return tuple(columns)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, ColumnKind.TEXT) for name in names)


_REQUEST_FIELDS: Final = [name for name in RequestEvent._fields if name != "attempts"]
REQUEST_COLUMNS: Final = _columns(RequestEvent)
ATTEMPT_COLUMNS: Final = (*_columns(AttemptEvent), *_text(*_WHO))
SUM_COLUMNS: Final = (
    *(Column(name, ColumnKind.INTEGER) for name in RollupSums._fields),
    Column("cost_usd", ColumnKind.USD),
    Column("attempt_cost_usd", ColumnKind.USD),
    Column("saved_usd", ColumnKind.USD),
    Column("prompt_cache_saved_usd", ColumnKind.USD),
)
_REQUEST_COST: Final = _REQUEST_FIELDS.index("cost_nano_usd") + 1
_ATTEMPT_COST: Final = AttemptEvent._fields.index("cost_nano_usd") + 1


def request_row(event: RequestEvent) -> tuple[object, ...]:
    """A request as a row of REQUEST_COLUMNS."""
    return (*event[:_REQUEST_COST], *event[_REQUEST_COST - 1 : -1])


def attempt_rows(event: RequestEvent) -> list[tuple[object, ...]]:
    """A request's attempts as rows of ATTEMPT_COLUMNS."""
    who = tuple(getattr(event, name) for name in _WHO)
    return [(*attempt[:_ATTEMPT_COST], *attempt[_ATTEMPT_COST - 1 :], *who) for attempt in event.attempts]


def sum_row(key: tuple[str, ...], sums: RollupSums) -> tuple[object, ...]:
    """A group as a row of its dimensions and SUM_COLUMNS."""
    return (
        *key,
        *sums,
        sums.cost_nano_usd,
        sums.attempt_cost_nano_usd,
        sums.saved_nano_usd,
        sums.prompt_cache_saved_nano_usd,
    )


def sum_columns(names: tuple[str, ...]) -> tuple[Column, ...]:
    """Columns of a table of sums by these dimensions."""
    return (*_text(*names), *SUM_COLUMNS)
