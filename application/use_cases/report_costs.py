"""Costs over time: the published UsageAnalytics, and sums by whatever is asked for."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from application.ports.system import Clock
from application.ports.usage_query import (
    TIME_DIMENSIONS,
    UsageDimension,
    UsageFilter,
    UsageOrder,
    UsageQuery,
    UsageTotals,
)
from application.use_cases.report_usage import GROUPS_MAX, within_border
from domain.analytics.costs import CostKey, UsageAnalytics, analytics_of
from domain.analytics.focus import period_of
from domain.analytics.rollup import RollupSums
from domain.analytics.savings import Savings, savings_of
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal

DEFAULT_DAYS: Final = 30
BUCKETS: Final = {
    "day": UsageDimension.DAY,
    "hour": UsageDimension.HOUR,
    "month": UsageDimension.MONTH,
}
"""Lengths of periods; the first one where none is asked for."""
_FORMATS: Final = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """`groups` are by `group_by` and the bucket, in the order of time; empty without `group_by`."""

    from_us: int
    to_us: int
    analytics: list[UsageAnalytics]
    totals: UsageTotals
    savings: Savings
    groups: list[UsageTotals]


class ReportCosts:
    """Never across the border of a tenant unless the caller runs the installation."""

    def __init__(self, usage: UsageQuery, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    async def __call__(
        self, by: Principal, where: UsageFilter, *, bucket: str, group_by: tuple[UsageDimension, ...] = ()
    ) -> Costs:
        """Of the last 30 days, today included, if `where` names no time.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        if bucket not in BUCKETS:
            raise InvalidRequest(
                f"bucket {bucket[:40]!r} is unknown; allowed: {', '.join(BUCKETS)}", param="bucket"
            )
        if len(set(group_by)) != len(group_by) or not TIME_DIMENSIONS.isdisjoint(group_by):
            raise InvalidRequest("by names a dimension twice, or a time: that is the bucket", param="by")
        where = within_border(by, self._timed(where))
        assert where.from_us is not None, "it was given, or set just now"
        assert where.to_us is not None, "it was given, or set just now"
        time = BUCKETS[bucket]
        shared = (UsageDimension.TENANT, UsageDimension.PROVIDER, UsageDimension.MODEL)
        (totals,) = await self._usage.totals(where)
        # Without a request there is nothing to group.
        rows = await self._groups(where, (time, *shared)) if totals.requests else []
        caches = await self._groups(where, (UsageDimension.CACHE,)) if totals.requests else []
        return Costs(
            from_us=where.from_us,
            to_us=where.to_us,
            analytics=analytics_of((_key(row.key, bucket), RollupSums(*row[1:])) for row in rows),
            totals=totals,
            savings=savings_of((row.key[0], RollupSums(*row[1:])) for row in caches),
            groups=await self._groups(where, (time, *group_by)) if group_by and totals.requests else [],
        )

    def _timed(self, where: UsageFilter) -> UsageFilter:
        now = self._clock.utc_now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        to_us = _us(now) + 1 if where.to_us is None else where.to_us
        from_us = _us(midnight - timedelta(days=DEFAULT_DAYS - 1)) if where.from_us is None else where.from_us
        return replace(where, from_us=from_us, to_us=to_us)

    async def _groups(self, where: UsageFilter, by: tuple[UsageDimension, ...]) -> list[UsageTotals]:
        rows = await self._usage.totals(where, by, limit=GROUPS_MAX + 1, order=UsageOrder.KEY)
        if len(rows) > GROUPS_MAX:
            raise InvalidRequest(
                f"this has more than {GROUPS_MAX} groups; ask for less time, or for a longer bucket",
                param="bucket",
            )
        return rows


def _key(key: tuple[str, ...], bucket: str) -> CostKey:
    time, tenant_id, provider, model = key
    start = datetime.strptime(time, _FORMATS[bucket]).replace(tzinfo=UTC)
    return CostKey(tenant_id, provider, model, *period_of(_us(start), bucket))


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
