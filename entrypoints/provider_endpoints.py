"""Provisioned providers as the adapters want them. A part of the composition root: it names adapters."""

from collections.abc import Callable

from adapters.portkey.endpoint import HOSTED_GATEWAY_URL, PortkeyTarget, portkey_target
from adapters.providers.authentication import Authenticator
from adapters.providers.endpoint import ProviderEndpoint
from adapters.providers.families import FAMILIES
from adapters.providers.identities import Authenticators, check_identity
from adapters.wire.addresses import parse_base
from application.ports.http import HttpTransport
from application.tenant_book import TenantBook
from entrypoints.outgoing import Outgoing, make_outside
from entrypoints.provider_wires import DIRECT_WIRES
from entrypoints.provisioned import ProvisionedProvider
from entrypoints.provisioning import Provision, ProvisioningError
from entrypoints.settings import Settings

Prove = Callable[[ProvisionedProvider], Authenticator | None]
"""What proves who we are at a provider; None: its key does. Raises ValueError for what cannot work."""


WayOut = Callable[[str], HttpTransport]
"""The way out of a tenant, for addresses that it named."""


def ways_out(outgoing: Outgoing, tenants: TenantBook) -> WayOut:
    """Judged as tools' are: by the rules for what others name, and the tenant's own list."""
    return make_outside(outgoing, tenants).of_tenant


def direct_endpoints(
    provision: Provision, prove: Prove, way_out: WayOut | None = None
) -> dict[str, ProviderEndpoint]:
    """Providers with a direct adapter, as that adapter wants them. Asks nobody. An integration that cannot
    be reached so has no endpoint, which is its owner's business alone; without `way_out` none has.

    Raises:
        ProvisioningError: an address or an identity that cannot work.
    """
    endpoints: dict[str, ProviderEndpoint] = {}
    problems: list[str] = []
    for name, provider in provision.providers.items():
        if provider.wire not in DIRECT_WIRES:
            continue
        try:
            base_url = FAMILIES[provider.wire].address(provider.base_url, provider.options)
            if base_url is not None and provider.integrated_by:
                parse_base(base_url)
            if base_url is not None and not (provider.integrated_by and way_out is None):
                endpoints[name] = ProviderEndpoint(
                    wire=provider.wire,
                    base_url=base_url,
                    api_key=provider.api_key,
                    headers=provider.headers,
                    keys=provider.secrets_by_id,
                    options=provider.options,
                    authenticator=prove(provider),
                    transport=way_out(provider.integrated_by) if way_out and provider.integrated_by else None,
                )
        except ValueError as error:
            if provider.integrated_by:
                continue
            problems.append(f"providers.{name}.{error}")
    if problems:
        raise ProvisioningError(problems)
    return endpoints


def proving(authenticators: Authenticators) -> Prove:
    """Identities as authenticators; equal ones share their tokens."""

    def prove(provider: ProvisionedProvider) -> Authenticator | None:
        identity = provider.identity
        if identity is None:
            return None
        try:
            return authenticators.of(identity.kind, identity.values)
        except ValueError as error:
            raise ValueError(f"auth: {error}") from None

    return prove


def check_endpoints(provision: Provision) -> None:
    """Reads what a server would read of providers and identities, and asks nobody.

    Raises:
        ProvisioningError: with everything that cannot work.
    """

    def prove(provider: ProvisionedProvider) -> None:
        if provider.identity is not None:
            try:
                check_identity(provider.identity.kind, provider.identity.values)
            except ValueError as error:
                raise ValueError(f"auth: {error}") from None

    direct_endpoints(provision, prove)


def gateway_targets(provision: Provision) -> dict[str, PortkeyTarget]:
    """Providers that Portkey knows, as its adapter wants them."""
    return {
        name: portkey_target(
            provider.portkey_slug,
            api_key=provider.api_key,
            base_url=_versioned(provider),
            wire=provider.wire,
            headers=provider.headers,
            own_host=not provider.public_base_url,
            keys=provider.secrets_by_id,
        )
        for name, provider in provision.providers.items()
        if provider.portkey_slug is not None
    }


def portkey_api_key(settings: Settings) -> str | None:
    """The key of hosted Portkey; None where it is not used."""
    key = settings.portkey.api_key
    return None if key is None else key.get_secret_value()


def gateway_urls(settings: Settings) -> tuple[str, ...]:
    """The gateways an operator named; hosted Portkey counts as named when its key is given."""
    hosted = (HOSTED_GATEWAY_URL,) if settings.portkey.api_key is not None else ()
    return (*settings.portkey.gateways, *hosted)


def _versioned(provider: ProvisionedProvider) -> str | None:
    """The base URL with its version, as Portkey wants it."""
    base = provider.base_url
    if base is None or provider.wire != "anthropic" or base.endswith("/v1"):
        return base
    return f"{base}/v1"
