"""Finds windows in which a series was out of the ordinary. Few false alarms come before all else.

Each sample is compared to what was usual (`usual.py`), as the logarithm of their ratio, so that half and
double are equally far. How far is far is learned from the series: from the median and the 99th percentile of
the distances of the last four weeks, so that a series with spikes every day is not reported for spikes. What
chance alone does to few requests comes on top (`noise`). A sample is strange where it lies eight such scales
off, or together with its neighbours three and a half; changes that nobody would care about do not count,
however regular the series is. Strange samples close to each other are one window.

Every judgement uses only what was known then, so a window does not appear or vanish later by what follows.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil, hypot, log
from typing import Final, NamedTuple

from domain.anomalies.usual import DAY_S, HOUR_S, Samples, Usual

ALONE: Final = 8.0
"""Scales off that make a single sample strange."""
TOGETHER: Final = 3.5
"""Scales off that make samples in a row strange."""
IN_A_ROW_S: Final = 900
"""How long these last at least; never fewer than two of them."""
SCALE_DAYS: Final = 28
SCALE_DAYS_MIN: Final = 2
"""Before so much is known of how far a series strays, nothing is reported."""
WEEKDAY_SCALE_DAYS_MIN: Final = 7
"""After so many days with weekdays told apart, distances from before that count no more."""
MERGE_S: Final = 3 * HOUR_S
CRITICAL: Final = 16.0
"""Scales off that make a window critical."""
_MAD_TO_SIGMA: Final = 1.4826
_Q99: Final = 0.99
_Q99_TO_SIGMA: Final = 1 / 2.5758
_SCALE_OF_CHANGE: Final = 0.2
_OFFSET_OF_CHANGE: Final = 0.5


class Side(Enum):
    """Which changes count."""

    UP = "up"
    BOTH = "both"


class Severity(Enum):
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What counts. `change_min` is the least change, as a share of what is usual (0.25: a quarter more).

    `offset_min` is added to both sides of a ratio, in the unit of the series, so that a change from nearly
    nothing to nearly nothing is none.
    """

    side: Side = Side.BOTH
    change_min: float = 0.25
    offset_min: float = 0.0


class Window(NamedTuple):
    """Samples `first` to `last`, both included. Of the strange samples among them: means of what was
    `observed` and `expected`, and how far from the expected one a usual sample `strays` at most (at 3.5
    scales). `score` is the greatest distance in scales."""

    first: int
    last: int
    observed: float
    expected: float
    strays: float
    score: float
    severity: Severity

    @property
    def up(self) -> bool:
        return self.observed > self.expected


class _Judged(NamedTuple):
    place: int
    observed: float
    expected: float
    strays: float
    score: float
    """Signed."""


def find_windows(
    samples: Samples,
    step_s: int,
    sensitivity: Sensitivity,
    noise: Sequence[float] | None = None,
) -> list[Window]:
    """The windows, the oldest first. `noise` has, for each sample, the standard deviation of its logarithm
    that chance alone makes; None: none.

    Raises ValueError for a step that does not divide an hour, and noise of another length.
    """
    if noise is not None and len(noise) != len(samples):
        raise ValueError("noise must have one value per sample")
    in_a_row = max(2, ceil(IN_A_ROW_S / step_s))
    strange: list[_Judged] = []
    row: list[_Judged] = []
    for judged in _judged(samples, step_s, sensitivity, noise):
        if row and (judged.place != row[-1].place + 1 or judged.score * row[-1].score < 0):
            row = []
        if abs(judged.score) < TOGETHER:
            row = []
            continue
        row.append(judged)
        if len(row) == in_a_row:
            strange += [each for each in row if not strange or each.place > strange[-1].place]
        elif len(row) > in_a_row or abs(judged.score) >= ALONE:
            strange.append(judged)
    return _windows(strange, max(1, MERGE_S // step_s))


def _judged(
    samples: Samples, step_s: int, sensitivity: Sensitivity, noise: Sequence[float] | None
) -> "list[_Judged]":
    usual = Usual(samples, step_s)
    distances = _Distances(step_s, SCALE_DAYS_MIN)
    by_weekday = _Distances(step_s, WEEKDAY_SCALE_DAYS_MIN)
    change = log(1 + sensitivity.change_min)
    found = []
    for place, observed in enumerate(samples):
        expected = usual.at(place)
        if observed is None or expected is None or usual.level is None:
            continue
        offset = max(_OFFSET_OF_CHANGE * sensitivity.change_min * usual.level, sensitivity.offset_min, 1e-9)
        distance = log((observed + offset) / (expected + offset))
        far = by_weekday.usual()
        far = distances.usual() if far is None else far
        if far is not None:
            scale = max(far, _SCALE_OF_CHANGE * sensitivity.change_min)
            scale = hypot(scale, noise[place]) if noise is not None else scale
            counts = abs(distance) >= change and (distance > 0 or sensitivity.side is Side.BOTH)
            strays = (expected + offset) * TOGETHER * scale
            found.append(_Judged(place, observed, expected, strays, distance / scale if counts else 0.0))
        distances.add(place, abs(distance))
        if usual.by_weekday:
            by_weekday.add(place, abs(distance))
    return found


class _Distances:
    """How far samples were from what was usual, in the last four weeks."""

    def __init__(self, step_s: int, days_min: int) -> None:
        self._places_max = SCALE_DAYS * DAY_S // step_s
        self._count_min = days_min * DAY_S // step_s
        self._order: deque[tuple[int, float]] = deque()
        self._sorted: list[float] = []

    def usual(self) -> float | None:
        """A standard deviation of the distances, of their middle or of their end, whichever is greater; None:
        too few are known."""
        known = self._sorted
        if len(known) < self._count_min:
            return None
        middle = _MAD_TO_SIGMA * known[len(known) // 2]
        return max(middle, _Q99_TO_SIGMA * known[int(_Q99 * len(known))])

    def add(self, place: int, distance: float) -> None:
        insort(self._sorted, distance)
        self._order.append((place, distance))
        while self._order[0][0] <= place - self._places_max:
            del self._sorted[bisect_left(self._sorted, self._order.popleft()[1])]


def _windows(strange: Sequence[_Judged], merge: int) -> list[Window]:
    groups: list[list[_Judged]] = []
    for judged in strange:
        last = groups[-1][-1] if groups else None
        if last is not None and judged.place - last.place <= merge and judged.score * last.score > 0:
            groups[-1].append(judged)
        else:
            groups.append([judged])
    return [_window(group) for group in groups]


def _window(group: Sequence[_Judged]) -> Window:
    count = len(group)
    score = max(abs(each.score) for each in group)
    return Window(
        first=group[0].place,
        last=group[-1].place,
        observed=sum(each.observed for each in group) / count,
        expected=sum(each.expected for each in group) / count,
        strays=sum(each.strays for each in group) / count,
        score=score,
        severity=Severity.CRITICAL if score >= CRITICAL else Severity.WARNING,
    )
