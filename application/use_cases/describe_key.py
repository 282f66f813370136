"""What the presented key is, what it may do, and what it has used: for whoever holds it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.key_ring import KeyRing
from application.ports.system import Clock
from application.ports.usage_query import UsageFilter, UsageQuery, UsageTotals
from domain.errors import StoreUnavailable
from domain.tenancy.principal import Principal

USAGE_TIMEOUT_S = 2.0
"""How long the sums may take; a key is described without them then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodUsage:
    """What a key used since `since`, and when that count starts again. UTC."""

    since: datetime
    resets_at: datetime
    totals: UsageTotals


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKey:
    """One key. `day` and `month` are None where the usage store did not answer in time."""

    principal: Principal
    expires_at: datetime | None
    day: PeriodUsage | None
    month: PeriodUsage | None


class DescribeOwnKey:
    """Answers from memory but for the sums of usage, which are bounded in time."""

    def __init__(self, key_ring: KeyRing, usage: UsageQuery, clock: Clock) -> None:
        self._key_ring = key_ring
        self._usage = usage
        self._clock = clock

    async def __call__(self, by: Principal) -> OwnKey:
        """Never raises for a usage store that is away."""
        now = self._clock.utc_now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        first = midnight.replace(day=1)
        day = month = None
        try:
            async with asyncio.timeout(USAGE_TIMEOUT_S):
                day = await self._period(by, midnight, midnight + timedelta(days=1))
                month = await self._period(by, first, (first + timedelta(days=32)).replace(day=1))
        except (TimeoutError, StoreUnavailable):
            day = month = None
        return OwnKey(principal=by, expires_at=self._key_ring.expires_at(by), day=day, month=month)

    async def _period(self, by: Principal, since: datetime, until: datetime) -> PeriodUsage:
        where = UsageFilter(tenant_id=by.tenant_id, key_id=by.key_id, from_us=int(since.timestamp() * 1e6))
        (totals,) = await self._usage.totals(where)
        return PeriodUsage(since=since, resets_at=until, totals=totals)
