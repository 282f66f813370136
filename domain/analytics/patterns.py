"""How usage is spread: over hours and weekdays, over who and what, and how unevenly."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final, NamedTuple

from domain.analytics.rollup import DAY_US, HOUR_US

_THURSDAY: Final = 3
"""1970-01-01 was one; Monday is 0."""


class Use(NamedTuple):
    """What is counted of anything."""

    requests: int
    cost_nano_usd: int

    def plus(self, other: "Use") -> "Use":
        """Both together."""
        return Use(self.requests + other.requests, self.cost_nano_usd + other.cost_nano_usd)


NONE: Final = Use(0, 0)


class HourUse(NamedTuple):
    """One hour, by its start (UTC epoch microseconds)."""

    hour_us: int
    use: Use


class Share(NamedTuple):
    """One of those that used most. Shares are of the whole, 0 to 1; None: there is no whole.

    `trend` is the cost by that of the period before, less one; None: it cost nothing then.
    """

    name: str
    use: Use
    request_share: float | None
    cost_share: float | None
    before: Use
    trend: float | None


class Leaders(NamedTuple):
    """Who used most of one kind. None: nothing cost anything.

    `concentration` is the Herfindahl-Hirschman index of the costs, from 1 / `names` to 1; `enough_for_80` is
    how many of the dearest make 80 % of the cost.
    """

    shares: tuple[Share, ...]
    names: int
    concentration: float | None
    enough_for_80: int | None


class Burstiness(NamedTuple):
    """Of requests per hour; all None where nothing came.

    `variation` is the standard deviation by the mean; `burst_index` is Goh and Barabási's (s - m) / (s + m):
    -1 regular, 0 as by chance, towards 1 in bursts; `peak` is the busiest hour by the mean.
    """

    hours: int
    variation: float | None
    burst_index: float | None
    peak: float | None


class Rhythm(NamedTuple):
    """By hour of the day (24) and by weekday (7, Monday first), UTC."""

    by_hour: tuple[Use, ...]
    by_weekday: tuple[Use, ...]
    burstiness: Burstiness


def rhythm_of(hours: Sequence[HourUse], from_us: int, to_us: int) -> Rhythm:
    """Hours without a row had no request."""
    by_hour, by_weekday = [NONE] * 24, [NONE] * 7
    for each in hours:
        hour = each.hour_us // HOUR_US % 24
        weekday = (each.hour_us // DAY_US + _THURSDAY) % 7
        by_hour[hour] = by_hour[hour].plus(each.use)
        by_weekday[weekday] = by_weekday[weekday].plus(each.use)
    count = max(1, -(-to_us // HOUR_US) - from_us // HOUR_US)
    return Rhythm(tuple(by_hour), tuple(by_weekday), burstiness([each.use.requests for each in hours], count))


def burstiness(requests: Sequence[int], hours: int) -> Burstiness:
    """Of so many hours, of which these had requests."""
    mean = sum(requests) / hours
    if not mean:
        return Burstiness(hours, None, None, None)
    idle = max(0, hours - len(requests))
    squares = sum((one - mean) ** 2 for one in requests) + idle * mean * mean
    deviation = sqrt(squares / hours)
    return Burstiness(
        hours, deviation / mean, (deviation - mean) / (deviation + mean), max(requests, default=0) / mean
    )


def leaders_of(now: Mapping[str, Use], before: Mapping[str, Use], *, top: int) -> Leaders:
    """The dearest first, at most `top` shown; the figures are over all of `now`."""
    requests, cost = (sum(column) for column in zip(*now.values(), strict=True)) if now else (0, 0)
    ordered = sorted(now.items(), key=lambda item: (-item[1].cost_nano_usd, -item[1].requests, item[0]))
    shares = tuple(
        Share(
            name,
            use,
            use.requests / requests if requests else None,
            use.cost_nano_usd / cost if cost else None,
            before.get(name, NONE),
            trend(use.cost_nano_usd, before.get(name, NONE).cost_nano_usd),
        )
        for name, use in ordered[:top]
    )
    costs = [use.cost_nano_usd for _, use in ordered]
    return Leaders(
        shares,
        len(now),
        sum((one / cost) ** 2 for one in costs) if cost else None,
        _enough(costs, cost) if cost else None,
    )


def trend(now: int, before: int) -> float | None:
    """By how much it grew, 0.1 being a tenth; None: there was nothing."""
    return now / before - 1 if before > 0 else None


def _enough(costs: Sequence[int], whole: int) -> int:
    gathered = 0
    for count, one in enumerate(costs, 1):
        gathered += one
        if gathered * 5 >= whole * 4:
            return count
    return len(costs)
