"""Where a caller's connection comes from, seen through the proxies an operator trusts.

Each proxy writes the address it saw at the right end of the header; everything left of the first address
that is not a trusted proxy's was written by somebody who may have lied, and is not read.
"""

import re
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Final

from domain.egress.addresses import Address, parse_address
from domain.tenancy.networks import Networks

HOPS_MAX: Final = 32
"""More proxies than anybody has; the rest is not looked at, and the caller counts as unknown."""
UNKNOWN: Final = ""
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
    joined = ",".join(value.decode("latin-1") for name, value in headers if name == header)
    nearest = canonical(peer)
    if not joined.strip():
        return nearest
    hops = _from_the_right(joined) if header == b"forwarded" else reversed(joined.split(","))
    for count, hop in enumerate(hops, 1):
        address = _address_of(_named_in(hop) if header == b"forwarded" else hop.strip())
        if address is None or count > HOPS_MAX:
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


def _from_the_right(joined: str) -> Iterator[str]:
    """Elements of a Forwarded header, the last first. A quote left open is its writer's, and hides nothing
    that was written after it."""
    element = ""
    for part in reversed(joined.split(",")):
        element = f"{part},{element}" if element else part
        if element.count('"') % 2 == 0:
            yield element
            element = ""
    if element:
        yield element


def _named_in(element: str) -> str:
    """The `for` of one element (RFC 7239); empty where there is none, or more than one."""
    found = _FOR.findall(element)
    return found[0].strip('"') if len(found) == 1 else ""


def _address_of(hop: str) -> Address | None:
    """An address with or without brackets and port; None for `unknown`, hidden names and anything else."""
    found = _WITH_PORT.fullmatch(hop)
    if found is not None:
        return parse_address(found["v6"] or found["v4"])
    return parse_address(hop) if "%" not in hop else None
