"""What of a hard budget calls that nobody asked for leave alone."""

from hypothesis import given
from hypothesis import strategies as st

from domain.budgets.reserve import leaves_reserve

AMOUNTS = st.integers(0, 10**12)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_tenth_of_the_limit_is_always_left(limit: int, rest: int, needed: int) -> None:
    assert leaves_reserve(limit, rest, needed) == (10 * (rest - needed) >= limit)


def test_all_but_a_tenth_may_be_taken_to_the_nano_dollar() -> None:
    assert leaves_reserve(1_000, 1_000, 900)
    assert not leaves_reserve(1_000, 1_000, 901)
    assert leaves_reserve(0, 0, 0)
