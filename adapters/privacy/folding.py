"""A text as patterns read it: one form of each digit, letter and separator, without what nobody sees."""

import re
import unicodedata
from bisect import bisect_left
from functools import lru_cache
from typing import Final

UNSEEN_MAX: Final = 16
"""So many unseen characters in a row are looked through; a longer row separates."""

_UNSEEN: Final = (
    "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
)
_SPACES: Final = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_HYPHENS: Final = "\u2010-\u2015\u2212\u2e3a\u2e3b\ufe58\ufe63"
_PLAIN: Final = (
    "\x00-\x9f\u00a1-\u00ac\u00ae-\u034e\u0350-\u061b\u061d-\u065f\u066a-\u06ef\u06fa-\u07bf"
    "\u0900-\u0965\u0970-\u09e5\u2016-\u2023\u2025-\u2027\u2030-\u205e\u2070-\u2211"
    "\u2213-\u2e39\u3001-\ua61f\uac00-\ud7a3\U0001f000-\U0001fbef"
    "\uff01\uff0c\uff1b\uff1f"  # of full width, but no part of anything that is looked for
)
_ODD: Final = re.compile(f"[^{_PLAIN}]")
"""What may have another form. Few ranges of common scripts, turned round: that is ten times as fast as the
set of all that has one."""
_UNSEEN_RUN: Final = re.compile(f"[{_UNSEEN}]+")
_SPACE: Final = re.compile(f"[{_SPACES}]")
_HYPHEN: Final = re.compile(f"[{_HYPHENS}]")
_SMALL: Final = {"\ufe52": ".", "\ufe55": ":", "\ufe6b": "@", "\u2024": ".", "\uff61": "."}
_SEPARATOR: Final = "\x00"


class Folded:
    """`text` is what patterns read. Positions in it are led back by `origin`; the way there is `place`."""

    __slots__ = ("_origins", "text")

    def __init__(self, text: str, origins: list[int] | None) -> None:
        self.text = text
        self._origins = origins

    def origin(self, position: int) -> int:
        """Where in the original the character at `position` stands."""
        return position if self._origins is None else self._origins[position]

    def origin_end(self, end: int) -> int:
        """Where in the original what ends at `end` ends: unseen characters behind it are not its own."""
        if self._origins is None or end == 0:
            return end
        return self._origins[end - 1] + 1

    def place(self, origin: int) -> int:
        """The first position that stands at `origin` or behind it."""
        return origin if self._origins is None else bisect_left(self._origins, origin)


def folded(text: str) -> Folded:
    """Every character stays one character, but for rows of unseen ones of at most UNSEEN_MAX, which go."""
    if text.isascii() or _ODD.search(text) is None:
        return Folded(text, None)
    plain = _ODD.sub(_fold, text)
    if _UNSEEN_RUN.search(plain) is None:
        return Folded(plain, None)
    parts: list[str] = []
    origins: list[int] = []
    place = 0
    for row in _UNSEEN_RUN.finditer(plain):
        parts.append(plain[place : row.start()])
        origins.extend(range(place, row.start()))
        if row.end() - row.start() > UNSEEN_MAX:
            parts.append(_SEPARATOR)
            origins.append(row.start())
        place = row.end()
    parts.append(plain[place:])
    origins.extend(range(place, len(plain)))
    return Folded("".join(parts), origins)


def _fold(match: re.Match[str]) -> str:
    return _folded_character(match.group())


@lru_cache(maxsize=1024)
def _folded_character(character: str) -> str:
    if _UNSEEN_RUN.match(character):
        return character
    if _SPACE.match(character):
        return " "
    if _HYPHEN.match(character):
        return "-"
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - 0xFEE0)
    if character in _SMALL:
        return _SMALL[character]
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)
