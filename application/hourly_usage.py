"""Usage hour by hour, as anomalies look at it."""

from collections.abc import Sequence
from dataclasses import replace
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
from domain.caching.effect import SHADOW

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_COPIES: Final = (UsageDimension.CACHE, (SHADOW,))


async def hourly_sums(usage: UsageQuery, where: UsageFilter, first_us: int, to_us: int) -> list[Hour]:
    """One for each hour between these two, which `where` asks about as well. Raises StoreUnavailable."""
    return await _hours(usage, where, first_us, to_us)


async def hours_of_callers(
    usage: UsageQuery, where: UsageFilter, first_us: int, to_us: int, hours: Sequence[Hour]
) -> Sequence[Hour]:
    """`hours` (as `hourly_sums` has them) without copies for shadows of experiments: what callers met. Costs
    stay, for copies are paid for. The same ones where `where` tells caches apart itself: copies may be what
    was asked for. Raises StoreUnavailable."""
    if any(dimension is UsageDimension.CACHE for dimension, _ in where.only):
        return hours
    copies = await _hours(usage, replace(where, only=(*where.only, _COPIES)), first_us, to_us)
    return [
        Hour(
            hour.requests - copy.requests,
            hour.ok_requests - copy.ok_requests,
            hour.cost_nano_usd,
            hour.duration_us - copy.duration_us,
        )
        for hour, copy in zip(hours, copies, strict=True)
    ]


async def _hours(usage: UsageQuery, where: UsageFilter, first_us: int, to_us: int) -> list[Hour]:
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
