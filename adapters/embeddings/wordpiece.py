"""BERT's uncased word pieces, as MiniLM was trained on them.

Our own, because the usual library brings a hub client along and is no faster on questions of some twenty
words; `tests/unit/embeddings` compares it with a recorded reading of texts of many scripts.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

_UNKNOWN: Final = "[UNK]"
_WORD_CHARS_MAX: Final = 100
"""A longer word is unknown as a whole."""
_ASCII_WORDS: Final = re.compile(r"[a-z0-9]+|[!-/:-@\[-`{-~]")
_ASCII_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_WORDS_KEPT: Final = 20_000
"""Entries of the memo of words that are more than one piece."""


class Reading(NamedTuple):
    """A text as the model sees it. `ids` begin and end with the marks of a text. `unknown`: words without any
    piece."""

    ids: tuple[int, ...]
    unknown: int


class WordPieces:
    """Synchronous; tens of microseconds for a question. Not for several threads at once."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._ids = {piece: number for number, piece in enumerate(vocabulary)}
        self._first, self._last = self._ids["[CLS]"], self._ids["[SEP]"]
        self._missing = self._ids[_UNKNOWN]
        self._split: dict[str, tuple[int, ...]] = {}

    def read(self, text: str) -> Reading:
        """All of it; whoever calls bounds the text."""
        ids = [self._first]
        unknown = 0
        known = self._ids
        for word in _words(text):
            number = known.get(word)
            if number is not None and len(word) <= _WORD_CHARS_MAX:
                ids.append(number)
            else:
                pieces = self._pieces(word)
                unknown += pieces[0] == self._missing
                ids += pieces
        ids.append(self._last)
        return Reading(tuple(ids), unknown)

    def _pieces(self, word: str) -> tuple[int, ...]:
        found = self._split.get(word)
        if found is None:
            if len(self._split) >= _WORDS_KEPT:
                self._split.clear()
            found = self._split[word] = self._longest_first(word)
        return found

    def _longest_first(self, word: str) -> tuple[int, ...]:
        if len(word) > _WORD_CHARS_MAX:
            return (self._missing,)
        pieces = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._ids.get(prefix + word[start:end])
                if number is not None:
                    pieces.append(number)
                    start = end
                    break
            else:
                return (self._missing,)
        return tuple(pieces)


def _words(text: str) -> list[str]:
    """Lower case, without accents, punctuation and ideographs each a word of its own."""
    if text.isascii():
        return _ASCII_WORDS.findall(_ASCII_CONTROLS.sub("", text.lower()))
    clean = []
    for char in text:
        if char in "\t\n\r" or (char.isspace() and unicodedata.category(char) != "Cc"):
            clean.append(" ")
        elif unicodedata.category(char) in _INVISIBLE or char == "\ufffd":
            continue
        elif _ideograph(ord(char)):
            clean.append(f" {char} ")
        else:
            clean.append(char)
    bare = [
        char for char in unicodedata.normalize("NFD", "".join(clean)) if unicodedata.category(char) != "Mn"
    ]
    words: list[str] = []
    # Letter by letter: a whole text would turn a last sigma into another letter than the model knows.
    for part in "".join(char.lower() for char in bare).split():
        start = 0
        for place, char in enumerate(part):
            if _punctuation(char):
                if place > start:
                    words.append(part[start:place])
                words.append(char)
                start = place + 1
        if start < len(part):
            words.append(part[start:])
    return words


_INVISIBLE: Final = frozenset({"Cc", "Cf"})


def _punctuation(char: str) -> bool:
    if char.isascii():
        return not char.isalnum()
    return unicodedata.category(char).startswith("P")


def _ideograph(code: int) -> bool:
    return code >= 0x3400 and any(first <= code <= last for first, last in _IDEOGRAPHS)


_IDEOGRAPHS: Final = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
