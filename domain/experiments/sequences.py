"""What stays true however often somebody looks: intervals for means and their differences.

An interval of a fixed sample is wrong when one stops as soon as it looks good. A confidence sequence covers
the true value at all times together with probability 1 - alpha. Here: the asymptotic confidence sequence of
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
sequences" (Annals of Statistics 2024, arXiv:2103.06476), theorem 2.2, which is Robbins' normal mixture with
an estimated variance. With n observations of standard deviation s, the mean is within

    s * sqrt( 2 (n r² + 1) / (n² r²) * log( sqrt(n r² + 1) / alpha ) )

of the sample's. For a difference of two arms s² = n * (s_a² / n_a + s_c² / n_c), as for inverse-probability
weighted scores with known shares. r is tuned so that the sequence is tightest at a sample that is chosen
before (their equation for rho with -2 log alpha). It is asymptotic: below a few dozen units it promises too
much, which is why experiments name a least number of them.
"""

from dataclasses import dataclass
from math import log, sqrt
from typing import Final

TIGHTEST_AT: Final = 10
"""In minimal samples: the sequence is tightest there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Of one value over units: how many there were, their sum, and the sum of their squares."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    def variance(self, *, bounded: bool) -> float:
        """Of the values; at least two are needed. Values from 0 to 1 that were all the same may still turn
        out otherwise: their variance is never below that of one more value at either end (Agresti-Coull's
        two added observations)."""
        n = self.count
        found = max(0.0, (self.squares - self.total * self.total / n) / (n - 1))
        if not bounded:
            return found
        shrunk = (self.total + 1.0) / (n + 2.0)
        if 0.0 < self.total < n:
            return found
        return max(found, shrunk * (1.0 - shrunk))


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Of one value over units of which both sides are known: the arm's, control's for the same requests, and
    the sum of the products of the two."""

    arm: Sums = Sums()
    control: Sums = Sums()
    products: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with its ends, at all times at once."""

    low: float
    value: float
    high: float


def tuned(min_samples: int, alpha: float) -> float:
    """r² of the formula."""
    level = -2.0 * log(alpha)
    return (level + log(level + 1.0)) / (TIGHTEST_AT * min_samples)


def margin(error: float, n: int, alpha: float, r2: float) -> float:
    """Half the width for an estimate from n units, whose standard error is `error`."""
    reach = n * r2 + 1.0
    return error * sqrt(2.0 * reach / (n * r2) * log(sqrt(reach) / alpha))


def mean_interval(sums: Sums, alpha: float, r2: float, *, bounded: bool) -> Interval | None:
    """Of one arm's mean; None: fewer than two units."""
    if sums.count < 2:
        return None
    mean = sums.total / sums.count
    half = margin(sqrt(sums.variance(bounded=bounded) / sums.count), sums.count, alpha, r2)
    low, high = mean - half, mean + half
    return Interval(low=max(0.0, low), value=mean, high=min(1.0, high) if bounded else high)


def contrast(
    arm: Sums, control: Sums, alpha: float, r2: float, *, bounded: bool, factor: float = 1.0
) -> Interval | None:
    """The arm's mean less `factor` times control's; None: fewer than two units of either."""
    if arm.count < 2 or control.count < 2:
        return None
    value = arm.total / arm.count - factor * control.total / control.count
    error = sqrt(
        arm.variance(bounded=bounded) / arm.count
        + factor * factor * control.variance(bounded=bounded) / control.count
    )
    half = margin(error, arm.count + control.count, alpha, r2)
    return Interval(low=value - half, value=value, high=value + half)


def paired_contrast(
    paired: Paired, alpha: float, r2: float, *, bounded: bool, factor: float = 1.0
) -> Interval | None:
    """The arm's mean less `factor` times control's, where each unit has both: what they have in common makes
    no noise. None: fewer than two units."""
    n = paired.arm.count
    if n < 2:
        return None
    mine, theirs = paired.arm.total / n, paired.control.total / n
    squares = paired.arm.squares - 2.0 * factor * paired.products + factor * factor * paired.control.squares
    value = mine - factor * theirs
    variance = max(0.0, (squares - n * value * value) / (n - 1))
    if bounded:
        # As `Sums.variance`: one more unit at either end, or units that never differed would promise that
        # they never will.
        variance = max(variance, 2.0 / (n + 2.0))
    half = margin(sqrt(variance / n), n, alpha, r2)
    return Interval(low=value - half, value=value, high=value + half)
