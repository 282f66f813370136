"""Rhythm, leaders and periods."""

from datetime import UTC, datetime

from domain.analytics.patterns import HourUse, Use, burstiness, leaders_of, rhythm_of
from domain.analytics.report_period import Every, last_period, period_named
from domain.analytics.rollup import DAY_US, HOUR_US

MONDAY_US = 1_767_571_200_000_000  # 2026-01-05T00:00Z


def test_hours_and_weekdays_are_those_of_utc() -> None:
    rhythm = rhythm_of(
        [HourUse(MONDAY_US + 7 * HOUR_US, Use(3, 30)), HourUse(MONDAY_US + 6 * DAY_US, Use(1, 5))],
        MONDAY_US,
        MONDAY_US + 7 * DAY_US,
    )

    assert rhythm.by_hour[7] == Use(3, 30)
    assert (rhythm.by_weekday[0], rhythm.by_weekday[6]) == (Use(3, 30), Use(1, 5))
    assert rhythm.burstiness.hours == 168


def test_even_use_is_regular_and_one_burst_is_not() -> None:
    even, burst, nothing = burstiness([5] * 24, 24), burstiness([120], 24), burstiness([], 24)

    assert (even.burst_index, even.peak) == (-1.0, 1.0)
    assert burst.burst_index is not None
    assert burst.burst_index > 0.5
    assert burst.peak == 24
    assert (nothing.variation, nothing.burst_index, nothing.peak) == (None, None, None)


def test_leaders_tell_shares_trend_and_concentration_over_all() -> None:
    now = {"a": Use(10, 80), "b": Use(30, 20), "c": Use(0, 0)}
    leaders = leaders_of(now, {"a": Use(5, 40)}, top=1)

    (first,) = leaders.shares
    assert (first.name, first.cost_share, first.request_share, first.trend) == ("a", 0.8, 0.25, 1.0)
    assert (leaders.names, leaders.enough_for_80) == (3, 1)
    assert leaders.concentration is not None
    assert abs(leaders.concentration - 0.68) < 1e-12
    assert leaders_of({}, {}, top=3).concentration is None


def test_a_report_is_of_the_newest_whole_period() -> None:
    now = datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC)  # a Sunday

    assert last_period(Every.MONTH, now).label == "2026-02"
    week = last_period(Every.WEEK, now)
    assert (week.label, week.start.day, week.end.day) == ("2026-W08", 16, 23)


def test_a_period_is_named_as_it_is_labelled() -> None:
    for label in ("2026-02", "2026-12", "2026-W08", "2026-W53"):
        found = period_named(label)
        assert found is not None
        assert found.label == label
        assert last_period(Every.MONTH if "W" not in label else Every.WEEK, found.end) == found
    for wrong in ("2026", "2026-13", "2026-W54", "2025-W53", "1999-01", "2026-02-01", ""):
        assert period_named(wrong) is None
