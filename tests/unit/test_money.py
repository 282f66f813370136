"""Money: exact both ways, a finer amount rounded up, nonsense refused."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.money import (
    NANO_PER_USD,
    TOKENS_PER_PRICE_UNIT,
    InvalidAmount,
    ceil_to_nano,
    format_usd,
    parse_usd,
    usd_float,
)

NANOS = st.integers(-(10**23), 10**23)
AMOUNTS = st.decimals(min_value=-(10**14), max_value=10**14, allow_nan=False).filter(
    lambda amount: len(amount.as_tuple().digits) < 60
)


@given(NANOS)
def test_what_is_written_is_read_again(amount: int) -> None:
    assert parse_usd(format_usd(amount)) == amount


@given(AMOUNTS)
@example(Decimal("0.10000000000000000000000000000000000000001"))
@example(Decimal("1e-999999"))
@example(Decimal("-1e-999999"))
def test_reading_rounds_up_by_less_than_a_nano(amount: Decimal) -> None:
    exact = Fraction(amount) * NANO_PER_USD
    assert 0 <= parse_usd(amount) - exact < 1
    assert parse_usd(str(amount)) == parse_usd(amount)


@pytest.mark.parametrize(
    ("given_as", "nanos"),
    [("0.000000001", 1), (0.1, 100_000_000), ("1e-10", 1), (3, 3 * NANO_PER_USD), ("-0.0000000011", -1)],
)
def test_amounts_in_every_spelling(given_as: str | float, nanos: int) -> None:
    assert parse_usd(given_as) == nanos


@pytest.mark.parametrize(
    "text",
    ["", "ten", "1,5", "nan", "inf", "-Infinity", "0x10", "1e15", "1e999999", "1e99999999999999999999"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidAmount):
        parse_usd(text)


@given(NANOS)
def test_amounts_are_written_plainly(amount: int) -> None:
    text = format_usd(amount)
    assert "e" not in text.lower()
    assert not text.endswith(".")
    assert "." not in text or not text.endswith("0")
    assert Fraction(text) == Fraction(amount, NANO_PER_USD)


@given(st.integers(0, 10**30))
def test_prices_times_tokens_are_rounded_up_once(product: int) -> None:
    assert 0 <= ceil_to_nano(product) * TOKENS_PER_PRICE_UNIT - product < TOKENS_PER_PRICE_UNIT


def test_a_float_is_for_reading() -> None:
    assert usd_float(1_500_000_000) == 1.5
