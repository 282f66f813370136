"""Deadlines: what is left, what passed, and how much of it one attempt may take."""

from hypothesis import given
from hypothesis import strategies as st

from domain.time import Deadline

MOMENTS = st.floats(0, 1e6)
DURATIONS = st.floats(0, 1e4)


@given(MOMENTS, MOMENTS)
def test_what_is_left_is_never_negative_and_gone_when_the_moment_passed(at_s: float, now: float) -> None:
    deadline = Deadline(at_s)
    assert deadline.remaining_s(now) >= 0
    assert (deadline.remaining_s(now) == 0) == deadline.passed(now)


@given(MOMENTS, MOMENTS, DURATIONS)
def test_a_share_is_within_what_is_left(at_s: float, now: float, at_least_s: float) -> None:
    deadline = Deadline(at_s)
    left_s = deadline.remaining_s(now)
    share_s = deadline.share_s(now, more_to_come=True, at_least_s=at_least_s)
    assert min(left_s, at_least_s) <= share_s <= left_s
    assert share_s >= left_s / 2


@given(MOMENTS, MOMENTS, DURATIONS)
def test_the_last_attempt_takes_all_that_is_left(at_s: float, now: float, at_least_s: float) -> None:
    deadline = Deadline(at_s)
    assert deadline.share_s(now, more_to_come=False, at_least_s=at_least_s) == deadline.remaining_s(now)


def test_shares_leave_time_for_the_attempts_to_come() -> None:
    deadline, now, shares = Deadline(60.0), 0.0, []
    for more_to_come in (True, True, False):
        shares.append(deadline.share_s(now, more_to_come=more_to_come, at_least_s=5))
        now += shares[-1]
    assert shares == [30, 15, 15]
    assert deadline.passed(now)


@given(MOMENTS, MOMENTS, DURATIONS)
def test_a_bound_only_ever_brings_a_deadline_nearer(at_s: float, now: float, seconds: float) -> None:
    nearer = Deadline(at_s).earlier(seconds, now)
    assert nearer.at_s == min(at_s, now + seconds)
