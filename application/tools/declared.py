"""Integrations that the configuration file declares, with the secrets that it holds itself."""

from collections.abc import Mapping
from typing import NamedTuple

from application.ports.connector import Connector
from application.tools.book import Opening
from application.tools.opening import ConnectorOpening
from application.vault import Vault
from domain.connectors.integration import INSTALLATION, Integration
from domain.errors import CredentialDamaged, IntegrationUnavailable
from domain.tenancy.role import OPERATOR_TENANT
from domain.vault.secret import SecretBytes

Place = tuple[str, str]
"""(tenant_id, integration_id)"""


class DeclaredIntegrations(NamedTuple):
    """What the file says. `secrets` are those it holds itself, by integration and field; what it names of the
    vault stands in `Integration.credentials`."""

    integrations: tuple[Integration, ...] = ()
    secrets: Mapping[Place, Mapping[str, SecretBytes]] = {}


class FileSecrets:
    """What the file that is in force holds. Belongs to one event loop."""

    def __init__(self) -> None:
        self._by_place: Mapping[Place, Mapping[str, SecretBytes]] = {}

    def use(self, secrets: Mapping[Place, Mapping[str, SecretBytes]]) -> None:
        """In the place of all before."""
        self._by_place = secrets

    def of(self, integration: Integration) -> Mapping[str, SecretBytes]:
        """By field; none for one that no file declares."""
        if not integration.declared:
            return {}
        return self._by_place.get((integration.tenant_id, integration.integration_id), {})


class OpeningDeclared(Opening):
    """Opens what is stored as `ConnectorOpening` does, and what the file declares with its secrets. What is
    declared for everybody finds its credentials with the operator."""

    def __init__(self, opening: ConnectorOpening, secrets: FileSecrets, vault: Vault) -> None:
        self._opening = opening
        self._secrets = secrets
        self._vault = vault

    async def open(
        self, integration: Integration, secrets: Mapping[str, SecretBytes] | None = None
    ) -> Connector:
        """Raises as `ConnectorOpening.open`."""
        return await self._opening.open(integration, await self._known(integration, secrets))

    async def secrets_of(self, integration: Integration) -> Mapping[str, SecretBytes]:
        """What is secret of it, by field. Raises as `open`."""
        return await self._opening.secrets_of(integration, await self._known(integration, None))

    async def _known(
        self, integration: Integration, secrets: Mapping[str, SecretBytes] | None
    ) -> Mapping[str, SecretBytes]:
        given = {**self._secrets.of(integration), **(secrets or {})}
        if integration.tenant_id == INSTALLATION:
            given = {**await self._of_operator(integration), **given}
        return given

    async def _of_operator(self, integration: Integration) -> Mapping[str, SecretBytes]:
        names = frozenset(integration.credentials.values())
        try:
            opened = await self._vault.open(OPERATOR_TENANT, names)
        except CredentialDamaged as damaged:
            raise IntegrationUnavailable(
                f"a credential of integration {integration.integration_id!r} is damaged"
            ) from damaged
        if gone := sorted(names - set(opened)):
            raise IntegrationUnavailable(
                f"credential {gone[0]!r} of integration {integration.integration_id!r} is gone"
            )
        return {field: opened[name] for field, name in integration.credentials.items()}
