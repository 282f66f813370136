"""Whether two answers say the same, as far as that can be told without understanding them."""

import re
import unicodedata
from typing import Final

from domain.caching.reading import read

_MARKS: Final = re.compile(r"[*_`#>~|\\\"'“”‘’«»()\[\]{}.,;:!?…–—-]+")  # noqa: RUF001
_SPACES: Final = re.compile(r"\s+")
_OPENINGS: Final = re.compile(
    r"^(?:(?:sure|certainly|of course|absolutely|great question|good question|yes sure|okay|ok|well|"
    r"the answer is|answer|here is|here s|here are)\s+)+"
)
CHARS_MAX: Final = 20_000
"""Of an answer; longer ones are compared letter by letter."""
SHORT_WORDS: Final = 6
"""Answers up to this length are their facts: when they differ, they say something else."""
FAR: Final = 0.55
"""Answers below this cosine are about other things."""
NEAR: Final = 0.93
"""Answers from this cosine on that also agree in numbers, names and negations say the same."""


def plain_answer(text: str) -> str:
    """Without case, marks, spaces and polite openings."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _OPENINGS.sub("", _SPACES.sub(" ", _MARKS.sub(" ", folded)).strip())


def alike_in_words(fresh: str, kept: str) -> bool | None:
    """None: the words alone do not tell, or are too many to be looked at beside requests."""
    if fresh == kept:
        return True
    if max(len(fresh), len(kept)) > CHARS_MAX:
        return None
    one, other = plain_answer(fresh), plain_answer(kept)
    if one == other:
        return True
    if not one or not other:
        return False
    if len(one.split()) <= SHORT_WORDS and len(other.split()) <= SHORT_WORDS:
        return False
    return None


def alike_in_meaning(fresh: str, kept: str, similarity: float) -> bool | None:
    """None: neither far apart nor near enough."""
    if similarity < FAR:
        return False
    if similarity < NEAR:
        return None
    one, other = read(fresh), read(kept)
    facts = one.numbers == other.numbers and set(one.names) == set(other.names)
    return True if facts and one.negations % 2 == other.negations % 2 else None
