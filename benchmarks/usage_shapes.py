"""Made-up usage by the hour, as tenants have it, and changes of which it is known when they happened.

Everything follows from a seed. A shape says how many requests an hour brings by the time of the week, and how
unsteady that is; chance is a level that wanders (each hour half of the hour before), and counts around it. A
`Change` multiplies one amount for some hours. Nothing here was fitted to a recorded series.
"""

import math
import random
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from domain.anomalies.metrics import Hour, Metric

DAY: Final = 24
_MEMORY: Final = 0.5
"""How much of its stray an hour takes over from the hour before."""
_COST_NANO_USD: Final = 50_000_000
_DURATION_US: Final = 900_000
_FAILING: Final = 0.01


class Shape(NamedTuple):
    """`rate` is requests per hour by (day, hour of the day); `unsteady` the deviation of its logarithm."""

    name: str
    rate: Callable[[int, int], float]
    unsteady: float


def _office(day: int, hour: int) -> float:
    peak = 600 * math.exp(-(((hour - 13.5) / 4.0) ** 2)) + 20
    return peak * (0.12 if day % 7 >= 5 else 1.0)


def _round_the_clock(_: int, hour: int) -> float:
    return 400 * (1 + 0.4 * math.sin(math.tau * hour / DAY))


def _nightly(_: int, hour: int) -> float:
    return 1500.0 if hour in (2, 3) else 80.0


def _growing(day: int, hour: int) -> float:
    return 0.3 * _office(day, hour) * 1.02**day


def _few(day: int, hour: int) -> float:
    return 0.02 * _office(day, hour)


def _even(rate: float) -> Callable[[int, int], float]:
    return lambda *_: rate


SHAPES: Final = (
    Shape("office hours", _office, 0.15),
    Shape("round the clock", _round_the_clock, 0.1),
    Shape("even", _even(300.0), 0.05),
    Shape("nightly job", _nightly, 0.2),
    Shape("hourly leaps", _even(300.0), 0.5),
    Shape("growing", _growing, 0.15),
    Shape("quiet", _even(30.0), 0.1),
    Shape("few", _few, 0.3),
    Shape("hardly any", _even(0.3), 0.5),
)
BUSY: Final = SHAPES[:6]
"""Those with requests enough to see a change of an hour."""


def usage(shape: Shape, days: int, seed: int) -> list[Hour]:
    """Hours from a Monday at midnight on."""
    chance = random.Random(f"{shape.name} {seed}")
    found, stray, dear, slow = [], 0.0, 0.0, 0.0
    fresh = math.sqrt(1 - _MEMORY**2)
    for place in range(days * DAY):
        stray = _MEMORY * stray + fresh * chance.gauss(0, shape.unsteady)
        dear = _MEMORY * dear + fresh * chance.gauss(0, 0.1)
        slow = _MEMORY * slow + fresh * chance.gauss(0, 0.08)
        count = counted(chance, shape.rate(place // DAY, place % DAY) * math.exp(stray))
        # What one request costs or takes differs by far more than their mean of an hour.
        each = 0.8 / math.sqrt(count) if count else 0.0
        cost = count * _COST_NANO_USD * math.exp(dear + chance.gauss(0, each))
        took = count * _DURATION_US * math.exp(slow + chance.gauss(0, each))
        failed = min(count, counted(chance, count * _FAILING))
        found.append(Hour(count, count - failed, round(cost), round(took)))
    return found


def counted(chance: random.Random, mean: float) -> int:
    """How many of independent events come (Poisson's distribution; a normal one where they are many)."""
    if mean > 60:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    left, count = math.exp(-mean), -1
    product = 1.0
    while product > left:
        product *= chance.random()
        count += 1
    return max(0, count)


class Change(NamedTuple):
    """What happens to `metric` in `len(factors)` hours from `at_hour` of a day on."""

    name: str
    metric: Metric
    at_hour: int
    factors: Sequence[float]
    shapes: tuple[Shape, ...] = BUSY


def _climb(days: int, to: float) -> list[float]:
    return [to ** (hour / (days * DAY)) for hour in range(days * DAY)]


def _swings(hours: int, deviation: float) -> list[float]:
    chance = random.Random(4)
    return [math.exp(chance.gauss(0, deviation)) for _ in range(hours)]


CHANGES: Final = (
    Change("spike: an hour of 4 times", Metric.COST, 14, [4.0]),
    Change("surge: 5 hours of 2.5 times", Metric.COST, 10, [2.5] * 5),
    Change("shift: 3 days of 1.8 times", Metric.COST, 9, [1.8] * 72),
    Change("small shift: 3 days of 1.4 times", Metric.COST, 9, [1.4] * 72),
    Change("drift: 5 days up to 2.2 times, 2 days so", Metric.COST, 0, _climb(5, 2.2) + [2.2] * 48),
    Change("swings: a day, deviation 0.8", Metric.COST, 0, _swings(24, 0.8)),
    Change("busy weekend", Metric.COST, 0, [1 / 0.12] * 48, (SHAPES[0],)),
    Change("silence: 6 hours of nothing", Metric.REQUESTS, 10, [0.0] * 6),
    Change("drop: 8 hours of 0.4 times", Metric.REQUESTS, 10, [0.4] * 8),
    Change("slow: 3 hours of twice", Metric.LATENCY, 12, [2.0] * 3),
    Change("slower: a day of 1.35 times", Metric.LATENCY, 0, [1.35] * 24),
    Change("failing: 2 hours of 8 %", Metric.ERRORS, 12, [8.0] * 2),
    Change("failing a little: 12 hours of 4 %", Metric.ERRORS, 8, [4.0] * 12),
)


def changed(hours: Sequence[Hour], change: Change, first: int, seed: int) -> list[Hour]:
    """The same hours, with the change from hour `first` on."""
    chance = random.Random(f"{change.name} {seed}")
    found = list(hours)
    for place, factor in enumerate(change.factors, first):
        if place < len(found):
            found[place] = _times(found[place], change.metric, factor, chance)
    return found


def _times(hour: Hour, metric: Metric, factor: float, chance: random.Random) -> Hour:
    if metric is Metric.COST:
        return hour._replace(cost_nano_usd=round(hour.cost_nano_usd * factor))
    if metric is Metric.LATENCY:
        return hour._replace(duration_us=round(hour.duration_us * factor))
    if metric is Metric.ERRORS:
        failed = min(hour.requests, counted(chance, hour.requests * _FAILING * factor))
        return hour._replace(ok_requests=hour.requests - failed)
    return Hour(*(round(each * factor) for each in hour))
