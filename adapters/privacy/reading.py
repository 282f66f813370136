"""A text while it is read: its folded form, and what stands around a place in it."""

import re
from typing import Final

from adapters.privacy.folding import UNSEEN_MAX, Folded, folded
from domain.privacy.context import AFTER_CHARS, BEFORE_CHARS

CONTEXT_CHARS: Final = BEFORE_CHARS + 2 * UNSEEN_MAX
"""What a reader of a stream keeps: the words before a place, and enough to tell how long a row of unseen
characters at its edge is."""
DIGIT_ROW: Final = b"000000"
LONG_TOKEN_CHARS: Final = 16
_LONG_TOKEN: Final = b"a" * LONG_TOKEN_CHARS

_DIGITS: Final = frozenset(b"0123456789")
_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _table(digit: bytes, letter: bytes, other: bytes, *, same: bytes = b"", letters: bytes = b"") -> bytes:
    """What each byte becomes: digits, letters (and `letters`), what stays the same, and all else."""

    def of(byte: int) -> int:
        if byte in _DIGITS:
            return digit[0]
        if byte in _LETTERS or byte in letters:
            return letter[0]
        return byte if byte in same else other[0]

    return bytes(map(of, range(256)))


_NUMBERS: Final = _table(b"0", b"x", b"x", same=b" .-/()")
_BETWEEN_DIGITS: Final = b" .-/()"
_SHAPES: Final = _table(b"0", b"a", b"x", same=b" .")
_TOKENS: Final = _table(b"a", b"a", b" ", letters=b"-_")
_DOTTED: Final = re.compile(rb"0\.0{1,3}\.0")
_HEX: Final = b"0123456789abcdefABCDEF"
_ASCII_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class Reading:
    """`text` is folded; a finding may begin at `start` or later, and is not asked for from `until` on.

    `has_digits` and the questions below are cheap (a byte table and a search for a few bytes): they say what
    a text cannot hold before a pattern looks.
    """

    __slots__ = (
        "_bytes",
        "_long_tokens",
        "_lowered",
        "_numbers",
        "folded",
        "has_digits",
        "start",
        "text",
        "until",
    )

    def __init__(self, text: str, start: int) -> None:
        self.folded: Folded = folded(text)
        self.text = self.folded.text
        self.start = self.folded.place(start) if start else 0
        self.until = len(self.text)
        self._bytes = self.text.encode("utf-8", "surrogatepass")
        self._numbers = self._bytes.translate(_NUMBERS)
        self.has_digits = b"0" in self._numbers
        self._long_tokens: bool | None = None
        self._lowered: str | None = None

    @property
    def lowered(self) -> str:
        """Position by position, which `str.lower` does not promise for all scripts."""
        if self._lowered is None:
            lowered = self.text.lower()
            self._lowered = lowered if len(lowered) == len(self.text) else self.text.translate(_ASCII_LOWER)
        return self._lowered

    def before(self, position: int) -> str:
        """The BEFORE_CHARS characters of the original before a place, folded."""
        nearest = max(0, position - BEFORE_CHARS)
        earliest = self.folded.origin(position) - BEFORE_CHARS
        while nearest < position and self.folded.origin(nearest) < earliest:
            nearest += 1
        return self.text[nearest:position]

    def is_near(self, earlier: int, position: int) -> bool:
        """Whether `earlier` is among what `before(position)` gives."""
        return self.folded.origin(position) - self.folded.origin(earlier) <= BEFORE_CHARS

    def after(self, position: int) -> str:
        """The AFTER_CHARS characters behind a place."""
        return self.text[position : position + AFTER_CHARS]

    def has_numbers(self) -> bool:
        """Six digits with nothing but separators between them."""
        return self.has_digits and DIGIT_ROW in self._numbers.translate(None, _BETWEEN_DIGITS)

    def has_codes(self) -> bool:
        """A letter before two digits, or what the spaced form of one looks like."""
        if not self.has_digits:
            return False
        shapes = self._bytes.translate(_SHAPES, b"-")
        return b"a00" in shapes or b"0 00 00" in shapes

    def has_dotted(self) -> bool:
        """Three numbers with points between them."""
        return self.has_digits and _DOTTED.search(self._numbers) is not None

    def has_colons(self) -> bool:
        """Colons between hexadecimal digits, as in an IPv6 or MAC address; or five hyphens so."""
        if b":" in self._bytes:
            if b"::" in self._bytes:
                return True
        elif b"-" not in self._bytes:
            return False
        if self._bytes.count(b":") < 5 and self._bytes.count(b"-") < 5:
            return False
        rest = self._bytes.translate(None, _HEX)
        return b":::::" in rest or b"-----" in rest

    def has_long_tokens(self) -> bool:
        """LONG_TOKEN_CHARS letters, digits, hyphens or underscores in a row; and a digit somewhere."""
        if not self.has_digits:
            return False
        if self._long_tokens is None:
            self._long_tokens = _LONG_TOKEN in self._bytes.translate(_TOKENS)
        return self._long_tokens
