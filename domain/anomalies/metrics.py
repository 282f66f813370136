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
_CHANCE: Final = 0.5
"""Of what chance does to a number of requests. How far the series strays by itself is learned from it, chance
included; this is for hours with far fewer requests than most."""


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
    noise = [_noise(metric, hour, used[max(0, place - 24)]) for place, hour in enumerate(used)]
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


def _noise(metric: Metric, hour: Hour, day_before: Hour) -> float:
    """The standard deviation that chance alone gives the logarithm of a sample, roughly: as of counts. Where
    requests fail to come, the day before says how many there would have been."""
    if metric is Metric.ERRORS:
        failed = hour.requests - hour.ok_requests
        offset = _SENSITIVITY[metric].offset_min
        return sqrt(failed + 1) / (failed + 1 + offset * hour.requests)
    return _CHANCE / sqrt(max(hour.requests, day_before.requests) + 1)


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
