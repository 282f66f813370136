"""Published prices become exact integers, or say that they could not."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.pricing.amounts import Amount, BadPrice, decimal_of, exact
from tests.unit.catalog.strategies import modest


@pytest.mark.parametrize(
    ("usd", "nano_usd"),
    [
        ("3", 3_000_000_000),
        ("0.0375", 37_500_000),
        ("0.30000000000000004", 300_000_000),
        ("0.04166666666666665", 41_666_667),
        ("0", 0),
    ],
)
def test_prices_are_whole_nano_dollars_up_to_float_noise(usd: str, nano_usd: int) -> None:
    assert exact(Decimal(usd)) == Amount(nano_usd, False)


def test_a_truly_finer_price_is_rounded_up_and_says_so() -> None:
    assert exact(Decimal("0.0000000015")) == Amount(2, True)
    assert exact(Decimal("0.0000000001")) == Amount(1, True)


@pytest.mark.parametrize("usd", ["-1", "NaN", "Infinity", "10000000000"])
def test_what_cannot_be_a_price_is_refused(usd: str) -> None:
    with pytest.raises(BadPrice):
        exact(Decimal(usd))


@pytest.mark.parametrize("value", [True, None, [], "free", {}])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(BadPrice):
        decimal_of(value)


@given(st.integers(0, 10**15))
@modest(40)
def test_a_float_that_was_a_whole_number_of_nano_dollars_comes_back_whole(nano_usd: int) -> None:
    assert exact(decimal_of(nano_usd / 10**9)).nano_usd == pytest.approx(nano_usd, rel=1e-6, abs=1)
    assert exact(Decimal(nano_usd) / 10**9) == Amount(nano_usd, False)


@given(st.decimals(0, 10**6, allow_nan=False, allow_infinity=False))
@modest(40)
def test_a_price_is_never_lowered_by_more_than_noise(usd: Decimal) -> None:
    assert exact(usd).nano_usd >= usd * 10**9 * (1 - Decimal("1e-6"))
