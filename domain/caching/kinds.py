"""Which words exclude each other, looked up by stem."""

from collections.abc import Iterable
from typing import Final

from domain.caching.lexicon import KINDS, OPPOSITES
from domain.caching.stems import stem


def _table() -> dict[str, tuple[tuple[int, str], ...]]:
    rows = [[each.split("=") for each in line.split()] for line in KINDS.split(";")]
    rows += [[[one] for one in pair.split("/")] for pair in OPPOSITES.split()]
    table: dict[str, list[tuple[int, str]]] = {}
    for number, members in enumerate(rows):
        for spellings in members:
            for spelling in spellings:
                table.setdefault(stem(spelling), []).append((number, stem(spellings[0])))
    return {word: tuple(places) for word, places in table.items()}


_TABLE: Final = _table()


def kinds_of(words: Iterable[str]) -> frozenset[tuple[int, str]]:
    """(kind, member) of every word (stem) that has any."""
    return frozenset(place for word in words for place in _TABLE.get(word, ()))


def exclude_each_other(one: frozenset[tuple[int, str]], other: frozenset[tuple[int, str]]) -> bool:
    """Whether, of some kind, each has a member that the other lacks."""
    if one == other:
        return False
    only_one = {kind for kind, _ in one - other}
    return bool(only_one) and any(kind in only_one for kind, _ in other - one)
