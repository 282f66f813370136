"""Judging where drivers with sockets of their own may connect to: databases, the clients of clouds.

The address that was judged is the one to connect to: a name that resolves differently the second time
gains nothing. Connections go straight there; an outbound proxy is for HTTP.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from functools import partial
from itertools import zip_longest
from typing import Final

from adapters.http.egress import DRIVERS, EgressGate
from application.outside import refused, tenant_egress
from application.ports.connector import AddressGuard
from application.ports.http import Endpoint
from domain.egress.addresses import normalised_host
from domain.errors import IntegrationUnavailable

ADDRESSES_MAX: Final = 6
"""Of one name; more are not tried."""
RESOLVE_TIMEOUT_S: Final = 5.0
HOST_CHARS_MAX: Final = 253


async def resolved(host: str, port: int) -> list[str]:
    """Addresses of a name, families alternating, canonical, without a zone. Odd spellings of addresses are
    resolved like names. Raises OSError, UnicodeError."""
    loop = asyncio.get_running_loop()
    by_family: dict[int, dict[str, None]] = {}
    for family, _, _, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        by_family.setdefault(family, {})[str(address[0]).partition("%")[0]] = None
    rounds = zip_longest(*by_family.values())
    return [address for turn in rounds for address in turn if address is not None]


class DriverAddressGuard(AddressGuard):
    """For one tenant: its own list, then the installation's rules, as they are when it is asked."""

    def __init__(self, gate: EgressGate, entries: Callable[[], tuple[str, ...]]) -> None:
        self._allows = gate.rule(DRIVERS)
        self._entries = entries

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of which may be connected to.

        One forbidden address among them refuses them all: an honest name has none. Cancelling is safe.

        Raises:
            EgressRefused: not allowed, or no name at all.
            IntegrationUnavailable: the name cannot be resolved now.
        """
        endpoint = Endpoint("tcp", host, port)
        if not _is_host(host) or not 1 <= port <= 65_535:
            raise refused(endpoint)
        if not tenant_egress(self._entries()).judge(host, port).allowed:
            raise refused(endpoint)
        addresses = (await self._resolved(endpoint))[:ADDRESSES_MAX]
        for address in addresses:
            if not self._allows(host, address, port):
                raise refused(endpoint)
        if not addresses:
            raise IntegrationUnavailable(f"{host[:100]} has no address")
        return addresses

    async def _resolved(self, endpoint: Endpoint) -> list[str]:
        literal = endpoint.host.strip("[]")
        try:
            return [str(ipaddress.ip_address(literal))]
        except ValueError:
            pass
        try:
            async with asyncio.timeout(RESOLVE_TIMEOUT_S):
                return await resolved(endpoint.host, endpoint.port)
        except TimeoutError:
            raise IntegrationUnavailable(f"{endpoint.host[:100]} was not resolved in time") from None
        except UnicodeError:
            raise refused(endpoint) from None
        except OSError:
            raise IntegrationUnavailable(f"the name {endpoint.host[:100]} cannot be resolved") from None


def address_guards(
    gate: EgressGate, egress_of: Callable[[str], tuple[str, ...]]
) -> Callable[[str], DriverAddressGuard]:
    """Makes the guard of a tenant. `egress_of` gives a tenant's own list, from memory."""
    return lambda tenant_id: DriverAddressGuard(gate, partial(egress_of, tenant_id))


def _is_host(host: str) -> bool:
    """Whether a driver could not take it for anything but a host: no socket's path, no list, no user."""
    plain = normalised_host(host)
    return (
        bool(plain)
        and len(plain) <= HOST_CHARS_MAX
        and plain.isprintable()
        and not any(sign in plain for sign in "/\\,@?#%; ")
    )
