"""Integrations as commands see them, without a server."""

import asyncio
from typing import Final, NamedTuple

from application.tools.declared import FileSecrets
from application.tools.reaching import attempted, reach_anew
from application.use_cases.follow_integrations import FollowIntegrations
from domain.connectors.integration import Integration, IntegrationState
from domain.errors import Conflict
from entrypoints.connectors_opening import connector_kinds, connector_opening
from entrypoints.integrating import declared_integrations
from entrypoints.integrations_opening import integration_store
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import Settings
from entrypoints.store_container import StoreContainer
from entrypoints.tenancy import start_tenancy

AT_ONCE: Final = 8
TOLD_MAX: Final = 200


class IntegrationTold(NamedTuple):
    """What one look found. `paused`: its state, where it is not looked at; `problem` empty: it answered."""

    tenant_id: str
    integration_id: str
    kind: str
    scheme: str
    paused: str = ""
    problem: str = ""
    latency_ms: float = 0.0


async def followed(container: StoreContainer, settings: Settings) -> FollowIntegrations:
    """What is declared and stored. Raises ProvisioningError, StoreUnavailable."""
    return (await _followed(container, settings))[0]


async def _followed(
    container: StoreContainer, settings: Settings
) -> tuple[FollowIntegrations, FileSecrets, list[Integration]]:
    used: list[Integration] = []
    secrets = FileSecrets()
    store = integration_store(container.database())
    follow = FollowIntegrations(store, container.vaulting().vault.store, secrets, used.extend)
    try:
        await follow.start(declared_integrations(settings, connector_kinds(settings)))
    except Conflict as error:
        raise ProvisioningError([error.message]) from None
    return follow, secrets, used


async def integrations_told(container: StoreContainer, settings: Settings) -> list[IntegrationTold]:
    """Reaches every active integration once, at most TOLD_MAX of them. Raises ProvisioningError,
    StoreUnavailable."""
    await start_tenancy(container.tenancy().follow, settings)
    _, secrets, every = await _followed(container, settings)
    opening = connector_opening(
        connector_kinds(settings),
        container.vaulting().vault,
        container.outgoing(),
        container.tenant_book(),
        secrets,
    )
    places, clock = asyncio.Semaphore(AT_ONCE), container.clock()

    async def told(of: Integration) -> IntegrationTold:
        plain = IntegrationTold(of.tenant_id, of.integration_id, of.kind.value, of.scheme)
        if of.state is not IntegrationState.ACTIVE:
            return plain._replace(paused=of.state.value)
        async with places:
            attempt = await attempted(reach_anew(opening, of, {}, clock), clock)
        return plain._replace(problem=attempt.seen.error, latency_ms=attempt.seen.latency_ms)

    return await asyncio.gather(*(told(each) for each in every[:TOLD_MAX]))
