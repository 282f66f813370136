"""Seeing what is advised, looking anew, and saying what becomes of it."""

from application.ports.optimizations import Optimizations
from application.ports.system import Clock
from application.report_times import us
from application.use_cases.gather_facts import GatherFacts
from domain.analytics.advising import recommendations_of
from domain.analytics.recommendation import DECIDED, Kind, Recommendation, Status
from domain.errors import InvalidRequest, NotFound
from domain.tenancy.key_rules import check_tenant
from domain.tenancy.principal import Principal

READ = "usage.read"
WRITE = "recommendations.write"


class FindRecommendations:
    """Looks at one tenant's use and keeps what is found. For whoever was let do that."""

    def __init__(self, gather: GatherFacts, store: Optimizations, clock: Clock) -> None:
        self._gather = gather
        self._store = store
        self._clock = clock

    async def __call__(self, tenant_id: str) -> None:
        """The same use finds the same; ids and decisions stay. Raises StoreUnavailable."""
        facts = await self._gather(tenant_id)
        await self._store.keep(tenant_id, recommendations_of(facts, us(self._clock.utc_now())))


class ManageRecommendations:
    """Of the own tenant; who manages tenants names any."""

    def __init__(self, find: FindRecommendations, store: Optimizations, clock: Clock) -> None:
        self._find = find
        self._store = store
        self._clock = clock

    async def all(
        self,
        by: Principal,
        tenant_id: str | None = None,
        *,
        statuses: frozenset[Status] | None = None,
        kinds: frozenset[Kind] | None = None,
    ) -> list[Recommendation]:
        """What saves most first; None: every status, every kind. Raises Forbidden, StoreUnavailable."""
        wanted = by.tenant_id if tenant_id is None else tenant_id
        check_tenant(by, wanted, READ)
        return [
            one
            for one in await self._store.of(wanted)
            if (statuses is None or one.status in statuses) and (kinds is None or one.kind in kinds)
        ]

    async def refresh(self, by: Principal, tenant_id: str | None = None) -> list[Recommendation]:
        """Looks now; everything that is kept then. Raises Forbidden, StoreUnavailable."""
        wanted = by.tenant_id if tenant_id is None else tenant_id
        check_tenant(by, wanted, WRITE)
        await self._find(wanted)
        return await self._store.of(wanted)

    async def decide(
        self, by: Principal, optimization_id: str, status: Status, tenant_id: str | None = None
    ) -> Recommendation:
        """Raises Forbidden, InvalidRequest (a status that only looking gives), NotFound (also for another
        tenant's), StoreUnavailable."""
        wanted = by.tenant_id if tenant_id is None else tenant_id
        check_tenant(by, wanted, WRITE)
        if status not in DECIDED:
            allowed = ", ".join(one.value for one in DECIDED)
            raise InvalidRequest(
                f"status {status.value!r} follows by itself; allowed: {allowed}", param="status"
            )
        now_us = us(self._clock.utc_now())
        decided = await self._store.decide(wanted, optimization_id, status, by=by.key_id, at_us=now_us)
        if decided is None:
            raise NotFound(f"no recommendation {optimization_id[:60]!r} in this tenant", param="id")
        return decided
