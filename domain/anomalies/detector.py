"""Finds windows in which a series was out of the ordinary. Few false alarms come before all else.

Each sample is compared to what was usual (`usual.py`), as the logarithm of their ratio, so that half and
double are equally far, and weighed by what chance alone does to few requests (`noise`). How far is too far is
learned from the series (`tail.py`), for single samples and, apart from them, for the means of an hour, two,
six and a day: what is too little to be told of for an hour may be too much for half a day. A mean counts only
where most of its samples agree, so that one peak is one peak. Slow climbs are looked for by the day
(`drift.py`). Changes that nobody would care about do not count, however regular the series is. Strange
samples close to each other are one window.

Every judgement uses only what was known then, so a window does not appear or vanish later by what follows;
it grows while it lasts, and only then a spike turns out to be a shift.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from math import log
from typing import Final, NamedTuple

from domain.anomalies.drift import Drift
from domain.anomalies.scales import BORDER, Sample, Scales, Strange, strange
from domain.anomalies.usual import DAY_S, HOUR_S, Samples, Usual, nearest

CRITICAL: Final = 8.0
"""Scales off that make a window critical."""
SCALE_DAYS: Final = 28
SCALE_DAYS_MIN: Final = 2
"""Before so much is known of how far a series strays, nothing is reported."""
WEEKDAY_SCALE_DAYS_MIN: Final = 7
"""After so many days with weekdays told apart, distances from before that count no more."""
MERGE_S: Final = 3 * HOUR_S
SHIFT_S: Final = 12 * HOUR_S
"""What lasts so long is a shift."""
DRIFT_MERGE_S: Final = DAY_S
_OFFSET_OF_CHANGE: Final = 0.5
_OFFSET_MIN: Final = 1e-9


class Side(Enum):
    """Which changes count."""

    UP = "up"
    BOTH = "both"


class Severity(Enum):
    WARNING = "warning"
    CRITICAL = "critical"


class Kind(Enum):
    """What a window looks like so far."""

    SPIKE = "spike"
    """More, for less than half a day."""
    DROP = "drop"
    """Less, for less than half a day."""
    SHIFT = "shift"
    """More or less, for half a day and longer: another level."""
    DRIFT = "drift"
    """More or less, little by little over days."""


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
    `observed` and `expected`, and how far from the expected one a usual sample `strays` at most, on the side
    of the change. `score` is the greatest distance in scales, 4 or more."""

    first: int
    last: int
    observed: float
    expected: float
    strays: float
    score: float
    severity: Severity
    kind: Kind

    @property
    def up(self) -> bool:
        return self.observed > self.expected


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
    found: dict[int, Strange] = {}
    for one in _strange(samples, step_s, sensitivity, noise):
        known = found.get(one.place)
        # What shows by the hour is told by the hour; the slow look fills in what does not.
        if known is None:
            found[one.place] = one
        else:
            better = max(known, one, key=lambda each: (not each.drifted, abs(each.score)))
            found[one.place] = better._replace(span=max(known.span, one.span))
    return _windows([found[place] for place in sorted(found)], step_s)


def _strange(
    samples: Samples, step_s: int, sensitivity: Sensitivity, noise: Sequence[float] | None
) -> Iterator[Strange]:
    usual, drift, hour = Usual(samples, step_s), Drift(samples, DAY_S // step_s), HOUR_S // step_s
    young = Scales(step_s, SCALE_DAYS, SCALE_DAYS_MIN, sensitivity.change_min)
    grown = Scales(step_s, SCALE_DAYS, WEEKDAY_SCALE_DAYS_MIN, sensitivity.change_min)
    for place, observed in enumerate(samples):
        by_weekday = grown.known
        answers = usual.at(place, daily=not by_weekday)
        if usual.level is None:
            continue
        offset = max(
            _OFFSET_OF_CHANGE * sensitivity.change_min * usual.level, sensitivity.offset_min, _OFFSET_MIN
        )
        found: list[Strange] = []
        if (place + 1) % hour == 0:
            found += _drifted(drift, place, offset)
        if observed is not None:
            chance = 0.0 if noise is None else noise[place]
            if answers.weekly:
                known = grown.judged(_sample(place, observed, offset, answers.weekly, None, chance))
                found += known if by_weekday else []
            if not by_weekday and answers.daily:
                both = (*answers.daily, *answers.weekly)
                found += young.judged(_sample(place, observed, offset, both, answers.most, chance))
        yield from (one for one in found if one.score > 0 or sensitivity.side is Side.BOTH)


def _sample(
    place: int, observed: float, offset: float, answers: Sequence[float], most: float | None, noise: float
) -> Sample:
    expected, distance = nearest(answers, observed, offset)
    judged = distance
    if most is not None:
        judged = max(0.0, min(distance, log((observed + offset) / (most + offset))))
    return Sample(place, observed, expected, offset, judged, distance, noise)


def _drifted(drift: Drift, place: int, offset: float) -> list[Strange]:
    found = drift.at(place, offset)
    if found is None:
        return []
    score = BORDER * found.distance / found.border
    sample = Sample(place, found.observed, found.expected, offset, found.distance, found.distance, 0.0)
    return [strange(sample, score, found.border)._replace(drifted=True)]


def _windows(found: Sequence[Strange], step_s: int) -> list[Window]:
    groups: list[list[Strange]] = []
    for one in found:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and last.score * one.score > 0
            and one.place - last.place <= _merge(last, one, step_s)
        ):
            groups[-1].append(one)
        else:
            groups.append([one])
    return [_window(group, step_s) for group in groups]


def _merge(last: Strange, one: Strange, step_s: int) -> int:
    """Places that two strange samples of one window may lie apart; what is strange together stays so."""
    return max(one.span - 1, (DRIFT_MERGE_S if one.drifted and last.drifted else MERGE_S) // step_s)


def _window(group: Sequence[Strange], step_s: int) -> Window:
    count = len(group)
    score = max(abs(one.score) for one in group)
    return Window(
        first=group[0].place,
        last=group[-1].place,
        observed=sum(one.observed for one in group) / count,
        expected=sum(one.expected for one in group) / count,
        strays=sum(one.strays for one in group) / count,
        score=score,
        severity=Severity.CRITICAL if score >= CRITICAL else Severity.WARNING,
        kind=_kind(group, step_s),
    )


def _kind(group: Sequence[Strange], step_s: int) -> Kind:
    if 2 * sum(one.drifted for one in group) > len(group):
        return Kind.DRIFT
    if (group[-1].place - group[0].place + 1) * step_s >= SHIFT_S:
        return Kind.SHIFT
    return Kind.SPIKE if group[0].score > 0 else Kind.DROP
