"""Windows are found where a series leaves what was usual, and nowhere else."""

import math
import random

import pytest

from domain.anomalies.detector import Sensitivity, Severity, Side, Window, find_windows
from domain.anomalies.usual import HOUR_S

DAY = 24


def hours(days: int, *, noise: float = 0.1, seed: int = 1) -> list[float | None]:
    """A day with a peak, a weekend that is calmer, and chance."""
    chance = random.Random(seed)
    return [
        (100 + 80 * math.sin(hour / 24 * 2 * math.pi))
        * (1.0 if hour // DAY % 7 < 5 else 0.4)
        * chance.lognormvariate(0, noise)
        for hour in range(days * DAY)
    ]


def found(samples: list[float | None], sensitivity: Sensitivity | None = None) -> list[Window]:
    return find_windows(samples, HOUR_S, sensitivity or Sensitivity())


def times(samples: list[float | None], first: int, last: int, factor: float) -> list[float | None]:
    return [
        sample if sample is None or not first <= place <= last else sample * factor
        for place, sample in enumerate(samples)
    ]


def test_regular_weeks_raise_no_alarm() -> None:
    assert sum(len(found(hours(60, seed=seed))) for seed in range(5)) == 0


def test_hours_that_are_five_times_as_dear_are_one_window() -> None:
    first = 40 * DAY + 8
    (window,) = found(times(hours(45), first, first + 5, 5))
    assert window.first == first
    assert first + 3 <= window.last <= first + 5
    assert window.up
    assert window.observed == pytest.approx(5 * window.expected, rel=0.3)
    assert window.severity in (Severity.WARNING, Severity.CRITICAL)


def test_a_drop_counts_only_where_both_sides_do() -> None:
    first = 40 * DAY + 8
    samples = times(hours(45), first, first + 5, 0.05)
    (window,) = found(samples)
    assert not window.up
    assert found(samples, Sensitivity(side=Side.UP)) == []


def test_peaks_that_come_every_week_are_usual() -> None:
    samples = hours(70)
    for week in range(10):
        place = week * 7 * DAY + 2 * DAY + 3
        samples = times(samples, place, place + 1, 6)
    assert [window for window in found(samples) if window.first > 35 * DAY] == []


def test_a_lasting_change_is_one_window_and_then_usual() -> None:
    first = 44 * DAY
    windows = found(times(hours(64), first, 64 * DAY, 3))
    assert windows[0].first <= first + 2
    assert max(window.last for window in windows) < first + 4 * DAY


def test_a_small_change_of_a_steady_series_is_none() -> None:
    samples: list[float | None] = [100.0] * (40 * DAY)
    assert found(times(samples, 39 * DAY, 39 * DAY + 5, 1.15)) == []
    assert found(times(samples, 39 * DAY, 39 * DAY + 5, 1.15), Sensitivity(change_min=0.05)) != []


def test_hours_without_samples_are_not_judged() -> None:
    samples = hours(45)
    for place in range(40 * DAY, 40 * DAY + 12):
        samples[place] = None
    assert found(samples) == []
    assert found([None] * (40 * DAY)) == []


def test_nothing_is_said_before_something_is_known() -> None:
    assert found(times(hours(3), 60, 65, 10)) == []
    assert found([]) == []


def test_what_chance_does_to_few_requests_is_no_anomaly() -> None:
    first = 40 * DAY + 8
    samples = times(hours(45), first, first, 12)
    assert len(find_windows(samples, HOUR_S, Sensitivity())) == 1
    assert find_windows(samples, HOUR_S, Sensitivity(), noise=[1.5] * len(samples)) == []


def test_a_judgement_does_not_change_with_what_follows() -> None:
    samples = times(hours(45), 40 * DAY + 8, 40 * DAY + 13, 5)
    assert found(samples[: 41 * DAY]) == found(samples)


def test_steps_that_do_not_fit_are_refused() -> None:
    for step_s in (7, 7000):
        with pytest.raises(ValueError, match="step_s"):
            find_windows([1.0], step_s, Sensitivity())
    with pytest.raises(ValueError, match="noise"):
        find_windows([1.0], HOUR_S, Sensitivity(), noise=[])
