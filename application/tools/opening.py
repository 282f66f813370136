"""From an integration as it is stored to a connector that can be asked."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Protocol

from application.outside import Outside
from application.ports.connector import AddressGuard, Connector, ConnectorKind, Surroundings
from application.vault import Vault
from domain.connectors.integration import Integration
from domain.connectors.terms import own_configuration
from domain.errors import CredentialDamaged, IntegrationUnavailable
from domain.vault.secret import SecretBytes


def _load(names: Sequence[str]) -> None:
    for name in names:
        with suppress(ImportError):  # whoever opens it says what is missing
            import_module(name)


class Kinds(Protocol):
    """Which connector serves an integration."""

    def of(self, integration: Integration) -> ConnectorKind:
        """Raises InvalidConfiguration, which names what is allowed."""
        ...


class ConnectorOpening:
    """Opens the credentials an integration names, and its connector with them. Connects to nothing."""

    def __init__(
        self, kinds: Kinds, vault: Vault, outside: Outside, guard_of: Callable[[str], AddressGuard]
    ) -> None:
        """`guard_of` makes the judge of addresses for a tenant."""
        self.kinds = kinds
        self._vault = vault
        self._outside = outside
        self._guard_of = guard_of

    async def open(
        self, integration: Integration, secrets: Mapping[str, SecretBytes] | None = None
    ) -> Connector:
        """`secrets` stand in for those the vault keeps, for an integration that is not stored yet.

        Raises InvalidConfiguration, IntegrationUnavailable where a credential is gone, CredentialDamaged,
        VaultLocked, StoreUnavailable.
        """
        kind = self.kinds.of(integration)
        given = await self.secrets_of(integration, secrets)
        surroundings = Surroundings(
            transport=self._outside.of_tenant(integration.tenant_id),
            guard=self._guard_of(integration.tenant_id),
            secrets=given,
        )
        own = replace(integration, configuration=own_configuration(integration.configuration))
        unloaded = [name for name in kind.modules(own.configuration) if name not in sys.modules]
        if unloaded:
            await asyncio.to_thread(_load, unloaded)  # drivers take up to a second
        return kind.open(own, surroundings)

    async def secrets_of(
        self, integration: Integration, secrets: Mapping[str, SecretBytes] | None = None
    ) -> dict[str, SecretBytes]:
        """Every secret field; what `secrets` has is not looked for. Raises as `open`."""
        given = dict(secrets or {})
        missing = {field: name for field, name in integration.credentials.items() if field not in given}
        if missing:
            try:
                opened = await self._vault.open(integration.tenant_id, frozenset(missing.values()))
            except CredentialDamaged as damaged:
                raise IntegrationUnavailable(
                    f"a credential of integration {integration.integration_id!r} is damaged: its owner has "
                    "to set it anew"
                ) from damaged
            for field, name in missing.items():
                if name not in opened:
                    raise IntegrationUnavailable(
                        f"credential {name!r} of integration {integration.integration_id!r} is gone"
                    )
                given[field] = opened[name]
        return given
