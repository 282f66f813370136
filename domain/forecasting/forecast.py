"""Daily amounts of the days to come, with intervals that were tried on the past.

The point is the weekday profile times the level (`level.py`), carried on in the way that did best in the
series' own past (`trial.py`). The intervals are bounds of the errors it made there, for each number of days
ahead (`bounds.py`). Errors of neighbouring days depend on each other and the past is not the future, so what
intervals promise holds roughly; `python -m benchmarks.series` counts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median
from typing import Final, NamedTuple

from domain.forecasting.bounds import ERRORS_MIN, bounds
from domain.forecasting.level import CALM_DAYS, PROFILE_DAYS_MIN, TUNING, WEEK, Tuning, fit
from domain.forecasting.trial import Trial, carried, day_scales, try_ways

HORIZON_DAYS_MAX: Final = 92
HISTORY_DAYS_MAX: Final = 400
COVERAGES: Final = (0.80, 0.95)


class Interval(NamedTuple):
    """Of the same unit as the series; never below nothing."""

    low: float
    high: float


class Expected(NamedTuple):
    """One amount to come. Intervals None: nothing is known of errors."""

    point: float
    interval_80: Interval | None
    interval_95: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackTest:
    """How the forecast would have done, made anew on each of `origins` past days. Errors are mean absolute
    ones, as a share of what was really used.

    Coverage is the share of single days that were within their interval, made of what was known before; None:
    too little was.
    """

    origins: int
    days: int
    """Days ahead that all of this is about."""
    total_error: float | None
    """Of the sum of these days."""
    daily_error: float | None
    """Of the single days; None where one was empty: a share of nothing is nothing."""
    coverage_80: float | None
    coverage_95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesForecast:
    """`days` are those after the history, `totals` their sums: of the first, the first two, and so on.
    Intervals of sums are their own, not sums of intervals. `way` says how the level is carried on."""

    days: tuple[Expected, ...]
    totals: tuple[Expected, ...]
    way: str
    history_days: int
    back_test: BackTest
    caveats: tuple[str, ...]


class _Errors(NamedTuple):
    """Bounds at the two COVERAGES; None: unknown."""

    near: float | None
    far: float | None

    def times(self, factor: float) -> "_Errors":
        return _Errors(*(None if one is None else one * factor for one in self))


def forecast_days(history: Sequence[float], horizon: int, tuning: Tuning = TUNING) -> SeriesForecast | None:
    """The next `horizon` days (1-92) after a history of whole days, the newest last; at most the last 400
    count. Days before anything was used are no history. None: there is none.

    Raises ValueError for another horizon and amounts below nothing.
    """
    if not 1 <= horizon <= HORIZON_DAYS_MAX:
        raise ValueError(f"horizon must be 1-{HORIZON_DAYS_MAX} days, not {horizon}")
    if any(amount < 0 for amount in history):
        raise ValueError("amounts must not be below nothing")
    used = _used(history[-HISTORY_DAYS_MAX:])
    if not used:
        return None
    way, trial = try_ways(used, horizon, tuning)
    points = carried(fit(used, tuning), way, horizon)
    sums = list(accumulate(points))
    by_day, by_sum = trial.day_errors(horizon), trial.sum_errors(horizon)
    guess = _guess(used)
    return SeriesForecast(
        days=_expected(points, day_scales(points), _widening(by_day, guess, sums=False)),
        totals=_expected(sums, sums, _widening(by_sum, guess, sums=True)),
        way=way,
        history_days=len(used),
        back_test=_back_test(trial, by_day, min(horizon, WEEK)),
        caveats=_caveats(used, horizon, tested=len(by_day[0]) >= ERRORS_MIN),
    )


def _used(history: Sequence[float]) -> list[float]:
    first = next((place for place, amount in enumerate(history) if amount > 0), len(history))
    return list(history[first:])


def _guess(used: Sequence[float]) -> _Errors:
    """Bounds without a back-test: from the spread of single days, at least half and all of the level."""
    middle = median(used)
    if len(used) < 3 or middle <= 0:
        return _Errors(None, None)
    spread = 1.4826 * median(abs(amount / middle - 1) for amount in used)
    return _Errors(max(0.5, 1.5 * spread), max(1.0, 3.0 * spread))


def _bounds(errors: Sequence[float], ahead: int, per_error: float) -> _Errors:
    near, far = (bounds(errors, share, ahead + 1, per_error).bound for share in COVERAGES)
    assert near is not None, "there are enough errors"
    assert far is not None, "there are enough errors"
    return _Errors(near, max(near, far))


def _per_error(ahead: int, *, sums: bool) -> float:
    """How many errors count as one: those of sums share days, those of single days their level."""
    return max(3.0, (ahead + 1) ** 0.75) if sums else 2.0


def _widening(errors: Sequence[Sequence[float]], guess: _Errors, *, sums: bool) -> list[_Errors]:
    """By days ahead. Further days have fewer past errors; where they are too few, the last known bounds grow
    with the square root of the distance, as those of a sum of accidents."""
    found: list[_Errors] = []
    known, at = guess, 0
    for ahead, here in enumerate(errors):
        if len(here) >= (ERRORS_MIN if known is guess else 2 * ERRORS_MIN):
            known, at = _bounds(here, ahead, _per_error(ahead, sums=sums)), ahead
            found.append(known)
        else:
            found.append(known.times(((ahead + 1) / (at + 1)) ** 0.5))
    return found


def _expected(
    points: Sequence[float], scales: Sequence[float], errors: Sequence[_Errors]
) -> tuple[Expected, ...]:
    return tuple(
        Expected(point, _interval(point, scale, of.near), _interval(point, scale, of.far))
        for point, scale, of in zip(points, scales, errors, strict=True)
    )


def _interval(point: float, scale: float, error: float | None) -> Interval | None:
    return None if error is None else Interval(max(0.0, point - error * scale), point + error * scale)


def _back_test(trial: Trial, by_day: Sequence[Sequence[float]], days: int) -> BackTest:
    whole = trial.whole(days)
    pairs = [pair for points, actual in whole for pair in zip(points[:days], actual[:days], strict=True)]
    sums = [(sum(points[:days]), sum(actual[:days])) for points, actual in whole]
    return BackTest(
        origins=len(whole),
        days=days,
        total_error=_mean_error([pair for pair in sums if pair[1] > 0]),
        daily_error=None if any(actual <= 0 for _, actual in pairs) else _mean_error(pairs),
        coverage_80=_coverage(by_day[:days], COVERAGES[0]),
        coverage_95=_coverage(by_day[:days], COVERAGES[1]),
    )


def _mean_error(pairs: Sequence[tuple[float, float]]) -> float | None:
    if not pairs:
        return None
    return sum(abs(point - actual) / actual for point, actual in pairs) / len(pairs)


def _coverage(by_day: Sequence[Sequence[float]], share: float) -> float | None:
    tried = [
        bounds(errors, share, ahead + 1, _per_error(ahead, sums=False)) for ahead, errors in enumerate(by_day)
    ]
    count = sum(one.tried for one in tried)
    return sum(one.kept for one in tried) / count if count else None


def _caveats(used: Sequence[float], horizon: int, *, tested: bool) -> tuple[str, ...]:
    days, said = len(used), []
    history = f"only {days} {'day' if days == 1 else 'days'} of history"
    if days < 3:
        said.append(f"{history}: no intervals")
    elif not tested:
        said.append(f"{history}: intervals are wide guesses, not tried on the past")
    elif days < 2 * CALM_DAYS:
        said.append(f"{history}: intervals rest on few past errors")
    if days < PROFILE_DAYS_MIN:
        said.append("less than two weeks: weekdays are not told apart")
    if horizon > days:
        said.append(f"{horizon} days ahead is further than the history reaches back")
    recent = used[-CALM_DAYS:]
    if sum(amount <= 0 for amount in recent) * 2 > len(recent):
        said.append("nothing was used on most days: sums over weeks say more than single days")
    return tuple(said)
