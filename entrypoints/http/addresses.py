"""Where a caller's connection comes from, seen through the proxies an operator trusts.

Each proxy writes the address it saw at the right end of the header; everything left of the first address
that is not a trusted proxy's was written by somebody who may have lied, and is not read.
"""

import re
from collections.abc import MutableMapping, Sequence
from typing import Any, Final

from domain.egress.addresses import Address, parse_address
from domain.tenancy.networks import Networks

HOPS_MAX: Final = 32
"""More proxies than anybody has; the rest is not looked at, and the caller counts as unknown."""
UNKNOWN: Final = ""
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*("(?:[^"\\]|\\.)*"|[^;\s"]*)\s*(?=;|$)', re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+))(?::[0-9]{1,5})?")


def client_address(scope: MutableMapping[str, Any]) -> str:
    """The address of the caller in canonical text; empty where nobody knows it.

    Behind trusted proxies it was put into the scope by `Edge` before anything else saw the request.
    """
    client = scope.get("client")
    return client[0] if client else UNKNOWN


def forwarded_client(
    peer: str, headers: Sequence[tuple[bytes, bytes]], trusted: Networks, header: bytes
) -> str:
    """The nearest address that is no trusted proxy's: the peer's own, or one a trusted proxy saw.

    `header` is `x-forwarded-for` or `forwarded`, whichever the proxies write; the other one is not read.
    Empty when a trusted proxy wrote something that is no address, or when there are too many hops.
    """
    if not trusted.holds(peer):
        return canonical(peer)
    values = [value.decode("latin-1") for name, value in headers if name == header]
    hops = _forwarded_hops(values) if header == b"forwarded" else _listed_hops(values)
    if hops is None or len(hops) > HOPS_MAX:
        return UNKNOWN
    nearest = canonical(peer)
    for hop in reversed(hops):
        address = _address_of(hop)
        if address is None:
            return UNKNOWN
        nearest = _text(address)
        if not trusted.holds(nearest):
            return nearest
    return nearest


def canonical(text: str) -> str:
    """One spelling of an address: IPv4-mapped as IPv4, no zone; empty for what is none."""
    address = parse_address(text)
    return UNKNOWN if address is None else _text(address)


def _text(address: Address) -> str:
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped if mapped is not None else address)


def _listed_hops(values: list[str]) -> list[str] | None:
    joined = ",".join(values)
    return [part.strip() for part in joined.split(",")] if joined.strip() else []


def _forwarded_hops(values: list[str]) -> list[str] | None:
    """The `for` of each element (RFC 7239); None when one has none, or none that can be read."""
    joined = ",".join(values)
    if not joined.strip():
        return []
    # A comma within quotes separates nothing.
    hidden = _QUOTED.sub(lambda quoted: quoted[0].replace(",", "\0"), joined)
    hops = []
    for element in hidden.split(","):
        found = _FOR.findall(element)
        if len(found) != 1:
            return None
        hops.append(found[0].strip('"').replace("\0", ","))
    return hops


def _address_of(hop: str) -> Address | None:
    """An address with or without brackets and port; None for `unknown`, hidden names and anything else."""
    found = _WITH_PORT.fullmatch(hop)
    if found is not None:
        return parse_address(found["v6"] or found["v4"])
    return parse_address(hop) if "%" not in hop else None
