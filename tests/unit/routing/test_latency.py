"""Peak EWMA for ranking, p95 for ceilings."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.routing.latency import COLD_START_S, LatencyWindow, PeakEwma


def test_a_peak_counts_at_once_and_recovery_takes_time() -> None:
    ewma = PeakEwma(tau_s=10.0)
    ewma.observe(0.2, 0.0)
    ewma.observe(3.0, 1.0)
    assert ewma.value_s(1.0) == 3.0
    ewma.observe(0.2, 2.0)
    assert 2.5 < ewma.value_s(2.0) < 3.0
    ewma.observe(0.2, 60.0)
    assert ewma.value_s(60.0) == pytest.approx(0.2, abs=0.02)


def test_a_cold_target_is_assumed_average_and_queues_count() -> None:
    ewma = PeakEwma()
    assert not ewma.known
    assert ewma.value_s(5.0) == COLD_START_S
    assert ewma.load(0, 5.0) == COLD_START_S
    assert ewma.load(3, 5.0) == 4 * COLD_START_S


def test_a_bad_estimate_is_forgiven_without_news_and_a_good_one_kept() -> None:
    slow, fast = PeakEwma(), PeakEwma()
    slow.observe(9.0, 0.0)
    fast.observe(0.1, 0.0)
    assert slow.value_s(0.0) == 9.0
    assert slow.value_s(300.0) < 5.0
    assert slow.value_s(10_000.0) == pytest.approx(COLD_START_S)
    assert fast.value_s(10_000.0) == 0.1


@settings(max_examples=60)
@given(latencies=st.lists(st.floats(0.001, 600.0), min_size=10, max_size=200))
def test_the_predicted_p95_is_never_below_the_true_one_and_at_most_a_tenth_above(
    latencies: list[float],
) -> None:
    window = LatencyWindow()
    for latency_s in latencies:
        window.observe(latency_s, 1.0)
    true_ms = sorted(latencies)[len(latencies) - 1 - len(latencies) * 5 // 100] * 1000
    predicted_ms = window.predicted_p95_ms()
    assert predicted_ms is not None
    assert true_ms * 0.999 <= predicted_ms <= max(true_ms, 1.0) * 1.1001


def test_a_few_answers_predict_nothing() -> None:
    window = LatencyWindow()
    assert window.predicted_p95_ms() is None
    for _ in range(9):
        window.observe(1.0, 0.0)
    assert window.predicted_p95_ms() is None


def test_old_answers_fade_as_a_generation() -> None:
    window = LatencyWindow(window_s=300.0)
    for _ in range(50):
        window.observe(20.0, 0.0)
    for _ in range(50):
        window.observe(0.5, 301.0)
    assert (window.predicted_p95_ms() or 0) > 15_000
    for _ in range(50):
        window.observe(0.5, 602.0)
    assert (window.predicted_p95_ms() or 0) < 1_000


def test_a_prediction_from_long_ago_is_none() -> None:
    window = LatencyWindow(window_s=300.0)
    for _ in range(50):
        window.observe(20.0, 0.0)
    assert window.predicted_p95_ms(599.0) is not None
    assert window.predicted_p95_ms(601.0) is None
    window.observe(1.0, 1000.0)
    assert window.predicted_p95_ms(1000.0) is None


@pytest.mark.parametrize("make", [lambda: PeakEwma(0), lambda: LatencyWindow(0)])
def test_a_time_constant_must_be_positive(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="positive"):
        make()
