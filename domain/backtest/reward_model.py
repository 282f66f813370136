"""What a target's answer is expected to bring in a context: means that shrink to what is known more broadly.

Of (target, task, band of sizes) to the target's with that task, to the target's, to all of them. A doubly
robust estimate needs no good model: where it is off, weighed outcomes correct it. A good one makes the
estimate less noisy.

Units are dealt out to folds, and what is expected of one fold is learned from the others: nobody is explained
by their own outcome.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

from domain.backtest.record import Context

FOLDS: Final = 5
SHRINKING: Final = 20.0
"""As many outcomes as what is known more broadly counts for."""


def fold_of(unit: str) -> int:
    """Equal everywhere and always."""
    return crc32(unit.encode("utf-8", "surrogatepass")) % FOLDS


class RewardModel:
    """Of one value; `observed` are (fold, target, context, value)."""

    __slots__ = ("_known", "_sums")

    def __init__(self, observed: Iterable[tuple[int, str, Context, float]]) -> None:
        self._sums: dict[tuple[object, ...], list[float]] = {}
        self._known: dict[tuple[int, str, Context], float] = {}
        for fold, target, context, value in observed:
            for place in _places(target, context):
                sums = self._sums.setdefault(place, [0.0] * (2 * FOLDS))
                sums[2 * fold] += 1.0
                sums[2 * fold + 1] += value

    def expected(self, fold: int, target: str, context: Context) -> float:
        """By all folds but this one; 0 where nothing was observed."""
        place = (fold, target, context)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = self._expected(fold, target, context)
        return known

    def _expected(self, fold: int, target: str, context: Context) -> float:
        value = 0.0
        for depth, place in enumerate(_places(target, context)):
            sums = self._sums.get(place)
            if sums is None:
                break
            count = sum(sums[::2]) - sums[2 * fold]
            total = sum(sums[1::2]) - sums[2 * fold + 1]
            if count:
                weight = SHRINKING if depth else 0.0
                value = (total + weight * value) / (count + weight)
        return value


def _places(target: str, context: Context) -> tuple[tuple[object, ...], ...]:
    """From the broadest to the narrowest."""
    task, band = context
    return ((), (target,), (target, task), (target, task, band))
