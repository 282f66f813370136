"""A series of daily amounts as a weekday profile times a level.

The profile is the median, over the last weeks, of what each weekday was of its week. The level is an
exponentially weighted mean of the amounts without their profile, in which one strange day counts little: its
deviation is cut off. Strange days in a row, all on one side, are no accident but a new level, which is then
taken over whole. Positions stand for weekdays: day `i` is the same weekday as day `i + 7`.
"""

from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

WEEK: Final = 7
WEEKS_MAX: Final = 8
"""Weeks that are looked at: older ones say little about the next days."""
PROFILE_DAYS_MIN: Final = 14
"""Below two weeks nobody can tell a weekday from an accident: there is no profile then."""
SCALE_MIN: Final = 0.01
CALM_DAYS: Final = 28
_MAD_TO_SIGMA: Final = 1.4826


class Tuning(NamedTuple):
    """What was chosen by hand; `benchmarks.series` chooses from the past alone, and tells what that costs.

    Deviations count up to `cut_at` robust standard deviations, and `new_level_after` days in a row that were
    cut off on the same side make a new level. `remains` is what remains per day of a level's distance to the
    usual one, where it is carried on.
    """

    smoothing: float = 0.4
    cut_at: float = 5.0
    new_level_after: int = 5
    remains: float = 0.95


TUNING: Final = Tuning()


class Fitted(NamedTuple):
    """What was found. Amounts are those of the series; `profile` begins with the day after the history.

    `level` is of the last days, `calm` the median since the last new level, at most of four weeks.
    `growth` is the change of the level per day, as a share of it. `scale` is how far single days stray
    from the level, as a share of it (a robust standard deviation). `remains` is that of the tuning.
    """

    level: float
    calm: float
    growth: float
    scale: float
    profile: tuple[float, ...]
    remains: float


def fit(history: Sequence[float], tuning: Tuning = TUNING) -> Fitted:
    """The newest day is the last one. Raises ValueError where there is no history."""
    if not history:
        raise ValueError("there is no history to fit")
    weeks = min(len(history) // WEEK, WEEKS_MAX)
    if len(history) < PROFILE_DAYS_MIN:
        return _without_profile(history[-PROFILE_DAYS_MIN:], tuning)
    days = list(history[-weeks * WEEK :])
    profile, plain, smooth = _profile(days)
    scale = _scale(plain, smooth)
    level, since = _level(plain, scale, tuning)
    calm = median(plain[max(since, len(plain) - CALM_DAYS) :])
    return Fitted(level, calm, _growth(plain[since:]), scale, profile, tuning.remains)


def _without_profile(history: Sequence[float], tuning: Tuning) -> Fitted:
    usual = median(history)
    scale = _scale(history, [usual] * len(history))
    level, since = _level(history, scale, tuning)
    return Fitted(level, median(history[since:]), 0.0, scale, (1.0,) * WEEK, tuning.remains)


def _profile(days: list[float]) -> tuple[tuple[float, ...], list[float], list[float]]:
    """The profile, the amounts without it, and their local level; twice, because each needs the other."""
    smooth, profile, plain = _local_level(days), [1.0] * WEEK, days
    for _ in range(2):
        profile = [
            median(day / level if level > 0 else 1.0 for day, level in _slot(days, smooth, place))
            for place in range(WEEK)
        ]
        total = sum(profile)
        # A series that is nothing on most days has no weekly profile that a median could see.
        profile = [part * WEEK / total for part in profile] if total > 0 else [1.0] * WEEK
        # What fell on a day that is usually empty belongs to the week; it is nothing to divide by.
        plain = [
            day / profile[place % WEEK] if profile[place % WEEK] > 0.02 else smooth[place]
            for place, day in enumerate(days)
        ]
        smooth = _local_level(plain)
    return tuple(profile), plain, smooth


def _slot(days: list[float], smooth: list[float], place: int) -> list[tuple[float, float]]:
    return list(zip(days[place::WEEK], smooth[place::WEEK], strict=True))


def _local_level(days: Sequence[float]) -> list[float]:
    """The median of the week around each day; the mean where half of the days are empty."""
    last = len(days) - WEEK
    levels: list[float] = []
    for place in range(len(days)):
        start = max(0, min(place - WEEK // 2, last))
        week = days[start : start + WEEK]
        middle = median(week)
        levels.append(middle if middle > 0 else sum(week) / len(week))
    return levels


def _scale(plain: Sequence[float], smooth: Sequence[float]) -> float:
    strays = [abs(day / level - 1) for day, level in zip(plain, smooth, strict=True) if level > 0]
    return max(_MAD_TO_SIGMA * median(strays), SCALE_MIN) if strays else SCALE_MIN


def _level(plain: Sequence[float], scale: float, tuning: Tuning) -> tuple[float, int]:
    """The level at the end, and the day since which it is the same one."""
    level, since = median(plain[:WEEK]), 0
    strange = 0
    for place, day in enumerate(plain):
        if level <= 0:
            level, since, strange = day, place, 0
            continue
        deviation = (day - level) / level
        bound = tuning.cut_at * scale
        if abs(deviation) <= bound:
            strange = 0
        else:
            side = 1 if deviation > 0 else -1
            strange = strange + side if strange * side >= 0 else side
            if abs(strange) >= tuning.new_level_after:
                since = place - tuning.new_level_after + 1
                level, strange = median(plain[since : place + 1]), 0
                continue
        level *= 1 + tuning.smoothing * max(-bound, min(bound, deviation))
    return level, since


def _growth(plain: Sequence[float]) -> float:
    """Change per day: the median slope between days a week or two apart, as a share of the median."""
    recent = plain[-4 * WEEK :]
    usual = median(recent) if recent else 0.0
    slopes = [
        (later - earlier) / (WEEK * gap)
        for gap in (1, 2)
        for earlier, later in zip(recent, recent[WEEK * gap :], strict=False)
    ]
    if usual <= 0 or len(slopes) < WEEK:
        return 0.0
    return median(slopes) / usual
