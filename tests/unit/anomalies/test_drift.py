"""What climbs day by day is a drift; what came at once, or always grew so, is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.anomalies.drift import Drift, Drifted

DAY = 24


def drifted(samples: list[float | None]) -> dict[int, Drifted]:
    drift = Drift(samples, DAY)
    return {place: found for place in range(len(samples)) if (found := drift.at(place, 1.0)) is not None}


def week(days: int) -> list[float | None]:
    return [100.0 if hour // DAY % 7 < 5 else 20.0 for hour in range(days * DAY)]


def climbing(days: int, since: int, lasts: int, to: float) -> list[float | None]:
    return [
        None if sample is None else sample * to ** min(1.0, max(0.0, (hour / DAY - since) / lasts))
        for hour, sample in enumerate(week(days))
    ]


@pytest.mark.parametrize("to", [2.5, 0.4])
def test_a_climb_over_six_days_is_found_while_it_lasts(to: float) -> None:
    found = drifted(climbing(50, 36, 6, to))
    assert 38 * DAY <= min(found) <= 42 * DAY
    assert max(found) <= 45 * DAY
    last = found[max(found)]
    assert (last.distance > 0) is (to > 1)
    assert abs(last.distance) >= last.border
    assert (last.observed > last.expected) is (to > 1)


def test_a_leap_is_no_drift() -> None:
    assert drifted(climbing(50, 36, 1, 2.5)) == {}
    assert (
        drifted(
            [sample and sample * (3 if place >= 36 * DAY else 1) for place, sample in enumerate(week(50))]
        )
        == {}
    )


def test_too_little_history_says_nothing() -> None:
    assert drifted(climbing(14, 6, 6, 3.0)) == {}
    assert drifted([None] * (20 * DAY)) == {}


@settings(max_examples=20, deadline=None)
@given(st.floats(0.97, 1.05))
def test_steady_growth_is_usual(growth: float) -> None:
    samples = [
        None if sample is None else sample * growth ** (hour / DAY) for hour, sample in enumerate(week(50))
    ]
    assert drifted(samples) == {}
