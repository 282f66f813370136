"""Calls to addresses that a caller, a tenant or an answer can influence: tools, webhooks, feeds, key sets.

The connection itself is judged when it is made, by the transport's rule. What a tenant may reach is judged
here, for each request: pooled connections are shared between tenants.
"""

from collections.abc import Callable
from functools import lru_cache

from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from domain.egress.entries import parse_entries
from domain.egress.policy import TenantEgress
from domain.errors import EgressRefused, InterchangeError, StoreUnavailable


@lru_cache(maxsize=1024)
def tenant_egress(entries: tuple[str, ...]) -> TenantEgress:
    """A tenant's list as a rule; an empty one demands nothing. Raises InvalidRequest for what is no entry."""
    return TenantEgress(parse_entries(entries, "egress") if entries else None)


def refused(endpoint: Endpoint) -> EgressRefused:
    """What a caller is told: the host it asked for itself, and nothing of what is behind the name."""
    return EgressRefused(
        f"connections to {endpoint.host[:100]}:{endpoint.port} are not allowed here; whoever runs this "
        "installation can name it in egress.allow of the configuration"
    )


def told(error: TransportFailed, endpoint: Endpoint, what: str) -> InterchangeError:
    """A failed call as an error for callers."""
    if error.stage is TransportStage.REFUSED:
        return refused(endpoint)
    return StoreUnavailable(f"{what}: {error.message}")


class Outside:
    """The way out for what others name. `egress_of` gives a tenant's own list, from memory."""

    def __init__(self, transport: HttpTransport, egress_of: Callable[[str], tuple[str, ...]]) -> None:
        self._transport = transport
        self._egress_of = egress_of

    @property
    def transport(self) -> HttpTransport:
        """For what no tenant asks for: the installation's rules alone."""
        return self._transport

    def of_tenant(self, tenant_id: str) -> HttpTransport:
        """A transport for one tenant's requests: the installation's rules, and the tenant's list."""
        return _TenantTransport(self._transport, tenant_id, self._egress_of)


class _TenantTransport(HttpTransport):
    """Judges each request by the list as it is then; connections belong to everybody."""

    def __init__(
        self, transport: HttpTransport, tenant_id: str, egress_of: Callable[[str], tuple[str, ...]]
    ) -> None:
        self._transport = transport
        self._tenant_id = tenant_id
        self._egress_of = egress_of

    async def send(self, request: HttpRequest) -> HttpResponse:
        endpoint = request.endpoint
        verdict = tenant_egress(self._egress_of(self._tenant_id)).judge(endpoint.host, endpoint.port)
        if not verdict.allowed:
            raise TransportFailed(TransportStage.REFUSED, refused(endpoint).message, by_rule=True)
        return await self._transport.send(request)

    async def aclose(self) -> None:
        """Nothing: the connections are shared."""
