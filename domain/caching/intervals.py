"""How far a share seen in a sample may lie from the true one."""

import math
from functools import lru_cache
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95


class Interval(NamedTuple):
    """Both ends are shares in [0, 1]."""

    low: float
    high: float


@lru_cache(maxsize=8_192)
def exact_interval(events: float, trials: float, *, confidence: float = CONFIDENCE) -> Interval:
    """Clopper and Pearson's: holds the true share at least as often as `confidence` says. Nothing tried: all
    is possible."""
    if trials <= 0:
        return Interval(0.0, 1.0)
    tail = (1.0 - confidence) / 2
    low = 0.0 if events <= 0 else _beta_quantile(tail, events, trials - events + 1)
    high = 1.0 if events >= trials else _beta_quantile(1 - tail, events + 1, trials - events)
    return Interval(low, high)


def _beta_quantile(share: float, a: float, b: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if _beta_share(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _beta_share(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by Lentz's continued fraction (Numerical Recipes 6.4)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _beta_share(1.0 - x, b, a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    tiny = 1e-300
    c, d = 1.0, 1.0 / max(tiny, 1.0 - (a + b) * x / (a + 1))
    total = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + term / c
            c = c if abs(c) > tiny else tiny
            total *= c * d
        if abs(c * d - 1.0) < 1e-12:
            break
    return front * total / a
