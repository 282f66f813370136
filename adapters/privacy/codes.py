"""What begins with a letter: bank accounts, national codes; and wallets, which are one long word."""

import hashlib
import re
from collections.abc import Iterator, Set
from typing import Final

from adapters.privacy.national_ids import CODE_CHARS_MAX, CODES
from adapters.privacy.numbers import national_id_at
from adapters.privacy.reading import Reading
from domain.privacy.context import AFTER_CHARS
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind

IBAN_CHARS_MAX: Final = 42
"""With a space after each four."""

_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC",
        32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
_IBAN_START: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9]{4})")
_CODE_START: Final = re.compile(r"(?<![A-Za-z0-9_])(?=(?:[A-Z]{2} ?|[A-Za-z]{1,6}-?)[0-9]{2})")
_GROWING: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Za-z]{2}[0-9]{2}(?:[ \-]?[A-Za-z0-9]){0,30}[ \-]?"
    r"|[A-Z]{2} ?(?:[0-9]{1,2} ?){0,3}[A-D]?)\Z"
)
"""An account or a spaced code that has no end yet."""
_CODE: Final = re.compile(
    r"(?<![A-Za-z0-9_])(?:(?=[A-Za-z]{1,6}-?[0-9]{2})[A-Za-z0-9\-]{9,18}"
    r"|[A-Z]{2} [0-9]{2}(?: ?[0-9]{2}){2} ?[A-D])"
)


class CodeFinder:
    """Finder."""

    kinds: frozenset[PiiKind] = frozenset({PiiKind.IBAN_CODE, *(entry.kind for entry in CODES)})

    def may_hold(self, reading: Reading) -> bool:
        return reading.has_codes()

    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:
        text = reading.text
        if PiiKind.IBAN_CODE in kinds:
            for match in _IBAN_START.finditer(text, reading.start):
                end = _iban_end(text, match.start())
                if end:
                    yield Finding(PiiKind.IBAN_CODE, match.start(), end, 0.97)
        entries = [entry for entry in CODES if entry.kind in kinds]
        if not entries:
            return
        for match in _CODE_START.finditer(text, reading.start):
            for entry in entries:
                found = national_id_at(reading, match.start(), entry)
                if found is not None:
                    yield found

    def open_from(self, reading: Reading) -> int:
        """An account may be written with spaces; words behind a code may say what it is."""
        text, length = reading.text, len(reading.text)
        growing = _GROWING.search(text, max(reading.start, length - IBAN_CHARS_MAX - 2))
        code = _CODE.search(text, max(reading.start, length - CODE_CHARS_MAX - AFTER_CHARS - 2))
        return min([length, *(match.start() for match in (growing, code) if match)])


def _iban_end(text: str, start: int) -> int:
    """Where the account number that begins there ends, as long as its country has it and with the right check
    digits; or 0."""
    country = text[start : start + 2].upper()
    needed = _IBAN_LENGTHS.get(country, 0)
    if not needed:
        return 0
    characters: list[str] = []
    place = start
    for place in range(start, min(len(text), start + IBAN_CHARS_MAX)):
        character = text[place]
        if character in " -":
            if text[place - 1] in " -":
                return 0
            continue
        if not (character.isascii() and character.isalnum()):
            return 0
        characters.append(character)
        if len(characters) == needed:
            break
    if len(characters) < needed or _is_word(text[place + 1 : place + 2]):
        return 0
    moved = "".join(characters[4:] + characters[:4]).upper()
    return place + 1 if int("".join(str(int(each, 36)) for each in moved)) % 97 == 1 else 0


def _is_word(character: str) -> bool:
    return bool(character) and (character.isalnum() or character == "_")


_BITCOIN: Final = re.compile(r"(?<![A-Za-z0-9_])[13][1-9A-HJ-NP-Za-km-z]{25,34}(?![A-Za-z0-9_])")
_SEGWIT: Final = re.compile(
    r"(?<![A-Za-z0-9_])(?:bc1[ac-hj-np-z02-9]{8,59}|BC1[AC-HJ-NP-Z02-9]{8,59})(?![A-Za-z0-9_])"
)
_ETHEREUM: Final = re.compile(r"(?<![A-Za-z0-9_])0x[0-9A-Fa-f]{40}(?![A-Za-z0-9_])")
_BASE_58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class WalletFinder:
    """Finder of Bitcoin and Ethereum addresses."""

    kinds: frozenset[PiiKind] = frozenset({PiiKind.CRYPTO})

    def may_hold(self, reading: Reading) -> bool:
        return reading.has_long_tokens()

    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:  # noqa: ARG002
        for pattern in (_BITCOIN, _SEGWIT, _ETHEREUM):
            for match in pattern.finditer(reading.text, reading.start):
                if pattern is not _BITCOIN or _is_base_58_checked(match.group()):
                    yield Finding(PiiKind.CRYPTO, *match.span(), 0.9)

    def open_from(self, reading: Reading) -> int:
        """They have no spaces."""
        return len(reading.text)


def _is_base_58_checked(address: str) -> bool:
    number = 0
    for character in address:
        number = number * 58 + _BASE_58.index(character)
    if number >= 1 << 200:
        return False
    decoded = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(decoded[:-4]).digest()).digest()[:4] == decoded[-4:]
