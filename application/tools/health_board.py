"""How each integration is doing, as this process knows it: from memory, for pages and figures."""

import logging
from collections.abc import Callable, Iterable

from application.ports.integrations import HealthLog
from domain.connectors.health import HealthCheck
from domain.connectors.integration import Integration
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

HealthTold = Callable[[Integration, HealthCheck | None, HealthCheck], None]
"""(integration, the check before, this one), whenever its state became another. Must not raise."""


def _nobody_is_told(_of: Integration, _before: HealthCheck | None, _now: HealthCheck) -> None:
    return None


class HealthBoard:
    """Belongs to one event loop."""

    def __init__(self, log: HealthLog) -> None:
        self._log = log
        self._latest: dict[tuple[str, str], HealthCheck] = {}
        self.on_change: HealthTold = _nobody_is_told

    def latest(self, tenant_id: str, integration_id: str) -> HealthCheck | None:
        """None: nobody looked that this process heard of."""
        return self._latest.get((tenant_id, integration_id))

    async def known(self, tenant_id: str, integration_id: str) -> HealthCheck | None:
        """As `latest`, else as the log has it. Raises StoreUnavailable."""
        found = self.latest(tenant_id, integration_id)
        if found is None and (found := await self._log.latest(tenant_id, integration_id)) is not None:
            self.take(found)
        return found

    async def note(self, integration: Integration, check: HealthCheck) -> None:
        """A check made here: kept, and told where something became different."""
        before = self.latest(integration.tenant_id, integration.integration_id)
        self.take(check)
        try:
            await self._log.add(check)
        except StoreUnavailable as error:
            log.warning("a health check could not be noted: %s", error.message)
        if before is None or before.state is not check.state:
            name = f"{integration.tenant_id}/{integration.integration_id}"
            level = logging.INFO if check.up and before is None else logging.WARNING
            log.log(
                level, "integration %s is %s%s", name, check.state, f": {check.error}" * bool(check.error)
            )
            self.on_change(integration, before, check)

    def take(self, check: HealthCheck) -> None:
        """One that another instance made: only remembered."""
        self._latest[check.tenant_id, check.integration_id] = check

    def keep_only(self, places: Iterable[tuple[str, str]]) -> None:
        """Forgets integrations that are gone."""
        there = frozenset(places)
        self._latest = {place: check for place, check in self._latest.items() if place in there}
