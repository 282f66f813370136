"""The health of a provider, from its live traffic."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.routing.health import HealthPolicy, HealthState, HealthWindow


def seen(health: HealthWindow, ok: bool, *, times: int = 1, now: float = 0.0, latency_s: float = 1.0) -> None:
    for _ in range(times):
        health.record(ok, latency_s, now)


def test_nothing_seen_is_healthy_and_fully_available() -> None:
    snapshot = HealthWindow().snapshot(5.0)
    assert (snapshot.state, snapshot.samples) == (HealthState.HEALTHY, 0)
    assert (snapshot.success_rate, snapshot.average_latency_ms) == (None, None)
    assert snapshot.availability_percent == 100.0


@pytest.mark.parametrize(
    ("failures", "state"),
    [
        (2, HealthState.HEALTHY),
        (3, HealthState.DEGRADED),
        (5, HealthState.UNHEALTHY),
        (10, HealthState.UNAVAILABLE),
    ],
)
def test_a_run_of_failures_worsens_the_state_step_by_step(failures: int, state: HealthState) -> None:
    health = HealthWindow()
    seen(health, True, times=300)
    seen(health, False, times=failures)
    assert health.snapshot(0.0).state is state
    assert health.snapshot(0.0).consecutive_failures == failures


@pytest.mark.parametrize(
    ("good", "bad", "state"),
    [(96, 4, HealthState.HEALTHY), (90, 10, HealthState.DEGRADED), (70, 30, HealthState.UNHEALTHY)],
)
def test_the_success_rate_decides_without_any_run(good: int, bad: int, state: HealthState) -> None:
    health = HealthWindow()
    for place in range(bad):
        seen(health, False)
        seen(health, True, times=good // bad + (place < good % bad))
    snapshot = health.snapshot(0.0)
    assert snapshot.state is state
    assert snapshot.success_rate == pytest.approx(good / (good + bad))


def test_average_latency_is_of_good_answers_only() -> None:
    health = HealthWindow(HealthPolicy(degraded_latency_ms=1500))
    seen(health, True, times=10, latency_s=2.0)
    seen(health, False, latency_s=0.001)
    snapshot = health.snapshot(0.0)
    assert snapshot.average_latency_ms == pytest.approx(2000.0)
    assert snapshot.state is HealthState.DEGRADED


def test_the_window_forgets_after_three_hundred_seconds() -> None:
    health = HealthWindow()
    seen(health, False, times=20, now=0.0)
    assert health.snapshot(299.0).state is HealthState.UNAVAILABLE
    snapshot = health.snapshot(311.0)
    assert (snapshot.state, snapshot.samples, snapshot.consecutive_failures) == (HealthState.HEALTHY, 0, 0)


def test_availability_is_the_share_of_time_not_down() -> None:
    health = HealthWindow()
    seen(health, True, now=1.0)
    seen(health, False, times=10, now=100.0)
    seen(health, True, now=150.0)
    assert health.snapshot(200.0).availability_percent == pytest.approx(75.0)
    assert health.snapshot(300.0).availability_percent == pytest.approx(100 * (1 - 50 / 300))
    assert health.snapshot(425.0).availability_percent == pytest.approx(100 * (1 - 25 / 300))


def test_a_provider_that_is_down_becomes_less_available_while_we_look() -> None:
    health = HealthWindow()
    seen(health, True, now=1.0)
    seen(health, False, times=10, now=50.0)
    assert health.snapshot(100.0).availability_percent == pytest.approx(50.0)
    assert health.snapshot(150.0).availability_percent == pytest.approx(100 / 3)


def test_a_short_run_of_failures_is_no_down_time() -> None:
    health = HealthWindow()
    seen(health, True, now=1.0)
    seen(health, False, times=9, now=50.0)
    seen(health, True, now=90.0)
    assert health.snapshot(100.0).availability_percent == 100.0


def test_neighbouring_outages_are_kept_as_one() -> None:
    health = HealthWindow()
    seen(health, True, now=1.0)
    for step in range(20):
        seen(health, False, times=10, now=50.0 + step)
        seen(health, True, now=50.5 + step)
    assert health.snapshot(100.0).availability_percent == pytest.approx(100 - 19.5, abs=0.01)


def test_an_outage_forgotten_by_silence_does_not_join_the_next_one() -> None:
    health = HealthWindow()
    seen(health, False, times=10, now=0.0)
    seen(health, False, times=1, now=400.0)
    snapshot = health.snapshot(400.0)
    assert snapshot.consecutive_failures == 1
    assert snapshot.availability_percent == 100.0


def test_an_unavailable_provider_is_left_alone_for_a_while_then_tried_again() -> None:
    health = HealthWindow(HealthPolicy(unavailable_hold_s=30))
    seen(health, False, times=10, now=0.0)
    assert health.held_for_s(10.0) == 20.0
    assert health.held_for_s(30.0) == 0.0
    seen(health, True, now=31.0)
    assert health.state(31.0) is not HealthState.UNAVAILABLE


def test_an_operators_word_stands_over_traffic_until_taken_back() -> None:
    health = HealthWindow()
    seen(health, False, times=50)
    health.force(HealthState.HEALTHY)
    assert health.state(0.0) is HealthState.HEALTHY
    health.force(HealthState.MAINTENANCE)
    assert health.snapshot(0.0).state is HealthState.MAINTENANCE
    health.force(None)
    assert health.state(0.0) is HealthState.UNAVAILABLE


@settings(max_examples=60)
@given(
    steps=st.lists(st.tuples(st.floats(0, 200), st.booleans(), st.integers(1, 12)), max_size=40),
    later_s=st.floats(0, 700),
)
def test_every_figure_stays_in_its_range(steps: list[tuple[float, bool, int]], later_s: float) -> None:
    health, now = HealthWindow(), 0.0
    for seconds, ok, times in steps:
        now += seconds
        seen(health, ok, times=times, now=now)
    snapshot = health.snapshot(now + later_s)
    assert -1e-9 <= snapshot.availability_percent <= 100.0
    assert snapshot.success_rate is None or 0 <= snapshot.success_rate <= 1
    assert snapshot.consecutive_failures >= 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"degraded_consecutive_failures": 6},
        {"unhealthy_success_rate": 0.99},
        {"window_s": 0.0},
    ],
)
def test_thresholds_without_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        HealthPolicy(**wrong)  # type: ignore[arg-type]
