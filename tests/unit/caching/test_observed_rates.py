"""Counted hits and errors, with their intervals."""

import pytest

from domain.caching.intervals import exact_interval
from domain.caching.observed_rates import ObservedRates


@pytest.mark.parametrize(
    ("events", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.30850),
        (1, 10, 0.00253, 0.44502),
        (5, 10, 0.18709, 0.81291),
        (10, 10, 0.69150, 1.0),
        (3, 300, 0.00207, 0.02894),
    ],
)
def test_intervals_are_clopper_and_pearsons(events: int, trials: int, low: float, high: float) -> None:
    interval = exact_interval(events, trials)
    assert interval.low == pytest.approx(low, abs=2e-4)
    assert interval.high == pytest.approx(high, abs=2e-4)


def test_three_hundred_right_audits_allow_to_claim_about_one_percent() -> None:
    assert exact_interval(0, 300, confidence=0.90).high == pytest.approx(0.00994, abs=2e-4)


def test_nothing_tried_leaves_everything_possible() -> None:
    assert exact_interval(0, 0) == (0.0, 1.0)
    assert ObservedRates().error_rate is None
    assert ObservedRates().hit_ratio is None


def test_rates_count_what_was_looked_for_served_and_audited() -> None:
    rates = ObservedRates()
    for _ in range(4):
        rates.note_question()
    rates.note_hit()
    rates.note_hit()
    rates.note_audit(same=True)
    rates.note_audit(same=False)
    assert (rates.hit_ratio, rates.error_rate) == (0.5, 0.5)
    assert rates.error_interval.low < 0.5 < rates.error_interval.high


def test_rates_survive_as_numbers() -> None:
    rates = ObservedRates(looked_for=9, hits=5, audited=3, wrong=1, unjudged=2)
    assert ObservedRates.from_numbers(rates.as_numbers()) == rates
    for wrong in ((1.0, 2.0), (1.0, 1.0, 1.0, 1.0, -1.0)):
        with pytest.raises(ValueError, match="counts"):
            ObservedRates.from_numbers(wrong)
