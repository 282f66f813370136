"""Backoff and Retry-After."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.resilience.backoff import (
    BACKOFF_CAP_S,
    RETRY_AFTER_MAX_S,
    full_jitter_s,
    parse_retry_after,
    parse_retry_after_ms,
    retry_wait_s,
)

NOW = datetime(1994, 11, 6, 8, 49, 7, tzinfo=UTC)
LEAP_S = (datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC) - NOW).total_seconds()
DRAWS = st.floats(0, 1, exclude_max=True)


@given(attempt=st.integers(-2, 10_000), draw=DRAWS)
def test_a_jittered_wait_is_below_its_doubling_ceiling(attempt: int, draw: float) -> None:
    wait_s = full_jitter_s(attempt, draw=draw)
    assert 0 <= wait_s <= min(BACKOFF_CAP_S, 0.25 * 2 ** min(max(attempt, 0), 20))


def test_the_ceiling_doubles_and_stops_at_the_cap() -> None:
    assert [full_jitter_s(attempt, draw=0.5) for attempt in range(8)] == [
        0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0,
    ]  # fmt: skip


@given(attempt=st.integers(0, 50), retry_after_s=st.floats(0, 1e6), draw=DRAWS)
def test_a_wait_is_at_least_the_clamped_retry_after_and_not_much_more(
    attempt: int, retry_after_s: float, draw: float
) -> None:
    floor_s = min(retry_after_s, RETRY_AFTER_MAX_S)
    wait_s = retry_wait_s(attempt, retry_after_s=retry_after_s, draw=draw)
    assert floor_s <= wait_s <= max(BACKOFF_CAP_S, floor_s * 1.1 + 0.25)


def test_without_retry_after_the_wait_is_plain_backoff() -> None:
    assert retry_wait_s(2, retry_after_s=None, draw=0.5) == full_jitter_s(2, draw=0.5)


def test_a_retry_after_of_zero_still_backs_off() -> None:
    assert retry_wait_s(3, retry_after_s=0.0, draw=0.5) == full_jitter_s(3, draw=0.5)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 30.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 30.0),
        ("Sun Nov  6 08:49:37 1994", 30.0),
        ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
        ("Sat, 31 Dec 2016 23:59:60 GMT", LEAP_S),
    ],
)  # fmt: skip
def test_seconds_and_all_three_date_forms_are_read(value: str, seconds: float) -> None:
    assert parse_retry_after(value, utc_now=NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        None, "", "soon", "1e3", "nan", "inf", "1,5", "0x10", "9" * 400, "--1", "\u0661\u0662",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0100",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_no_answer(value: str | None) -> None:
    assert parse_retry_after(value, utc_now=NOW) is None


def test_a_two_digit_year_far_ahead_means_the_past_century() -> None:
    assert (
        parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", utc_now=datetime(2026, 1, 1, tzinfo=UTC)) == 0.0
    )
    later = parse_retry_after("Thursday, 01-Jan-26 00:00:30 GMT", utc_now=datetime(2026, 1, 1, tzinfo=UTC))
    assert later == 30.0


@given(text=st.text(max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    seconds = parse_retry_after(text, utc_now=NOW)
    assert seconds is None or seconds >= 0


@given(offset_s=st.integers(0, 10**7))
def test_a_date_written_by_us_is_read_back(offset_s: int) -> None:
    at = NOW + timedelta(seconds=offset_s)
    assert parse_retry_after(at.strftime("%a, %d %b %Y %H:%M:%S GMT"), utc_now=NOW) == offset_s


def test_milliseconds_have_their_own_header() -> None:
    assert parse_retry_after_ms("1500") == 1.5
    assert parse_retry_after_ms("-1") == 0.0
    assert parse_retry_after_ms("later") is None
    assert parse_retry_after_ms(None) is None
