"""What the answer cache did for a tenant, from its usage."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from application.ports.system import Clock
from application.ports.usage_query import UsageDimension, UsageFilter, UsageOrder, UsageQuery, UsageTotals
from application.use_cases.report_usage import within_border
from domain.tenancy.principal import Principal

DEFAULT_DAYS: Final = 30
LINES_MAX: Final = 1_000
_BY: Final = (UsageDimension.ROUTE, UsageDimension.CACHE)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class CacheUsageLine(NamedTuple):
    """One route and one effect (`domain.caching.effect`). `unpriced` are hits of which nobody knows what
    they saved."""

    route: str
    effect: str
    requests: int
    saved_nano_usd: int
    unpriced: int
    cost_nano_usd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUsage:
    """Lines with the most requests first; times are UTC epoch microseconds, `to_us` exclusive. `complete` is
    false where there are more lines than are shown."""

    from_us: int
    to_us: int
    lines: tuple[CacheUsageLine, ...]
    lookups: int
    hits: int
    saved_nano_usd: int
    complete: bool


class ReportCacheUsage:
    """Of the last 30 days, today included; always of one tenant."""

    def __init__(self, usage: UsageQuery, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock

    async def __call__(self, by: Principal, tenant_id: str | None = None) -> CacheUsage:
        """Raises Forbidden, StoreUnavailable."""
        now = self._clock.utc_now()
        first = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DEFAULT_DAYS - 1)
        from_us, to_us = _us(first), _us(now) + 1
        where = UsageFilter(
            tenant_id=by.tenant_id if tenant_id is None else tenant_id, from_us=from_us, to_us=to_us
        )
        rows = await self._usage.totals(
            within_border(by, where), _BY, limit=LINES_MAX + 1, order=UsageOrder.REQUESTS
        )
        shown = rows[:LINES_MAX]
        lines = tuple(map(_line, shown))
        return CacheUsage(
            from_us=from_us,
            to_us=to_us,
            lines=lines,
            lookups=sum(row.cache_lookups for row in shown),
            hits=sum(row.cache_hits for row in shown),
            saved_nano_usd=sum(row.saved_nano_usd for row in shown),
            complete=len(rows) <= LINES_MAX,
        )


def _line(row: UsageTotals) -> CacheUsageLine:
    route, effect = row.key
    return CacheUsageLine(
        route, effect, row.requests, row.saved_nano_usd, row.unpriced_hits, row.cost_nano_usd
    )


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)
