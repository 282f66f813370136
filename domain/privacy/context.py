"""What the words around a number say about it.

A number is only digits; whether nine of them are a tax number or an order is said by the words beside it. The
nearest word before it that says anything decides; where none does, a word right behind it may.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

BEFORE_CHARS: Final = 48
"""So far back a word is read."""
AFTER_CHARS: Final = 24
"""And so far behind, on the same line."""

_WORD: Final = re.compile(r"[^\W\d_]+")
_SPACED_MAX: Final = 0x0E00
"""Scripts below it put spaces between words."""


class ContextWords(NamedTuple):
    """What speaks for a kind, and what speaks for something else: single words, and what is looked for
    anywhere (several words, or scripts without spaces). All in small letters."""

    words: frozenset[str]
    phrases: tuple[str, ...]
    other_words: frozenset[str]
    other_phrases: tuple[str, ...]


def context_words(words: Iterable[str], others: Iterable[str] = ()) -> ContextWords:
    """Whole words, in any case; a word that is in both speaks for the kind."""
    singles, phrases = _sorted_out(words)
    other_singles, other_phrases = _sorted_out(others)
    return ContextWords(singles, phrases, other_singles - singles, other_phrases)


def speaks_for(before: str, after: str, context: ContextWords) -> bool:
    """Whether the words beside a place say that it is of the kind. `before` and `after` are cut already."""
    said, otherwise = _nearest(before, context)
    if said >= 0 or otherwise >= 0:
        return said > otherwise
    return _nearest(after.split("\n", 1)[0], context)[0] >= 0


def speaks_against(before: str, context: ContextWords) -> bool:
    """Whether the nearest word before a place says that it is something else."""
    said, otherwise = _nearest(before, context)
    return otherwise > said


def _nearest(text: str, context: ContextWords) -> tuple[int, int]:
    """Where the last word for it, and the last for something else, end; -1 where there is none."""
    lowered = text.lower()
    said = max((_end(lowered, phrase) for phrase in context.phrases), default=-1)
    otherwise = max((_end(lowered, phrase) for phrase in context.other_phrases), default=-1)
    for match in reversed(list(_WORD.finditer(lowered))):
        word = match.group()
        if word in context.words:
            return max(said, match.end()), otherwise
        if word in context.other_words:
            return said, max(otherwise, match.end())
    return said, otherwise


def _end(text: str, phrase: str) -> int:
    place = text.rfind(phrase)
    return -1 if place < 0 else place + len(phrase)


def _sorted_out(words: Iterable[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    spelled = {word.lower() for word in words}
    singles = frozenset(
        word for word in spelled if _WORD.fullmatch(word) and max(map(ord, word)) < _SPACED_MAX
    )
    return singles, tuple(sorted(spelled - singles))
