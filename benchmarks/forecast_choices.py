"""What the forecast's constants would have been, had they been chosen from the past of a series alone."""

from collections.abc import Sequence
from itertools import product
from typing import Final

from domain.forecasting.level import PROFILE_DAYS_MIN, TUNING, WEEK, WEEKS_MAX, Tuning, fit
from domain.forecasting.trial import STEADY, carried

TUNINGS: Final = tuple(
    Tuning(*values)
    for values in product((0.1, 0.2, 0.4, 0.6), (2.0, 3.0, 5.0), (5, 7), (0.8, 0.9, 0.95, 1.0))
)
"""A new level is never made of fewer than five days: a long weekend is none."""


class Choices:
    """Tries every tuning on every day of a series, and says which one had done best up to a day."""

    def __init__(self, totals: Sequence[float]) -> None:
        self._errors = {tuning: self._tried(totals, tuning) for tuning in TUNINGS}

    def best(self, before: int) -> Tuning:
        """By the mean error of sums over a week, of weeks that were over before that day; the shipped one,
        where there was none."""
        weeks = before - PROFILE_DAYS_MIN - WEEK + 1
        if weeks < 1:
            return TUNING
        return min(TUNINGS, key=lambda tuning: sum(self._errors[tuning][:weeks]))

    @staticmethod
    def _tried(totals: Sequence[float], tuning: Tuning) -> list[float]:
        found = []
        for day in range(PROFILE_DAYS_MIN, len(totals) - WEEK + 1):
            points = carried(fit(totals[max(0, day - WEEKS_MAX * WEEK) : day], tuning), STEADY, WEEK)
            actual = sum(totals[day : day + WEEK])
            found.append(abs(sum(points) - actual) / actual if actual > 0 else 0.0)
        return found
