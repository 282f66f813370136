"""What is usual at a moment: the median of the same time on earlier days, times how the last days compare.

Of three weeks of history and more, the same time of the same weekday counts, in the last four weeks, and the
samples beside it; of less, the same time of any of the last fourteen days. Medians, so that what was strange
once is not usual afterwards. The last three days say how far the level has drifted since.
"""

from collections.abc import Sequence
from itertools import product
from statistics import median
from typing import Final

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
WEEKS: Final = 4
WEEKS_MIN: Final = 3
DAYS: Final = 14
DRIFT_DAYS: Final = 3
DRIFT_SAMPLES_MIN: Final = 24
DRIFT_MAX: Final = 10.0
"""Levels drift up to so many times, up or down, within days; beyond it, what is usual follows slowly."""
_BESIDE_S: Final = HOUR_S
_SAME_WEEKDAY_MIN: Final = 6
_SAME_TIME_MIN: Final = 3

Samples = Sequence[float | None]
"""One per step, the oldest first; None: unknown, or too little to say."""


class Usual:
    """Reads samples, each from those before it. `step_s` divides a day, and an hour or is one."""

    def __init__(self, samples: Samples, step_s: int) -> None:
        if step_s < 60 or HOUR_S % step_s:
            raise ValueError(f"step_s must be 60 or more and divide {HOUR_S}, not {step_s}")
        self._samples = samples
        self._day = DAY_S // step_s
        self._hour = HOUR_S // step_s
        beside = _BESIDE_S // step_s
        self._weeks = [
            7 * self._day * week - shift for week, shift in product(range(1, WEEKS + 1), (-beside, 0, beside))
        ]
        self._days = [
            self._day * day - shift for day, shift in product(range(1, DAYS + 1), (-beside, 0, beside))
        ]
        self._seasonal: list[float | None] = []
        self._weekdays: list[bool] = []
        self._drift = 1.0
        self.level: float | None = None
        """Mean of the last week; None: nothing is known of it."""
        self.by_weekday = False
        """Whether the last answer came from the same weekdays."""

    def at(self, place: int) -> float | None:
        """What would be usual there; None: too little is known. To be asked of each place in turn."""
        assert place == len(self._seasonal), "each place depends on those before it"
        if place % self._hour == 0:
            self._compare(place)
        found = self._same_time(place)
        self._seasonal.append(found)
        self._weekdays.append(self.by_weekday)
        return None if found is None else found * self._drift

    def _same_time(self, place: int) -> float | None:
        if place < self._day:
            return None
        if place >= 7 * self._day * WEEKS_MIN:
            same = self._known(place, self._weeks)
            if len(same) >= _SAME_WEEKDAY_MIN:
                self.by_weekday = True
                return median(same)
        self.by_weekday = False
        same = self._known(place, self._days)
        return median(same) if len(same) >= _SAME_TIME_MIN else None

    def _known(self, place: int, before: Sequence[int]) -> list[float]:
        samples = self._samples
        return [sample for back in before if back <= place and (sample := samples[place - back]) is not None]

    def _compare(self, place: int) -> None:
        """How the last days were, compared to what was usual then."""
        samples, seasonal = self._samples, self._seasonal
        every = max(1, self._hour // 2)
        ratios = [
            sample / usual
            for at in range(max(0, place - DRIFT_DAYS * self._day), place, every)
            if (sample := samples[at]) is not None
            and (usual := seasonal[at])
            and self._weekdays[at] == self.by_weekday
        ]
        drift = median(ratios) if len(ratios) >= DRIFT_SAMPLES_MIN else 1.0
        self._drift = min(DRIFT_MAX, max(1 / DRIFT_MAX, drift))
        week = [sample for sample in samples[max(0, place - 7 * self._day) : place] if sample is not None]
        self.level = sum(week) / len(week) if week else None
