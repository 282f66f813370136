"""Usage row by row, from the database."""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    case,
    cast,
    func,
    not_,
    or_,
    select,
)

from adapters.sql.database import Database
from adapters.sql.rollup_tables import usage_rollups
from adapters.sql.schema import usage_attempts, usage_requests
from adapters.sql.usage_facts import (
    between,
    rollup_conditions,
    row_conditions,
    row_source,
)
from application.ports.usage_query import UsageDimension, UsageFilter, shown_value
from application.ports.usage_rows import RequestPlace, RollupPlace, UsageRows
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.analytics.reconciliation import CALLER_PAYS, UNRESOLVED, Recorded
from domain.analytics.rollup import DAY_US, HOUR_US, Rollup, RollupKey, RollupSums

_ROWS: Final = usage_requests.c
_ROLLED: Final = usage_rollups.c
_TRIES: Final = usage_attempts.c
_KEY: Final = [_ROLLED[name] for name in RollupKey._fields]
_SUMS: Final = [_ROLLED[name] for name in RollupSums._fields]


class SqlUsageRows(UsageRows):
    """Pages enter the index of tenants and times behind the last row of the page before."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tenants(self, where: UsageFilter) -> list[str]:
        from_us = None if where.from_us is None else where.from_us // HOUR_US * HOUR_US
        statement = select(_ROLLED.tenant_id).distinct()
        statement = statement.where(*between(_ROLLED.hour_us, from_us, where.to_us))
        if where.tenant_id is not None:
            statement = statement.where(_ROLLED.tenant_id == where.tenant_id)
        return await self._database.read(lambda connection: sorted(connection.execute(statement).scalars()))

    async def requests(
        self, tenant_id: str, where: UsageFilter, *, after: RequestPlace | None, limit: int, attempts: bool
    ) -> list[RequestEvent]:
        where = replace(where, tenant_id=tenant_id)
        statement = (
            select(usage_requests)
            .select_from(row_source(where))
            .where(*row_conditions(where, where.from_us, where.to_us))
            .where(*_behind(_ROWS.started_at_us, _ROWS.request_id, after))
            .order_by(_ROWS.started_at_us, _ROWS.request_id)
            .limit(limit)
        )

        def work(connection: Connection) -> list[RequestEvent]:
            page = [RequestEvent._make((*row, ())) for row in connection.execute(statement)]
            return _with_attempts(connection, page) if attempts and page else page

        return await self._database.read(work)

    async def rollups(
        self, tenant_id: str, where: UsageFilter, *, after: RollupPlace | None, limit: int
    ) -> list[Rollup]:
        statement = (
            select(*_KEY, *_SUMS)
            .where(_ROLLED.tenant_id == tenant_id, *rollup_conditions(where, where.from_us, where.to_us))
            .where(*_behind(_ROLLED.hour_us, _ROLLED.group_id, after))
            .order_by(_ROLLED.hour_us, _ROLLED.group_id)
            .limit(limit)
        )
        split = len(_KEY)

        def work(connection: Connection) -> list[Rollup]:
            return [
                Rollup(RollupKey(*row[:split]), RollupSums(*row[split:]))
                for row in connection.execute(statement)
            ]

        return await self._database.read(work)

    async def recorded(self, provider: str, from_us: int, to_us: int) -> list[Recorded]:
        unresolved = _TRIES.outcome == UNRESOLVED
        estimated = and_(_TRIES.estimated, not_(unresolved))
        settled = not_(or_(unresolved, _TRIES.estimated))
        rows = (
            select(
                (_TRIES.started_at_us // DAY_US).label("day"),
                _TRIES.model.label("model"),
                _if(settled, _TRIES.cost_nano_usd).label("settled"),
                _if(estimated, 1).label("estimated_attempts"),
                _if(estimated, _TRIES.cost_nano_usd).label("estimated"),
                _if(unresolved, 1).label("unresolved_attempts"),
                _if(unresolved, _TRIES.cost_nano_usd).label("unresolved"),
                _if(_TRIES.cost_nano_usd.is_(None), 1).label("unpriced"),
            )
            .where(_TRIES.provider == provider, *between(_TRIES.started_at_us, from_us, to_us))
            .where(_TRIES.billed_as != CALLER_PAYS)
            .subquery()
        )
        place = (rows.c.day, rows.c.model)
        sums = [cast(func.coalesce(func.sum(column), 0), BigInteger) for column in list(rows.c)[2:]]
        statement = select(*place, func.count(), *sums).group_by(*place)

        def work(connection: Connection) -> list[Recorded]:
            # Sorted here: databases do not agree on the order of names.
            return sorted(
                Recorded(shown_value(UsageDimension.DAY, row[0]), *row[1:])
                for row in connection.execute(statement)
            )

        return await self._database.read(work)


def _with_attempts(connection: Connection, page: list[RequestEvent]) -> list[RequestEvent]:
    statement = (
        select(usage_attempts)
        .where(_TRIES.request_id.in_([event.request_id for event in page]))
        .order_by(_TRIES.request_id, _TRIES.ordinal)
    )
    attempts: dict[str, list[AttemptEvent]] = {}
    for row in connection.execute(statement):
        attempt = AttemptEvent(*row)
        attempts.setdefault(attempt.request_id, []).append(attempt)
    return [event._replace(attempts=tuple(attempts.get(event.request_id, ()))) for event in page]


def _behind(
    first: ColumnElement[int], second: ColumnElement[str], after: RequestPlace | RollupPlace | None
) -> list[ColumnElement[bool]]:
    if after is None:
        return []
    # The first condition alone is what the index can be entered by.
    return [first >= after[0], or_(first > after[0], second > after[1])]


def _if(condition: ColumnElement[bool], amount: Any) -> ColumnElement[Any]:
    return case((condition, amount), else_=0)
