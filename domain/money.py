"""Money as integers: one nano-dollar is 10**-9 USD.

Prices are nano-dollars per million tokens, so the cheapest published prices stay whole numbers.
An unknown amount is `None`, never 0. Python integers have no ceiling, so a counter may pass 2**53;
whoever writes money into JSON writes it as text or as a float that is only for reading.
"""

from decimal import ROUND_CEILING, Context, Decimal, InvalidOperation
from typing import NewType

NanoUsd = NewType("NanoUsd", int)

NANO_PER_USD = 1_000_000_000
TOKENS_PER_PRICE_UNIT = 1_000_000
USD_DIGITS_MAX = 15
"""Digits before the point; more is a mistake, and text such as `1e999999` must not become an integer."""
_NANO = Decimal("1e-9")
_EXACT = Context(prec=USD_DIGITS_MAX + 12, rounding=ROUND_CEILING)


class InvalidAmount(ValueError):
    """The text is not an amount of dollars."""


def parse_usd(text: str | int | float | Decimal) -> NanoUsd:
    """Dollars to nano-dollars, exact, rounding a finer amount up.

    A float is read through its shortest decimal text, so 0.1 means one tenth.

    Raises:
        InvalidAmount: not a finite number, or one of more than 15 digits before the point.
    """
    try:
        amount = Decimal(str(text))
    except InvalidOperation as error:
        raise InvalidAmount(f"not an amount of dollars: {text!r}") from error
    if not amount.is_finite():
        raise InvalidAmount(f"not a finite amount of dollars: {text!r}")
    if amount.adjusted() >= USD_DIGITS_MAX:
        raise InvalidAmount(f"too large an amount of dollars: {str(text)[:40]!r}")
    # Rounded as it was written: multiplying first would round to the digits of a context.
    return NanoUsd(int(_EXACT.multiply(amount.quantize(_NANO, context=_EXACT), NANO_PER_USD)))


def format_usd(amount: int) -> str:
    """Nano-dollars as plain decimal text without trailing zeros: 1500 -> '0.0000015'."""
    # Cut out of the digits: every answer tells two amounts, and dividing them takes twice as long.
    digits = str(amount).zfill(10) if amount >= 0 else "-" + str(-amount).zfill(10)
    nanos = digits[-9:].rstrip("0")
    return f"{digits[:-9]}.{nanos}" if nanos else digits[:-9]


def usd_float(amount: int) -> float:
    """For reading only: a JSON number. Never calculate with it."""
    return amount / NANO_PER_USD


def ceil_to_nano(nano_usd_times_mtok: int) -> NanoUsd:
    """Sum of (tokens x nano-dollars per million tokens) to whole nano-dollars, rounded up once."""
    return NanoUsd(-(-nano_usd_times_mtok // TOKENS_PER_PRICE_UNIT))
