"""Questions one after the other against a cache of questions, as the product searches it: nearest first."""

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from benchmarks.semantic.questions import Asked
from benchmarks.semantic.vectors import Matrix

NEIGHBOURS: Final = 4
"""Candidates the product looks at."""
EARLIER: Final = 96
"""Nearest earlier questions that are remembered of each; those that were kept are searched."""
SIMILARITY_MIN: Final = 0.4
_BLOCK: Final = 512


class Near(NamedTuple):
    """`margin`: how much nearer than the nearest other one."""

    asked: Asked
    similarity: float
    margin: float | None


class Line:
    """A stream with, of each question, the nearest earlier ones. Computed once, replayed often."""

    def __init__(self, stream: Sequence[Asked], rows: Mapping[str, int], vectors: Matrix) -> None:
        self.stream = stream
        self._nearest: list[list[tuple[int, float]]] = []
        matrix = vectors[[rows[asked.text] for asked in stream]]
        for start in range(0, len(stream), _BLOCK):
            found = matrix[start : start + _BLOCK] @ matrix[: start + _BLOCK].T
            for number, row in enumerate(found, start):
                self._nearest.append(_best(row[:number]))

    def nearest(self, number: int, kept: Sequence[bool], similarity_min: float) -> list[Near]:
        """Of the question with this number, among those that were kept before it."""
        there = [each for each in self._nearest[number] if kept[each[0]]][: NEIGHBOURS + 1]
        return [
            Near(self.stream[place], similarity, _margin(there, position))
            for position, (place, similarity) in enumerate(there[:NEIGHBOURS])
            if similarity >= similarity_min
        ]


def _best(row: Matrix) -> list[tuple[int, float]]:
    places = np.flatnonzero(row >= SIMILARITY_MIN)
    places = places[np.argsort(-row[places], kind="stable")][:EARLIER]
    return [(int(place), float(row[place])) for place in places]


def _margin(there: Sequence[tuple[int, float]], position: int) -> float | None:
    others = [similarity for number, (_, similarity) in enumerate(there) if number != position]
    return there[position][1] - max(others) if others else None


def shuffled(groups: Sequence[Sequence[str]], singles: Sequence[str], seed: int) -> list[Asked]:
    """All questions of all clusters, and each single as a cluster of its own, in random order."""
    asked = [Asked(text, number) for number, group in enumerate(groups) for text in group]
    asked += [Asked(text, len(groups) + number) for number, text in enumerate(singles)]
    random.Random(seed).shuffle(asked)
    return asked


def halves(groups: Sequence[Sequence[str]]) -> tuple[list[Sequence[str]], list[Sequence[str]]]:
    """Two halves by cluster, the same in every run."""
    order = list(groups)
    random.Random(7).shuffle(order)
    return order[0::2], order[1::2]
