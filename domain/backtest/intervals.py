"""How far an estimate may be off, from what each unit adds to it.

An estimate that is a ratio of means varies, in large samples, as the mean of its units' influences does: the
delta method, with units as clusters. The quantile is Student's at the effective number of units (Cornish and
Fisher's expansion, two terms), so that few of them promise less. Shares from 0 to 1 get Wilson's interval at
the sample size that this variance stands for: a share of 0 in so many requests is not known to be 0.
"""

from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Final

from domain.experiments.sequences import Interval

LEVEL: Final = 0.95


def quantile(freedom: float, level: float = LEVEL) -> float:
    """Two-sided, of Student's distribution; `freedom` at least 1."""
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    v = max(1.0, freedom)
    return z + (z**3 + z) / (4.0 * v) + (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / (96.0 * v * v)


def by_unit(units: Sequence[str], influences: Iterable[float]) -> list[float]:
    """Influences added up over each unit."""
    sums: dict[str, float] = {}
    for unit, influence in zip(units, influences, strict=True):
        sums[unit] = sums.get(unit, 0.0) + influence
    return list(sums.values())


def standard_error(units: Sequence[str], influences: Sequence[float]) -> float:
    """Of a mean of so many influences."""
    sums = by_unit(units, influences)
    count = len(sums)
    if count < 2:
        return 0.0
    mean = sum(sums) / count
    spread = sum((each - mean) ** 2 for each in sums)
    return sqrt(spread * count / (count - 1)) / len(influences)


def interval(value: float, error: float, effective: float, *, bounded: bool) -> Interval:
    """Around one estimate from so many effective units; `bounded`: it is a share from 0 to 1."""
    reach = quantile(effective - 1.0)
    if not bounded:
        return Interval(low=max(0.0, value - reach * error), value=value, high=value + reach * error)
    share = min(1.0, max(0.0, value))
    size = max(1.0, effective)
    if error > 0.0 and 0.0 < share < 1.0:
        size = max(1.0, share * (1.0 - share) / (error * error))
    square = reach * reach
    middle = (share + square / (2.0 * size)) / (1.0 + square / size)
    half = reach * sqrt(share * (1.0 - share) / size + square / (4.0 * size * size)) / (1.0 + square / size)
    return Interval(low=max(0.0, middle - half), value=share, high=min(1.0, middle + half))


def difference(one: Interval, other: Interval, error: float, effective: float, *, bounded: bool) -> Interval:
    """Of `one` less `other`, whose difference has this error. Of shares, the two intervals put together
    (Newcombe's square-and-add), which leaves out that both were seen in the same requests: wider, not
    narrower."""
    value = one.value - other.value
    if not bounded:
        half = quantile(effective - 1.0) * error
        return Interval(low=value - half, value=value, high=value + half)
    low = value - sqrt((one.value - one.low) ** 2 + (other.high - other.value) ** 2)
    high = value + sqrt((one.high - one.value) ** 2 + (other.value - other.low) ** 2)
    return Interval(low=low, value=value, high=high)
