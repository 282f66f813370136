"""Integrations of type `llm_provider`: providers that come and go while the server runs.

One that the operator's tenant has serves everybody, as those of the file do. One of another tenant is that
tenant's alone: its targets are closed to all other requests, it takes the tenant's own way out, and nothing
it says can change what the others have.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.connectors.integration import INSTALLATION, Integration, IntegrationKind, IntegrationState
from domain.connectors.terms import COMMON_KEYS, breaker_policy, own_configuration
from domain.errors import CredentialDamaged, IntegrationUnavailable, InvalidConfiguration, VaultLocked
from domain.resilience.breaker import BreakerPolicy
from domain.routing.target import Via
from domain.tenancy.role import OPERATOR_TENANT
from domain.vault.secret import SecretBytes
from entrypoints.config.llm_provider_section import API_KEY, provider_section, with_key
from entrypoints.config.provider_sections import ProviderSettings
from entrypoints.provider_wires import DIRECT_WIRES
from entrypoints.provisioned import ProvisionedProvider

Place = tuple[str, str]
"""(tenant_id, integration_id)"""
SecretsOf = Callable[[Integration], Awaitable[Mapping[str, SecretBytes]]]
"""Secret fields, opened. Raises IntegrationUnavailable, CredentialDamaged, VaultLocked, StoreUnavailable."""
NO_SECRETS: Final[Mapping[str, SecretBytes]] = {}
_OF_TOOLS: Final = COMMON_KEYS - {"region", "circuit_breaker"}
LOOKS_BETWEEN_TRIES: Final = 25
PROVIDERS_PER_TENANT_MAX: Final = 50
MODELS_PER_PROVIDER_MAX: Final = 1_000
MODELS_MAX: Final = 20_000
"""Of all integrations together: each lengthens what every plan looks at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegratedProvider:
    """One that is in force, its secret opened. `version` differs whenever anything of it does."""

    tenant_id: str
    integration_id: str
    version: int
    section: ProviderSettings = field(repr=False)
    breaker: BreakerPolicy | None = None
    """None: what holds for all."""

    @property
    def place(self) -> Place:
        return self.tenant_id, self.integration_id

    @property
    def alone(self) -> str:
        """The tenant that has it alone; empty: everybody has it."""
        return "" if self.tenant_id in (OPERATOR_TENANT, INSTALLATION) else self.tenant_id

    @property
    def name(self) -> str:
        """As a provider. No file's provider and no other tenant's can have the same one."""
        return f"{self.alone}:{self.integration_id}" if self.alone else self.integration_id

    def section_at(self, public_url: str | None) -> ProviderSettings:
        """Without its address where that is the vendor's own."""
        given = (self.section.base_url or "").rstrip("/")
        if public_url is None or given != public_url.rstrip("/"):
            return self.section
        return self.section.model_copy(update={"base_url": None})

    def via(self, section: ProviderSettings) -> Via:
        """The gateway judges no addresses: it carries only what goes to a vendor's own, for the operator."""
        said = "via" in section.model_fields_set
        if not said or self.alone or section.base_url is not None:
            return Via.DIRECT
        return section.via


def not_here(
    each: IntegratedProvider,
    section: ProviderSettings,
    provider: ProvisionedProvider,
    taken: Collection[str],
    made: Mapping[str, ProvisionedProvider],
    models: int,
    models_before: int,
) -> Iterable[str]:
    """What keeps it from being a provider beside these, each with the field it is about. It offers so many
    `models`, and the integrations before it have so many."""
    if each.name in taken or each.name in made:
        yield f"integration_id: there is a provider {each.integration_id!r} already"
    if sum(other.integrated_by == each.tenant_id for other in made.values()) >= PROVIDERS_PER_TENANT_MAX:
        yield f"integration_id: a tenant has at most {PROVIDERS_PER_TENANT_MAX} integrations of this type"
    if section.via is Via.PORTKEY and (each.alone or section.base_url is not None):
        yield "via: the gateway carries only what the operator sends to a vendor's own address"
    elif each.via(section) is Via.DIRECT and provider.wire not in DIRECT_WIRES:
        yield f"kind: {provider.kind} is reached through the gateway only, which needs `via: portkey`"
    if models > MODELS_PER_PROVIDER_MAX:
        yield f"models: {models} are known of this kind, at most {MODELS_PER_PROVIDER_MAX} can be had"
    elif models_before + models > MODELS_MAX:
        yield f"models: all integrations together have at most {MODELS_MAX}"
    elif not models:
        yield "models: the catalogue knows none of this kind; name those that it has"


class ProviderIntegrations:
    """Those that are in force now, as providers. Belongs to one event loop."""

    def __init__(self, secrets_of: SecretsOf) -> None:
        self._secrets_of = secrets_of
        self._wanted: tuple[Integration, ...] = ()
        self._made: dict[Place, IntegratedProvider] = {}
        self._failed: dict[Place, tuple[int, int, str]] = {}
        self.problems: tuple[str, ...] = ()
        """Why some of them are not providers, in words for whoever runs the installation."""

    def use(self, integrations: Iterable[Integration]) -> None:
        """All integrations there are now; only active ones of this type are providers."""
        self._wanted = tuple(
            each
            for each in integrations
            if each.kind is IntegrationKind.LLM_PROVIDER and each.state is IntegrationState.ACTIVE
        )

    async def read(self) -> tuple[IntegratedProvider, ...]:
        """Opens the secrets of what is new, and nothing else. One whose secret does not open is left out, and
        tried again after some looks. Raises StoreUnavailable where that keeps a new one from being read."""
        made: dict[Place, IntegratedProvider] = {}
        failed: dict[Place, tuple[int, int, str]] = {}
        for each in self._wanted:
            place = (each.tenant_id, each.integration_id)
            known = self._made.get(place)
            if known is not None and known.version == each.version:
                made[place] = known
                continue
            version, looks, why = self._failed.get(place, (each.version, 0, ""))
            if version == each.version and looks > 0:
                failed[place] = version, looks - 1, why
                continue
            try:
                made[place] = integrated_provider(each, await self._secrets_of(each))
            except (InvalidConfiguration, IntegrationUnavailable, CredentialDamaged, VaultLocked) as error:
                why = f"integrations.{each.integration_id} (tenant {each.tenant_id}): {error.message}"
                failed[place] = each.version, LOOKS_BETWEEN_TRIES, why
        self._made, self._failed = made, failed
        self.problems = tuple(why for _, _, why in failed.values())
        return tuple(made[place] for place in sorted(made))


def integrated_provider(
    integration: Integration, secrets: Mapping[str, SecretBytes] = NO_SECRETS
) -> IntegratedProvider:
    """Raises InvalidConfiguration, also for what only calls of tools have."""
    for key in sorted(_OF_TOOLS.intersection(integration.configuration)):
        raise InvalidConfiguration(
            f"{key} is about calls of tools; for models, routes, keys and budgets say it", param=key
        )
    configuration = own_configuration(integration.configuration)
    section = provider_section(configuration, integration.region)
    breaker = None
    if integration.circuit_breaker:
        breaker = breaker_policy(integration.circuit_breaker)
    return IntegratedProvider(
        tenant_id=integration.tenant_id,
        integration_id=integration.integration_id,
        version=integration.version,
        section=with_key(section, secrets.get(API_KEY)),
        breaker=breaker,
    )
