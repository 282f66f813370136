"""Reading usage row by row, in pages, oldest first: for exports and for comparing with a provider's bill.

Failure policy: raises `StoreUnavailable`; nothing on the hot path asks. A page is a read of its own: rows
that are written behind a place already passed are not seen.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol

from application.ports.usage_query import UsageFilter
from domain.analytics.event import RequestEvent
from domain.analytics.reconciliation import Recorded
from domain.analytics.rollup import Rollup


class RequestPlace(NamedTuple):
    """A request's place among those of its tenant."""

    started_us: int
    request_id: str


class RollupPlace(NamedTuple):
    """A roll-up's place among those of its tenant."""

    hour_us: int
    group_id: str


class UsageRows(Protocol):
    @abstractmethod
    async def tenants(self, where: UsageFilter) -> list[str]:
        """Everyone who has roll-ups in these hours, sorted; also who has none that `where` counts."""
        ...

    @abstractmethod
    async def requests(
        self, tenant_id: str, where: UsageFilter, *, after: RequestPlace | None, limit: int, attempts: bool
    ) -> list[RequestEvent]:
        """At most `limit` requests of one tenant, in the order of their places, with attempts if asked."""
        ...

    @abstractmethod
    async def rollups(
        self, tenant_id: str, where: UsageFilter, *, after: RollupPlace | None, limit: int
    ) -> list[Rollup]:
        """At most `limit` roll-ups of one tenant, in the order of their places.

        Those whose hour begins in the time asked for. `where` must not name what roll-ups do not know.
        """
        ...

    @abstractmethod
    async def recorded(self, provider: str, from_us: int, to_us: int) -> list[Recorded]:
        """What attempts at a provider cost by UTC day and model, whoever's they were, ordered by both.

        Attempts with a caller's own credential are left out: the caller is billed for them.
        """
        ...
