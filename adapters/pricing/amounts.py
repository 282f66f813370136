"""Published prices to exact integers: nano-dollars per million tokens.

Publishers write dollars as JSON floats, so some carry float noise (0.30000000000000004). A price that is a
whole number of nano-dollars up to a relative 1e-6 is taken as that number. A truly finer price is rounded up
and said so, since a price that is too low would break a hard budget.
"""

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final, NamedTuple

NANO: Final = Decimal(1_000_000_000)
TOKENS_PER_MTOK: Final = Decimal(1_000_000)
_NOISE_MAX: Final = Decimal("1e-6")

NANO_USD_MAX: Final = 10**18
"""A billion dollars for one unit is a mistake in the feed; it also keeps prices in 64 bits."""

ROUNDED_UP_TAG: Final = "price_rounded_up"
"""Tag of an offering whose published price is finer than a nano-dollar per million tokens."""


class Amount(NamedTuple):
    """Nano-dollars per unit, and whether they are more than what was published."""

    nano_usd: int
    rounded_up: bool


class BadPrice(ValueError):
    """Not a price: not a number, not finite, or negative."""


@lru_cache(maxsize=4096)
def exact(usd: Decimal) -> Amount:
    """Dollars per unit as nano-dollars per unit. Raises BadPrice."""
    if not usd.is_finite() or usd < 0:
        raise BadPrice(f"not a price: {usd}")
    nano = usd * NANO
    if nano > NANO_USD_MAX:
        raise BadPrice(f"not a believable price: {usd}")
    whole = nano.to_integral_value(rounding=ROUND_HALF_EVEN)
    if whole == nano or abs(whole - nano) <= whole * _NOISE_MAX:
        return Amount(int(whole), False)
    return Amount(int(nano.to_integral_value(rounding=ROUND_CEILING)), True)


def decimal_of(value: object) -> Decimal:
    """A JSON number or numeric text as Decimal, floats through their shortest text. Raises BadPrice."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise BadPrice(f"not a price: {value!r}")
    try:
        return value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation as error:
        raise BadPrice(f"not a price: {value!r}") from error
