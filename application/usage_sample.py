"""A sample of single requests of one tenant, spread over some time: bounded, whatever there is."""

from dataclasses import dataclass, replace
from typing import Final

from application.ports.usage_query import UsageFilter
from application.ports.usage_rows import UsageRows
from domain.analytics.event import RequestEvent

WINDOWS: Final = 10
PER_WINDOW_MAX: Final = 300
TENANTS_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class UsageSample:
    """`complete`: it is every request there was."""

    requests: tuple[RequestEvent, ...] = ()
    complete: bool = True


class SampleUsage:
    """The time is cut into equal parts; of each the first requests are taken."""

    def __init__(self, rows: UsageRows) -> None:
        self._rows = rows

    async def __call__(
        self, tenant_id: str, where: UsageFilter, *, from_us: int, to_us: int, attempts: bool = False
    ) -> UsageSample:
        """Of one tenant, as far as `where` counts them. Raises StoreUnavailable."""
        found: list[RequestEvent] = []
        complete = True
        step = max(1, -(-(to_us - from_us) // WINDOWS))
        for start in range(from_us, to_us, step):
            part = replace(where, tenant_id=tenant_id, from_us=start, to_us=min(start + step, to_us))
            page = await self._rows.requests(
                tenant_id, part, after=None, limit=PER_WINDOW_MAX + 1, attempts=attempts
            )
            complete = complete and len(page) <= PER_WINDOW_MAX
            found += page[:PER_WINDOW_MAX]
        return UsageSample(tuple(found), complete)

    async def of_several(self, where: UsageFilter, *, from_us: int, to_us: int) -> UsageSample:
        """The same of the tenant in `where`, or of the first few there are. Raises StoreUnavailable."""
        tenants = [where.tenant_id] if where.tenant_id is not None else await self._rows.tenants(where)
        found, complete = UsageSample(), len(tenants) <= TENANTS_MAX
        for tenant_id in tenants[:TENANTS_MAX]:
            mine = await self(tenant_id, where, from_us=from_us, to_us=to_us)
            found = UsageSample(found.requests + mine.requests, found.complete and mine.complete)
        return found if complete else replace(found, complete=False)
