"""Counters and histograms folded from wide events, without a metrics library on the hot path.

Requests that are alike share one object with all they are added to, so that folding an event costs one
look-up for it, one for its tenant and one per attempt; what the page shows is derived from these when it is
asked for. Labels are names of configured targets and closed lists only, never anything a caller typed, and
each kind of label has a bound beyond which everything is `other`.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final, TypeVar

from adapters.telemetry.folded import Sampled, attempt_families, request_families, windowed
from adapters.telemetry.gauges import gauge_families
from adapters.telemetry.series import MICROSECONDS, Counter, Counts, Family, Histogram, Labels, page_of
from adapters.telemetry.sums import (
    OVERHEAD_SECONDS,
    SECONDS,
    SIMILARITIES,
    STAGE_SECONDS,
    AttemptKey,
    AttemptSums,
    RequestKey,
    RequestSums,
)
from adapters.telemetry.tenants import OTHER, TenantCounts
from application.ports.telemetry import Gauge, Metrics
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.caching.effect import HIT_KINDS, HIT_SEMANTIC, NO_CACHE, SHADOW

T = TypeVar("T")
ROUTES_MAX: Final = 100
PROVIDERS_MAX: Final = 100
TARGETS_MAX: Final = 500
ALIKE_MAX: Final = 2000
"""Kinds of requests, and of attempts, that are told apart."""
FAILOVERS_MAX: Final = 500
CHECKS_MAX: Final = 20
_STAGES: Final = ("entry", "admit", "cache", "plan", "hold")


class PrometheusMetrics(Metrics):
    """Per process; `InstanceMetrics` makes one page of all processes."""

    def __init__(self, tenants: TenantCounts | None = None) -> None:
        self.tenants = tenants or TenantCounts()
        self._requests: dict[RequestKey, RequestSums] = {}
        self._attempts: dict[AttemptKey, AttemptSums] = {}
        self._routes: set[str] = set()
        self._targets: set[tuple[str, str]] = set()
        self._providers: set[str] = set()
        self._failovers = Counter("interchange_failovers_total", "", ("original", "fallback", "reason"))
        self._failover_keys: set[Labels] = set()
        self._checks = Counter("interchange_answer_checks_total", "", ("finding",))
        self._seen_checks: set[str] = set()
        self._duration = _histogram("interchange_request_duration_seconds", ("route", "outcome"), SECONDS)
        self._first_token = _histogram("interchange_first_token_seconds", ("route",), SECONDS)
        self._tries = _histogram("interchange_attempt_duration_seconds", ("provider",), SECONDS)
        self._try_first_token = _histogram("interchange_attempt_first_token_seconds", ("provider",), SECONDS)
        self._overhead = _histogram("interchange_overhead_seconds", (), OVERHEAD_SECONDS)
        self._queue = _histogram("interchange_queue_wait_seconds", (), SECONDS)
        self._stages = _histogram("interchange_stage_seconds", ("stage",), STAGE_SECONDS)
        self._gaps = _histogram("interchange_stream_gap_seconds", ("route",), SECONDS)
        self._similarity = Histogram("interchange_cache_similarity", "", ("route",), SIMILARITIES)
        self._second_bounds = self._duration.bounds
        self._overhead_bounds, self._stage_bounds = self._overhead.bounds, self._stages.bounds
        self._overhead_counts = self._overhead.series(())
        self._queue_counts = self._queue.series(())
        self._entry, self._admit, self._cache, self._plan, self._hold = (
            self._stages.series((stage,)) for stage in _STAGES
        )

    def observe(self, event: RequestEvent) -> None:
        cache = event.cache
        key = (
            event.provider, event.model, event.route, event.operation, event.outcome, event.status, cache,
        )  # fmt: skip
        sums = self._requests.get(key)
        if sums is None:
            sums = self._begin(key)
        sums.requests += 1
        seconds, duration_us = self._second_bounds, event.duration_us
        counts = sums.duration
        counts[bisect_left(seconds, duration_us)] += 1
        counts[-1] += duration_us
        overhead_us = duration_us - event.upstream_us
        if overhead_us < 0:
            overhead_us = 0
        counts = self._overhead_counts
        counts[bisect_left(self._overhead_bounds, overhead_us)] += 1
        counts[-1] += overhead_us
        self._observe_stages(event)
        if event.first_token_us is not None:
            counts = sums.first_token
            counts[bisect_left(seconds, event.first_token_us)] += 1
            counts[-1] += event.first_token_us
        cost = event.cost_nano_usd
        tenant = self.tenants.counts.get(event.tenant_id)
        if tenant is None:
            tenant = self.tenants.begin(event.tenant_id)
        tenant[0] += 1
        if cost is not None:
            sums.priced += 1
            sums.cost_nano_usd += cost
            tenant[1] += cost
        if cache != NO_CACHE:
            self._observe_cache(sums, event)
        if event.fallbacks:
            sums.fallbacks += 1
        if event.breaker_skips:
            sums.breaker_skips += event.breaker_skips
        if event.gap_max_us is not None:
            self._gaps.observe((sums.key[2],), event.gap_max_us)
        if event.checks:
            self._observe_checks(event.checks)
        for attempt in event.attempts:
            self._observe_attempt(attempt)

    def _observe_attempt(self, attempt: AttemptEvent) -> None:
        seconds = self._second_bounds
        tried = (attempt.provider, attempt.model, attempt.via, attempt.outcome)
        tries = self._attempts.get(tried)
        if tries is None:
            tries = self._begin_attempt(tried)
        tries.add(attempt)
        duration_us = attempt.duration_us
        counts = tries.duration
        counts[bisect_left(seconds, duration_us)] += 1
        counts[-1] += duration_us
        first_token_us = attempt.first_token_us
        if first_token_us is not None:
            counts = tries.first_token
            counts[bisect_left(seconds, first_token_us)] += 1
            counts[-1] += first_token_us
            if attempt.output_tokens and duration_us > first_token_us:
                tries.generated += attempt.output_tokens
                tries.generating_us += duration_us - first_token_us

    def _observe_stages(self, event: RequestEvent) -> None:
        bounds = self._stage_bounds
        us = event.entry_us
        counts = self._entry
        counts[bisect_left(bounds, us)] += 1
        counts[-1] += us
        us = event.admit_us
        counts = self._admit
        counts[bisect_left(bounds, us)] += 1
        counts[-1] += us
        us = event.plan_us
        counts = self._plan
        counts[bisect_left(bounds, us)] += 1
        counts[-1] += us
        # Most requests spend nothing on these.
        _count(self._cache, bounds, event.cache_us) if event.cache_us else _count_none(self._cache)
        _count(self._hold, bounds, event.hold_us) if event.hold_us else _count_none(self._hold)
        us = event.queue_us
        _count(self._queue_counts, self._second_bounds, us) if us else _count_none(self._queue_counts)

    def _observe_cache(self, sums: RequestSums, event: RequestEvent) -> None:
        if event.cache not in HIT_KINDS:
            return
        if event.saved_nano_usd is None:
            sums.unpriced_hits += 1
        else:
            sums.saved_nano_usd += event.saved_nano_usd
        if event.cache == HIT_SEMANTIC and event.cache_similarity is not None:
            self._similarity.observe((sums.key[2],), event.cache_similarity)

    def _observe_checks(self, checks: str) -> None:
        for finding in checks.split(","):
            known = _within(finding, self._seen_checks, CHECKS_MAX, OTHER)
            self._checks.add((known,))

    def failed_over(self, original_provider: str, fallback_provider: str, reason: str) -> None:
        key: Labels = (original_provider, fallback_provider, reason)
        self._failovers.add(_within(key, self._failover_keys, FAILOVERS_MAX, (OTHER, OTHER, OTHER)))

    def _begin(self, key: RequestKey) -> RequestSums:
        """Where requests like this are added to, found again under their own key as long as there is room."""
        provider, model, route, *rest = key
        route = _within(route, self._routes, ROUTES_MAX, OTHER)
        provider, model = _within((provider, model), self._targets, TARGETS_MAX, (OTHER, OTHER))
        full = len(self._requests) >= ALIKE_MAX
        if full:
            route, provider, model = OTHER, OTHER, OTHER
        shown: RequestKey = (provider, model, route, *rest)  # type: ignore[assignment]
        sums = self._requests.get(shown)
        if sums is None:
            duration, first_token = self._duration.series((route, key[4])), self._first_token.series((route,))
            if key[6] == SHADOW:  # nobody waited so long: counted apart, and shown nowhere
                duration, first_token = [0] * len(duration), [0] * len(first_token)
            sums = RequestSums(shown, duration, first_token)
            self._requests[shown] = sums
        if not full:
            self._requests[key] = sums
        return sums

    def _begin_attempt(self, key: AttemptKey) -> AttemptSums:
        provider, model, via, outcome = key
        provider, model = _within((provider, model), self._targets, TARGETS_MAX, (OTHER, OTHER))
        full = len(self._attempts) >= ALIKE_MAX
        if full:
            provider, model = OTHER, OTHER
        shown = (provider, model, via, outcome)
        sums = self._attempts.get(shown)
        if sums is None:
            group = (_within(provider, self._providers, PROVIDERS_MAX, OTHER),)
            sums = AttemptSums(shown, self._tries.series(group), self._try_first_token.series(group))
            self._attempts[shown] = sums
        if not full:
            self._attempts[key] = sums
        return sums

    def _alike(self) -> list[RequestSums]:
        return list({id(sums): sums for sums in self._requests.values()}.values())

    def _tried(self) -> list[AttemptSums]:
        return list({id(sums): sums for sums in self._attempts.values()}.values())

    def families(self) -> list[Family]:
        """Everything counted, as it is now."""
        alike, tried = self._alike(), self._tried()
        counted = (
            self._failovers, self._checks, self._duration, self._first_token, self._tries,
            self._try_first_token, self._overhead, self._queue, self._stages, self._gaps, self._similarity,
        )  # fmt: skip
        return [
            *request_families(alike, tried),
            *attempt_families(tried),
            *(each.family() for each in counted),
            *self.tenants.families(),
        ]

    def windowed(self) -> Sampled:
        """What is also told of the last minutes, as it is now."""
        return windowed(self._alike(), self._tried())

    def render(self, gauges: Iterable[Gauge]) -> bytes:
        self.tenants.show(self.tenants.candidates())
        return page_of((*self.families(), *gauge_families(gauges)))


class NoMetrics(PrometheusMetrics):
    """For who wants none: counts nothing."""

    def observe(self, _event: RequestEvent) -> None:
        return

    def failed_over(self, _original: str, _fallback: str, _reason: str) -> None:
        return


def _count(counts: Counts, bounds: tuple[float, ...], us: int) -> None:
    counts[bisect_left(bounds, us)] += 1
    counts[-1] += us


def _count_none(counts: Counts) -> None:
    counts[0] += 1


def _within(key: T, known: set[T], limit: int, other: T) -> T:
    """The key, if it is among the first `limit` that were met."""
    if key in known:
        return key
    if len(known) >= limit:
        return other
    known.add(key)
    return key


def _histogram(name: str, labels: tuple[str, ...], bounds: tuple[float, ...]) -> Histogram:
    return Histogram(name, "", labels, bounds, MICROSECONDS)
