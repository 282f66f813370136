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


class ContextWords(NamedTuple):
    """Words that speak for a kind, and those that speak for something else."""

    words: re.Pattern[str]
    others: re.Pattern[str]


def context_words(words: Iterable[str], others: Iterable[str] = ()) -> ContextWords:
    """Whole words, in any case; those in scripts without spaces are found anywhere. None in `words` may be
    empty."""
    return ContextWords(_any_of(words), _any_of(others))


def speaks_for(before: str, after: str, context: ContextWords) -> bool:
    """Whether the words beside a place say that it is of the kind. `before` and `after` are cut already."""
    said = _last_end(context.words, before)
    otherwise = _last_end(context.others, before)
    if said >= 0 or otherwise >= 0:
        return said > otherwise
    return context.words.search(after.split("\n", 1)[0]) is not None


def speaks_against(before: str, context: ContextWords) -> bool:
    """Whether the nearest word before a place says that it is something else."""
    return _last_end(context.others, before) > _last_end(context.words, before)


def _last_end(pattern: re.Pattern[str], text: str) -> int:
    end = -1
    for match in pattern.finditer(text):
        end = match.end()
    return end


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    spelled = sorted({word.lower() for word in words}, key=lambda word: (-len(word), word))
    parts = [
        rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])" if word.isascii() or _spaced(word) else re.escape(word)
        for word in spelled
    ]
    return re.compile("|".join(parts) if parts else r"(?!)", re.IGNORECASE)


def _spaced(word: str) -> bool:
    """Whether its script puts spaces between words."""
    return max(map(ord, word)) < 0x0E00
