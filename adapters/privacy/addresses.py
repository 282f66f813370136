"""Addresses of mailboxes and of machines."""

import ipaddress
import re
from collections.abc import Iterator, Set
from typing import Final

from adapters.privacy.finder import ALPHABETS
from adapters.privacy.reading import Reading
from adapters.privacy.words import VERSIONS
from domain.privacy.context import speaks_against
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind

LOCAL_CHARS_MAX: Final = 64
DOMAIN_CHARS_MAX: Final = 253

_LOCAL: Final = re.compile(rf"[{ALPHABETS}0-9._%+'\-]{{1,{LOCAL_CHARS_MAX}}}")
_DOMAIN: Final = re.compile(rf"[{ALPHABETS}0-9.\-]{{1,{DOMAIN_CHARS_MAX}}}")
_LABEL: Final = re.compile(rf"[{ALPHABETS}0-9](?:[{ALPHABETS}0-9\-]{{0,61}}[{ALPHABETS}0-9])?")
_TOP: Final = re.compile(rf"[{ALPHABETS}]{{2,24}}|xn--[a-z0-9\-]{{2,40}}", re.IGNORECASE)
_FILES: Final = frozenset(
    {
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "ico",
        "css",
        "js",
        "ts",
        "jsx",
        "tsx",
        "json",
        "html",
        "xml",
    }
    | {"yaml", "yml", "txt", "go", "java"}
)
"""What ends the name of a file rather than of a domain: `icon@2x.png`."""


class EmailFinder:
    """Finder."""

    kinds: frozenset[PiiKind] = frozenset({PiiKind.EMAIL_ADDRESS})

    def may_hold(self, reading: Reading) -> bool:
        return "@" in reading.text

    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:  # noqa: ARG002
        text = reading.text
        place = text.find("@", reading.start)
        while place >= 0:
            start, end = local_start(text, place), _domain_end(text, place + 1)
            if reading.start <= start < place and end > place + 1:
                yield Finding(PiiKind.EMAIL_ADDRESS, start, end, 0.95)
            place = text.find("@", place + 1)

    def open_from(self, reading: Reading) -> int:
        text = reading.text
        place = text.rfind("@", max(reading.start, len(text) - DOMAIN_CHARS_MAX - 2))
        if place < 0:
            return len(text)
        domain = _DOMAIN.match(text, place + 1)
        if (domain.end() if domain else place + 1) < len(text):
            return len(text)
        return local_start(text, place)


def local_start(text: str, place: int) -> int:
    """Where what stands before the @ at `place` begins."""
    tail = (
        text[place - 1 : max(0, place - LOCAL_CHARS_MAX) - 1 : -1]
        if place > LOCAL_CHARS_MAX
        else text[:place][::-1]
    )
    match = _LOCAL.match(tail)
    if match is None or match.group()[0] == ".":
        return place
    return place - len(match.group().rstrip("'.-%"))


def _domain_end(text: str, start: int) -> int:
    """The end of the longest domain name there, or `start`: at least two labels, the last one of letters."""
    match = _DOMAIN.match(text, start)
    if match is None:
        return start
    labels = match.group().split(".")
    good = 0
    while good < len(labels) and _LABEL.fullmatch(labels[good]):
        good += 1
    if good < len(labels):
        # What is behind a hyphen at its end is no part of it.
        cut = _LABEL.match(labels[good])
        if cut is not None:
            labels[good] = cut.group()
            good += 1
    while good >= 2:
        if _TOP.fullmatch(labels[good - 1]):
            if labels[good - 1].lower() in _FILES:
                return start
            return start + len(".".join(labels[:good]))
        good -= 1
    return start


_IPV4: Final = re.compile(
    r"(?<![0-9A-Za-z_])(?<![0-9]\.)(?=[0-9])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z_]|\.[0-9])"
)
_PREFIX_LENGTH: Final = re.compile(r"/[0-9]{1,3}(?![0-9])")
_PRODUCT: Final = re.compile(r"[A-Za-z0-9]/")
_IPV6: Final = re.compile(
    r"(?<![0-9A-Za-z_:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,39}(?:(?<=:)(?:[0-9]{1,3}\.){3}[0-9]{1,3})?"
    r"(?![0-9A-Za-z_:]|\.[0-9])"
)
_MAC: Final = re.compile(
    r"(?<![0-9A-Za-z_:\-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Za-z_]|\1[0-9A-Fa-f])"
)
_GROUPS_MIN: Final = 3


class MachineFinder:
    """Finder of IP and MAC addresses. Those that name nobody (loopback, unspecified, broadcast) are none."""

    kinds: frozenset[PiiKind] = frozenset({PiiKind.IP_ADDRESS, PiiKind.MAC_ADDRESS})

    def may_hold(self, reading: Reading) -> bool:
        return reading.has_dotted() or reading.has_colons()

    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:
        wants_ip = PiiKind.IP_ADDRESS in kinds
        if wants_ip and reading.has_dotted():
            yield from self._ipv4(reading)
        if not reading.has_colons():
            return
        if wants_ip:
            for match in _IPV6.finditer(reading.text, reading.start):
                written = match.group() if match.group().endswith("::") else match.group().removesuffix(":")
                end = match.start() + len(written)
                if _names_a_host(written) and not _is_network(reading.text, written, end):
                    yield Finding(PiiKind.IP_ADDRESS, match.start(), end, 0.9)
        if PiiKind.MAC_ADDRESS in kinds:
            for match in _MAC.finditer(reading.text, reading.start):
                yield Finding(PiiKind.MAC_ADDRESS, *match.span(), 0.9)

    def open_from(self, reading: Reading) -> int:
        """They have no spaces."""
        return len(reading.text)

    def _ipv4(self, reading: Reading) -> Iterator[Finding]:
        text = reading.text
        for match in _IPV4.finditer(text, reading.start):
            start = match.start()
            if _PRODUCT.fullmatch(text[max(0, start - 2) : start]) or _is_network(
                text, match.group(), match.end()
            ):
                continue
            if _names_a_host(match.group()) and not speaks_against(reading.before(start), VERSIONS):
                yield Finding(PiiKind.IP_ADDRESS, start, match.end(), 0.9)


def _is_network(text: str, address: str, end: int) -> bool:
    """`10.0.0.0/8` is nobody's address; `10.1.2.3/8` is somebody's."""
    length = _PREFIX_LENGTH.match(text, end)
    if length is None:
        return False
    try:
        ipaddress.ip_network(address + length.group())
    except ValueError:
        return False
    return True


def _names_a_host(written: str) -> bool:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified or written == "255.255.255.255":
        return False
    if address.version == 4:
        return True
    groups = [group for group in written.split(":") if group]
    if len(groups) < _GROUPS_MIN and "::" in written:
        # `a::b` is a path in several languages; a digit and the form of a known range make it an address.
        return address.is_link_local or address.is_private or written.lower().startswith("2001:")
    return any(map(str.isdigit, written))
