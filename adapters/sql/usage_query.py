"""Usage sums from the database.

To make a statement takes longer than to run it on few rows, and one report asks a dozen: statements are kept
by their shape, with parameters for what was asked.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)

from adapters.sql.database import Database
from adapters.sql.usage_facts import Dimensions, Part, facts, label_of, parts_of
from application.ports.usage_query import (
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
    UsageTotals,
    shown_value,
)
from domain.analytics.rollup import RollupSums

_KEPT_MAX: Final = 128
"""Callers choose what is grouped and filtered; those shapes that reports ask for are some dozens."""


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
        demands, parts = list(where.demands()), parts_of(where, by)
        shape = _Shape(
            by,
            order,
            tuple((dimension, len(values) != 1) for dimension, values in demands),
            tuple((part.rolled, part.from_us is not None, part.to_us is not None) for part in parts),
        )
        statement = _statement(shape)
        asked: dict[str, Any] = {"limit": limit}
        for number, (_, values) in enumerate(demands):
            asked[f"only_{number}"] = values[0] if len(values) == 1 else values
        for number, part in enumerate(parts):
            asked |= {f"from_{number}": part.from_us, f"to_{number}": part.to_us}

        def work(connection: Connection) -> list[UsageTotals]:
            return [
                UsageTotals(
                    tuple(shown_value(one, value) for one, value in zip(by, row, strict=False)),
                    *(int(value) for value in row[len(by) :]),
                )
                for row in connection.execute(statement, asked)
            ]

        return await self._database.read(work)


class _Shape(NamedTuple):
    """Everything of a question but its values."""

    by: Dimensions
    order: UsageOrder
    demanded: tuple[tuple[UsageDimension, bool], ...]
    """Whether there are several values."""
    parts: tuple[tuple[bool, bool, bool], ...]
    """Whether rolled up, from some time, to some time."""

    def demands(self) -> Iterator[tuple[UsageDimension, BindParameter[Any]]]:
        for number, (dimension, several) in enumerate(self.demanded):
            yield dimension, bindparam(f"only_{number}", expanding=several)


@lru_cache(maxsize=_KEPT_MAX)
def _statement(shape: _Shape) -> Select[Any]:
    by, order = shape.by, shape.order
    parts = [
        Part(rolled, _time(f"from_{number}") if starts else None, _time(f"to_{number}") if ends else None)
        for number, (rolled, starts, ends) in enumerate(shape.parts)
    ]
    counted = facts(shape, by, parts).subquery()
    groups = [counted.c[label_of(dimension)] for dimension in by]
    sums = {name: _sum(counted.c[name]).label(f"sum_{name}") for name in RollupSums._fields}
    statement = select(*groups, *sums.values())
    if groups:
        statement = statement.group_by(*groups)
    cost, requests = sums["cost_nano_usd"].desc(), sums["requests"].desc()
    amounts = (requests, cost) if order is UsageOrder.REQUESTS else (cost, requests)
    ordered = (*groups, *amounts) if order is UsageOrder.KEY else (*amounts, *groups)
    return statement.order_by(*ordered).limit(bindparam("limit", type_=Integer))


def _time(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


def _sum(amount: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(amount), literal_column("0")), BigInteger)
