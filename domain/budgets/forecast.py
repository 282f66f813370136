"""How fast a budget is spent, and when it will be used up if that goes on.

What was spent in the last hour says most about the next hours, the last day most about the next days, and the
whole period evens out what both had by chance. The present rate is a mean of the three, weighted by how far
ahead it is to look. It is an extrapolation, not a promise: nothing is known of tomorrow's work.
"""

from typing import Final, NamedTuple

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
OBSERVED_US_MIN: Final = 60_000_000
"""Below a minute of history an average is chance: nothing is extrapolated then."""
_NEAR: Final = (6, 3, 1)
"""Weights of last hour, last day and period where the rest of the period is at most a day."""
_FAR: Final = (2, 5, 3)


class Spending(NamedTuple):
    """What one account spent. `hour` and `day` are of the last hour and day, but not from before `start_us`;
    None: not known.

    `committed_nano_usd` counts since `start_us` (None: since nobody knows when); times are UTC epoch
    microseconds. `end_us` None: the period has no end. `rolling_us` is the length of a sliding window, of
    which `committed_nano_usd` then is the sum.
    """

    limit_nano_usd: int
    committed_nano_usd: int
    start_us: int | None
    end_us: int | None
    rolling_us: int = 0
    hour_nano_usd: int | None = None
    day_nano_usd: int | None = None


class Forecast(NamedTuple):
    """`rate_nano_usd_per_day` is the present rate; `observed_us` how much history it is made of.

    `projected_nano_usd` is what the period comes to at that rate (of a sliding window: what it then holds at
    any time), None where there is no end to project to. `exhausted_at_us` is when the limit is reached, the
    present where it already is; None: never at this rate, or not before the period ends.
    """

    rate_nano_usd_per_day: int
    observed_us: int
    projected_nano_usd: int | None
    exhausted_at_us: int | None


def forecast(spending: Spending, now_us: int) -> Forecast:
    """What the figures come to. A clock before the period's start counts as its start."""
    now_us = max(now_us, spending.start_us or 0)
    observed = _observed(spending, now_us)
    rate = _rate_per_day(spending, observed, now_us)
    left_us = None if spending.end_us is None else max(0, spending.end_us - now_us)
    if spending.rolling_us:
        projected: int | None = rate * spending.rolling_us // DAY_US
    elif left_us is None:
        projected = None
    else:
        projected = spending.committed_nano_usd + rate * left_us // DAY_US
    return Forecast(rate, observed, projected, _exhausted_at(spending, rate, left_us, now_us))


def _observed(spending: Spending, now_us: int) -> int:
    if spending.start_us is not None:
        since_start = now_us - spending.start_us
        return min(since_start, spending.rolling_us) if spending.rolling_us else since_start
    if spending.day_nano_usd is not None:
        return DAY_US
    return HOUR_US if spending.hour_nano_usd is not None else 0


def _rate_per_day(spending: Spending, observed: int, now_us: int) -> int:
    if observed < OBSERVED_US_MIN:
        return 0
    ahead = spending.rolling_us if spending.end_us is None else spending.end_us - now_us
    weights = _NEAR if 0 < ahead <= DAY_US else _FAR
    whole = None if spending.start_us is None else spending.committed_nano_usd
    amounts = (spending.hour_nano_usd, spending.day_nano_usd, whole)
    known = [
        (weight, amount * DAY_US // min(length, observed))
        for weight, amount, length in zip(weights, amounts, (HOUR_US, DAY_US, observed), strict=True)
        if amount is not None
    ]
    return sum(weight * rate for weight, rate in known) // sum(weight for weight, _ in known)


def _exhausted_at(spending: Spending, rate: int, left_us: int | None, now_us: int) -> int | None:
    room = spending.limit_nano_usd - spending.committed_nano_usd
    if room <= 0:
        return now_us
    if spending.rolling_us:
        # What leaves the window makes room again, at the mean rate at which it once came in.
        rate -= spending.committed_nano_usd * DAY_US // spending.rolling_us
    if rate <= 0:
        return None
    after = room * DAY_US // rate
    return now_us + after if left_us is None or after < left_us else None
