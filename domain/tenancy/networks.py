"""Which networks callers may come from."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from domain.errors import InvalidRequest

NETWORKS_MAX: Final = 256
_PARSED_MAX: Final = 4096

Network = IPv4Network | IPv6Network


@lru_cache(maxsize=_PARSED_MAX)
def _parsed(text: str) -> Network:
    return ip_network(text)


def check_networks(networks: Iterable[str], param: str) -> None:
    """Raises InvalidRequest that names the entry which is no CIDR, such as 203.0.113.0/24."""
    listed = tuple(networks)
    if len(listed) > NETWORKS_MAX:
        raise InvalidRequest(f"{param} may list at most {NETWORKS_MAX} networks", param=param)
    for text in listed:
        try:
            ip_network(text)
        except ValueError as error:
            raise InvalidRequest(
                f"{param} {text[:60]!r} is no network ({error}); write it as 203.0.113.0/24 or 2001:db8::/32",
                param=param,
            ) from None


def allows(networks: tuple[str, ...], address: str) -> bool:
    """Whether a caller from this address may come in; no networks: everybody may.

    An IPv4 address in IPv6 clothes counts as the IPv4 address. What is no address is let in nowhere.
    """
    if not networks:
        return True
    try:
        seen = ip_address(address)
    except ValueError:
        return False
    if isinstance(seen, IPv6Address) and seen.ipv4_mapped is not None:
        seen = seen.ipv4_mapped
    return any(seen.version == network.version and seen in network for network in map(_parsed, networks))
