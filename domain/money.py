"""Money as integers: one nano-dollar is 10**-9 USD.

Prices are nano-dollars per million tokens, so the cheapest published prices stay whole numbers.
An unknown amount is `None`, never 0. Python integers have no ceiling, so a counter may pass 2**53;
whoever writes money into JSON writes it as text or as a float that is only for reading.
"""

from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import NewType

NanoUsd = NewType("NanoUsd", int)

NANO_PER_USD = 1_000_000_000
TOKENS_PER_PRICE_UNIT = 1_000_000


class InvalidAmount(ValueError):
    """The text is not an amount of dollars."""


def parse_usd(text: str | int | float | Decimal) -> NanoUsd:
    """Dollars to nano-dollars, exact, rounding a finer amount up.

    A float is read through its shortest decimal text, so 0.1 means one tenth.

    Raises:
        InvalidAmount: not a finite number.
    """
    try:
        amount = Decimal(str(text))
    except InvalidOperation as error:
        raise InvalidAmount(f"not an amount of dollars: {text!r}") from error
    if not amount.is_finite():
        raise InvalidAmount(f"not a finite amount of dollars: {text!r}")
    return NanoUsd(int((amount * NANO_PER_USD).to_integral_value(rounding=ROUND_CEILING)))


def format_usd(amount: int) -> str:
    """Nano-dollars as plain decimal text without trailing zeros: 1500 -> '0.0000015'."""
    sign = "-" if amount < 0 else ""
    whole, nanos = divmod(abs(amount), NANO_PER_USD)
    if not nanos:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{nanos:09d}".rstrip("0")


def usd_float(amount: int) -> float:
    """For reading only: a JSON number. Never calculate with it."""
    return amount / NANO_PER_USD


def ceil_to_nano(nano_usd_times_mtok: int) -> NanoUsd:
    """Sum of (tokens x nano-dollars per million tokens) to whole nano-dollars, rounded up once."""
    return NanoUsd(-(-nano_usd_times_mtok // TOKENS_PER_PRICE_UNIT))
