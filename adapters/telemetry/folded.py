"""What the page tells of requests and attempts, from what those that are alike add up to."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from adapters.telemetry.series import Counter, Family, Labels
from adapters.telemetry.sums import AttemptSums, RequestSums
from domain.caching.effect import HIT_KINDS, HITS, MISS, NO_CACHE, SHADOW, HitKind
from domain.money import NANO_PER_USD

TARGET: Final = ("provider", "model")
PROMPT_CACHE: Final = "prompt_cache"
"""The kind of saving that providers' own caches make."""
_TIERS_OF_EVENTS: Final = (HitKind.SEMANTIC, HitKind.COALESCED)
"""Whose hits nothing else counts."""
Sampled: TypeAlias = dict[str, dict[Labels, list[int]]]
"""By what is counted and labels; whole numbers that only the differences are asked of."""

ROUTES: Final = "routes"
TARGETS: Final = "targets"


def request_families(alike: Sequence[RequestSums], tried: Iterable[AttemptSums]) -> Iterable[Family]:
    """Of requests."""
    requests = Counter("interchange_requests_total", "", (*TARGET, "route", "operation", "outcome", "status"))
    fallbacks = Counter("interchange_fallbacks_total", "", ("route",))
    skips = Counter("interchange_breaker_skips_total", "", ("route",))
    cost = Counter("interchange_operation_cost_nano_usd_total", "", ("operation",))
    cached = Counter("interchange_cache_requests_total", "", ("route", "outcome"))
    saved = Counter("interchange_cache_saved_usd_total", "", ("route", "kind"), NANO_PER_USD)
    saved_nano = Counter("interchange_cache_saved_nano_usd_total", "", ("route", "kind"))
    missed = Counter("interchange_cache_miss_cost_nano_usd_total", "", ("route",))
    unpriced = Counter("interchange_cache_unpriced_hits_total", "", ("route", "kind"))
    tiers = Counter("interchange_cache_lookups_total", "", ("tier", "outcome"))
    savings = Counter("interchange_cost_savings_usd", "", ("kind",), NANO_PER_USD, kind="gauge")
    for sums in alike:
        provider, model, route, operation, outcome, status, cache = sums.key
        if cache != SHADOW:  # nobody was answered by it: alerts are about those who were
            requests.add((provider, model, route, operation, outcome, str(status)), sums.requests)
        cost.add((operation,), sums.cost_nano_usd)
        if sums.fallbacks:
            fallbacks.add((route,), sums.fallbacks)
        if sums.breaker_skips:
            skips.add((route,), sums.breaker_skips)
        if cache == NO_CACHE:
            continue
        cached.add((route, cache), sums.requests)
        if cache == MISS:
            missed.add((route,), sums.cost_nano_usd)
        kind = HIT_KINDS.get(cache)
        if kind is None:
            continue
        if kind in _TIERS_OF_EVENTS:
            tiers.add((kind.value, "hit"), sums.requests)
        saved.add((route, kind.value), sums.saved_nano_usd)
        saved_nano.add((route, kind.value), sums.saved_nano_usd)
        savings.add((kind.value,), sums.saved_nano_usd)
        if sums.unpriced_hits:
            unpriced.add((route, kind.value), sums.unpriced_hits)
    for tries in tried:
        savings.add((PROMPT_CACHE,), tries.prompt_cache_saved_nano_usd)
    every = (requests, fallbacks, skips, cost, cached, saved, saved_nano, missed, unpriced, tiers, savings)
    return [counter.family() for counter in every]


def attempt_families(tried: Iterable[AttemptSums]) -> Iterable[Family]:
    """Of calls to providers."""
    attempts = Counter("interchange_attempts_total", "", (*TARGET, "via", "outcome"))
    tokens = Counter("interchange_tokens_total", "", (*TARGET, "type"))
    cost = Counter("interchange_cost_usd_total", "", TARGET, NANO_PER_USD)
    exact = Counter("interchange_cost_nano_usd_total", "", TARGET)
    unpriced = Counter("interchange_unpriced_attempts_total", "", TARGET)
    prompts = Counter("interchange_prompt_cache_saved_usd", "", TARGET, NANO_PER_USD, kind="gauge")
    generated = Counter("interchange_generated_tokens_total", "", TARGET)
    generating = Counter("interchange_generating_seconds_total", "", TARGET, 1_000_000)
    for sums in tried:
        target = sums.key[:2]
        attempts.add(sums.key, sums.count)
        cost.add(target, sums.cost_nano_usd)
        exact.add(target, sums.cost_nano_usd)
        unpriced.add(target, sums.unpriced)
        prompts.add(target, sums.prompt_cache_saved_nano_usd)
        generated.add(target, sums.generated)
        generating.add(target, sums.generating_us)
        for kind, amount in (
            ("input", sums.input),
            ("output", sums.output),
            ("cached_read", sums.cached),
            ("cache_write", sums.cache_written),
            ("reasoning", sums.reasoning),
            ("audio", sums.audio),
            ("image", sums.image),
        ):
            if amount or kind in ("input", "output", "cached_read", "reasoning"):
                tokens.add((*target, kind), amount)
    every = (attempts, tokens, cost, exact, unpriced, prompts, generated, generating)
    return [counter.family() for counter in every]


def windowed(alike: Iterable[RequestSums], tried: Iterable[AttemptSums]) -> Sampled:
    """Of each route: priced requests, their cost, look-ups in caches, hits, what they saved, what misses
    cost. Of each target: cost, generated tokens, microseconds of generating."""
    routes: dict[Labels, list[int]] = {}
    targets: dict[Labels, list[int]] = {}
    for sums in alike:
        cache, hit = sums.key[6], sums.key[6] in HITS
        _add(
            routes,
            (sums.key[2],),
            sums.priced,
            sums.cost_nano_usd,
            sums.requests if hit or cache == MISS else 0,
            sums.requests if hit else 0,
            sums.saved_nano_usd,
            sums.cost_nano_usd if cache == MISS else 0,
        )
    for tries in tried:
        _add(targets, tries.key[:2], tries.cost_nano_usd, tries.generated, tries.generating_us)
    return {ROUTES: routes, TARGETS: targets}


def _add(into: dict[Labels, list[int]], key: Labels, *amounts: int) -> None:
    before = into.get(key)
    into[key] = list(amounts) if before is None else [a + b for a, b in zip(before, amounts, strict=True)]
