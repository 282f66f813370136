"""Slow changes, which no hour shows: a day compared to the same weekday a week before, step by step.

What is usual follows a series within days, so a level that climbs a little every day is never strange by the
hour. Here the last 24 hours are compared to those a week earlier, which no weekday disturbs, and to how such
comparisons came out in the last four weeks, so that steady growth is usual. A drift is far off by that, and
came in at least three steps of days; what came at once is a shift, and is told of by the hour.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from math import exp, log
from typing import Final, NamedTuple

DRIFTED_MIN: Final = 1.5
"""Of a day to that of a week before, beyond the usual growth."""
KEEP_DAYS: Final = 28
KNOWN_DAYS_MIN: Final = 7
FAR: Final = 5.0
"""Robust standard deviations of such comparisons."""
STEPS: Final = 5
STEPS_MIN: Final = 3
STEP_SHARE_MIN: Final = 0.08
STEP_SHARE_MAX: Final = 0.45
_QUARTILES_TO_SIGMA: Final = 1 / 1.349
_SCALE_MIN: Final = 0.05
_KNOWN_SHARE_MIN: Final = 0.5


class Drifted(NamedTuple):
    """The mean of the last day, what it would be by the week before, and the logarithm of their ratio, offset
    on both sides; `border` is how far the logarithm usually strays at most."""

    observed: float
    expected: float
    distance: float
    border: float


class Drift:
    """To be asked of each hour in turn. `day` is samples per day."""

    def __init__(self, samples: Sequence[float | None], day: int) -> None:
        self._samples = samples
        self._day = day
        self._hour = day // 24
        self._sums: list[float] = [0.0]
        self._counts: list[int] = [0]
        self._grown: dict[int, float] = {}
        self._order: deque[tuple[int, float]] = deque()
        self._sorted: list[float] = []

    def at(self, place: int, offset: float) -> Drifted | None:
        """Whether the level drifted, `place` included; None: it did not, or too little is known."""
        self._read(place)
        day, week = self._day, 7 * self._day
        now, before = self._mean(place), self._mean(place - week)
        if now is None or before is None:
            return None
        grown = log((now + offset) / (before + offset))
        self._grown[place] = grown
        found = self._judged(place, now, grown, offset)
        insort(self._sorted, grown)
        self._order.append((place, grown))
        while self._order[0][0] <= place - KEEP_DAYS * day:
            old, value = self._order.popleft()
            del self._sorted[bisect_left(self._sorted, value)]
            self._grown.pop(old, None)
        return found

    def _judged(self, place: int, now: float, grown: float, offset: float) -> Drifted | None:
        known = self._sorted
        if len(known) < KNOWN_DAYS_MIN * 24:
            return None
        count = len(known)
        usual = known[count // 2]
        spread = (known[3 * count // 4] - known[count // 4]) * _QUARTILES_TO_SIGMA
        border = max(log(DRIFTED_MIN), FAR * max(spread, _SCALE_MIN))
        distance = grown - usual
        if abs(distance) < border or not self._in_steps(place, distance):
            return None
        # The usual growth belongs to what was expected.
        expected = max(0.0, (now + offset) * exp(-distance) - offset)
        return Drifted(now, expected, distance, border)

    def _in_steps(self, place: int, distance: float) -> bool:
        days = [self._grown.get(place - back * self._day) for back in range(STEPS + 1)]
        steps = [
            (later - earlier) / distance
            for later, earlier in pairwise(days)
            if later is not None and earlier is not None
        ]
        climbed = sum(step >= STEP_SHARE_MIN for step in steps)
        return len(steps) == STEPS and climbed >= STEPS_MIN and max(steps) <= STEP_SHARE_MAX

    def _read(self, place: int) -> None:
        for at in range(len(self._sums) - 1, place + 1):
            sample = self._samples[at]
            self._sums.append(self._sums[-1] + (sample or 0.0))
            self._counts.append(self._counts[-1] + (sample is not None))

    def _mean(self, place: int) -> float | None:
        """Of the day that ends with the place."""
        first = place + 1 - self._day
        if first < 0:
            return None
        count = self._counts[place + 1] - self._counts[first]
        return (
            (self._sums[place + 1] - self._sums[first]) / count
            if count >= _KNOWN_SHARE_MIN * self._day
            else None
        )
