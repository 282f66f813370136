"""Integrations and their checks in memory: for tests and simulations; gone with the process."""

from dataclasses import replace

from application.ports.integrations import HealthLog, IntegrationStore
from domain.connectors.health import HealthCheck
from domain.connectors.integration import Integration, IntegrationKind
from domain.errors import Conflict, IntegrationExists, NotFound, StoreUnavailable

Place = tuple[str, str]


class InMemoryIntegrations(IntegrationStore, HealthLog):
    """Both at once, as their rows go together. Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._kept: dict[Place, Integration] = {}
        self._checks: dict[Place, dict[int, HealthCheck]] = {}
        self._claimed: dict[Place, int] = {}
        self._generation = 0

    async def get(self, tenant_id: str, integration_id: str) -> Integration | None:
        self._check()
        return self._kept.get((tenant_id, integration_id))

    async def page(
        self, tenant_id: str, *, limit: int, after: str = "", kind: IntegrationKind | None = None
    ) -> list[Integration]:
        self._check()
        found = [
            each
            for (tenant, name), each in sorted(self._kept.items())
            if tenant == tenant_id and name > after and kind in (None, each.kind)
        ]
        return found[:limit]

    async def all(self) -> list[Integration]:
        self._check()
        return [self._kept[place] for place in sorted(self._kept)]

    async def put(self, integration: Integration, *, tenant_max: int) -> None:
        self._check()
        place = (integration.tenant_id, integration.integration_id)
        if place in self._kept:
            raise IntegrationExists(
                f"integration {integration.integration_id!r} exists", param="integration_id"
            )
        if sum(1 for tenant, _ in self._kept if tenant == integration.tenant_id) >= tenant_max:
            raise Conflict(f"this tenant has {tenant_max} integrations; no more are kept")
        self._kept[place] = integration
        self._generation += 1

    async def change(self, integration: Integration, *, expected_version: int) -> None:
        self._check()
        place = (integration.tenant_id, integration.integration_id)
        known = self._kept.get(place)
        if known is None:
            raise NotFound(f"no integration {integration.integration_id!r}", param="integration_id")
        if known.version != expected_version:
            raise Conflict(f"integration {integration.integration_id!r} was changed by somebody else")
        self._kept[place] = replace(integration, created_at_us=known.created_at_us)
        self._generation += 1

    async def delete(self, tenant_id: str, integration_id: str) -> bool:
        self._check()
        place = (tenant_id, integration_id)
        if self._kept.pop(place, None) is None:
            return False
        self._checks.pop(place, None)
        self._claimed.pop(place, None)
        self._generation += 1
        return True

    async def generation(self) -> int:
        self._check()
        return self._generation

    async def add(self, check: HealthCheck) -> None:
        self._check()
        checks = self._checks.setdefault((check.tenant_id, check.integration_id), {})
        checks.setdefault(check.checked_at_us, check)

    async def latest(self, tenant_id: str, integration_id: str) -> HealthCheck | None:
        found = await self.history(tenant_id, integration_id, limit=1)
        return found[0] if found else None

    async def history(self, tenant_id: str, integration_id: str, *, limit: int) -> list[HealthCheck]:
        self._check()
        checks = self._checks.get((tenant_id, integration_id), {})
        return [checks[at] for at in sorted(checks, reverse=True)[:limit]]

    async def claim(self, tenant_id: str, integration_id: str, *, now_us: int, until_us: int) -> bool:
        self._check()
        place = (tenant_id, integration_id)
        if self._claimed.get(place, 0) > now_us:
            return False
        self._claimed[place] = until_us
        return True

    async def tidy(self, *, before_us: int, kept_max: int) -> int:
        self._check()
        gone = 0
        for place, checks in list(self._checks.items()):
            newest = sorted((at for at in checks if at >= before_us), reverse=True)[:kept_max]
            gone += len(checks) - len(newest)
            self._checks[place] = {at: checks[at] for at in newest}
        self._claimed = {place: until for place, until in self._claimed.items() if until >= before_us}
        return gone

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the store of integrations is not reachable")
