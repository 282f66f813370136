"""A text while it is read: its folded form, and what stands around a place in it."""

from typing import Final

from adapters.privacy.folding import UNSEEN_MAX, Folded, folded
from domain.privacy.context import AFTER_CHARS, BEFORE_CHARS

CONTEXT_CHARS: Final = BEFORE_CHARS + 2 * UNSEEN_MAX
"""What a reader of a stream keeps: the words before a place, and enough to tell how long a row of unseen
characters at its edge is."""
DIGIT_ROW: Final = b"000000"
LONG_TOKEN_CHARS: Final = 16

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


_NUMBERS: Final = _table(b"0", b"x", b"x")
_BETWEEN_DIGITS: Final = b" .-/()"
_SHAPES: Final = _table(b"0", b"a", b"x", same=b" .")
_TOKENS: Final = _table(b"a", b"a", b" ", letters=b"-_")
_HEX: Final = b"0123456789abcdefABCDEF"


class Reading:
    """`text` is folded; `start` the first position at which a finding may begin.

    What `shape` answers is cheap (a byte table and a search for a few bytes): it says what a text cannot hold
    before a pattern looks.
    """

    __slots__ = ("_bytes", "folded", "start", "text")

    def __init__(self, text: str, start: int) -> None:
        self.folded: Folded = folded(text)
        self.text = self.folded.text
        self.start = self.folded.place(start) if start else 0
        self._bytes = self.text.encode("utf-8", "surrogatepass")

    def before(self, position: int) -> str:
        """The BEFORE_CHARS characters of the original before a place, folded."""
        nearest = max(0, position - BEFORE_CHARS)
        earliest = self.folded.origin(position) - BEFORE_CHARS if position < len(self.text) else 0
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
        return DIGIT_ROW in self._bytes.translate(_NUMBERS, _BETWEEN_DIGITS)

    def has_codes(self) -> bool:
        """A letter before two digits, or what the spaced form of one looks like."""
        shapes = self._bytes.translate(_SHAPES)
        return b"a00" in shapes or b"0 00 00" in shapes

    def has_dotted(self) -> bool:
        """Digits, a point, digits: thrice at least."""
        if self._bytes.count(b".") < 3:
            return False
        return b"0.0" in self._bytes.translate(_SHAPES)

    def has_colons(self) -> bool:
        """Colons between hexadecimal digits, as in an IPv6 or MAC address; or five hyphens so."""
        if b"::" in self._bytes:
            return True
        if self._bytes.count(b":") < 5 and self._bytes.count(b"-") < 5:
            return False
        rest = self._bytes.translate(None, _HEX)
        return b":::::" in rest or b"-----" in rest

    def has_long_tokens(self) -> bool:
        """LONG_TOKEN_CHARS letters, digits, hyphens or underscores in a row."""
        return b"a" * LONG_TOKEN_CHARS in self._bytes.translate(_TOKENS)
