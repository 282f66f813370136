"""How much of what could be tried is tried: a share each time, in turns, or all of it by `make thorough`."""

import os
import zlib
from collections.abc import Sequence
from typing import Final

THOROUGH: Final = bool(os.environ.get("INTERCHANGE_THOROUGH"))
"""Every word of an attacker's in every place, every page in every sight: an hour."""


def some_of(words: Sequence[str], place: object, count: int) -> Sequence[str]:
    """So many of the words, always the same ones for one place; over many places each word has its turn.

    All of them in a thorough run, or where there are no more.
    """
    if THOROUGH or count >= len(words):
        return words
    first = zlib.crc32(str(place).encode())
    return [words[(first + turn) % len(words)] for turn in range(count)]
