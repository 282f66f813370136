"""Keeps the integrations that calls find as they are declared and stored.

Declared ones come with the configuration, the rest from the store, where any instance may change them;
`refresh` notices within its period. What is declared for everybody stands beside every tenant's own.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Final, NamedTuple

from application.ports.integrations import IntegrationStore
from application.ports.tool_pins import ToolPins
from application.ports.vault import CredentialStore
from application.tools.declared import DeclaredIntegrations, FileSecrets, Place
from domain.connectors.integration import INSTALLATION, Integration
from domain.errors import Conflict
from domain.tenancy.role import OPERATOR_TENANT
from domain.vault.secret import SecretBytes

log = logging.getLogger("interchange")

REFRESH_EVERY_S: Final = 0.5
_VERSION_BYTES: Final = 6
Use = Callable[[Iterable[Integration]], None]
NOTHING_DECLARED: Final = DeclaredIntegrations()


class _Known(NamedTuple):
    """Secrets of the file when an integration was last put in force, and how often they changed since."""

    secrets: Mapping[str, SecretBytes]
    turns: int


def place_of(integration: Integration) -> Place:
    return integration.tenant_id, integration.integration_id


def check_integrations(declared: Sequence[Integration], stored: Sequence[Integration]) -> None:
    """Raises Conflict for a name that the file and the API both have in one tenant."""
    places = {place_of(integration) for integration in stored}
    twice = [
        f"integrations.{each.integration_id}: declared in the file and also made through the API "
        f"(`interchange integrations remove {each.integration_id}`, tenant {each.tenant_id}); keep one"
        for each in declared
        if place_of(each) in places
    ]
    if twice:
        raise Conflict("; ".join(twice), param="integration_id")


class FollowIntegrations:
    """Belongs to one event loop. `use` is told all of them whenever one changed."""

    def __init__(
        self,
        store: IntegrationStore,
        credentials: CredentialStore,
        secrets: FileSecrets,
        use: Use,
        pins: ToolPins | None = None,
    ) -> None:
        """`pins` of upstream servers: what somebody accepts is followed like any other change."""
        self._pins = pins
        self._store = store
        self._credentials = credentials
        self._secrets = secrets
        self._use = use
        self._generations: tuple[int, int, int] | None = None
        self._known: dict[Place, _Known] = {}
        self._versions: dict[tuple[str, str], str] = {}
        self._accepted: Mapping[Place, int] = {}
        self.declared: DeclaredIntegrations = NOTHING_DECLARED
        self.stored: tuple[Integration, ...] = ()

    async def start(self, declared: DeclaredIntegrations) -> None:
        """The first set. Raises Conflict for a name that both have, StoreUnavailable."""
        self.declared = declared
        await self._read()
        check_integrations(declared.integrations, self.stored)
        self._put_in_force()

    def declare(self, declared: DeclaredIntegrations) -> None:
        """Puts other integrations of the file in force, at once."""
        self.declared = declared
        self._generations = None  # they may name other credentials; the next refresh looks
        self._put_in_force()

    async def refresh(self) -> None:
        """Takes over what changed in the store, or of credentials that are named. Raises StoreUnavailable;
        nothing changes then."""
        if await self._asked() != self._generations:
            await self._read()
            self._put_in_force()

    def used_by(self, tenant_id: str, name: str) -> str | None:
        """What uses this credential; None: no integration."""
        for integration in (*self.declared.integrations, *self.stored):
            if credentials_tenant(integration) != tenant_id:
                continue
            for field, named in integration.credentials.items():
                if named == name:
                    return f"integrations.{integration.integration_id}.authentication.{field}"
        return None

    async def _asked(self) -> tuple[int, int, int]:
        accepted = 0 if self._pins is None else await self._pins.generation()
        return await self._store.generation(), await self._credentials.generation(), accepted

    async def _read(self) -> None:
        # Asked before the rows are read: a change in between is seen next time, never missed.
        generations = await self._asked()
        stored = tuple(await self._store.all())
        named = [each for each in (*self.declared.integrations, *stored) if each.credentials]
        versions: dict[tuple[str, str], str] = {}
        for tenant_id in sorted({credentials_tenant(each) for each in named}):
            kept = await self._credentials.tenant(tenant_id)
            versions |= {(tenant_id, row.name): f"{row.credential_id}.{row.version}" for row in kept.rows}
        accepted = {} if self._pins is None else await self._pins.turns()
        self.stored, self._versions, self._generations = stored, versions, generations
        self._accepted = accepted

    def _put_in_force(self) -> None:
        self._secrets.use(self.declared.secrets)
        declared = {place_of(each): each for each in self.declared.integrations}
        both = [each for each in self.stored if place_of(each) not in declared]
        before, self._known = self._known, {}
        self._use([self._effective(each, before) for each in (*declared.values(), *both)])

    def _effective(self, integration: Integration, before: dict[Place, _Known]) -> Integration:
        """With a version for all it is made of, secrets included: another one closes its connector,
        and nothing that was kept of its results is given again. The same on every instance, and never that
        of another integration which had this name before."""
        place = place_of(integration)
        secrets, known = self.declared.secrets.get(place, {}), before.get(place)
        turned = known is not None and known.secrets != secrets
        turns = (0 if known is None else known.turns) + turned
        self._known[place] = _Known(secrets, turns)
        tenant_id = credentials_tenant(integration)
        named = [
            (field, name, self._versions.get((tenant_id, name), ""))
            for field, name in sorted(integration.credentials.items())
        ]
        accepted = self._accepted.get(place, 0)
        made_of = repr((integration.created_at_us, integration.version, named, turns, accepted))
        digest = blake2b(made_of.encode(), digest_size=_VERSION_BYTES).digest()
        return replace(integration, version=int.from_bytes(digest, "big"))


def credentials_tenant(integration: Integration) -> str:
    """Whose vault has the credentials it names."""
    return OPERATOR_TENANT if integration.tenant_id == INSTALLATION else integration.tenant_id
