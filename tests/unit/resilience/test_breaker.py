"""The circuit breaker: when it opens, whom it lets probe, and what it ignores."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from domain.resilience.breaker import (
    BUSY_PROBE_RETRY_S,
    BreakerPolicy,
    BreakerState,
    CircuitBreaker,
    Permit,
    Refused,
)


def acquired(breaker: CircuitBreaker, now: float) -> Permit:
    permit = breaker.try_acquire(now=now)
    assert isinstance(permit, Permit)
    return permit


def report(breaker: CircuitBreaker, *, ok: bool, now: float, times: int = 1, slow: bool = False) -> None:
    for _ in range(times):
        breaker.record(acquired(breaker, now), ok=ok, now=now, slow=slow)


def opened(policy: BreakerPolicy | None = None, *, now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(policy or BreakerPolicy())
    report(breaker, ok=False, now=now, times=breaker.policy.consecutive_failures)
    assert breaker.state(now) is BreakerState.OPEN
    return breaker


def test_it_opens_at_exactly_the_threshold_of_consecutive_failures() -> None:
    breaker = CircuitBreaker(BreakerPolicy(consecutive_failures=5))
    report(breaker, ok=False, now=0.0, times=4)
    assert breaker.state(0.0) is BreakerState.CLOSED
    report(breaker, ok=False, now=0.0)
    assert breaker.try_acquire(now=10.0) == Refused(20.0)


def test_a_success_ends_a_run_of_failures() -> None:
    breaker = CircuitBreaker(BreakerPolicy(consecutive_failures=5))
    for _ in range(3):
        report(breaker, ok=False, now=0.0, times=4)
        report(breaker, ok=True, now=0.0)
    assert breaker.state(0.0) is BreakerState.CLOSED


def test_it_opens_when_half_of_enough_calls_fail_though_never_in_a_row() -> None:
    breaker = CircuitBreaker(BreakerPolicy(failure_rate=0.5, minimum_calls=20))
    for _ in range(9):
        report(breaker, ok=True, now=1.0)
        report(breaker, ok=False, now=1.0)
    report(breaker, ok=True, now=1.0)
    assert breaker.state(1.0) is BreakerState.CLOSED
    report(breaker, ok=False, now=1.0)
    assert breaker.state(1.0) is BreakerState.OPEN


def test_failures_older_than_the_window_do_not_count_towards_the_rate() -> None:
    breaker = CircuitBreaker(BreakerPolicy(window_s=60))
    for _ in range(9):
        report(breaker, ok=True, now=0.0)
        report(breaker, ok=False, now=0.0)
    report(breaker, ok=True, now=100.0)
    report(breaker, ok=False, now=100.0, times=4)
    assert breaker.state(100.0) is BreakerState.CLOSED


def test_it_opens_when_most_calls_are_slow_though_none_fails() -> None:
    breaker = CircuitBreaker(BreakerPolicy(slow_call_s=10.0, slow_rate=0.8, minimum_calls=10))
    assert breaker.policy.is_slow(10.1)
    assert not BreakerPolicy().is_slow(1e6)
    report(breaker, ok=True, now=0.0, times=2)
    report(breaker, ok=True, now=0.0, times=7, slow=True)
    assert breaker.state(0.0) is BreakerState.CLOSED
    report(breaker, ok=True, now=0.0, slow=True)
    assert breaker.state(0.0) is BreakerState.OPEN


def test_after_its_time_one_probe_goes_through_and_its_success_closes_it() -> None:
    breaker = opened()
    assert breaker.state(30.0) is BreakerState.HALF_OPEN
    assert breaker.would_admit(30.0)
    probe = acquired(breaker, 30.0)
    assert probe.probe
    assert breaker.try_acquire(now=30.0) == Refused(BUSY_PROBE_RETRY_S)
    assert breaker.reopen_after_s(30.0) == BUSY_PROBE_RETRY_S
    breaker.record(probe, ok=True, now=31.0)
    assert breaker.state(31.0) is BreakerState.CLOSED
    assert breaker.reopen_after_s(31.0) == 0.0


@pytest.mark.parametrize(("ok", "slow"), [(False, False), (True, True)])
def test_a_failed_or_slow_probe_opens_it_for_twice_as_long(ok: bool, slow: bool) -> None:
    breaker = opened()
    breaker.record(acquired(breaker, 30.0), ok=ok, slow=slow, now=30.0)
    assert breaker.reopen_after_s(30.0) == 60.0


def test_repeated_openings_back_off_up_to_the_cap() -> None:
    breaker, now, waits = opened(BreakerPolicy(open_s=30, open_s_max=100)), 0.0, []
    for _ in range(4):
        waits.append(breaker.reopen_after_s(now))
        now += waits[-1]
        breaker.record(acquired(breaker, now), ok=False, now=now)
    assert waits == [30.0, 60.0, 100.0, 100.0]


def test_a_lasting_recovery_forgets_the_back_off_and_a_short_one_does_not() -> None:
    flapping = opened()
    flapping.record(acquired(flapping, 30.0), ok=True, now=30.0)
    report(flapping, ok=False, now=40.0, times=5)
    assert flapping.reopen_after_s(40.0) == 60.0
    steady = opened()
    steady.record(acquired(steady, 30.0), ok=True, now=30.0)
    report(steady, ok=False, now=100.0, times=5)
    assert steady.reopen_after_s(100.0) == 30.0


def test_a_late_result_from_an_older_generation_is_ignored() -> None:
    breaker = CircuitBreaker()
    late = acquired(breaker, 0.0)
    report(breaker, ok=False, now=0.0, times=5)
    breaker.record(late, ok=True, now=1.0)
    assert breaker.state(1.0) is BreakerState.OPEN
    probe = acquired(breaker, 30.0)
    breaker.record(late, ok=False, now=30.0)
    assert breaker.state(30.0) is BreakerState.HALF_OPEN
    breaker.record(probe, ok=True, now=30.0)
    assert breaker.state(30.0) is BreakerState.CLOSED


def test_a_probe_whose_caller_left_frees_its_slot() -> None:
    breaker = opened()
    probe = acquired(breaker, 30.0)
    breaker.forget(probe)
    breaker.forget(probe)
    assert acquired(breaker, 30.0).probe
    assert isinstance(breaker.try_acquire(now=30.0), Refused)


def test_several_probes_must_all_succeed_to_close_it() -> None:
    breaker = opened(BreakerPolicy(half_open_probes=2))
    first, second = acquired(breaker, 30.0), acquired(breaker, 30.0)
    breaker.record(first, ok=True, now=30.0)
    assert isinstance(breaker.try_acquire(now=30.0), Refused)
    breaker.record(second, ok=True, now=30.0)
    assert breaker.state(30.0) is BreakerState.CLOSED


def test_an_operator_can_hold_it_open_hold_it_closed_and_let_go() -> None:
    breaker = CircuitBreaker()
    breaker.force_open()
    assert breaker.held
    assert breaker.try_acquire(now=1e9) == Refused(breaker.policy.open_s_max)
    assert breaker.reopen_after_s(1e9) == breaker.policy.open_s_max
    assert breaker.state(1e9) is BreakerState.OPEN
    breaker.force_close()
    report(breaker, ok=False, now=0.0, times=50)
    assert breaker.state(0.0) is BreakerState.CLOSED
    breaker.reset()
    report(breaker, ok=False, now=0.0, times=5)
    assert breaker.state(0.0) is BreakerState.OPEN


def test_a_closed_breaker_hands_out_one_shared_permit() -> None:
    breaker = CircuitBreaker()
    assert acquired(breaker, 0.0) is acquired(breaker, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"consecutive_failures": 0},
        {"failure_rate": 0.0},
        {"slow_rate": 1.1},
        {"open_s": 10.0, "open_s_max": 5.0},
        {"window_s": 0.0},
        {"slow_call_s": 0.0},
    ],
)
def test_a_policy_without_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        BreakerPolicy(**wrong)  # type: ignore[arg-type]


ROUNDING_S = 1e-6
"""Differences of floating-point times."""


class BreakerHistories(RuleBasedStateMachine):
    """Any order of waiting, asking, reporting and leaving, checked against a plain account of it."""

    permits: Bundle[Permit] = Bundle("permits")

    def __init__(self) -> None:
        super().__init__()
        self.policy = BreakerPolicy(
            consecutive_failures=3, half_open_probes=2, minimum_calls=6, open_s=30, open_s_max=60
        )
        self.breaker = CircuitBreaker(self.policy)
        self.now = 0.0
        self.generation = 0
        self.live_probes: list[Permit] = []
        self.failures_in_a_row = 0

    def after(self, permit: Permit) -> None:
        if permit in self.live_probes:
            self.live_probes.remove(permit)

    @rule(seconds=st.sampled_from([0.1, 5.0, 29.0, 31.0, 61.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=permits)
    def ask(self) -> Permit:
        would = self.breaker.would_admit(self.now)
        answer = self.breaker.try_acquire(now=self.now)
        assert would == isinstance(answer, Permit)
        if isinstance(answer, Refused):
            assert 0 < answer.retry_after_s <= self.policy.open_s_max + ROUNDING_S
            return Permit(-1, False)
        if answer.generation != self.generation:
            assert answer.generation > self.generation
            self.generation, self.failures_in_a_row = answer.generation, 0
            self.live_probes.clear()
        if answer.probe:
            self.live_probes.append(answer)
        return answer

    @rule(permit=consumes(permits), ok=st.booleans(), slow=st.booleans())
    def report(self, permit: Permit, ok: bool, slow: bool) -> None:
        before = self.breaker.state(self.now)
        current = permit.generation == self.generation
        self.breaker.record(permit, ok=ok, now=self.now, slow=slow)
        self.after(permit)
        after = self.breaker.state(self.now)
        if not current:
            assert after is before
        elif before is BreakerState.CLOSED:
            self.failures_in_a_row = 0 if ok else self.failures_in_a_row + 1
            if self.failures_in_a_row >= self.policy.consecutive_failures:
                assert after is BreakerState.OPEN
        elif before is BreakerState.HALF_OPEN and permit.probe and not (ok and not slow):
            assert after is BreakerState.OPEN
        if after is not before:
            self.generation += 1
            self.failures_in_a_row = 0
            self.live_probes.clear()

    @rule(permit=consumes(permits))
    def leave(self, permit: Permit) -> None:
        before = self.breaker.state(self.now)
        self.breaker.forget(permit)
        self.after(permit)
        assert self.breaker.state(self.now) is before

    @invariant()
    def never_more_live_probes_than_allowed(self) -> None:
        assert len(self.live_probes) <= self.policy.half_open_probes

    @invariant()
    def it_always_comes_back(self) -> None:
        assert self.breaker.reopen_after_s(self.now) <= self.policy.open_s_max + ROUNDING_S
        if not self.live_probes:
            assert self.breaker.would_admit(self.now + self.policy.open_s_max)


TestBreakerHistories = BreakerHistories.TestCase
TestBreakerHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
