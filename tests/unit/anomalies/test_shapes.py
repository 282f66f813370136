"""Made-up usage: what is found at least, and how often nothing is called something at most.

The floors lie below what the detector does on these seeds; `python -m benchmarks.anomaly_shapes` tells more.
"""

import pytest

from benchmarks.anomaly_shapes import false_days, try_change
from benchmarks.usage_shapes import BUSY, CHANGES, SHAPES, Change, usage
from domain.anomalies.metrics import Metric, find_anomalies
from tests.thorough import some_of

FLOORS = {
    "spike: an hour of 4 times": 8,
    "surge: 5 hours of 2.5 times": 8,
    "shift: 3 days of 1.8 times": 8,
    "drift: 5 days up to 2.2 times, 2 days so": 5,
    "swings: a day, deviation 0.8": 8,
    "silence: 6 hours of nothing": 10,
    "drop: 8 hours of 0.4 times": 8,
    "slow: 3 hours of twice": 11,
    "slower: a day of 1.35 times": 6,
    "failing: 2 hours of 8 %": 9,
    "failing a little: 12 hours of 4 %": 8,
}
"""Of twelve: two seeds of six shapes. In turns, half of them."""
ALL = 2
"""Seeds of each shape."""


def seeds(*place: object) -> list[int]:
    """One of the two, by what is tried; over all shapes and metrics both have their turn."""
    return [int(seed) for seed in some_of([str(seed) for seed in range(ALL)], place, 1)]


@pytest.mark.parametrize("metric", list(Metric))
def test_nothing_is_called_something_on_one_day_a_month_at_most(metric: Metric) -> None:
    for shape in SHAPES:
        tried = seeds(shape.name, metric)
        assert sum(false_days(shape, metric, 60, seed) for seed in tried) <= 2 * len(tried), shape.name


def test_the_first_two_weeks_are_as_quiet() -> None:
    days = [
        false_days(shape, metric, 14, seed)
        for shape in SHAPES
        for metric in Metric
        for seed in seeds("first", shape.name, metric)
    ]
    assert sum(days) <= len(days) * 14 / 30 / 4


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_known_changes_are_found(change: Change) -> None:
    results = [try_change(shape, change, 50, seeds(change.name, shape.name)) for shape in change.shapes]
    found, runs = sum(len(one.delays_h) for one in results), sum(one.runs for one in results)
    assert found >= FLOORS.get(change.name, 0) * runs // (ALL * len(change.shapes))
    if change.shapes == BUSY[:1]:
        assert found == runs, "a weekend as busy as a week is seen"


def test_hours_without_use_are_no_news() -> None:
    for shape in SHAPES[-2:]:
        hours = usage(shape, 60, 3)
        assert sum(hour.requests == 0 for hour in hours) > len(hours) // 3
        assert find_anomalies(Metric.ERRORS, hours) == []
        assert find_anomalies(Metric.LATENCY, hours) == []
