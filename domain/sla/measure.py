"""What requests of a stretch of time add up to, for objectives and alerts.

One `Measure` is a row of whole numbers that adds up over minutes, hours, instances and providers; nothing in
it is an average. Durations are counted into fixed classes, so that a quantile of any stretch can be told to
within its class.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from domain.analytics.event import RequestEvent
from domain.caching.effect import HITS, LOOKUPS, SHADOW

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US

DURATION_MS: Final = (50, 100, 250, 500, 1000, 2000, 3000, 5000, 7500, 10_000, 15_000, 30_000, 60_000)
"""Upper ends of the classes of whole requests; above the last is one more."""
OVERHEAD_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
"""The same of the time spent in this installation itself."""
_DURATION_US: Final = tuple(end * 1000 for end in DURATION_MS)
_OVERHEAD_US: Final = tuple(end * 1000 for end in OVERHEAD_MS)

EVERYTHING: Final = ""
"""The scope of all requests of the installation."""

OURS: Final = frozenset(
    {"overloaded", "store_unavailable", "no_provider_available", "request_timeout", "privacy_unavailable"}
    | {"guardrail_unavailable", "vault_locked", "internal_error", "integration_unavailable"}
)
"""Codes of refusals that say that the installation could not, not that the caller may not."""
BY_RULE: Final = frozenset(
    {"budget_exceeded", "cost_unbounded", "guardrail_blocked", "pii_blocked", "agent_stopped"}
)
"""Codes of requests that a budget, a check or an operator ended as they should, wherever that was noticed."""
_PROVIDERS_4XX: Final = (408, 429)
"""The caller asked well, and got nothing."""
NOT_THE_PROVIDERS: Final = frozenset(
    {"caller_fault", "content_policy", "context_length", "egress_refused", "cancelled", "unresolved"}
)
"""Ends of attempts that say nothing about whether a provider works."""


class Measure(NamedTuple):
    """Sums. `durations` and `overheads` are counts by class, of requests that count."""

    requests: int = 0
    counted: int = 0
    """Those whose end is the installation's matter: neither left out nor the caller's mistake. Of a
    provider: attempts, without those that say nothing about it."""
    failed: int = 0
    """Of these, those without a whole answer."""
    errors: int = 0
    """Everything that ended in an error, callers' mistakes too."""
    left_out: int = 0
    """Neither good nor an error: cancelled by the caller, or refused as limits, budgets and rules say."""
    lookups: int = 0
    """Requests that a cache could have answered."""
    hits: int = 0
    priced: int = 0
    """Good answers whose cost is known."""
    cost_nano_usd: int = 0
    """Of the priced ones."""
    durations: tuple[int, ...] = (0,) * (len(DURATION_MS) + 1)
    overheads: tuple[int, ...] = (0,) * (len(OVERHEAD_MS) + 1)

    def plus(self, other: "Measure") -> "Measure":
        """Both together."""
        numbers = [a + b for a, b in zip(self[:9], other[:9], strict=True)]
        durations = tuple(a + b for a, b in zip(self.durations, other.durations, strict=True))
        overheads = tuple(a + b for a, b in zip(self.overheads, other.overheads, strict=True))
        return Measure(*numbers, durations=durations, overheads=overheads)  # type: ignore[misc, arg-type]

    def cost_per_request_nano_usd(self) -> float | None:
        """Mean cost of good answers; None: of none is it known."""
        return self.cost_nano_usd / self.priced if self.priced else None


NOTHING: Final = Measure()


def total(measures: Iterable[Measure]) -> Measure:
    """All together."""
    found = NOTHING
    for each in measures:
        found = found.plus(each)
    return found


def quantile_ms(counts: Sequence[int], ends_ms: Sequence[int], share: float) -> float | None:
    """The value that `share` of what was counted does not pass, as Prometheus' `histogram_quantile` tells it:
    linear within a class, the last end above all classes. None: nothing was counted."""
    whole = sum(counts)
    if not whole:
        return None
    rank, below, low = share * whole, 0, 0.0
    for count, end in zip(counts, ends_ms, strict=False):
        if count and below + count >= rank:
            return low + (end - low) * max(0.0, rank - below) / count
        below, low = below + count, float(end)
    return float(ends_ms[-1])


def within(counts: Sequence[int], ends_ms: Sequence[int], limit_ms: float) -> float:
    """How many of what was counted took at most so long; linear within a class. Above all classes nobody
    knows, and they count as longer."""
    found, low = 0.0, 0.0
    for count, end in zip(counts, ends_ms, strict=False):
        if limit_ms >= end:
            found += count
        else:
            return found + count * max(0.0, limit_ms - low) / (end - low)
        low = float(end)
    return found


class Scopes(NamedTuple):
    """What is measured beside the whole and each provider: what objectives and alerts name."""

    tenants: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    both: frozenset[tuple[str, str]] = frozenset()
    """A tenant's use of a route."""


def scope_of(tenant_id: str = "", route: str = "") -> str:
    """The name of a scope."""
    if tenant_id and route:
        return f"tenant:{tenant_id}/route:{route}"
    if tenant_id:
        return f"tenant:{tenant_id}"
    return f"route:{route}" if route else EVERYTHING


def provider_scope(provider: str) -> str:
    """The name of the scope of one provider's attempts."""
    return f"provider:{provider}"


def measured(events: Iterable[RequestEvent], scopes: Scopes) -> dict[tuple[int, str], Measure]:
    """What these requests add up to, by the minute they ended in (UTC epoch microseconds) and by scope.

    Runs once for every request there is, beside it.
    """
    minutes: dict[int, list[RequestEvent]] = {}
    for event in events:
        ended_us = event.started_at_us + event.duration_us
        minutes.setdefault(ended_us - ended_us % MINUTE_US, []).append(event)
    found: dict[tuple[int, str], Measure] = {}
    for minute_us, some in minutes.items():
        found[minute_us, EVERYTHING] = of_requests(some)
        for provider, measure in _of_providers(some).items():
            found[minute_us, provider_scope(provider)] = measure
        if scopes != Scopes():
            for scope, mine in _narrower(some, scopes).items():
                found[minute_us, scope] = of_requests(mine)
    return found


def of_requests(events: Sequence[RequestEvent]) -> Measure:
    """Of these requests."""
    whole = counted = failed = errors = left_out = lookups = hits = priced = cost = 0
    durations, overheads = [0] * (len(DURATION_MS) + 1), [0] * (len(OVERHEAD_MS) + 1)
    for event in events:
        if event.cache == SHADOW:
            continue  # no caller was answered by it, so none was failed
        whole += 1
        outcome = event.outcome
        if event.cache in LOOKUPS:
            lookups += 1
            hits += event.cache in HITS
        if _left_out(event):
            left_out += 1
            continue
        if outcome == "ok":
            if event.cost_nano_usd is not None:
                priced += 1
                cost += event.cost_nano_usd
        else:
            errors += 1
            if outcome == "error" and 400 <= event.status < 500 and event.status not in _PROVIDERS_4XX:
                continue  # it would have failed anywhere
            failed += 1
        counted += 1
        durations[bisect_left(_DURATION_US, event.duration_us)] += 1
        overheads[bisect_left(_OVERHEAD_US, event.duration_us - event.upstream_us)] += 1
    return Measure(
        whole, counted, failed, errors, left_out, lookups, hits, priced, cost,
        tuple(durations), tuple(overheads),
    )  # fmt: skip


def _left_out(event: RequestEvent) -> bool:
    if event.outcome == "refused":
        return event.error_code not in OURS
    return event.outcome == "cancelled" or (event.outcome != "ok" and event.error_code in BY_RULE)


def _of_providers(events: Iterable[RequestEvent]) -> dict[str, Measure]:
    sums: dict[str, list[int]] = {}
    for event in events:
        for attempt in event.attempts:
            mine = sums.setdefault(attempt.provider, [0, 0, 0])
            mine[0] += 1
            if attempt.outcome not in NOT_THE_PROVIDERS:
                mine[1] += 1
                mine[2] += attempt.outcome != "ok"
    return {
        provider: Measure(requests=asked, counted=counted, failed=failed, errors=failed)
        for provider, (asked, counted, failed) in sums.items()
    }


def _narrower(events: Iterable[RequestEvent], scopes: Scopes) -> dict[str, list[RequestEvent]]:
    found: dict[str, list[RequestEvent]] = {}
    for event in events:
        tenant_id, route = event.tenant_id, event.route
        if tenant_id in scopes.tenants:
            found.setdefault(scope_of(tenant_id), []).append(event)
        if route in scopes.routes:
            found.setdefault(scope_of("", route), []).append(event)
        if (tenant_id, route) in scopes.both:
            found.setdefault(scope_of(tenant_id, route), []).append(event)
    return found
