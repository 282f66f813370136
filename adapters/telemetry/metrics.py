"""Counters and histograms folded from wide events, without a metrics library on the hot path.

A labelled counter is one dictionary entry: folding an event costs about a microsecond, where a client
library's `labels()` alone costs that per metric. Labels are names of configured targets and closed lists
only, never anything a caller typed, so the number of series is bounded by the configuration.
"""

from collections.abc import Iterable

from adapters.telemetry.cache_metrics import CacheMetrics
from adapters.telemetry.series import Counter, Histogram, head, labels_text
from application.ports.telemetry import Gauge, Metrics
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.caching.effect import NO_CACHE
from domain.money import NANO_PER_USD

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
OVERHEAD_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


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
        self._caches = CacheMetrics()

    def observe(self, event: RequestEvent) -> None:
        self._requests.add(
            (event.provider, event.model, event.route, event.operation, event.outcome, str(event.status))
        )
        self._duration.observe((event.route, event.outcome), event.duration_us / 1e6)
        self._overhead.observe((), max(0, event.duration_us - event.upstream_us) / 1e6)
        if event.first_token_us is not None:
            self._first_token.observe((event.route,), event.first_token_us / 1e6)
        if event.cache != NO_CACHE:
            self._caches.observe(event)
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
        prompts = Counter(
            "interchange_prompt_cache_saved_usd",
            "Saved by providers' prompt caches, less the surcharge for writing them, where known.",
            target,
            NANO_PER_USD,
            kind="gauge",
        )
        for key, sums in self._attempts.items():
            attempts.add(key, sums.count)
            cost.add(key[:2], sums.cost_nano_usd)
            unpriced.add(key[:2], sums.unpriced)
            prompts.add(key[:2], sums.prompt_cache_saved_nano_usd)
            tokens.add((*key[:2], "input"), sums.input)
            tokens.add((*key[:2], "output"), sums.output)
            tokens.add((*key[:2], "cached_read"), sums.cached)
            tokens.add((*key[:2], "reasoning"), sums.reasoning)
        return attempts, tokens, cost, unpriced, prompts

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
            *self._caches.all(),
        )
        for metric in metrics:
            lines.extend(metric.lines())
        for gauge in gauges:
            lines.extend(head(gauge.name, gauge.help, gauge.kind))
            lines.extend(
                f"{gauge.name}{{{labels_text(labels)}}} {value:g}" for labels, value in gauge.samples
            )
        return ("\n".join(lines) + "\n").encode()


class AttemptSums:
    """What attempts of one target, way and outcome add up to: one look-up per attempt, not one per metric."""

    __slots__ = (
        "cached", "cost_nano_usd", "count", "input", "output", "prompt_cache_saved_nano_usd", "reasoning",
        "unpriced",
    )  # fmt: skip

    def __init__(self) -> None:
        self.count = self.input = self.output = self.cached = self.reasoning = 0
        self.cost_nano_usd = self.unpriced = self.prompt_cache_saved_nano_usd = 0

    def add(self, attempt: AttemptEvent) -> None:
        self.count += 1
        self.input += attempt.input_tokens
        self.output += attempt.output_tokens
        self.cached += attempt.cached_read_tokens
        self.reasoning += attempt.reasoning_tokens
        self.prompt_cache_saved_nano_usd += attempt.prompt_cache_saved_nano_usd or 0
        if attempt.cost_nano_usd is None:
            self.unpriced += 1
        else:
            self.cost_nano_usd += attempt.cost_nano_usd
