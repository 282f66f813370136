"""What is usual at a moment: medians of the same time on earlier days, times how the last days compare.

Of three weeks of history and more, the same time of the same weekday counts, in the last four weeks; of less,
the same time of any of the last fourteen days. Both are asked twice, with an hour beside it and without, and
so is the week before; whichever is nearer to what came is what was expected. A job that always runs at two is
no surprise at two, nor is one that came a bit early. Medians, so that what was strange once is not usual
afterwards. The last three days say how far the level has drifted since.

Within the first week nobody knows a weekend from a breakdown: only what exceeds every day so far is judged.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from itertools import product
from math import log
from statistics import median
from typing import Final, NamedTuple

HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
WEEKS: Final = 4
WEEKS_MIN: Final = 3
DAYS: Final = 14
DRIFT_DAYS: Final = 3
DRIFT_SAMPLES_MIN: Final = 24
DRIFT_MAX: Final = 10.0
"""Levels drift up to so many times, up or down, within days; beyond it, what is usual follows slowly."""
_SAME_WEEKDAY_MIN: Final = 6
_SAME_TIME_MIN: Final = 3

Samples = Sequence[float | None]
"""One per step, the oldest first; None: unknown, or too little to say."""


class Answers(NamedTuple):
    """What would be usual, each of them: `daily` from any days, `weekly` from the same weekdays; empty where
    too little is known. `most` is the most that came at that time, within the first week; else None."""

    daily: tuple[float, ...]
    weekly: tuple[float, ...]
    most: float | None


def nearest(answers: Sequence[float], observed: float, offset: float) -> tuple[float, float]:
    """Of the answers, the one whose ratio to what came is nearest to one, and the logarithm of that ratio;
    `offset` is added to both sides."""
    distance, expected = min(
        (abs(log((observed + offset) / (answer + offset))), answer) for answer in answers
    )
    return expected, distance if observed >= expected else -distance


class Usual:
    """Reads samples, each from those before it. `step_s` divides a day, and an hour or is one."""

    def __init__(self, samples: Samples, step_s: int) -> None:
        if step_s < 60 or HOUR_S % step_s:
            raise ValueError(f"step_s must be 60 or more and divide {HOUR_S}, not {step_s}")
        self._samples = samples
        self._day = DAY_S // step_s
        self._hour = HOUR_S // step_s
        # Of finer samples more count beside a moment: what is expected must not be as noisy as one of them.
        quarter = max(1, self._hour // 4)
        around = range(-self._hour, self._hour + 1, quarter)
        close = [shift for shift in around if abs(shift) <= quarter and abs(shift) < self._hour]
        self._week = 7 * self._day
        weeks = [self._week * week for week in range(1, WEEKS + 1)]
        days = [self._day * day for day in range(1, DAYS + 1)]
        self._weeks = [back - shift for back, shift in product(weeks, close)]
        self._weeks_around = [back - shift for back, shift in product(weeks, around)]
        self._days = [back - shift for back, shift in product(days, close)]
        self._days_around = [back - shift for back, shift in product(days, around)]
        self._week_ago = [self._week - shift for shift in around]
        self._daily: list[float | None] = []
        self._weekly: list[float | None] = []
        self._sum = 0.0
        self._known_of_week = 0
        # Of finer samples two an hour say how far the level has drifted, or as many as divide it.
        self._every = next(each for each in range(max(1, self._hour // 2), 0, -1) if self._hour % each == 0)
        self._daily_ratios = _Ratios(DRIFT_DAYS * self._day)
        self._weekly_ratios = _Ratios(DRIFT_DAYS * self._day)
        self._daily_drift = 1.0
        self._weekly_drift = 1.0
        self.level: float | None = None
        """Mean of the last week; None: nothing is known of it."""

    def at(self, place: int, *, daily: bool = True) -> Answers:
        """What would be usual there. To be asked of each place in turn; `daily` False: where weekdays are
        known, nothing else is looked at."""
        assert place == len(self._daily), "each place depends on those before it"
        if place % self._hour == 0:
            self._compare(place)
        weekly: list[float] = []
        if place >= self._week * WEEKS_MIN:
            weekly = self._medians(place, (self._weeks_around, self._weeks), _SAME_WEEKDAY_MIN)
        own: list[float] = []
        if daily or not weekly:
            own = self._medians(place, (self._days_around, self._days), _SAME_TIME_MIN)
        self._weekly.append(weekly[0] if weekly else None)
        self._daily.append(own[0] if own else None)
        # How it was a week ago counts as it was: one weekend is little to go by, but enough not to be
        # surprised by the next, and a new level is no news where medians of weeks turn over to it.
        before = self._medians(place, (self._week_ago,), 1) if own or weekly else []
        answers = [answer * self._daily_drift for answer in own]
        most = None
        if answers and place < self._week:
            most = max(self._known(place, self._days_around))
        elif answers:
            answers += before
        usual = [answer * self._weekly_drift for answer in weekly]
        return Answers(tuple(answers), tuple(usual + before if usual else usual), most)

    def _medians(self, place: int, groups: Sequence[Sequence[int]], least: int) -> list[float]:
        """Of each group that is known well enough; none, where the first is not."""
        found: list[float] = []
        for group in groups:
            same = self._known(place, group)
            if len(same) < min(least, len(group) // 2 + 1):
                break
            found.append(median(same))
        return found

    def _known(self, place: int, before: Sequence[int]) -> list[float]:
        samples = self._samples
        return [sample for back in before if back <= place and (sample := samples[place - back]) is not None]

    def _compare(self, place: int) -> None:
        """How the last days were, compared to what was usual then."""
        for at in range(max(0, place - self._hour), place, self._every):
            self._daily_ratios.add(at, self._samples[at], self._daily[at])
            self._weekly_ratios.add(at, self._samples[at], self._weekly[at])
        self._daily_drift = self._daily_ratios.drift(place)
        self._weekly_drift = self._weekly_ratios.drift(place)
        for at in range(place - self._hour, place) if place else ():
            self._count(at, 1)
            if at >= self._week:
                self._count(at - self._week, -1)
        self.level = self._sum / self._known_of_week if self._known_of_week else None

    def _count(self, place: int, times: int) -> None:
        sample = self._samples[place]
        if sample is not None:
            self._sum += times * sample
            self._known_of_week += times


class _Ratios:
    """What came in the last `keep` places to what was usual there: in their order, and by size."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._order: deque[tuple[int, float]] = deque()
        self._sorted: list[float] = []

    def add(self, place: int, sample: float | None, usual: float | None) -> None:
        if sample is None or not usual:
            return
        ratio = sample / usual
        self._order.append((place, ratio))
        insort(self._sorted, ratio)

    def drift(self, place: int) -> float:
        """Before that place: the median, within bounds; 1 where too little is known."""
        known = self._sorted
        while self._order and self._order[0][0] < place - self._keep:
            del known[bisect_left(known, self._order.popleft()[1])]
        half, odd = divmod(len(known), 2)
        if len(known) < DRIFT_SAMPLES_MIN:
            return 1.0
        middle = known[half] if odd else (known[half - 1] + known[half]) / 2
        return min(DRIFT_MAX, max(1 / DRIFT_MAX, middle))
