"""What a list of allowed or denied destinations may hold: names, suffixes, networks, each with ports."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from domain.egress.addresses import (
    Address,
    Network,
    normalised_host,
    parse_address,
    unwrapped,
)
from domain.errors import InvalidRequest

ENTRY_CHARS_MAX: Final = 300
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_WITH_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")
_NUMBERS_ONLY: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*")
ALLOWED: Final = "a name, *.suffix, an address or a network (CIDR), each with :port if need be"


@dataclass(frozen=True, slots=True)
class EgressEntry:
    """One destination. Either `name` (with a leading `*.`: everything below, not the name itself) or
    `network`; `port` None: every port."""

    name: str = ""
    network: Network | None = None
    port: int | None = None

    def matches(self, host: str, address: Address | None, port: int) -> bool:
        """`host` is normalised; `address` is what would be connected to, None where nobody knows it yet."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and _holds(self.network, address)
        if self.name.startswith("*."):
            return host.endswith(self.name[1:]) and len(host) > len(self.name) - 1
        return host == self.name

    def is_exactly(self, host: str, address: Address | None, port: int) -> bool:
        """Whether it names this one destination and no other: a whole name, or a single address."""
        if not self.matches(host, address, port):
            return False
        if self.network is not None:
            return self.network.num_addresses == 1
        return not self.name.startswith("*.")

    def __str__(self) -> str:
        if self.network is None:
            text = self.name
        elif self.network.num_addresses == 1:
            text = str(self.network.network_address)
        else:
            text = str(self.network)
        if self.port is None:
            return text
        return f"[{text}]:{self.port}" if ":" in text else f"{text}:{self.port}"


def _holds(network: Network, address: Address) -> bool:
    return address in network or unwrapped(address) in network


def parse_entry(text: str, param: str = "egress") -> EgressEntry:
    """Raises InvalidRequest for anything that is not a destination; nothing is guessed or resolved."""
    given = text.strip().lower()
    if not given or len(given) > ENTRY_CHARS_MAX:
        raise _unreadable(text, param)
    host, port = given, None
    found = _WITH_PORT.fullmatch(given)
    if found is not None:
        host, port = found["host"], int(found["port"])
        if not 1 <= port <= 65_535:
            raise _unreadable(text, param)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    network = _network(bare)
    if network is not None:
        return EgressEntry(network=network, port=port)
    name = bare.removesuffix(".")
    if not _NAME.fullmatch(name) or len(name) > 253 or _NUMBERS_ONLY.fullmatch(name):
        raise _unreadable(text, param)
    return EgressEntry(name=name, port=port)


def _network(text: str) -> Network | None:
    if "%" in text:
        return None
    try:
        network = ip_network(text)
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        inner = unwrapped(network.network_address)
        if inner is not network.network_address:
            return IPv4Network((int(inner), network.prefixlen - 96))
    return network


def _unreadable(text: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"{text[:80]!r} is no destination; allowed: {ALLOWED}", param=param)


def parse_entries(texts: tuple[str, ...], param: str = "egress") -> tuple[EgressEntry, ...]:
    """Raises InvalidRequest for the first that cannot be read."""
    return tuple(parse_entry(text, param) for text in texts)


def destination(host: str, ip: str) -> tuple[str, Address | None]:
    """Host and address as entries are compared with; the address of a literal is the host itself."""
    plain = normalised_host(host)
    return plain, parse_address(ip) if ip else parse_address(plain)
