"""What anomalies are looked for in, hour by hour: spending, latency, errors, requests."""

from dataclasses import dataclass
from enum import Enum
from math import sqrt
from typing import Final, NamedTuple

from domain.anomalies.detector import Sensitivity, Side, Window, find_windows
from domain.anomalies.usual import HOUR_S
from domain.money import NANO_PER_USD

REQUESTS_MIN: Final = 20
"""Hours with fewer requests say nothing of latency and errors."""
COUNTED_MIN: Final = 20
"""Requests more or less than usual that are the least worth telling."""
FAILED_MIN: Final = 5
COST_MIN_NANO_USD: Final = NANO_PER_USD
"""What a window of spending costs more than usual at least: one dollar."""
_CHANCE: Final = 1.0
"""Of what chance does to a number of requests. It weighs hours with few requests against those with many; how
far the series strays by itself is learned."""
DAY_HOURS: Final = 24
WEEK_HOURS: Final = 7 * DAY_HOURS


class Metric(Enum):
    COST = "cost"
    """Nano-dollars per hour; only more than usual counts."""
    LATENCY = "latency"
    """Mean microseconds per request; only more counts."""
    ERRORS = "errors"
    """Share of requests that did not end `ok`, 0 to 1; only more counts."""
    REQUESTS = "requests"
    """Per hour; more and less count."""


UNITS: Final = {
    Metric.COST: "nano_usd_per_hour",
    Metric.LATENCY: "us_per_request",
    Metric.ERRORS: "share",
    Metric.REQUESTS: "requests_per_hour",
}
_SENSITIVITY: Final = {
    Metric.COST: Sensitivity(side=Side.UP, change_min=0.25),
    Metric.LATENCY: Sensitivity(side=Side.UP, change_min=0.25),
    Metric.ERRORS: Sensitivity(side=Side.UP, change_min=0.25, offset_min=0.02),
    Metric.REQUESTS: Sensitivity(side=Side.BOTH, change_min=0.25, offset_min=1.0),
}


class Hour(NamedTuple):
    """Sums of one hour; requests that are refused or cancelled by the caller are no errors of anybody else,
    but they did not end `ok`."""

    requests: int = 0
    ok_requests: int = 0
    cost_nano_usd: int = 0
    duration_us: int = 0


EMPTY: Final = Hour()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A window of hours, both included, counted from the first hour that was given."""

    window: Window
    requests: int
    change: float
    """Observed less expected over all strange hours: nano-dollars, requests, failed requests; of latency the
    microseconds that requests took longer, all together."""


def find_anomalies(metric: Metric, hours: list[Hour]) -> list[Found]:
    """Windows in whole hours, the oldest first. Hours before the first request are no history."""
    first = next((place for place, hour in enumerate(hours) if hour.requests), len(hours))
    used = hours[first:]
    samples = [_sample(metric, hour) for hour in used]
    noise = _noises(metric, used)
    found = []
    for window in find_windows(samples, HOUR_S, _SENSITIVITY[metric], noise):
        inside = used[window.first : window.last + 1]
        requests = sum(hour.requests for hour in inside)
        change = (window.observed - window.expected) * _weight(metric, inside)
        if abs(change) >= _change_min(metric):
            moved = window._replace(first=window.first + first, last=window.last + first)
            found.append(Found(window=moved, requests=requests, change=change))
    return found


def amount(metric: Metric, hour: Hour) -> int:
    """What of an hour can be told apart by who caused it; of the same unit as `Found.change`."""
    if metric is Metric.COST:
        return hour.cost_nano_usd
    if metric is Metric.LATENCY:
        return hour.duration_us
    return hour.requests - hour.ok_requests if metric is Metric.ERRORS else hour.requests


def _sample(metric: Metric, hour: Hour) -> float | None:
    if metric is Metric.COST:
        return float(hour.cost_nano_usd)
    if metric is Metric.REQUESTS:
        return float(hour.requests)
    if hour.requests < REQUESTS_MIN:
        return None
    if metric is Metric.LATENCY:
        return hour.duration_us / hour.requests
    return (hour.requests - hour.ok_requests) / hour.requests


def _noises(metric: Metric, hours: list[Hour]) -> list[float]:
    """The standard deviations that chance alone gives the logarithms of samples, roughly: as of counts."""
    if metric is not Metric.ERRORS:
        # Where requests fail to come, the day before says how many there would have been.
        day_before = [*hours[:1] * DAY_HOURS, *hours][: len(hours)]
        return [
            _CHANCE / sqrt(max(hour.requests, before.requests) + 1)
            for hour, before in zip(hours, day_before, strict=True)
        ]
    offset = _SENSITIVITY[metric].offset_min
    found, failed, requests = [], 0, 0
    for place, hour in enumerate(hours):
        # The share of the week before, this hour apart: of few requests, few fail, however many fail of all.
        usual = failed / requests if requests else 0.0
        found.append(sqrt(usual * hour.requests + 1) / ((usual + offset) * max(hour.requests, 1)))
        failed, requests = failed + hour.requests - hour.ok_requests, requests + hour.requests
        if place >= WEEK_HOURS:
            old = hours[place - WEEK_HOURS]
            failed, requests = failed - old.requests + old.ok_requests, requests - old.requests
    return found


def _weight(metric: Metric, inside: list[Hour]) -> float:
    if metric in (Metric.COST, Metric.REQUESTS):
        return float(len(inside))
    return float(sum(hour.requests for hour in inside))


def _change_min(metric: Metric) -> float:
    return {
        Metric.COST: float(COST_MIN_NANO_USD),
        Metric.REQUESTS: float(COUNTED_MIN),
        Metric.ERRORS: float(FAILED_MIN),
        Metric.LATENCY: 0.0,
    }[metric]
