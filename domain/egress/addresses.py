"""What kind of network an IP address belongs to, however it is spelled or wrapped.

The tables are our own (IANA's special-purpose registries, RFC 6890 and its updates) and not those of
`ipaddress`, which differ between Python releases (CVE-2024-4032).
"""

import re
from enum import Enum
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class AddressClass(Enum):
    """From the harmless to what nobody should ever reach by accident."""

    PUBLIC = "public"
    PRIVATE = "private"
    """RFC 1918 and unique local addresses."""
    SHARED = "shared"
    """Carrier-grade NAT, 100.64.0.0/10."""
    LOOPBACK = "loopback"
    LINK_LOCAL = "link-local"
    DOCUMENTATION = "documentation"
    BENCHMARKING = "benchmarking"
    MULTICAST = "multicast"
    UNSPECIFIED = "unspecified"
    """0.0.0.0/8 and `::`, which many systems take for this machine."""
    RESERVED = "reserved"
    """What no host has, and tunnels that hide another address (6to4, Teredo)."""
    METADATA = "metadata"
    """Where clouds tell a machine its secrets."""


_V4: Final = tuple(
    (IPv4Network(text), kind)
    for text, kind in (
        ("0.0.0.0/8", AddressClass.UNSPECIFIED),
        ("10.0.0.0/8", AddressClass.PRIVATE),
        ("100.64.0.0/10", AddressClass.SHARED),
        ("127.0.0.0/8", AddressClass.LOOPBACK),
        ("169.254.0.0/16", AddressClass.LINK_LOCAL),
        ("172.16.0.0/12", AddressClass.PRIVATE),
        ("192.0.0.0/24", AddressClass.RESERVED),
        ("192.0.2.0/24", AddressClass.DOCUMENTATION),
        ("192.88.99.0/24", AddressClass.RESERVED),
        ("192.168.0.0/16", AddressClass.PRIVATE),
        ("198.18.0.0/15", AddressClass.BENCHMARKING),
        ("198.51.100.0/24", AddressClass.DOCUMENTATION),
        ("203.0.113.0/24", AddressClass.DOCUMENTATION),
        ("224.0.0.0/4", AddressClass.MULTICAST),
        ("240.0.0.0/4", AddressClass.RESERVED),
    )
)
_V6: Final = tuple(
    (IPv6Network(text), kind)
    for text, kind in (
        ("::/128", AddressClass.UNSPECIFIED),
        ("::1/128", AddressClass.LOOPBACK),
        ("2001:2::/48", AddressClass.BENCHMARKING),
        ("2001:db8::/32", AddressClass.DOCUMENTATION),
        ("2001::/23", AddressClass.RESERVED),
        ("2002::/16", AddressClass.RESERVED),
        ("3fff::/20", AddressClass.DOCUMENTATION),
        ("fc00::/7", AddressClass.PRIVATE),
        ("fe80::/10", AddressClass.LINK_LOCAL),
        ("fec0::/10", AddressClass.PRIVATE),
        ("ff00::/8", AddressClass.MULTICAST),
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_INTERFACE_OF_IPV4: Final = frozenset({0x00005EFE, 0x02005EFE})
"""The upper half of ISATAP interface identifiers (RFC 5214); an IPv4 address follows."""

METADATA_ADDRESSES: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google Cloud, Azure, Oracle, DigitalOcean, OpenStack and most others
        "169.254.169.253",
        "169.254.169.250",
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's wire server
        "192.0.0.192",  # Oracle, in its first generation
        "fd00:ec2::254",
        "fd00:ec2::253",
        "fd00:ec2::23",
        "fd20:ce::254",  # Google Cloud
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
METADATA_NAMES: Final = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.tencentyun.com",
        "instance-data",
        "instance-data.ec2.internal",
    }
)
_LOCAL_SUFFIXES: Final = (
    ".localhost", ".local", ".localdomain", ".internal", ".intranet", ".lan", ".corp", ".home", ".private",
    ".home.arpa", ".svc", ".cluster.local", ".test", ".example", ".invalid", ".onion",
)  # fmt: skip
_NUMERIC_LABEL: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)")


def parse_address(text: str) -> Address | None:
    """The address in its canonical spelling, without a zone; None: that is a name.

    Decimal, octal and hexadecimal spellings are names here: whoever resolves them has to say what they are.
    """
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def classify(address: Address) -> AddressClass:
    """The class of an address; of one that wraps another the worse of both."""
    return _classified(address)


def unwrapped(address: Address) -> Address:
    """The IPv4 address in an IPv4-mapped or NAT64 one, else the address itself.

    Those two lead to that very IPv4 host; every other wrapping is refused as a class of its own.
    """
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


@lru_cache(maxsize=4096)
def _classified(address: Address) -> AddressClass:
    address = unwrapped(address)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        address = IPv6Address(int(address))
    if address in METADATA_ADDRESSES:
        return AddressClass.METADATA
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _V4 if address in network), AddressClass.PUBLIC)
    return _class_of_v6(address)


def _class_of_v6(address: IPv6Address) -> AddressClass:
    known = next((kind for network, kind in _V6 if address in network), None)
    if known is not None:
        return known
    if address not in _GLOBAL_UNICAST:
        # IPv4-compatible, IPv4-translated, local NAT64, discard-only and whatever else is not assigned.
        return AddressClass.RESERVED
    if (int(address) >> 32) & 0xFFFFFFFF in _INTERFACE_OF_IPV4:
        return AddressClass.RESERVED
    return AddressClass.PUBLIC


def normalised_host(host: str) -> str:
    """A host name as names are compared: lower case, without the dot of the root, brackets or a zone."""
    text = host.strip("[]").partition("%")[0].lower()
    return text.removesuffix(".")


def is_metadata_name(host: str) -> bool:
    """Whether a normalised name is one of a cloud's metadata service."""
    return host in METADATA_NAMES


def is_local_name(host: str) -> bool:
    """Whether a normalised name can only mean something inside, so that nobody has to resolve it.

    For names that somebody else resolves, such as a proxy: single labels, names set aside for local use
    (RFC 2606, 6761, 6762, 8375), and spellings of IPv4 addresses that are no dotted quads.
    """
    labels = host.split(".")
    if len(labels) == 1 or host.endswith(_LOCAL_SUFFIXES):
        return True
    return bool(_NUMERIC_LABEL.fullmatch(labels[-1]))


def is_this_machine(host: str) -> bool:
    """Whether a host as it is written, a literal or `localhost`, can only mean this machine itself."""
    address = parse_address(host)
    if address is None:
        return host == "localhost"
    return classify(address) is AddressClass.LOOPBACK
