"""Usage hour by hour, as anomalies look at it."""

from datetime import UTC, datetime, timedelta
from typing import Final

from application.ports.usage_query import (
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
    UsageTotals,
)
from domain.analytics.rollup import HOUR_US
from domain.anomalies.metrics import EMPTY, Hour

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def hourly_sums(usage: UsageQuery, where: UsageFilter, first_us: int, to_us: int) -> list[Hour]:
    """One for each hour between these two, which `where` asks about as well. Raises StoreUnavailable."""
    count = max(0, to_us - first_us) // HOUR_US
    rows = await usage.totals(where, (UsageDimension.HOUR,), limit=count + 1, order=UsageOrder.KEY)
    hours = [EMPTY] * count
    for row in rows:
        hours[(_hour_us(row.key[0]) - first_us) // HOUR_US] = hour_of(row)
    return hours


def hour_of(row: UsageTotals) -> Hour:
    """Sums of whatever time as those of an hour."""
    return Hour(row.requests, row.ok_requests, row.cost_nano_usd, row.duration_us)


def _hour_us(text: str) -> int:
    moment = datetime.strptime(text, "%Y-%m-%dT%H").replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
