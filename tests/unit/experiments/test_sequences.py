"""Intervals that may be looked at after every observation."""

import random
from collections.abc import Callable
from itertools import accumulate
from math import isclose, log, sqrt

import pytest

from domain.experiments.experiment import Guardrail, Metric
from domain.experiments.judging import ArmFigures, Verdict, breaches, judged
from domain.experiments.ratio import sample_ratio
from domain.experiments.sequences import Sums, contrast, margin, mean_interval, tuned
from tests.thorough import THOROUGH
from tests.unit.experiments.made import experiment, sums

ALPHA = 0.05
SEQUENCES = 400 if THOROUGH else 160
UNITS = 600
"""Of each arm."""
START = 50


def _draws(chance: random.Random, draw: Callable[[random.Random], float], units: int) -> list[Sums]:
    """The sums after each unit."""
    values = [draw(chance) for _ in range(units)]
    totals, squares = accumulate(values), accumulate(each * each for each in values)
    return [
        Sums(count=count, total=total, squares=square)
        for count, (total, square) in enumerate(zip(totals, squares, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("draw", "bounded"),
    [
        (lambda chance: chance.gauss(10.0, 3.0), False),
        (lambda chance: chance.lognormvariate(0.0, 0.7), False),
        (lambda chance: float(chance.random() < 0.1), True),
    ],
    ids=["normal", "skewed", "shares"],
)
def test_looking_after_every_unit_keeps_the_false_alarms_below_alpha(
    draw: Callable[[random.Random], float], bounded: bool
) -> None:
    """Two equal arms, looked at after every pair of units."""
    chance, r2, alarms = random.Random(8), tuned(START, ALPHA), 0
    for _ in range(SEQUENCES):
        pairs = zip(_draws(chance, draw, UNITS), _draws(chance, draw, UNITS), strict=True)
        for mine, control in list(pairs)[START - 1 :]:
            found = contrast(mine, control, ALPHA, r2, bounded=bounded)
            if found is not None and not found.low <= 0.0 <= found.high:
                alarms += 1
                break
    assert alarms <= ALPHA * SEQUENCES


def test_a_fixed_sample_test_would_cry_far_too_often() -> None:
    """The same looks with the usual 1.96 standard errors: why this module is there."""
    chance, alarms = random.Random(8), 0
    for _ in range(SEQUENCES):
        arms = [_draws(chance, lambda each: each.gauss(0.0, 1.0), UNITS) for _ in range(2)]
        for mine, control in list(zip(*arms, strict=True))[START - 1 :]:
            error = sqrt(sum(each.variance(bounded=False) / each.count for each in (mine, control)))
            if abs(mine.total - control.total) / mine.count > 1.96 * error:
                alarms += 1
                break
    assert alarms > 3 * ALPHA * SEQUENCES


def test_a_real_difference_is_found() -> None:
    chance, wanted, found = random.Random(9), experiment(min_samples=START), 0
    for _ in range(50):
        arms = {
            name: ArmFigures(
                arm=name,
                units=UNITS,
                requests=UNITS,
                sums={Metric.COST: sums(chance.gauss(mean, 300.0) for _ in range(UNITS))},
            )
            for name, mean in (("now", 1000.0), ("cheap", 900.0))
        }
        verdict = judged(wanted, arms).arms[1].verdict
        assert verdict is not Verdict.WORSE
        found += verdict is Verdict.BETTER
    assert found >= 45


def test_a_harmless_arm_is_hardly_ever_stopped() -> None:
    rule = (Guardrail(metric=Metric.ERRORS, worse_by=0.0),)
    chance, stopped = random.Random(11), 0
    wanted = experiment(guardrails=rule, min_samples=START)
    for _ in range(200):
        arms = [_draws(chance, lambda each: float(each.random() < 0.1), 300) for _ in range(2)]
        for mine, control in list(zip(*arms, strict=True))[START - 1 :: 5]:
            known = {
                name: ArmFigures(arm=name, units=each.count, requests=each.count, sums={Metric.ERRORS: each})
                for name, each in (("now", control), ("cheap", mine))
            }
            if breaches(wanted, known):
                stopped += 1
                break
    assert stopped <= ALPHA * 200


def test_the_margin_is_that_of_the_formula() -> None:
    """For unit variance: sqrt(2 (n r2 + 1) log(sqrt(n r2 + 1) / alpha) / (n^2 r2))."""
    n, r2 = 1000, 0.01
    expected = sqrt(2 * (n * r2 + 1) * log(sqrt(n * r2 + 1) / ALPHA) / (n * n * r2))
    assert isclose(margin(1 / sqrt(n), n, ALPHA, r2), expected)


def test_values_that_were_all_the_same_are_not_taken_for_certain() -> None:
    found = mean_interval(sums([0.0] * 100), ALPHA, tuned(100, ALPHA), bounded=True)
    assert found is not None
    assert found.low == found.value == 0.0
    assert 0.01 < found.high < 0.2


def test_one_unit_has_no_interval() -> None:
    assert mean_interval(sums([1.0]), ALPHA, 0.1, bounded=False) is None
    assert contrast(sums([1.0]), sums([1.0, 2.0]), ALPHA, 0.1, bounded=False) is None


def test_a_fair_split_is_hardly_ever_called_off_however_often_it_is_looked_at() -> None:
    chance, alarms = random.Random(12), 0
    for _ in range(300):
        counts = [0, 0]
        for _ in range(1000):
            counts[chance.random() < 0.25] += 1
            found = sample_ratio([3, 1], counts)
            if found is not None and found.off:
                alarms += 1
                break
    assert alarms <= 2  # a thousandth of 300, and room for one more


def test_a_split_that_is_off_is_found() -> None:
    found = sample_ratio([1, 1], [5600, 4400])
    assert found is not None
    assert found.off
    fair = sample_ratio([1, 1], [5050, 4950])
    assert fair is not None
    assert not fair.off


def test_nothing_split_says_nothing() -> None:
    assert sample_ratio([1, 1], [0, 0]) is None
    assert sample_ratio([1], [10]) is None
