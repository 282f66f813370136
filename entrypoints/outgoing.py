"""Every way out of a process: transports by what they are for, behind one gate.

A part of the composition root: it names adapters. Providers and gateways have a transport of their own, so
that nobody who can name an address shares a connection with what only the operator can.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from adapters.http.certificates import CertificateBook
from adapters.http.egress import IDENTITIES, ISSUERS, OUTSIDE, PROVIDERS, EgressGate
from adapters.http.limits import TransportLimits
from adapters.http.proxy import OutboundProxy, proxy_of
from adapters.http.tls import TlsPolicy
from adapters.http.transport import StreamlinedTransport
from adapters.providers.endpoint import ProviderEndpoint
from application.outside import Outside
from application.ports.http import HttpTransport
from application.ports.telemetry import Gauge
from application.tenant_book import TenantBook
from domain.egress.addresses import AddressClass, classify
from domain.egress.entries import EgressEntry, destination
from entrypoints.provisioning import Provision, ProvisioningError
from entrypoints.settings import Settings

OTHERS_CONNECTIONS_MAX: Final = 64
"""To one host that somebody else named: it is no provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """What a process calls others with. `providers` is for the hot path."""

    gate: EgressGate
    tls: TlsPolicy
    certificates: CertificateBook
    providers: HttpTransport
    identities: HttpTransport
    issuers: HttpTransport
    """For keys and logins of those whose tokens let in."""
    others: HttpTransport
    """For what somebody else named; use it through `Outside`."""
    close: tuple[StreamlinedTransport, ...] = field(repr=False)

    async def aclose(self) -> None:
        """Closes every connection. Idempotent."""
        for transport in self.close:
            await transport.aclose()

    def use(self, settings: Settings, provision: Provision, direct: Mapping[str, ProviderEndpoint]) -> None:
        """The addresses and rules of a configuration, in one step."""
        # What others than the operator named stays behind the rules for that.
        named = (endpoint.base_url for endpoint in direct.values() if endpoint.transport is None)
        self.gate.use_endpoints(endpoints_of(named))
        self.tls.allow_tls12(tls12_hosts(provision, direct))
        self.gate.use_policy(settings.egress.policy())
        self.gate.use_issuers(endpoints_of(settings.identity.urls()))

    def use_gateways(self, urls: Iterable[str]) -> None:
        """Where the gateways are now."""
        self.gate.use_gateways(endpoints_of(urls))

    def gauges(self) -> Iterable[Gauge]:
        """Refused connections, and when certificates end."""
        yield Gauge(
            "interchange_egress_refused_total",
            "Connections that the egress rules did not allow, by what they were for.",
            tuple(((("purpose", name),), count) for name, count in self.gate.refusals.items()),
            kind="counter",
        )
        ends = self.certificates.ends_s()
        if ends:
            yield Gauge(
                "interchange_upstream_certificate_expiry_seconds",
                "When the certificate last seen of a host ends, in seconds since 1970.",
                tuple(((("host", host),), at) for host, at in ends.items()),
            )


def make_outside(outgoing: Outgoing, tenants: TenantBook) -> Outside:
    """The way out for tools, webhooks and the like, narrowed by each tenant's list."""
    return Outside(outgoing.others, lambda tenant_id: tenants.of(tenant_id).egress)


def open_outgoing(stack: AsyncExitStack, settings: Settings) -> Outgoing:
    """Opens nothing until it is used; the stack closes it.

    Raises:
        ProvisioningError: a CA file that cannot be read, or a proxy's address that is none.
    """
    egress = settings.egress
    gate, certificates = EgressGate(egress.policy()), CertificateBook()
    try:
        tls = TlsPolicy(ca_files=map(str, egress.ca_files), tls12_hosts=egress.tls12_hosts)
    except OSError as error:
        raise ProvisioningError([f"egress.ca_files: cannot be used ({error.strerror or error})"]) from None
    proxy = _proxy(settings)
    # One request in flight holds one connection; all of them may go to the same provider.
    many = max(TransportLimits().connections_per_endpoint_max, settings.limits.max_concurrent_requests)

    def transport(purpose: str, connections_max: int) -> StreamlinedTransport:
        return StreamlinedTransport(
            limits=TransportLimits(connections_per_endpoint_max=connections_max),
            tls=tls,
            allow=gate.rule(purpose),
            proxy=proxy,
            on_certificate=certificates.seen,
        )

    providers, identities = transport(PROVIDERS, many), transport(IDENTITIES, OTHERS_CONNECTIONS_MAX)
    issuers, others = (transport(purpose, OTHERS_CONNECTIONS_MAX) for purpose in (ISSUERS, OUTSIDE))
    gate.use_issuers(endpoints_of(settings.identity.urls()))
    for each in (providers, identities, issuers, others):
        gate.on_policy(each.dial_anew)
        stack.push_async_callback(each.aclose)
    return Outgoing(
        gate=gate,
        tls=tls,
        certificates=certificates,
        providers=providers,
        identities=identities,
        issuers=issuers,
        others=others,
        close=(providers, identities, issuers, others),
    )


def endpoints_of(urls: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Hosts and ports of addresses; what cannot be read leads nowhere."""
    found = set()
    for url in urls:
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            continue
        if parts.hostname:
            found.add((parts.hostname, port))
    return frozenset(found)


def tls12_hosts(provision: Provision, direct: Mapping[str, ProviderEndpoint]) -> frozenset[str]:
    """Hosts of the providers that may speak TLS 1.2."""
    urls = (
        direct[name].base_url
        for name, provider in provision.providers.items()
        if provider.tls12 and name in direct
    )
    return frozenset(host for host, _ in endpoints_of(urls))


def _proxy(settings: Settings) -> OutboundProxy | None:
    if settings.egress.proxy is None:
        return None
    try:
        return proxy_of(
            settings.egress.proxy.get_secret_value(), direct=reached_directly(settings.egress.direct())
        )
    except ValueError as error:
        raise ProvisioningError([f"egress.proxy: {error}"]) from None


def reached_directly(entries: tuple[EgressEntry, ...]) -> Callable[[str, int], bool]:
    """Whether a host is reached without the proxy: this machine itself, and what `no_proxy` names."""

    def direct(host: str, port: int) -> bool:
        plain, address = destination(host, "")
        if plain == "localhost" or plain.endswith(".localhost"):
            return True
        if address is not None and classify(address) in (AddressClass.LOOPBACK, AddressClass.METADATA):
            return True
        return any(entry.matches(plain, address, port) for entry in entries)

    return direct
