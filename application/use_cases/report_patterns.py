"""When, by whom and for what models are used, and how that differs from the time before."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from application.ports.system import Clock
from application.ports.usage_query import UNROLLED, UsageDimension, UsageFilter, UsageOrder, UsageQuery
from application.report_times import last_days, us
from application.use_cases.report_usage import GROUPS_MAX, within_border
from domain.analytics.patterns import (
    HourUse,
    Leaders,
    Rhythm,
    Use,
    leaders_of,
    rhythm_of,
    trend,
)
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal

DAYS_MAX: Final = 366
"""As many hours as one answer may have groups."""
TOP_MAX: Final = 100
LEADERS: Final = (
    UsageDimension.AGENT,
    UsageDimension.KEY,
    UsageDimension.MODEL,
    UsageDimension.PROVIDER,
    UsageDimension.ROUTE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patterns:
    """Times are UTC epoch microseconds, `to_us` exclusive; the time before is as long, right before it."""

    from_us: int
    to_us: int
    total: Use
    before: Use
    trend: float | None
    """Of the cost; 0.1: a tenth more than before. None: nothing was spent before."""
    rhythm: Rhythm
    leaders: dict[UsageDimension, Leaders]


class ReportPatterns:
    """Never across the border of a tenant unless the caller runs the installation."""

    def __init__(self, usage: UsageQuery, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    async def __call__(
        self,
        by: Principal,
        where: UsageFilter,
        *,
        top: int = 10,
        of: tuple[UsageDimension, ...] = LEADERS,
    ) -> Patterns:
        """Of the last 30 days, if `where` names no time; leaders of each dimension in `of`.

        Raises Forbidden, InvalidRequest, StoreUnavailable.
        """
        if not 1 <= top <= TOP_MAX:
            raise InvalidRequest(f"top must be 1-{TOP_MAX}", param="top")
        from_us, to_us = last_days(self._clock.utc_now(), where.from_us, where.to_us)
        if to_us - from_us > DAYS_MAX * 86_400_000_000:
            raise InvalidRequest(f"from and to may be at most {DAYS_MAX} days apart", param="from")
        where = within_border(by, replace(where, from_us=from_us, to_us=to_us))
        earlier = replace(where, from_us=2 * from_us - to_us, to_us=from_us)
        (now,), (then,) = await self._usage.totals(where), await self._usage.totals(earlier)
        # Where nobody asked anything, nobody leads, and nobody did before: that is not asked for.
        leaders: dict[UsageDimension, Leaders] = {}
        for dimension in of:
            mine = await self._uses(where, dimension) if now.requests else {}
            theirs = await self._uses(earlier, dimension) if mine and then.requests else {}
            leaders[dimension] = leaders_of(mine, theirs, top=top)
        hours = await self._hours(where) if now.requests else []
        return Patterns(
            from_us=from_us,
            to_us=to_us,
            total=Use(now.requests, now.cost_nano_usd),
            before=Use(then.requests, then.cost_nano_usd),
            trend=trend(now.cost_nano_usd, then.cost_nano_usd),
            rhythm=rhythm_of(hours, from_us, to_us),
            leaders=leaders,
        )

    async def _hours(self, where: UsageFilter) -> list[HourUse]:
        rows = await self._usage.totals(where, (UsageDimension.HOUR,), limit=GROUPS_MAX, order=UsageOrder.KEY)
        return [
            HourUse(
                us(datetime.strptime(row.key[0], "%Y-%m-%dT%H").replace(tzinfo=UTC)),
                Use(row.requests, row.cost_nano_usd),
            )
            for row in rows
        ]

    async def _uses(self, where: UsageFilter, dimension: UsageDimension) -> dict[str, Use]:
        limit = GROUPS_MAX if dimension not in UNROLLED else GROUPS_MAX // 10
        rows = await self._usage.totals(where, (dimension,), limit=limit)
        return {row.key[0]: Use(row.requests, row.cost_nano_usd) for row in rows if row.key[0]}
