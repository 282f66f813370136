"""Waits follow the other side's wish, within our bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.connectors.rest.pacing import Pacer
from domain.connectors.rest.retrying import (
    RETRY_AFTER_TOLD_S_MAX,
    RetryRules,
    RetryStrategy,
    retry_wait_s,
    seconds_in,
    seconds_until,
    told_retry_after_s,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULES = RetryRules(max=3, base_s=1.0, cap_s=20.0)


@settings(max_examples=200)
@given(
    st.sampled_from(RetryStrategy),
    st.integers(0, 5),
    st.none() | st.floats(-10, 1e6),
    st.floats(0, 0.999),
)
def test_no_wait_is_ever_longer_than_the_cap(
    strategy: RetryStrategy, retry: int, asked_s: float | None, draw: float
) -> None:
    rules = RetryRules(max=3, strategy=strategy, base_s=1.0, cap_s=20.0)

    wait_s = retry_wait_s(rules, retry, asked_s=asked_s, draw=draw)

    assert wait_s is None or 0 <= wait_s <= rules.cap_s
    if retry >= rules.max or (asked_s is not None and asked_s > rules.cap_s):
        assert wait_s is None
    elif asked_s is not None:
        assert wait_s is not None and wait_s >= min(asked_s, rules.cap_s)


def test_constant_waits_are_constant() -> None:
    rules = RetryRules(max=3, strategy=RetryStrategy.CONSTANT, base_s=2.0)

    assert [retry_wait_s(rules, retry, asked_s=None, draw=0.9) for retry in range(4)] == [2.0, 2.0, 2.0, None]


def test_exponential_waits_are_drawn_below_a_doubling_ceiling() -> None:
    waits = [retry_wait_s(RULES, retry, asked_s=None, draw=0.5) for retry in range(3)]

    assert waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        (3, 3.0),
        (2.5, 2.5),
        (-4, 0.0),
        (True, None),
        ("soon", None),
        (None, None),
        ({}, None),
    ],
)
def test_seconds_to_wait_are_read_from_headers_and_bodies(said: object, seconds: float | None) -> None:
    assert seconds_in(said, utc_now=NOW) == seconds


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (str(int(NOW.timestamp()) + 12), 12.0),
        (str((int(NOW.timestamp()) + 12) * 1000), 12.0),
        ("2026-01-01T00:00:30Z", 30.0),
        ("2026-01-01T00:00:30", 30.0),
        ("2026-01-01T01:00:05+01:00", 5.0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0),
        ("0", 0.0),
        ("1e400", None),
        ("nan", None),
        ("-5", None),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_a_moment_is_read_in_every_usual_spelling(said: str, seconds: float | None) -> None:
    assert seconds_until(said, utc_now=NOW) == seconds


def test_what_callers_are_told_is_clamped() -> None:
    assert told_retry_after_s(1e9) == RETRY_AFTER_TOLD_S_MAX
    assert told_retry_after_s(-1) == 0.0
    assert told_retry_after_s(None) is None


@settings(max_examples=60)
@given(
    st.integers(1, 20),
    st.floats(0.1, 10),
    st.integers(1, 5),
    st.lists(st.floats(0, 3), min_size=1, max_size=40),
)
def test_the_pace_is_never_above_its_limit(
    requests: int, per_s: float, burst: int, gaps: list[float]
) -> None:
    pacer = Pacer(requests=requests, per_s=per_s, burst=burst)
    now, moments = 0.0, []
    for gap in gaps:
        now += gap
        wait_s = pacer.take(now, wait_s_max=1e9)
        assert wait_s is not None
        moments.append(now + wait_s)

    moments.sort()
    for first in range(len(moments)):
        for last in range(first, len(moments)):
            window_s = moments[last] - moments[first]
            assert last - first + 1 <= burst + window_s * requests / per_s + 1e-6


def test_who_would_wait_too_long_takes_nothing() -> None:
    pacer = Pacer(requests=1, per_s=10.0, burst=1)

    assert pacer.take(0.0, wait_s_max=0.0) == 0.0
    assert pacer.take(0.0, wait_s_max=5.0) is None
    assert pacer.take(0.0, wait_s_max=10.0) == 10.0
    pacer.give_back()
    assert pacer.take(0.0, wait_s_max=10.0) == 10.0
    assert (NOW + timedelta(seconds=pacer.wait_s(0.0))) == NOW + timedelta(seconds=20)
