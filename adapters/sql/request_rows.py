"""Single requests from the database."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select

from adapters.sql.database import Database
from adapters.sql.schema import finished_us, usage_attempts, usage_requests
from application.ports.request_rows import ANY_HIT, RequestRows, RowFilter
from domain.analytics.event import AttemptEvent, RequestEvent

_ROWS = usage_requests.c


class SqlRequestRows(RequestRows):
    """Reads along the index of ends, so a page costs what it shows, however many rows there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, where: RowFilter, *, limit: int) -> list[RequestEvent]:
        statement = (
            select(usage_requests)
            .where(*_conditions(where))
            .order_by(finished_us.desc(), _ROWS.request_id.desc())
            .limit(limit)
        )

        def work(connection: Connection) -> list[RequestEvent]:
            return [RequestEvent._make((*row, ())) for row in connection.execute(statement)]

        return await self._database.read(work)

    async def one(self, request_id: str, tenant_id: str | None) -> RequestEvent | None:
        mine = [_ROWS.request_id == request_id]
        if tenant_id is not None:
            mine.append(_ROWS.tenant_id == tenant_id)
        attempts_of = (
            select(usage_attempts)
            .where(usage_attempts.c.request_id == request_id)
            .order_by(usage_attempts.c.ordinal)
        )

        def work(connection: Connection) -> RequestEvent | None:
            row = connection.execute(select(usage_requests).where(*mine)).one_or_none()
            if row is None:
                return None
            attempts = tuple(AttemptEvent(*attempt) for attempt in connection.execute(attempts_of))
            return RequestEvent._make((*row, attempts))

        return await self._database.read(work)


def _conditions(where: RowFilter) -> list[ColumnElement[bool]]:
    wanted: dict[Any, str | int | None] = {
        _ROWS.tenant_id: where.tenant_id,
        _ROWS.key_id: where.key_id,
        _ROWS.agent_id: where.agent_id,
        _ROWS.session_id: where.session_id,
        _ROWS.user_id: where.user_id,
        _ROWS.provider: where.provider,
        _ROWS.model: where.model,
        _ROWS.route: where.route,
        _ROWS.outcome: where.outcome,
        _ROWS.status: where.status,
        _ROWS.cache: None if where.cache == ANY_HIT else where.cache,
        _ROWS.task: where.task,
        _ROWS.trace_id: where.trace_id,
    }
    conditions: list[ColumnElement[bool]] = [
        column == value for column, value in wanted.items() if value is not None
    ]
    if where.failed:
        conditions.append(_ROWS.outcome != "ok")
    if where.cache == ANY_HIT:
        conditions.append(_ROWS.cache.startswith(ANY_HIT))
    if where.min_cost_nano_usd is not None:
        conditions.append(_ROWS.cost_nano_usd >= where.min_cost_nano_usd)
    if where.min_duration_us is not None:
        conditions.append(_ROWS.duration_us >= where.min_duration_us)
    if where.has_fallback is not None:
        conditions.append(_ROWS.fallbacks > 0 if where.has_fallback else _ROWS.fallbacks == 0)
    if where.from_us is not None:
        conditions.append(finished_us >= where.from_us)
    if where.to_us is not None:
        conditions.append(finished_us < where.to_us)
    if where.after is not None:
        at, request_id = where.after
        # The first condition alone is what the index can be entered by.
        conditions.append(finished_us <= at)
        conditions.append(or_(finished_us < at, _ROWS.request_id < request_id))
    return conditions
