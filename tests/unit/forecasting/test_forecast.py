"""A forecast repeats what was regular, doubts as much as it erred, and says what it cannot know."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.forecasting.bounds import bounds, conformal
from domain.forecasting.forecast import Expected, SeriesForecast, forecast_days
from domain.forecasting.level import fit

WEEK = (100.0, 110.0, 120.0, 110.0, 90.0, 30.0, 20.0)


def series(days: int, *, growth: float = 0.0, noise: float = 0.0, seed: int = 1) -> list[float]:
    chance = random.Random(seed)
    return [WEEK[day % 7] * (1 + growth) ** day * chance.lognormvariate(0, noise) for day in range(days)]


def made(history: list[float], horizon: int = 7) -> SeriesForecast:
    found = forecast_days(history, horizon)
    assert found is not None
    return found


def test_a_week_that_always_was_the_same_comes_again() -> None:
    found = made(series(56), 14)
    assert [day.point for day in found.days] == pytest.approx(WEEK * 2)
    assert found.totals[6].point == pytest.approx(sum(WEEK))
    assert found.back_test.total_error == pytest.approx(0)
    assert found.caveats == ()


def test_one_strange_day_changes_little() -> None:
    history = series(56, noise=0.05)
    usual = made(history).totals[-1].point
    history[-3] *= 20
    assert made(history).totals[-1].point == pytest.approx(usual, rel=0.25)


def test_a_new_level_is_taken_over_within_a_week() -> None:
    history = series(56, noise=0.05) + [5 * day for day in series(7, noise=0.05, seed=2)]
    assert made(history).totals[-1].point == pytest.approx(5 * sum(WEEK), rel=0.3)


def test_steady_growth_goes_on() -> None:
    history = series(120, growth=0.02, noise=0.05)
    found = made(history)
    assert found.way == "growing"
    assert found.totals[-1].point == pytest.approx(sum(series(127, growth=0.02)[120:]), rel=0.1)


def test_intervals_keep_what_they_promise_of_regular_weeks() -> None:
    kept = {80: 0, 95: 0}
    days = 0
    for seed in range(6):
        history = series(140, noise=0.3, seed=seed)
        for origin in range(60, 133, 9):
            for expected, actual in zip(made(history[:origin]).days, history[origin:], strict=False):
                days += 1
                kept[80] += _within(expected, actual, 80)
                kept[95] += _within(expected, actual, 95)
    assert kept[80] >= 0.78 * days
    assert kept[95] >= 0.93 * days


def _within(expected: Expected, actual: float, share: int) -> bool:
    interval = expected.interval_80 if share == 80 else expected.interval_95
    assert interval is not None
    return interval.low <= actual <= interval.high


def test_the_wider_interval_holds_the_narrower_one() -> None:
    for expected in (*made(series(40, noise=0.5), 92).days, *made(series(40, noise=0.5), 92).totals):
        near, far = expected.interval_80, expected.interval_95
        assert near is not None
        assert far is not None
        assert far.low <= near.low <= expected.point <= near.high <= far.high


def test_short_histories_say_so() -> None:
    assert forecast_days([], 7) is None
    assert forecast_days([0.0] * 30, 7) is None
    two = made([0.0, 0.0, 5.0, 6.0])
    assert two.history_days == 2
    assert two.days[0].interval_80 is None
    assert two.caveats[0] == "only 2 days of history: no intervals"
    ten = made(series(10))
    assert ten.back_test.origins == 0
    assert "less than two weeks: weekdays are not told apart" in ten.caveats
    near = ten.days[0].interval_80
    assert near is not None
    assert near.high >= 1.5 * ten.days[0].point
    assert made(series(30)).caveats == ("only 30 days of history: intervals rest on few past errors",)


def test_what_is_used_on_weekdays_only_is_not_expected_at_weekends() -> None:
    history = [100.0 if day % 7 < 5 else 0.0 for day in range(56)]
    found = made(history)
    assert [round(day.point) for day in found.days] == [100, 100, 100, 100, 100, 0, 0]
    assert found.back_test.daily_error is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1e15, allow_subnormal=False), max_size=60),
    st.integers(1, 40),
)
def test_nothing_absurd_follows_from_any_history(history: list[float], horizon: int) -> None:
    found = forecast_days(history, horizon)
    if found is None:
        assert not any(history)
        return
    assert len(found.days) == len(found.totals) == horizon
    for expected in (*found.days, *found.totals):
        assert expected.point >= 0
        for interval in (expected.interval_80, expected.interval_95):
            assert interval is None or 0 <= interval.low <= expected.point <= interval.high


def test_other_horizons_and_amounts_are_refused() -> None:
    for horizon in (0, 93):
        with pytest.raises(ValueError, match="horizon"):
            forecast_days([1.0], horizon)
    with pytest.raises(ValueError, match="below nothing"):
        forecast_days([1.0, -1.0], 7)
    with pytest.raises(ValueError, match="no history"):
        fit([])


def test_a_bound_is_the_quantile_of_the_past_with_one_error_to_come() -> None:
    errors = [float(number) for number in range(1, 20)]
    assert conformal(errors, 0.8) == 16
    assert conformal(errors, 0.95) == 19
    assert conformal(errors[:18], 0.95) is None


def test_broken_bounds_widen_and_too_few_errors_say_nothing() -> None:
    calm = [float(number % 10) for number in range(60)]
    assert bounds(calm[:5], 0.8).bound is None
    before = bounds(calm, 0.8).bound
    after = bounds([*calm, *[9.5] * 30], 0.8).bound
    assert before is not None
    assert after is not None
    assert after > before
