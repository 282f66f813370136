"""Found against labelled.

A finding is right where it has the label's kind and each covers at least half of the other; `exact` asks for
the same two ends. Every label is met by one finding at most, and what is found besides is wrong.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from benchmarks.pii.texts import KINDS, Labelled, Span

_Z: Final = 1.959963984540054
_RESAMPLES: Final = 400


class Score(NamedTuple):
    right: int
    wrong: int
    missed: int

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)


def scores(
    rows: Sequence[Labelled], found: Sequence[Sequence[Span]], *, exact: bool
) -> list[dict[str, Score]]:
    """Per text and kind."""
    return [_of_one(row, spans, exact) for row, spans in zip(rows, found, strict=True)]


def total(parts: Sequence[dict[str, Score]], kinds: Sequence[str] = KINDS) -> Score:
    """Of these kinds together."""
    chosen = [part[kind] for part in parts for kind in kinds if kind in part]
    return Score(sum(s.right for s in chosen), sum(s.wrong for s in chosen), sum(s.missed for s in chosen))


def wilson(events: int, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if not trials:
        return 0.0, 1.0
    share = events / trials
    centre = share + _Z * _Z / (2 * trials)
    spread = _Z * math.sqrt(share * (1 - share) / trials + _Z * _Z / (4 * trials * trials))
    scale = 1 + _Z * _Z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def f1_interval(parts: Sequence[dict[str, Score]], seed: int) -> tuple[float, float]:
    """The 95 % interval over all kinds, by drawing the texts anew."""
    chance = random.Random(seed)
    drawn = sorted(total(chance.choices(parts, k=len(parts))).f1 for _ in range(_RESAMPLES))
    return drawn[int(0.025 * _RESAMPLES)], drawn[int(0.975 * _RESAMPLES) - 1]


def _of_one(row: Labelled, found: Sequence[Span], exact: bool) -> dict[str, Score]:
    right: Counter[str] = Counter()
    left = list(found)
    for span in row.spans:
        met = next((each for each in left if _meets(each, span, exact)), None)
        if met is not None:
            left.remove(met)
            right[span.kind] += 1
    labels = Counter(span.kind for span in row.spans)
    besides = Counter(each.kind for each in left)
    return {
        kind: Score(right[kind], besides[kind], labels[kind] - right[kind])
        for kind in labels.keys() | besides.keys()
    }


def _meets(one: Span, other: Span, exact: bool) -> bool:
    if one.kind != other.kind:
        return False
    if exact:
        return one == other
    shared = min(one.end, other.end) - max(one.start, other.start)
    return 2 * shared >= max(one.end - one.start, other.end - other.start)
