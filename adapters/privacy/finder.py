"""What finds one family of kinds."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Set
from typing import Final, Protocol

from adapters.privacy.reading import Reading
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind

TOKEN_CHARS_MAX: Final = 64
"""What has no space in it is at most so long, but for what a finder holds open itself."""
ALPHABETS: Final = "A-Za-zÀ-ÖØ-öø-ɏͰ-ϿЀ-ӿ"
"""Letters of scripts that put spaces between words."""
_TOKEN: Final = re.compile(rf"[{ALPHABETS}0-9._%+'@:=~/$&!#*?^|(\-]{{0,{TOKEN_CHARS_MAX}}}")


class Finder(Protocol):
    """Whether there is a candidate at a place depends on nothing but what is near that place: so cutting a
    text elsewhere changes nothing, and what is open can be told from the end of the text."""

    kinds: frozenset[PiiKind]

    @abstractmethod
    def may_hold(self, reading: Reading) -> bool:
        """Whether the text can hold any of its kinds: cheap, and never no where one is."""
        ...

    @abstractmethod
    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:
        """Every place from `reading.start` on, in any order; they may overlap. Positions are folded ones."""
        ...

    @abstractmethod
    def open_from(self, reading: Reading) -> int:
        """Where the first candidate begins that what follows may still make, end or change; the text's length
        if there is none. What lies in `last_token` need not be told again."""
        ...


def last_token(text: str) -> int:
    """Where the last word begins, of which at most TOKEN_CHARS_MAX characters are counted."""
    tail = text[: -TOKEN_CHARS_MAX - 1 : -1]
    token = _TOKEN.match(tail)
    return len(text) - (token.end() if token else 0)
