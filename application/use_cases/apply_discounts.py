"""Volume discounts follow what was spent with each provider this month (UTC)."""

from application.ports.system import Clock
from application.ports.usage_query import UsageFilter, UsageQuery
from application.runtime import Runtime


class ApplyDiscounts:
    """Asks the usage store beside requests, never in their way."""

    def __init__(self, runtime: Runtime, usage: UsageQuery, clock: Clock) -> None:
        self._runtime = runtime
        self._usage = usage
        self._clock = clock

    async def __call__(self) -> bool:
        """Whether other prices hold from now on. Raises StoreUnavailable; then nothing changes."""
        now = self._clock.utc_now()
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        from_us = int(month.timestamp() * 1e6)
        bills: dict[str, int] = {}
        for name in self._runtime.volume_providers:
            (total,) = await self._usage.totals(UsageFilter(provider=name, from_us=from_us))
            bills[name] = total.cost_nano_usd
        return self._runtime.reprice(bills)
