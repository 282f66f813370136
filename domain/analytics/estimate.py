"""An amount that is not known to the nano-dollar: what is expected, between the two it may be."""

from collections.abc import Iterable
from math import ceil, floor
from typing import Final, NamedTuple


class Estimate(NamedTuple):
    """Nano-dollars, `low <= expected <= high`. All three are the same where it is exact."""

    low: int
    expected: int
    high: int

    def plus(self, other: "Estimate") -> "Estimate":
        """Both together, as if their errors went the same way: never narrower than the truth."""
        return Estimate(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def less(self, amount: int) -> "Estimate":
        """With an exact amount taken off."""
        return Estimate(self.low - amount, self.expected - amount, self.high - amount)

    def scaled(self, factor: float) -> "Estimate":
        """So many times as much, outwards to whole nano-dollars. `factor` is not negative."""
        return Estimate(floor(self.low * factor), round(self.expected * factor), ceil(self.high * factor))

    @property
    def exact(self) -> bool:
        return self.low == self.high


NOTHING: Final = Estimate(0, 0, 0)


def exactly(amount: int) -> Estimate:
    """An amount that is known."""
    return Estimate(amount, amount, amount)


def around(expected: int, share: float) -> Estimate:
    """So much, give or take this share of it (0 to 1)."""
    off = ceil(abs(expected) * share)
    return Estimate(expected - off, expected, expected + off)


def total_of(estimates: Iterable[Estimate]) -> Estimate:
    """All of them together."""
    total = NOTHING
    for each in estimates:
        total = total.plus(each)
    return total
