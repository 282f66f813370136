"""Windows are found where a series leaves what was usual, and nowhere else."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.anomalies.detector import Kind, Sensitivity, Severity, Side, Window, find_windows
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


def test_regular_weeks_raise_one_alarm_in_ten_months_at_most() -> None:
    assert sum(len(found(hours(60, seed=seed))) for seed in range(5)) <= 1


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


def test_a_window_says_what_kind_it_is() -> None:
    first = 40 * DAY + 8
    (spike,) = found(times(hours(45), first, first + 3, 5))
    (drop,) = found(times(hours(45), first, first + 3, 0.1))
    shift = found(times(hours(45), first, first + 40, 3))[0]
    assert (spike.kind, drop.kind, shift.kind) == (Kind.SPIKE, Kind.DROP, Kind.SHIFT)
    assert shift.last - shift.first >= 12


def test_a_spike_becomes_a_shift_while_it_lasts() -> None:
    first = 40 * DAY + 8
    samples = times(hours(45), first, first + 40, 3)
    kinds = [found(samples[: first + lasted])[0].kind for lasted in (2, 6, 30)]
    assert kinds == [Kind.SPIKE, Kind.SPIKE, Kind.SHIFT]


def test_a_slow_climb_is_a_drift_and_steady_growth_is_none() -> None:
    climbing = [
        sample if sample is None else sample * 2.5 ** min(1.0, max(0.0, (place - 40 * DAY) / (6 * DAY)))
        for place, sample in enumerate(hours(48))
    ]
    assert Kind.DRIFT in {window.kind for window in found(climbing)}
    growing = [
        sample if sample is None else sample * 1.02 ** (place / DAY) for place, sample in enumerate(hours(60))
    ]
    assert [window for window in found(growing) if window.kind is Kind.DRIFT] == []


def test_a_small_change_that_lasts_is_found_by_its_length() -> None:
    first = 40 * DAY
    samples = hours(45, noise=0.1, seed=2)
    assert found(samples) == []
    assert found(times(samples, first + 9, first + 9, 1.5)) == []
    assert found(times(samples, first, first + 23, 1.5)) != []


def test_one_accident_does_not_hide_the_next() -> None:
    samples = hours(45)
    for day in (30, 36, 42):
        samples = times(samples, day * DAY + 10, day * DAY + 14, 4)
    assert {window.first // DAY for window in found(samples)} >= {30, 36, 42}


def test_what_is_strange_every_few_days_is_how_the_series_is() -> None:
    samples = hours(100)
    for day in range(30, 100, 3):
        samples = times(samples, day * DAY + day % 24, day * DAY + day % 24, 6)
    days = sorted({window.first // DAY for window in found(samples)})
    assert len(days) >= 3
    assert [day for day in days if day >= 60] == []


def test_the_first_weekend_and_the_monday_after_it_are_no_surprise() -> None:
    for begins in range(7):
        samples = hours(21 + begins)[begins * DAY :]
        assert found(samples) == [], begins


def test_in_the_first_week_only_what_exceeds_every_day_so_far_counts() -> None:
    first = 4 * DAY + 6
    (window,) = found(times(hours(6), first, first + 2, 8))
    assert (window.first, window.kind) == (first, Kind.SPIKE)
    assert found(times(hours(6), first, first + 2, 0.0)) == []


def test_a_job_that_always_runs_at_two_is_no_surprise_and_elsewhere_it_is() -> None:
    chance = random.Random(3)
    samples: list[float | None] = [
        (2000.0 if hour % DAY == 2 else 100.0) * chance.lognormvariate(0, 0.1) for hour in range(45 * DAY)
    ]
    assert found(samples) == []
    moved = list(samples)
    moved[40 * DAY + 15] = samples[40 * DAY + 2]
    assert found(moved)[0].first == 40 * DAY + 15


def test_finer_samples_are_looked_at_by_the_hour_too() -> None:
    chance = random.Random(5)
    samples: list[float | None] = [100 * chance.lognormvariate(0, 0.3) for _ in range(14 * 24 * 12)]
    first = 10 * 24 * 12
    for place in range(first, first + 24):
        samples[place] = 200 * chance.lognormvariate(0, 0.3)
    windows = find_windows(samples, 300, Sensitivity())
    assert any(window.first < first + 24 and window.last >= first for window in windows)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(96, 700), st.integers(1, 40), st.floats(0, 20)), max_size=4),
    st.integers(100, 720),
    st.floats(1e-6, 1e9),
)
def test_windows_keep_what_they_promise(
    seed: int, changes: list[tuple[int, int, float]], until: int, unit: float
) -> None:
    samples = hours(30, seed=seed)
    for first, lasts, factor in changes:
        samples = times(samples, first, first + lasts - 1, factor)
    windows = found(samples)
    for window in windows:
        assert 0 <= window.first <= window.last < len(samples)
        assert window.score >= 4
        assert (window.severity is Severity.CRITICAL) == (window.score >= 8)
        assert window.strays > 0
        assert (window.kind is Kind.SPIKE) <= window.up
        assert (window.kind is Kind.DROP) <= (not window.up)
    for up in (True, False):
        side = [window for window in windows if window.up is up]
        assert all(one.last < other.first for one, other in pairwise(side))
    # What was known then stays, whatever follows.
    later = {place for window in windows for place in range(window.first, window.last + 1)}
    then = {place for window in found(samples[:until]) for place in range(window.first, window.last + 1)}
    assert then <= later
    # Dollars or cents: the same windows.
    scaled = found([None if sample is None else sample * unit for sample in samples])
    assert [(one.first, one.last, one.kind) for one in scaled] == [
        (one.first, one.last, one.kind) for one in windows
    ]
