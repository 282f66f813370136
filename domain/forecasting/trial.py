"""Ways to carry a level on, each tried from the days of the past.

`steady` returns slowly to what was usual in the last weeks, `recent` stays where it is, `growing` goes on as
it grew, less each day.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from domain.forecasting.bounds import ERRORS_MIN
from domain.forecasting.level import PROFILE_DAYS_MIN, TUNING, WEEK, WEEKS_MAX, Fitted, Tuning, fit

STEADY: Final = "steady"
RECENT: Final = "recent"
GROWING: Final = "growing"
ORIGINS_MAX: Final = 120
"""Days of the past that forecasts are made from to see how well they did."""
_FADE: Final = 0.97
"""What remains per day of growth."""
_CLEARLY: Final = 0.85
"""Another way than `steady` has to err less than this share of its error."""
_SHARE_MIN: Final = 0.25
"""Of the mean day: errors of emptier weekdays are measured by this much."""


def carried(fitted: Fitted, way: str, horizon: int) -> list[float]:
    """Points of the next days. Raises KeyError for a way that is not known."""
    level_at = _WAYS[way]
    return [max(0.0, level_at(fitted, ahead + 1) * fitted.profile[ahead % WEEK]) for ahead in range(horizon)]


def day_scales(points: Sequence[float]) -> list[float]:
    """By what errors of single days are measured."""
    week = points[:WEEK]
    least = _SHARE_MIN * sum(week) / len(week)
    return [max(point, least) for point in points]


def _steady(fitted: Fitted, ahead: int) -> float:
    return fitted.calm + (fitted.level - fitted.calm) * fitted.remains**ahead


def _recent(fitted: Fitted, _: int) -> float:
    return fitted.level


def _growing(fitted: Fitted, ahead: int) -> float:
    return fitted.level * (1 + fitted.growth * _FADE * (1 - _FADE**ahead) / (1 - _FADE))


_WAYS: Final[Mapping[str, Callable[[Fitted, int], float]]] = {
    STEADY: _steady,
    RECENT: _recent,
    GROWING: _growing,
}


class Origin(NamedTuple):
    """A day of the past: what was expected of the days after it, and what they were (those that are over)."""

    points: list[float]
    actual: list[float]


@dataclass(frozen=True, slots=True)
class Trial:
    """One way, tried; the oldest origin first."""

    origins: list[Origin]

    def day_errors(self, horizon: int) -> list[list[float]]:
        """By days ahead: the errors of single days, as shares of `day_scales`."""
        return _by_ahead(horizon, ((day_scales(points), points, actual) for points, actual in self.origins))

    def sum_errors(self, horizon: int) -> list[list[float]]:
        """By days ahead: the errors of the sums up to there, as shares of what was expected."""
        sums = ((list(accumulate(points)), list(accumulate(actual))) for points, actual in self.origins)
        return _by_ahead(horizon, ((points, points, actual) for points, actual in sums))

    def whole(self, days: int) -> list[Origin]:
        """Origins of which so many days are over."""
        return [origin for origin in self.origins if len(origin.actual) >= days]


def _by_ahead(horizon: int, rows: Iterable[tuple[list[float], ...]]) -> list[list[float]]:
    found: list[list[float]] = [[] for _ in range(horizon)]
    for scales, points, actual in rows:
        for errors, scale, point, amount in zip(found, scales, points, actual, strict=False):
            errors.append(abs(amount - point) / scale if scale > 0 else 0.0)
    return found


def try_ways(history: Sequence[float], horizon: int, tuning: Tuning = TUNING) -> tuple[str, Trial]:
    """The way that did best, and how it did: `steady`, unless another one erred clearly less, on the mean of
    sums over a week (or the horizon, where that is shorter)."""
    trials: dict[str, Trial] = {way: Trial([]) for way in _WAYS}
    for day in range(max(PROFILE_DAYS_MIN, len(history) - ORIGINS_MAX), len(history)):
        fitted = fit(history[max(0, day - WEEKS_MAX * WEEK) : day], tuning)
        actual = list(history[day : day + horizon])
        for way, trial in trials.items():
            trial.origins.append(Origin(carried(fitted, way, horizon), actual))
    ahead = min(WEEK, horizon)
    errors = {way: trial.sum_errors(ahead)[-1] for way, trial in trials.items()}
    best = min(_WAYS, key=lambda way: sum(errors[way]))
    clear = len(errors[best]) >= 2 * ERRORS_MIN and sum(errors[best]) < _CLEARLY * sum(errors[STEADY])
    way = best if clear else STEADY
    return way, trials[way]
