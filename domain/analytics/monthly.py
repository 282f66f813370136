"""What a sum over some days comes to in a month of 30 days, and how sure that is.

Days differ. With c the standard deviation of a day by the mean day, n days seen and 30 to come, the relative
error of the projected month is c x sqrt(1/30 + 1/n). Of fewer than seven days c is at least one half.
"""

from collections.abc import Sequence
from math import ceil, floor, sqrt
from typing import Any, Final

from domain.analytics.estimate import Estimate
from domain.analytics.facts import Facts
from domain.analytics.recommendation import MONTH_DAYS
from domain.analytics.token_ratios import Z_95

DAYS_ENOUGH: Final = 7
SPREAD_MIN: Final = 0.5
"""Of a day by the mean day, where too few were seen to know."""


def per_month(period: Estimate, days: float, by_day: Sequence[int]) -> Estimate:
    """`period` is what was saved in `days`; `by_day` are costs of the days with use, the others being 0."""
    count = max(1, round(days))
    factor, off = MONTH_DAYS / days, min(1.0, Z_95 * spread(by_day, count) * sqrt(1 / MONTH_DAYS + 1 / count))
    # Less than nothing gets no less by being unsure: the error widens both ends.
    low = period.low * factor * (1 - off if period.low >= 0 else 1 + off)
    high = period.high * factor * (1 + off if period.high >= 0 else 1 - off)
    return Estimate(floor(low), round(period.expected * factor), ceil(high))


def spread(by_day: Sequence[int], count: int) -> float:
    """Standard deviation of a day by the mean day, days without use included."""
    mean = sum(by_day) / count
    if mean <= 0:
        return SPREAD_MIN
    idle = max(0, count - len(by_day))
    squares = sum((day - mean) ** 2 for day in by_day) + idle * mean * mean
    found = sqrt(squares / count) / mean
    return found if count >= DAYS_ENOUGH else max(SPREAD_MIN, found)


def looked_at(facts: Facts, requests: int) -> dict[str, Any]:
    """For evidence: the time, and how many requests are behind it."""
    return {
        "from_us": facts.from_us,
        "to_us": facts.to_us,
        "days": round(facts.days, 3),
        "requests": requests,
    }
