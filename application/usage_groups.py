"""Sums as the rules of savings and advice take them."""

from typing import Final

from application.ports.usage_query import UsageDimension, UsageTotals
from domain.analytics.baseline import Group
from domain.analytics.rollup import RollupSums

GROUPED: Final = (
    UsageDimension.ROUTE,
    UsageDimension.OPERATION,
    UsageDimension.PROVIDER,
    UsageDimension.MODEL,
    UsageDimension.CACHE,
)


def group_of(row: UsageTotals) -> Group:
    """One row of sums by GROUPED."""
    route, operation, provider, model, cache = row.key
    return Group(route, operation, provider, model, cache, RollupSums(*row[1:]))
