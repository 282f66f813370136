"""Usage sums from the database."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    case,
    cast,
    func,
    literal_column,
    select,
)

from adapters.sql.database import SqlDatabase
from adapters.sql.schema import usage_attempts, usage_requests
from application.ports.usage_query import UsageDimension, UsageFilter, UsageQuery, UsageTotals

_HOUR_US = 3600 * 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS = usage_requests.c

_LAST = usage_attempts.alias("last_attempt")

_COLUMNS: dict[UsageDimension, ColumnElement[Any]] = {
    UsageDimension.TENANT: _ROWS.tenant_id,
    UsageDimension.KEY: _ROWS.key_id,
    UsageDimension.AGENT: _ROWS.agent_id,
    UsageDimension.USER: _ROWS.user_id,
    UsageDimension.SESSION: _ROWS.session_id,
    UsageDimension.WORKFLOW: _ROWS.workflow_id,
    UsageDimension.ROUTE: _ROWS.route,
    UsageDimension.PROVIDER: _ROWS.provider,
    UsageDimension.MODEL: _ROWS.model,
    UsageDimension.CREDENTIAL: func.coalesce(_LAST.c.credential, literal_column("''")),
    UsageDimension.OUTCOME: _ROWS.outcome,
    UsageDimension.DAY: _ROWS.started_at_us // (24 * _HOUR_US),
    UsageDimension.HOUR: _ROWS.started_at_us // _HOUR_US,
}


class SqlUsageQuery(UsageQuery):
    """Sums in the database. Sums of money are exact up to 2**63 nano-dollars (9.2 billion dollars)."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    async def totals(
        self, where: UsageFilter, by: tuple[UsageDimension, ...] = (), *, limit: int = 1000
    ) -> list[UsageTotals]:
        statement = _statement(where, by).limit(limit)

        def work(connection: Connection) -> list[UsageTotals]:
            return [_totals(row, by) for row in connection.execute(statement)]

        return await self._database.read(work)


def _statement(where: UsageFilter, by: tuple[UsageDimension, ...]) -> Select[Any]:
    mine = usage_attempts.c.request_id == _ROWS.request_id
    attempts = select(func.count()).select_from(usage_attempts).where(mine).scalar_subquery()
    attempt_cost = select(func.sum(usage_attempts.c.cost_nano_usd)).where(mine).scalar_subquery()
    groups = [_COLUMNS[dimension].label(f"by_{dimension.value}") for dimension in by]
    cost = _sum(_ROWS.cost_nano_usd).label("cost")
    requests = func.count().label("requests")
    statement = select(
        *groups,
        requests,
        _count(_ROWS.outcome == "ok").label("ok"),
        _sum(attempts).label("attempts"),
        _sum(_ROWS.input_tokens).label("input"),
        _sum(_ROWS.output_tokens).label("output"),
        _sum(_ROWS.cached_read_tokens).label("cached_read"),
        _sum(_ROWS.cache_write_tokens).label("cache_write"),
        _sum(_ROWS.reasoning_tokens).label("reasoning"),
        cost,
        _sum(attempt_cost).label("attempt_cost"),
        _count(_ROWS.cost_nano_usd.is_(None)).label("unpriced"),
        _count(_ROWS.estimated).label("estimated"),
        _sum(_ROWS.duration_us).label("duration"),
    ).select_from(_joined(by))
    statement = statement.where(*_conditions(where))
    if groups:
        statement = statement.group_by(*groups)
    return statement.order_by(cost.desc(), requests.desc(), *groups)


def _joined(by: tuple[UsageDimension, ...]) -> FromClause:
    """The requests, with the last attempt of each where that is asked for."""
    if UsageDimension.CREDENTIAL not in by:
        return usage_requests
    last = and_(_LAST.c.request_id == _ROWS.request_id, _LAST.c.ordinal == _ROWS.attempts_made - 1)
    return usage_requests.outerjoin(_LAST, last)


def _conditions(where: UsageFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if where.tenant_id is not None:
        conditions.append(_ROWS.tenant_id == where.tenant_id)
    if where.key_id is not None:
        conditions.append(_ROWS.key_id == where.key_id)
    if where.model is not None:
        conditions.append(_ROWS.model == where.model)
    if where.provider is not None:
        conditions.append(_ROWS.provider == where.provider)
    if where.from_us is not None:
        conditions.append(_ROWS.started_at_us >= where.from_us)
    if where.to_us is not None:
        conditions.append(_ROWS.started_at_us < where.to_us)
    return conditions


def _sum(amount: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(amount), 0), BigInteger)


def _count(condition: ColumnElement[Any]) -> ColumnElement[int]:
    return _sum(case((condition, 1), else_=0))


def _totals(row: Row[Any], by: tuple[UsageDimension, ...]) -> UsageTotals:
    key = tuple(_text(dimension, value) for dimension, value in zip(by, row, strict=False))
    return UsageTotals(key, *(int(value) for value in row[len(by) :]))


def _text(dimension: UsageDimension, value: Any) -> str:
    if dimension is UsageDimension.DAY:
        return f"{_EPOCH + timedelta(days=value):%Y-%m-%d}"
    if dimension is UsageDimension.HOUR:
        return f"{_EPOCH + timedelta(hours=value):%Y-%m-%dT%H}"
    return str(value)
