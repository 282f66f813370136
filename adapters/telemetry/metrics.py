"""Counters and histograms folded from wide events, without a metrics library on the hot path.

A labelled counter is one dictionary entry: folding an event costs about a microsecond, where a client
library's `labels()` alone costs that per metric. Labels are names of configured targets and closed lists
only, never anything a caller typed, so the number of series is bounded by the configuration.
"""

from bisect import bisect_left
from collections.abc import Iterable

from application.ports.telemetry import Gauge, Metrics
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.money import NANO_PER_USD

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class Histogram:
    """Fixed bounds; one list of counts per label set."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> None:
        self.name, self.text, self.labels, self._bounds = name, text, labels, bounds
        self._series: dict[tuple[str, ...], list[float]] = {}

    def observe(self, key: tuple[str, ...], value: float) -> None:
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = [0.0] * (len(self._bounds) + 2)
        series[bisect_left(self._bounds, value)] += 1
        series[-1] += value

    def lines(self) -> Iterable[str]:
        yield from _head(self.name, self.text, "histogram")
        for key, series in self._series.items():
            labels = _labels(zip(self.labels, key, strict=True))
            comma = "," if labels else ""
            running = 0.0
            for bound, count in zip((*self._bounds, "+Inf"), series[:-1], strict=True):
                running += count
                yield f'{self.name}_bucket{{{labels}{comma}le="{bound}"}} {running:g}'
            yield f"{self.name}_sum{{{labels}}} {series[-1]:.9g}"
            yield f"{self.name}_count{{{labels}}} {running:g}"


class Counter:
    """One number per label set."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...], scale: int = 1) -> None:
        self.name, self.text, self.labels, self._scale = name, text, labels, scale
        self._series: dict[tuple[str, ...], int] = {}

    def add(self, key: tuple[str, ...], amount: int = 1) -> None:
        self._series[key] = self._series.get(key, 0) + amount

    def lines(self) -> Iterable[str]:
        yield from _head(self.name, self.text, "counter")
        for key, value in self._series.items():
            labels = _labels(zip(self.labels, key, strict=True))
            number = str(value) if self._scale == 1 else f"{value / self._scale:.12g}"
            yield f"{self.name}{{{labels}}} {number}"


class PrometheusMetrics(Metrics):
    """Per process; several workers are scraped one by one or summed by the supervisor."""

    def __init__(self) -> None:
        target = ("provider", "model")
        self._requests = Counter(
            "interchange_requests_total",
            "Requests by who answered and how they ended.",
            (*target, "route", "operation", "outcome", "status"),
        )
        self._attempts: dict[tuple[str, str, str, str], AttemptSums] = {}
        self._fallbacks = Counter(
            "interchange_fallbacks_total", "Requests another target answered.", ("route",)
        )
        self._failovers = Counter(
            "interchange_failovers_total",
            "One provider taking over from another.",
            ("original", "fallback", "reason"),
        )
        self._duration = Histogram(
            "interchange_request_duration_seconds", "Whole requests.", ("route", "outcome"), SECONDS
        )
        self._first_token = Histogram(
            "interchange_first_token_seconds", "Time to the first content of streams.", ("route",), SECONDS
        )
        self._overhead = Histogram(
            "interchange_overhead_seconds",
            "Duration less the time spent waiting for providers.",
            (),
            OVERHEAD_SECONDS,
        )

    def observe(self, event: RequestEvent) -> None:
        self._requests.add(
            (event.provider, event.model, event.route, event.operation, event.outcome, str(event.status))
        )
        self._duration.observe((event.route, event.outcome), event.duration_us / 1e6)
        self._overhead.observe((), max(0, event.duration_us - event.upstream_us) / 1e6)
        if event.first_token_us is not None:
            self._first_token.observe((event.route,), event.first_token_us / 1e6)
        if event.fallbacks:
            self._fallbacks.add((event.route,))
        for attempt in event.attempts:
            key = (attempt.provider, attempt.model, attempt.via, attempt.outcome)
            sums = self._attempts.get(key)
            if sums is None:
                sums = self._attempts[key] = AttemptSums()
            sums.add(attempt)

    def failed_over(self, original_provider: str, fallback_provider: str, reason: str) -> None:
        self._failovers.add((original_provider, fallback_provider, reason))

    def _attempt_counters(self) -> Iterable[Counter]:
        target = ("provider", "model")
        attempts = Counter(
            "interchange_attempts_total", "Calls to providers by outcome.", (*target, "via", "outcome")
        )
        tokens = Counter("interchange_tokens_total", "Tokens by bucket.", (*target, "type"))
        cost = Counter(
            "interchange_cost_usd_total", "Cost of all attempts with a known price.", target, NANO_PER_USD
        )
        unpriced = Counter("interchange_unpriced_attempts_total", "Attempts of unknown cost.", target)
        for key, sums in self._attempts.items():
            attempts.add(key, sums.count)
            cost.add(key[:2], sums.cost_nano_usd)
            unpriced.add(key[:2], sums.unpriced)
            tokens.add((*key[:2], "input"), sums.input)
            tokens.add((*key[:2], "output"), sums.output)
            tokens.add((*key[:2], "cached_read"), sums.cached)
            tokens.add((*key[:2], "reasoning"), sums.reasoning)
        return attempts, tokens, cost, unpriced

    def render(self, gauges: Iterable[Gauge]) -> bytes:
        lines: list[str] = []
        metrics: tuple[Counter | Histogram, ...] = (
            self._requests,
            *self._attempt_counters(),
            self._fallbacks,
            self._failovers,
            self._duration,
            self._first_token,
            self._overhead,
        )
        for metric in metrics:
            lines.extend(metric.lines())
        for gauge in gauges:
            lines.extend(_head(gauge.name, gauge.help, gauge.kind))
            lines.extend(f"{gauge.name}{{{_labels(labels)}}} {value:g}" for labels, value in gauge.samples)
        return ("\n".join(lines) + "\n").encode()


class AttemptSums:
    """What attempts of one target, way and outcome add up to: one look-up per attempt, not one per metric."""

    __slots__ = ("cached", "cost_nano_usd", "count", "input", "output", "reasoning", "unpriced")

    def __init__(self) -> None:
        self.count = self.input = self.output = self.cached = self.reasoning = 0
        self.cost_nano_usd = self.unpriced = 0

    def add(self, attempt: AttemptEvent) -> None:
        self.count += 1
        self.input += attempt.input_tokens
        self.output += attempt.output_tokens
        self.cached += attempt.cached_read_tokens
        self.reasoning += attempt.reasoning_tokens
        if attempt.cost_nano_usd is None:
            self.unpriced += 1
        else:
            self.cost_nano_usd += attempt.cost_nano_usd


def _head(name: str, text: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _labels(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
