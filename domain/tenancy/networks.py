"""Which callers' addresses are allowed: one rule for the installation, a tenant and a key."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from domain.egress.addresses import parse_address
from domain.errors import InvalidRequest

NETWORKS_MAX: Final = 256
_LISTS_REMEMBERED_MAX: Final = 4096
_MAPPED_PREFIX_BITS: Final = 96


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks callers may come from; empty: from anywhere.

    IPv4-mapped addresses count as the IPv4 addresses they are, on both sides, and zones are ignored.
    """

    v4: tuple[tuple[int, int], ...] = ()
    v6: tuple[tuple[int, int], ...] = ()
    """(network, mask) as whole numbers."""

    def __bool__(self) -> bool:
        return bool(self.v4 or self.v6)

    def admits(self, address: str) -> bool:
        """Whether this caller may come in. An address that cannot be read comes from nowhere allowed."""
        return not (self.v4 or self.v6) or self.holds(address)

    def holds(self, address: str) -> bool:
        """Whether the address lies in one of the networks."""
        found = parse_address(address)
        if found is None:
            return False
        if isinstance(found, IPv6Address):
            mapped = found.ipv4_mapped
            if mapped is None:
                number = int(found)
                return any(number & mask == network for network, mask in self.v6)
            found = mapped
        number = int(found)
        return any(number & mask == network for network, mask in self.v4)

    def texts(self) -> tuple[str, ...]:
        """As they would be written down."""
        v4 = (IPv4Network((network, mask.bit_count())) for network, mask in self.v4)
        v6 = (IPv6Network((network, mask.bit_count())) for network, mask in self.v6)
        return (*map(str, v4), *map(str, v6))


ANYWHERE: Final = Networks()


def parse_networks(texts: Iterable[str], param: str) -> Networks:
    """Networks (CIDR) and single addresses.

    Raises:
        InvalidRequest: one that is neither, one with bits set beyond its prefix (what was meant?), or too
            many; names `param`.
    """
    v4: dict[tuple[int, int], None] = {}
    v6: dict[tuple[int, int], None] = {}
    for count, text in enumerate(texts, 1):
        if count > NETWORKS_MAX:
            raise InvalidRequest(f"{param} may list at most {NETWORKS_MAX} networks", param=param)
        network = _parsed(text, param)
        pair = int(network.network_address), int(network.netmask)
        (v4 if isinstance(network, IPv4Network) else v6)[pair] = None
    return Networks(tuple(v4), tuple(v6))


def _parsed(text: str, param: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text.strip())
    except ValueError:
        raise InvalidRequest(
            f"{text[:80]!r} is no network; allowed: addresses and networks such as 203.0.113.0/24 or "
            "2001:db8::/32, with no bits set beyond the prefix",
            param=param,
        ) from None
    if isinstance(network, IPv6Network):
        if network.network_address.scope_id is not None:
            raise InvalidRequest(f"{text[:80]!r}: a zone means nothing here", param=param)
        inner = network.network_address.ipv4_mapped
        if inner is not None and network.prefixlen >= _MAPPED_PREFIX_BITS:
            return IPv4Network((int(IPv4Address(inner)), network.prefixlen - _MAPPED_PREFIX_BITS))
    return network


@lru_cache(maxsize=_LISTS_REMEMBERED_MAX)
def _remembered(texts: tuple[str, ...]) -> Networks:
    return parse_networks(texts, "networks")


def check_networks(networks: Iterable[str], param: str) -> None:
    """Raises InvalidRequest that names the entry which is no network, such as 203.0.113.0/24."""
    parse_networks(networks, param)


def allows(networks: tuple[str, ...], address: str) -> bool:
    """Whether a caller from this address may come in; no networks: everybody may.

    An IPv4 address in IPv6 clothes counts as the IPv4 address. What is no address is let in nowhere.
    """
    return not networks or _remembered(networks).holds(address)


def beyond_networks(wanted: tuple[str, ...], held: tuple[str, ...]) -> list[str]:
    """Those of `wanted` that `held` does not contain; no networks stand for all."""
    if not held:
        return []
    if not wanted:
        return ["anywhere"]
    wide = [_parsed(text, "networks") for text in held]
    narrow = [(text, _parsed(text, "networks")) for text in wanted]
    return [text for text, network in narrow if not any(_inside(network, each) for each in wide)]


def _inside(narrow: IPv4Network | IPv6Network, wide: IPv4Network | IPv6Network) -> bool:
    if isinstance(narrow, IPv4Network) and isinstance(wide, IPv4Network):
        return narrow.subnet_of(wide)
    return isinstance(narrow, IPv6Network) and isinstance(wide, IPv6Network) and narrow.subnet_of(wide)
