"""Money within a sliding window: nothing within it is missed, nothing long before it counts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.guards.spend_rate import SLICES, SpendRate

PER_S = 60.0


def test_what_was_spent_within_the_window_adds_up() -> None:
    rate = SpendRate(PER_S)

    assert rate.add(5, 100.0) == 5
    assert rate.add(7, 130.0) == 12
    assert rate.add(1, 159.9) == 13


def test_what_was_spent_long_before_is_gone() -> None:
    rate = SpendRate(PER_S)
    rate.add(5, 100.0)

    assert rate.add(1, 100.0 + PER_S * (1 + 2 / SLICES)) == 1
    assert rate.add(1, 1e9) == 1


def test_a_clock_that_goes_back_loses_nothing() -> None:
    rate = SpendRate(PER_S)
    rate.add(5, 100.0)

    assert rate.add(2, 20.0) == 7


def test_a_window_has_a_length() -> None:
    with pytest.raises(ValueError, match="length"):
        SpendRate(0.0)


@given(
    spent=st.lists(st.tuples(st.floats(0, 40, allow_nan=False), st.integers(0, 10**12)), max_size=60),
    start=st.floats(0, 1e6),
)
@settings(max_examples=150, deadline=None)
def test_the_sum_lies_between_the_window_and_the_window_and_a_slice(
    spent: list[tuple[float, int]], start: float
) -> None:
    rate, now, seen = SpendRate(PER_S), start, list[tuple[float, int]]()
    # Slices begin where the clock's own do, so a sum may differ by what lies on their very edge.
    edge = 1e-6
    for waited, amount in spent:
        now += waited
        seen.append((now, amount))

        told = rate.add(amount, now)

        within = sum(each for at, each in seen if at > now - PER_S + edge)
        at_most = sum(each for at, each in seen if at >= now - PER_S * (1 + 1 / SLICES) - edge)
        assert within <= told <= at_most
