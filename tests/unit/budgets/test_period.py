"""Calendar periods in time zones, and sliding windows."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.budgets.period import (
    ROLLING_S,
    Period,
    PeriodUnit,
    Window,
    make_period,
    oldest_slot,
    slot_length_us,
    slot_of,
)
from domain.errors import InvalidRequest

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia",
         "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kolkata"]  # fmt: skip
MOMENTS = st.integers(20 * 365 * 86_400, 120 * 365 * 86_400).map(lambda seconds: moment(seconds * 1_000_001))
CALENDAR = [unit for unit in PeriodUnit if unit is not PeriodUnit.TOTAL]
US = timedelta(microseconds=1)


def us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // US


def moment(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


@settings(max_examples=400)
@given(now=MOMENTS, unit=st.sampled_from(CALENDAR), zone=st.sampled_from(ZONES))
def test_every_moment_lies_in_its_period_and_periods_follow_each_other(
    now: datetime, unit: PeriodUnit, zone: str
) -> None:
    period = Period(unit, time_zone=zone)

    window = period.window(now)

    assert window.end_us is not None
    assert window.start_us <= us(now) < window.end_us
    assert period.window(moment(window.start_us)) == window
    assert period.window(moment(window.end_us - 1)) == window
    following = period.window(moment(window.end_us))
    assert following.start_us == window.end_us
    assert following.key != window.key


@settings(max_examples=300)
@given(now=MOMENTS, unit=st.sampled_from(CALENDAR[1:]), zone=st.sampled_from(ZONES))
def test_days_and_longer_begin_with_the_day_of_the_zone(now: datetime, unit: PeriodUnit, zone: str) -> None:
    start = moment(Period(unit, time_zone=zone).window(now).start_us).astimezone(ZoneInfo(zone))

    # A zone may skip midnight; the day then begins with its first moment.
    before = (start.astimezone(UTC) - US).astimezone(ZoneInfo(zone))
    assert before.date() < start.date() or start.time().isoformat() == "00:00:00"
    if unit is PeriodUnit.WEEK and start.hour == 0:
        assert start.weekday() == 0
    if unit in {PeriodUnit.MONTH, PeriodUnit.QUARTER, PeriodUnit.YEAR} and start.hour == 0:
        assert start.day == 1
    if unit is PeriodUnit.QUARTER and start.hour == 0:
        assert start.month in {1, 4, 7, 10}


@settings(max_examples=300)
@given(now=MOMENTS, zone=st.sampled_from(ZONES))
def test_an_hour_is_an_hour(now: datetime, zone: str) -> None:
    window = Period(PeriodUnit.HOUR, time_zone=zone).window(now)

    assert window.end_us is not None
    assert window.end_us - window.start_us == 3_600_000_000
    assert window.start_us <= us(now) < window.end_us


def test_the_hour_a_clock_repeats_is_two() -> None:
    period = Period(PeriodUnit.HOUR, time_zone="Europe/Paris")
    first = period.window(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    second = period.window(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))

    assert first.key != second.key
    assert first.end_us == second.start_us


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_day_is_as_long_as_the_zone_makes_it(day: str, hours: int) -> None:
    noon = datetime.fromisoformat(f"{day}T10:00:00+00:00")

    window = Period(PeriodUnit.DAY, time_zone="Europe/Paris").window(noon)

    assert window.end_us is not None
    assert window.end_us - window.start_us == hours * 3_600_000_000
    assert window.key == f"day:{day}"


@pytest.mark.parametrize(
    ("unit", "key", "days"),
    [
        ("week", "week:2028-02-28", 7),
        ("month", "month:2028-02-01", 29),
        ("quarter", "quarter:2028-01-01", 91),
        ("year", "year:2028-01-01", 366),
    ],
)
def test_periods_of_a_leap_year(unit: str, key: str, days: int) -> None:
    window = make_period(unit).window(datetime(2028, 2, 29, 23, 59, tzinfo=UTC))

    assert window.end_us is not None
    assert (window.key, (window.end_us - window.start_us) // 86_400_000_000) == (key, days)


@given(now=MOMENTS)
def test_a_total_never_ends(now: datetime) -> None:
    assert make_period("total").window(now) == Window("total", 0, None)


@given(now=MOMENTS, unit=st.sampled_from(sorted(ROLLING_S, key=lambda unit: unit.value)))
def test_a_sliding_window_is_one_account_for_ever(now: datetime, unit: PeriodUnit) -> None:
    window = Period(unit, rolling=True).window(now)

    assert window == Window(f"rolling:{unit.value}", 0, None, ROLLING_S[unit] * 1_000_000)


@given(
    spent_us=st.integers(0, 4 * 10**15),
    rolling_us=st.sampled_from([seconds * 1_000_000 for seconds in ROLLING_S.values()]),
    later_us=st.integers(0, 10**14),
)
def test_slots_are_never_forgotten_early_and_at_most_a_sixtieth_late(
    spent_us: int, rolling_us: int, later_us: int
) -> None:
    remembered = slot_of(spent_us, rolling_us) >= oldest_slot(spent_us + later_us, rolling_us)

    if later_us <= rolling_us:
        assert remembered
    if later_us >= rolling_us + slot_length_us(rolling_us):
        assert not remembered


@pytest.mark.parametrize(
    ("unit", "rolling", "zone", "param"),
    [
        ("fortnight", False, "UTC", "period"),
        ("", False, "UTC", "period"),
        ("total", True, "UTC", "rolling"),
        ("day", False, "Mars/Olympus", "time_zone"),
        ("day", False, "", "time_zone"),
        ("day", False, "../../etc/passwd", "time_zone"),
        ("day", False, "/etc/passwd", "time_zone"),
        ("day", False, "UTC\0", "time_zone"),
        ("day", False, "U" * 5000, "time_zone"),
    ],
)
def test_what_is_no_period_is_refused_at_its_field(unit: str, rolling: bool, zone: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_period(unit, rolling=rolling, time_zone=zone)

    assert refused.value.param == param
