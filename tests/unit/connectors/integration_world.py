"""Integrations of one process, with everything they touch in memory."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from adapters.memory.connector import MemoryKind, MemorySide
from adapters.memory.integrations import InMemoryIntegrations
from application.outside import Outside
from application.ports.connector import AddressGuard
from application.ports.http import HttpRequest, HttpResponse, HttpTransport, TransportFailed, TransportStage
from application.tools.book import IntegrationBook
from application.tools.declared import FileSecrets, OpeningDeclared
from application.tools.forms import Asked
from application.tools.health_board import HealthBoard
from application.tools.keeping_secrets import IntegrationSecrets
from application.tools.kinds import ConnectorKinds
from application.tools.opening import ConnectorOpening
from application.use_cases.follow_integrations import FollowIntegrations
from application.use_cases.manage_integrations import IntegrationKeeping, ManageIntegrations
from application.use_cases.watch_integrations import WatchIntegrations
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.terms import IntegrationTerms
from domain.tenancy.principal import Principal
from domain.tenancy.role import permissions_of
from tests.unit.vault.vault_world import HandClock, VaultWorld, vault_world

TOKEN = "a-token-nobody-may-see"


class NoWayOut(HttpTransport):
    async def send(self, request: HttpRequest) -> HttpResponse:
        raise TransportFailed(TransportStage.REFUSED, "nobody goes out here")

    async def aclose(self) -> None:
        """Nothing is open."""


class NoAddress(AddressGuard):
    async def __call__(self, host: str, port: int) -> Sequence[str]:
        del host, port
        return ()


class IntegrationWorld(NamedTuple):
    sides: dict[str, MemorySide]
    store: InMemoryIntegrations
    vaults: VaultWorld
    book: IntegrationBook
    board: HealthBoard
    follow: FollowIntegrations
    manage: ManageIntegrations
    watch: WatchIntegrations
    clock: HandClock

    async def secrets(self, tenant_id: str = "acme") -> dict[str, str]:
        """What the vault keeps, opened."""
        rows = (await self.vaults.store.tenant(tenant_id)).rows
        opened = await self.vaults.vault.open(tenant_id, [row.name for row in rows])
        return {name: value.reveal().decode() for name, value in opened.items()}

    def another(self) -> "IntegrationWorld":
        """Another instance on the same stores."""
        return integration_world(self.sides, self.store, self.vaults)


def integration_world(
    sides: dict[str, MemorySide] | None = None,
    store: InMemoryIntegrations | None = None,
    vaults: VaultWorld | None = None,
) -> IntegrationWorld:
    if sides is None:
        sides = {"open": MemorySide(), "guarded": MemorySide(token=TOKEN)}
    store, vaults = store or InMemoryIntegrations(), vaults or vault_world()
    clock, kinds, secrets = vaults.clock, ConnectorKinds([MemoryKind(sides)]), FileSecrets()
    outside = Outside(NoWayOut(), lambda _: ())
    opening = OpeningDeclared(
        ConnectorOpening(kinds, vaults.vault, outside, lambda _: NoAddress()), secrets, vaults.vault
    )
    book, board = IntegrationBook(opening, clock), HealthBoard(store)
    follow = FollowIntegrations(store, vaults.store, secrets, book.use)
    keeping = IntegrationKeeping(
        declared=lambda: follow.declared.integrations,
        declared_in=lambda each: f"interchange.yaml:{each.integration_id}",
        check_terms=_anything_holds,
        changed=follow.refresh,
    )
    manage = ManageIntegrations(
        store, store, board, kinds, opening, IntegrationSecrets(vaults.vault), clock, keeping
    )
    watch = WatchIntegrations(book, store, board, clock, lambda: 0.5)
    return IntegrationWorld(sides, store, vaults, book, board, follow, manage, watch, clock)


def _anything_holds(_terms: IntegrationTerms) -> None:
    return None


def caller(tenant_id: str = "acme", role: str = "owner", **more: Any) -> Principal:
    permissions = permissions_of(role, tenant_id)
    made = {"key_id": "key_1", "key_name": "k", "role": role, "permissions": permissions, **more}
    return Principal(tenant_id=tenant_id, **made)


def asked(name: str = "box", side: str = "guarded", token: Any = TOKEN, **configuration: Any) -> Asked:
    authentication = {"type": "token", "token": token} if token is not ... else {"type": "token"}
    return Asked(
        name,
        "storage",
        {"endpoint": f"memory://{side}", "authentication": authentication, **configuration},
    )


def declared(name: str = "shelf", side: str = "open", tenant_id: str = "acme", **more: Any) -> Integration:
    configuration = {"endpoint": f"memory://{side}", "authentication": {"type": "none"}}
    return Integration(
        tenant_id=tenant_id,
        integration_id=name,
        kind=IntegrationKind.STORAGE,
        **{"configuration": configuration, "declared": True, **more},
    )
