"""What follows a failed attempt."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.llm.failures import DISPOSITIONS, Failure, FailureKind
from domain.routing.failover import (
    QUICK_RETRY_WAIT_MAX_S,
    SAME_TARGET_WAIT_MAX_S,
    GiveUp,
    NextStep,
    RetrySame,
    TryNext,
    next_step,
)


def after(kind: FailureKind, *, retry_after_s: float | None = None, **settings: Any) -> NextStep:
    facts: dict[str, Any] = {
        "retries_left": 2,
        "retry_allowed": True,
        "deadline_remaining_s": 100.0,
        "attempt": 0,
        "draw": 0.5,
        "more_targets": True,
    }
    return next_step(Failure(kind=kind, message="", retry_after_s=retry_after_s), **facts | settings)


@pytest.mark.parametrize("kind", [FailureKind.CALLER_FAULT, FailureKind.CONTENT_POLICY])
def test_the_callers_fault_and_content_policy_are_never_tried_again(kind: FailureKind) -> None:
    assert after(kind) == GiveUp("not_retryable")


def test_a_too_long_prompt_asks_for_a_larger_window() -> None:
    assert after(FailureKind.CONTEXT_LENGTH) == TryNext(larger_context=True)
    assert after(FailureKind.CONTEXT_LENGTH, more_targets=False) == TryNext(larger_context=True)


@pytest.mark.parametrize(
    "kind", [FailureKind.AUTH, FailureKind.QUOTA, FailureKind.TIMEOUT, FailureKind.MODEL_MISSING]
)
def test_what_a_repeat_cannot_help_goes_to_the_next_target(kind: FailureKind) -> None:
    assert after(kind) == TryNext()
    assert after(kind, more_targets=False) == GiveUp("targets_spent")


def test_the_only_target_is_retried_with_backoff_until_the_retries_are_spent() -> None:
    assert after(FailureKind.OVERLOADED, more_targets=False) == RetrySame(0.125)
    assert after(FailureKind.OVERLOADED, attempt=2, more_targets=False) == RetrySame(0.5)
    assert after(FailureKind.OVERLOADED, retries_left=0, more_targets=False) == GiveUp("retries_spent")


def test_with_another_target_at_hand_one_is_repeated_once_and_quickly_then_left() -> None:
    assert after(FailureKind.OVERLOADED) == RetrySame(0.5 * QUICK_RETRY_WAIT_MAX_S)
    assert after(FailureKind.OVERLOADED, attempt=1) == TryNext()
    assert after(FailureKind.OVERLOADED, retries_left=0) == TryNext()


def test_with_another_target_at_hand_nobody_who_asked_for_a_pause_is_repeated() -> None:
    assert after(FailureKind.RATE_LIMIT) == TryNext()
    assert after(FailureKind.RATE_LIMIT, retry_after_s=0.01) == TryNext()
    assert after(FailureKind.OVERLOADED, retry_after_s=1.0) == TryNext()


def test_a_spent_retry_budget_stops_repeats_but_not_moving_on() -> None:
    assert after(FailureKind.NETWORK, retry_allowed=False) == TryNext()
    assert after(FailureKind.NETWORK, retry_allowed=False, more_targets=False) == GiveUp("retries_spent")


def test_a_retry_after_of_the_only_target_is_waited_out_up_to_a_limit_in_total() -> None:
    assert after(FailureKind.RATE_LIMIT, retry_after_s=10.0, more_targets=False) == RetrySame(10.5)
    too_long = after(FailureKind.RATE_LIMIT, retry_after_s=10.0, more_targets=False, waited_s=10.5)
    assert too_long == GiveUp("wait_too_long")


@pytest.mark.parametrize("retry_after_s", [15.0, 30.0, 3600.0])
def test_a_longer_retry_after_ends_the_request_at_once(retry_after_s: float) -> None:
    step = after(FailureKind.RATE_LIMIT, retry_after_s=retry_after_s, more_targets=False)
    assert step in (GiveUp("wait_too_long"), GiveUp("deadline"))


def test_a_wait_past_the_deadline_is_never_begun() -> None:
    assert after(FailureKind.RATE_LIMIT, retry_after_s=3.0, deadline_remaining_s=2.0) == TryNext()
    late = after(FailureKind.RATE_LIMIT, retry_after_s=3.0, deadline_remaining_s=2.0, more_targets=False)
    assert late == GiveUp("deadline")
    assert after(FailureKind.NETWORK, deadline_remaining_s=0.0) == GiveUp("deadline")


@given(
    kind=st.sampled_from(FailureKind),
    retry_after_s=st.none() | st.floats(0, 1e6),
    retries_left=st.integers(0, 3),
    retry_allowed=st.booleans(),
    deadline_remaining_s=st.floats(0, 1000),
    attempt=st.integers(0, 20),
    draw=st.floats(0, 1, exclude_max=True),
    more_targets=st.booleans(),
    waited_s=st.floats(0, 15),
)
def test_no_step_breaks_a_rule(kind: FailureKind, retry_after_s: float | None, **facts: Any) -> None:
    step = after(kind, retry_after_s=retry_after_s, **facts)
    allowed = DISPOSITIONS[kind]
    match step:
        case RetrySame(wait_s):
            assert allowed.retry_same
            assert facts["retry_allowed"]
            assert facts["retries_left"] > 0
            assert wait_s < facts["deadline_remaining_s"]
            assert wait_s >= (retry_after_s or 0.0), "nobody comes back sooner than asked"
            if facts["more_targets"]:
                assert wait_s <= QUICK_RETRY_WAIT_MAX_S
            else:
                assert facts["waited_s"] + wait_s <= SAME_TARGET_WAIT_MAX_S
        case TryNext(larger_context):
            assert allowed.try_next
            assert larger_context == allowed.larger_context_only
            assert larger_context or facts["more_targets"]
        case GiveUp(reason):
            assert reason
