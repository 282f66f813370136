"""Usage sums from the database."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, cast, func, select

from adapters.sql.database import Database
from adapters.sql.usage_facts import facts, label_of
from application.ports.usage_query import (
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
    UsageTotals,
    shown_value,
)
from domain.analytics.rollup import RollupSums


class SqlUsageQuery(UsageQuery):
    """Sums in the database. Sums of money are exact up to 2**63 nano-dollars (9.2 billion dollars)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def totals(
        self,
        where: UsageFilter,
        by: tuple[UsageDimension, ...] = (),
        *,
        limit: int = 1000,
        order: UsageOrder = UsageOrder.COST,
    ) -> list[UsageTotals]:
        statement = _statement(where, by, order).limit(limit)

        def work(connection: Connection) -> list[UsageTotals]:
            return [
                UsageTotals(
                    tuple(shown_value(one, value) for one, value in zip(by, row, strict=False)),
                    *(int(value) for value in row[len(by) :]),
                )
                for row in connection.execute(statement)
            ]

        return await self._database.read(work)


def _statement(where: UsageFilter, by: tuple[UsageDimension, ...], order: UsageOrder) -> Select[Any]:
    counted = facts(where, by).subquery()
    groups = [counted.c[label_of(dimension)] for dimension in by]
    sums = {name: _sum(counted.c[name]) for name in RollupSums._fields}
    statement = select(*groups, *(amount.label(f"sum_{name}") for name, amount in sums.items()))
    if groups:
        statement = statement.group_by(*groups)
    cost, requests = sums["cost_nano_usd"].desc(), sums["requests"].desc()
    amounts = (requests, cost) if order is UsageOrder.REQUESTS else (cost, requests)
    return statement.order_by(*((*groups, *amounts) if order is UsageOrder.KEY else (*amounts, *groups)))


def _sum(amount: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(amount), 0), BigInteger)
