"""What was counted in the last minutes, and the figures for people that follow from it.

Counters are for Prometheus, which can form any rate itself; these gauges are for dashboards and for whoever
reads the page by eye.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from adapters.telemetry.folded import ROUTES, TARGETS, Sampled
from adapters.telemetry.series import Family, Labels, Value
from domain.money import NANO_PER_USD

WINDOW_S: Final = 300.0
STEP_S: Final = 10.0


class Window:
    """Differences to what was counted about five minutes ago, or since the start. Holds at most 31 looks."""

    def __init__(self, started_s: float) -> None:
        self._looks: deque[tuple[float, Sampled]] = deque([(started_s, {})])

    def take(self, now_s: float, sampled: Sampled) -> Sampled:
        """The counts of the window that ends at `now_s` (monotonic). For `targets`, cost is per hour."""
        if now_s - self._looks[-1][0] >= STEP_S:
            self._looks.append((now_s, sampled))
        while len(self._looks) > 1 and now_s - self._looks[1][0] >= WINDOW_S:
            self._looks.popleft()
        began_s, before = self._looks[0]
        span_s = max(1.0, now_s - began_s)
        counted = {
            what: {
                key: difference
                for key, values in rows.items()
                if any(difference := _less(values, before.get(what, {}).get(key)))
            }
            for what, rows in sampled.items()
        }
        for row in counted.get(TARGETS, {}).values():
            row[0] = round(row[0] * 3600 / span_s)
        return counted


def _less(values: list[int], before: list[int] | None) -> list[int]:
    return list(values) if before is None else [a - b for a, b in zip(values, before, strict=True)]


def added(windows: Iterable[Sampled]) -> Sampled:
    """Those of several workers as one."""
    total: Sampled = {}
    for window in windows:
        for what, rows in window.items():
            into = total.setdefault(what, {})
            for key, values in rows.items():
                before = into.get(key)
                into[key] = values if before is None else [a + b for a, b in zip(before, values, strict=True)]
    return total


def window_families(counted: Mapping[str, Mapping[Labels, list[int]]]) -> Iterable[Family]:
    """The figures for people. A ratio of nothing to nothing is not on the page."""
    per_request: dict[Labels, Value] = {}
    hit_ratio: dict[Labels, Value] = {}
    efficiency: dict[Labels, Value] = {}
    for key, (priced, cost, looked, hits, saved, missed) in counted.get(ROUTES, {}).items():
        if priced:
            per_request[key] = cost / priced / NANO_PER_USD
        if looked:
            hit_ratio[key] = hits / looked
        if saved + missed > 0:
            efficiency[key] = saved / (saved + missed)
    speed: dict[Labels, Value] = {}
    spend: dict[Labels, Value] = {}
    for key, (per_hour, tokens, generating_us) in counted.get(TARGETS, {}).items():
        if generating_us:
            speed[key] = tokens * 1e6 / generating_us
        provider = key[:1]
        spend[provider] = float(spend.get(provider, 0.0)) + per_hour / NANO_PER_USD  # type: ignore[arg-type]
    for name, labels, samples in (
        ("interchange_cost_per_request_usd", ("route",), per_request),
        ("interchange_cache_hit_ratio", ("route",), hit_ratio),
        ("interchange_optimization_efficiency_ratio", ("route",), efficiency),
        ("interchange_tokens_per_second", ("provider", "model"), speed),
        ("interchange_spend_rate_usd_per_hour", ("provider",), spend),
    ):
        yield Family(name, "gauge", "", labels, samples)
