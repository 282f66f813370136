"""Estimates against worlds whose truth is known: bias, coverage of intervals, and identities."""

from collections.abc import Callable, Mapping
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.backtest.estimators import (
    WEIGHT_MAX,
    effective_size,
    estimated,
    overlap_of,
    weights_of,
)
from domain.backtest.intervals import quantile
from domain.backtest.reading import read
from domain.backtest.record import Decision
from domain.backtest.reward_model import FOLDS, RewardModel
from domain.experiments.experiment import Metric
from tests.unit.backtest.logs import known, logged

LOGGED: Mapping[str, float] = {"a/m": 0.7, "b/m": 0.3}
OTHER: Mapping[str, float] = {"a/m": 0.3, "b/m": 0.7}
RUNS, REQUESTS = 80, 500


def decisions(seed: int, count: int = REQUESTS, policy: Mapping[str, float] = OTHER) -> tuple[Decision, ...]:
    return read(logged(seed, count, LOGGED), known(policy)).decisions


@pytest.fixture(scope="module")
def runs() -> list[tuple[Decision, ...]]:
    """Every metric is estimated from the same runs."""
    return [decisions(seed) for seed in range(RUNS)]


@pytest.fixture(scope="module")
def truth() -> Callable[[Metric, Mapping[str, float]], float]:
    """What happens when a policy is really used, over very many requests."""
    used = [(policy, logged(99, 40_000, policy)) for policy in (LOGGED, OTHER)]

    def mean(metric: Metric, wanted: Mapping[str, float]) -> float:
        (records,) = (records for policy, records in used if policy is wanted)
        values = [record.value(metric) for record in records]
        return fmean(value for value in values if value is not None)

    return mean


@pytest.mark.parametrize("metric", [Metric.COST, Metric.LATENCY, Metric.ERRORS])
def test_intervals_cover_the_truth_as_often_as_they_say(
    metric: Metric,
    runs: list[tuple[Decision, ...]],
    truth: Callable[[Metric, Mapping[str, float]], float],
) -> None:
    real, before = truth(metric, OTHER), truth(metric, LOGGED)
    covered = {"dr": 0, "snips": 0, "change": 0}
    values = []
    for run in runs:
        found = estimated(run, metric)
        assert found is not None
        covered["dr"] += found.dr.low <= real <= found.dr.high
        covered["snips"] += found.snips.low <= real <= found.snips.high
        covered["change"] += found.change.low <= real - before <= found.change.high
        values.append(found.dr.value)

    # 95 % less four standard errors of a share seen in so many runs.
    least = RUNS * (0.95 - 4 * (0.95 * 0.05 / RUNS) ** 0.5)
    assert min(covered.values()) >= least, covered
    assert fmean(values) == pytest.approx(real, rel=0.03 if metric is not Metric.ERRORS else 0.08)


def test_a_model_makes_the_estimate_tighter() -> None:
    widths = []
    for seed in range(10):
        found = estimated(decisions(seed), Metric.COST)
        assert found is not None
        widths.append((found.dr.high - found.dr.low) / (found.snips.high - found.snips.low))

    assert fmean(widths) < 0.9


def test_the_policy_that_was_used_is_estimated_as_what_was_recorded() -> None:
    found = estimated(decisions(3, policy=LOGGED), Metric.COST)

    assert found is not None
    assert found.snips.value == pytest.approx(found.logged.value)
    assert found.ips == pytest.approx(found.logged.value)
    assert found.effective == pytest.approx(REQUESTS)
    assert found.change.low <= 0 <= found.change.high


def test_values_that_only_some_requests_have_are_a_ratio() -> None:
    records = logged(5, 2_000, LOGGED)
    scored = [
        each._replace(score=0.9 if each.first == "b/m" else 0.5) if place % 3 == 0 else each
        for place, each in enumerate(records)
    ]

    found = estimated(read(scored, known(OTHER)).decisions, Metric.QUALITY)

    assert found is not None
    assert found.ips is None
    assert found.values == 667
    assert found.dr.low <= 0.3 * 0.5 + 0.7 * 0.9 <= found.dr.high


def test_callers_who_leave_one_target_neither_hide_its_bills_nor_count_as_failures() -> None:
    records = [
        each._replace(outcome="cancelled") if each.first == "a/m" and place % 2 else each
        for place, each in enumerate(logged(11, 2_000, LOGGED))
    ]
    left = sum(each.outcome == "cancelled" for each in records)

    found = read(records, known(OTHER)).decisions
    cost, errors = estimated(found, Metric.COST), estimated(found, Metric.ERRORS)

    assert abs(overlap_of(found).mean_weight - 1.0) < 0.1, "without them it would be about 1.3"
    assert cost is not None
    assert errors is not None
    assert cost.values == 2_000
    assert errors.values == 2_000 - left
    assert errors.ips is None
    # Of those that a policy brings to an end, halves of a's and all of b's.
    ended = (0.3 * 0.5 * 0.03 + 0.7 * 0.15) / (0.3 * 0.5 + 0.7)
    assert errors.dr.low <= ended <= errors.dr.high


def test_requests_of_a_session_are_one_witness() -> None:
    records = [
        each._replace(session_id=f"s{place // 20}") for place, each in enumerate(logged(7, 500, LOGGED))
    ]

    alone, together = decisions(7), read(records, known(OTHER)).decisions

    assert overlap_of(alone).units == 500
    assert overlap_of(together).units == 25
    assert overlap_of(together).effective <= 25
    few, many = estimated(together, Metric.COST), estimated(alone, Metric.COST)
    assert few is not None
    assert many is not None
    assert few.effective < many.effective
    assert few.dr.value == pytest.approx(many.dr.value, rel=0.1)


def test_weights_are_clipped_and_it_is_told() -> None:
    records = [
        each._replace(propensity=0.001) if place == 0 else each
        for place, each in enumerate(logged(1, 300, LOGGED))
    ]

    found = read(records, known(OTHER)).decisions

    assert max(weights_of(found)) == WEIGHT_MAX
    assert overlap_of(found).clipped > 0.1


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=50))
def test_the_effective_size_is_between_one_and_all(weights: list[float]) -> None:
    size = effective_size(weights)

    if any(weight > 1e-100 for weight in weights):
        assert 1 - 1e-9 <= size <= len(weights) + 1e-6
    assert effective_size([2.0] * len(weights)) == pytest.approx(len(weights))


@settings(max_examples=25)
@given(st.floats(0.01, 0.99), st.integers(0, 2**32))
def test_weights_are_one_on_average_where_everything_was_tried(share: float, seed: int) -> None:
    found = overlap_of(decisions(seed % 1_000, policy={"a/m": share, "b/m": 1 - share}))

    assert found.coverage == pytest.approx(1.0)
    assert abs(found.mean_weight - 1.0) <= 5 * found.mean_weight_error + 1e-6


def test_nobody_is_explained_by_their_own_outcome() -> None:
    seen = [(fold, "a", ("chat", 1), 1_000.0 if fold == 0 else 1.0) for fold in range(FOLDS)]
    model = RewardModel(seen)

    assert model.expected(0, "a", ("chat", 1)) == pytest.approx(1.0)
    assert model.expected(1, "a", ("chat", 1)) > 1.0
    assert model.expected(0, "never seen", ("chat", 1)) == pytest.approx(1.0)
    assert RewardModel([]).expected(0, "a", ("chat", 1)) == 0.0


@pytest.mark.parametrize(("freedom", "table"), [(10, 2.228), (30, 2.042), (100, 1.984), (1e9, 1.960)])
def test_quantiles_are_those_of_the_tables(freedom: float, table: float) -> None:
    assert quantile(freedom) == pytest.approx(table, abs=0.003)
