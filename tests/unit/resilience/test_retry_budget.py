"""Retries stay a bounded share of traffic, whatever the order of things."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.resilience.retry_budget import RetryBudget
from domain.resilience.rolling import RollingCounts

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.001, 0.3, 0.99, 1.0, 2.5, 11.0]), st.integers(0, 30), st.integers(0, 12)
    ),
    max_size=60,
)


@settings(max_examples=150)
@given(steps=STEPS, ratio=st.sampled_from([0.0, 0.1, 0.5]), floor_per_s=st.sampled_from([0.0, 0.3, 3.0]))
def test_retries_of_any_window_stay_within_ratio_and_floor(
    steps: list[tuple[float, int, int]], ratio: float, floor_per_s: float
) -> None:
    budget = RetryBudget(ratio=ratio, floor_per_s=floor_per_s, window_s=10.0)
    now, requests, retries = 0.25, [], []
    for seconds, asked, wanted in steps:
        now += seconds
        for _ in range(asked):
            budget.on_request(now)
            requests.append(now)
        for _ in range(wanted):
            if budget.try_spend(now):
                retries.append(now)
                recent_retries = sum(1 for at in retries if at > now - 10.0)
                recent_requests = sum(1 for at in requests if at > now - 10.0)
                assert recent_retries <= ratio * recent_requests + floor_per_s * 10.0


def test_the_floor_alone_lets_a_quiet_service_retry() -> None:
    budget = RetryBudget(ratio=0.1, floor_per_s=3.0, window_s=10.0)
    assert sum(budget.try_spend(0.0) for _ in range(100)) == 30


def test_traffic_earns_its_share_on_top() -> None:
    budget = RetryBudget(ratio=0.1, floor_per_s=0.0)
    for _ in range(1000):
        budget.on_request(5.0)
    assert sum(budget.try_spend(5.0) for _ in range(500)) == 100


def test_spent_retries_come_back_after_the_window() -> None:
    budget = RetryBudget(ratio=0.0, floor_per_s=1.0, window_s=10.0)
    assert sum(budget.try_spend(0.0) for _ in range(50)) == 10
    assert not budget.try_spend(9.9)
    assert budget.try_spend(11.1)


def test_senseless_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="window_s"):
        RetryBudget(window_s=0)
    with pytest.raises(ValueError, match="rolling window"):
        RollingCounts(bucket_s=0, past_buckets=1, columns=1)


def test_time_that_runs_backwards_changes_no_count() -> None:
    counts = RollingCounts(bucket_s=1.0, past_buckets=3, columns=1)
    counts.rotate(10.5)
    counts.current[0] += 1
    counts.rotate(8.0)
    assert counts.total(0) == 1
    counts.rotate(13.9)
    assert counts.total(0) == 1
    counts.rotate(14.0)
    assert counts.total(0) == 0
