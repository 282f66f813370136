"""What is said and found of answers, in the database."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Row,
    Table,
    cast,
    delete,
    func,
    select,
    tuple_,
)

from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.quality_days import SUMS
from adapters.sql.quality_tables import feedback, quality_days, quality_observations
from adapters.sql.upserts import insert_into
from application.ports.quality import (
    CELLS_MAX,
    CHECKS,
    JUDGE,
    CellFilter,
    FeedbackFilter,
    Observation,
    QualityStore,
)
from domain.analytics.rollup import DAY_US
from domain.quality.cells import ANY, CellCounts, CellKey, summed
from domain.quality.feedback import Feedback, Verdict
from domain.quality.scores import Opinions

PURGED_PER_ROUND: Final = 1000
"""Rows one transaction deletes, so that no writer waits long for it."""
_FEEDBACK: Final = feedback
_SAID = feedback.c
_SEEN = quality_observations.c
_DAYS = quality_days.c
_DIMENSIONS: Final = ("provider", "model", "task", "route")
_PLACE: Final = (_SAID.given_at_us, _SAID.request_id, _SAID.key_id, _SAID.source)


class SqlQualityStore(QualityStore):
    """Sums are made in the database, over rows of the time asked for; requests are summed up by the day
    already (`quality_days`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def give(self, feedback: Feedback) -> bool:
        row = _row(feedback)

        def work(connection: Connection) -> bool:
            return _upsert(connection, _FEEDBACK, [row])

        try:
            return await self._database.write(work)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    async def feedback(self, where: FeedbackFilter, *, limit: int) -> list[Feedback]:
        statement = (
            select(feedback)
            .where(*_feedback_conditions(where))
            .order_by(*(column.desc() for column in _PLACE))
            .limit(limit)
        )
        return await self._database.read(
            lambda connection: [_feedback(row) for row in connection.execute(statement)]
        )

    async def note(self, observations: Sequence[Observation]) -> None:
        if not observations:
            return
        # One statement may not meet a row twice.
        newest = {(each.tenant_id, each.request_id, each.source): each for each in observations}
        rows = [newest[key]._asdict() for key in sorted(newest)]

        def work(connection: Connection) -> None:
            _upsert(connection, quality_observations, rows)

        try:
            await self._database.write(work, alone=False)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    async def cells(self, where: CellFilter, *, tenants: bool = False) -> list[CellCounts]:
        def work(connection: Connection) -> list[CellCounts]:
            found: dict[CellKey, list[CellCounts]] = {}
            for cell in (
                *_answered(connection, where, tenants),
                *_said(connection, where, tenants),
                *_observed(connection, where, tenants),
            ):
                found.setdefault(cell.key, []).append(cell)
            return [summed(key, cells) for key, cells in sorted(found.items())]

        return await self._database.read(work)

    async def purge(self, before_us: int) -> int:
        gone = 0
        conditions: tuple[tuple[Table, ColumnElement[bool]], ...] = (
            (feedback, _SAID.given_at_us < before_us),
            (quality_observations, _SEEN.observed_at_us < before_us),
            (quality_days, _DAYS.day < before_us // DAY_US),
        )
        for table, old in conditions:
            work = partial(_delete_some, table=table, old=old)
            while some := await self._database.write(work, alone=False):
                gone += some
        return gone


def _upsert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> bool:
    """Whether none of them was there. In the order of the key, so that writers never wait in a circle."""
    keys = [column.name for column in table.primary_key.columns]
    first = rows[0]
    known = connection.execute(
        select(table.c[keys[0]]).where(*(table.c[name] == first[name] for name in keys))
    ).first()
    statement = insert_into(connection.dialect, table)
    rest = {name: statement.excluded[name] for name in first if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=rest), rows)
    return known is None


def _delete_some(connection: Connection, table: Table, old: ColumnElement[bool]) -> int:
    keys = list(table.primary_key.columns)
    found = connection.execute(select(*keys).where(old).limit(PURGED_PER_ROUND)).all()
    if found:
        connection.execute(delete(table).where(tuple_(*keys).in_([tuple(row) for row in found])))
    return len(found)


# Counting


def _groups(table: Table, tenants: bool) -> list[Any]:
    return [table.c[name] for name in (*_DIMENSIONS, *(("tenant_id",) if tenants else ()))]


def _among(table: Table, where: CellFilter) -> list[ColumnElement[bool]]:
    wanted: Mapping[str, str | None] = {
        "tenant_id": where.tenant_id,
        "provider": where.provider,
        "task": where.task,
        "route": where.route,
    }
    conditions = [table.c[name] == value for name, value in wanted.items() if value is not None]
    conditions.append(table.c.provider != "")
    if where.models:
        conditions.append(table.c.model.in_(where.models))
    return conditions


def _between(column: ColumnElement[int], where: CellFilter, unit_us: int = 1) -> list[ColumnElement[bool]]:
    conditions = [column >= where.from_us // unit_us]
    if where.to_us is not None:
        conditions.append(column < -(-where.to_us // unit_us))
    return conditions


def _key(row: Sequence[Any], tenants: bool) -> CellKey:
    provider, model, task, route = row[:4]
    return CellKey(provider, model, task, route, row[4] if tenants else ANY)


def _answered(connection: Connection, where: CellFilter, tenants: bool) -> list[CellCounts]:
    groups = _groups(quality_days, tenants)
    sums = [cast(func.sum(_DAYS[name]), BigInteger).label(f"sum_{name}") for name in SUMS]
    statement = (
        select(*groups, *sums)
        .where(*_among(quality_days, where), *_between(_DAYS.day, where, DAY_US))
        .group_by(*groups)
        .order_by(func.sum(_DAYS.requests).desc())
        .limit(CELLS_MAX)
    )
    made = []
    for row in map(tuple, connection.execute(statement)):
        values: dict[str, Any] = dict(zip(SUMS, map(int, row[len(groups) :]), strict=True))
        made.append(CellCounts(_key(row, tenants), **values))
    return made


def _said(connection: Connection, where: CellFilter, tenants: bool) -> list[CellCounts]:
    groups = _groups(feedback, tenants)
    statement = (
        select(*groups, func.count(_SAID.score), func.sum(_SAID.score), func.count())
        .where(*_among(feedback, where), *_between(_SAID.given_at_us, where))
        .group_by(*groups)
        .order_by(func.count().desc())
        .limit(CELLS_MAX)
    )
    made = []
    for row in map(tuple, connection.execute(statement)):
        scored, total, count = row[len(groups) :]
        made.append(
            CellCounts(
                _key(row, tenants), feedback=Opinions(scored, float(total or 0)), labels=count - scored
            )
        )
    return made


def _observed(connection: Connection, where: CellFilter, tenants: bool) -> list[CellCounts]:
    groups = [*_groups(quality_observations, tenants), _SEEN.source]
    flags = [
        func.sum(cast(_SEEN[name], Integer)).label(name) for name in ("failed", "refused", "json_broken")
    ]
    statement = (
        select(*groups, func.count(), func.count(_SEEN.score), func.sum(_SEEN.score), *flags)
        .where(*_among(quality_observations, where), *_between(_SEEN.observed_at_us, where))
        .group_by(*groups)
        .order_by(func.count().desc())
        .limit(2 * CELLS_MAX)
    )
    made = []
    for row in map(tuple, connection.execute(statement)):
        source, count, scored, total, failed, refused, broken = row[len(groups) - 1 :]
        key = _key(row, tenants)
        if source == JUDGE:
            made.append(CellCounts(key, judged=Opinions(scored, float(total or 0))))
        elif source == CHECKS:
            made.append(
                CellCounts(
                    key,
                    checked=count,
                    failed=int(failed or 0),
                    refusals_found=int(refused or 0),
                    json_found_broken=int(broken or 0),
                )
            )
    return made


# Rows


def _row(given: Feedback) -> dict[str, Any]:
    verdict = given.verdict
    return {
        "tenant_id": given.tenant_id,
        "request_id": given.request_id,
        "key_id": given.key_id,
        "source": given.source,
        "kind": verdict.kind,
        "said": verdict.said,
        "score": verdict.score,
        "comment": given.comment,
        "given_at_us": given.given_at_us,
        "asked_at_us": given.asked_at_us,
        "user_id": given.user_id,
        "agent_id": given.agent_id,
        "provider": given.provider,
        "model": given.model,
        "task": given.task,
        "route": given.route,
    }


def _feedback(row: Row[Any]) -> Feedback:
    values = row._asdict()
    verdict = Verdict(kind=values.pop("kind"), said=values.pop("said"), score=values.pop("score"))
    return Feedback(**values, verdict=verdict)


def _feedback_conditions(where: FeedbackFilter) -> list[ColumnElement[bool]]:
    names = ("tenant_id", "request_id", "key_id", "source", "provider", "model", "task", "route", "kind")
    conditions: list[ColumnElement[bool]] = [
        _SAID[name] == getattr(where, name) for name in names if getattr(where, name) is not None
    ]
    if where.score_min is not None:
        conditions.append(_SAID.score >= where.score_min)
    if where.score_max is not None:
        conditions.append(_SAID.score <= where.score_max)
    if where.from_us is not None:
        conditions.append(_SAID.given_at_us >= where.from_us)
    if where.to_us is not None:
        conditions.append(_SAID.given_at_us < where.to_us)
    if where.after is not None:
        conditions.append(tuple_(*_PLACE) < tuple_(*where.after))
    return conditions
