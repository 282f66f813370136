"""Advice about routes, providers and what nobody uses: mostly without a figure, because none can be told."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from domain.analytics.baseline import COUNTED
from domain.analytics.estimate import exactly
from domain.analytics.event import RequestEvent
from domain.analytics.facts import Facts
from domain.analytics.monthly import looked_at, per_month
from domain.analytics.prompt_caching import NO_SUMS, PromptCachingAdvice, PromptCachingSums, advice_for
from domain.analytics.recommendation import Advice, Kind, amounts, saves, subject_of, usd
from domain.caching.policy import CacheMode
from domain.money import format_usd
from domain.routing.target import Route

CACHE_REQUESTS_MIN: Final = 200
CACHE_NANO_USD_MIN: Final = 1_000_000_000
"""A dollar: below it a cache saves nothing worth its risk."""
ANSWERS_MIN: Final = 50
CUT_SHARE: Final = 0.05
"""Of answers that ended at the route's limit of tokens."""
ROOM_FACTOR: Final = 4
ATTEMPTS_MIN: Final = 50
FAILED_SHARE: Final = 0.05
UNUSED_DAYS_MIN: Final = 14
_NOT_ITS_FAULT: Final = frozenset(
    {"ok", "cancelled", "context_length", "content_policy", "caller_fault", "egress_refused"}
)


def caches(facts: Facts) -> Iterator[Advice]:
    """To look how often questions repeat, where nothing does."""
    requests: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    for group in facts.groups:
        if group.operation in COUNTED:
            requests[group.route] += group.sums.requests
            spent[group.route] += group.sums.cost_nano_usd
    for name, route in sorted(facts.routes.items()):
        enough = requests[name] >= CACHE_REQUESTS_MIN and spent[name] >= CACHE_NANO_USD_MIN
        if route.cache.mode is not CacheMode.OFF or not enough:
            continue
        yield Advice(
            kind=Kind.CACHE,
            subject=subject_of(route=name, cache="observe"),
            sentence=f"Route {name} spent {usd(spent[name])} and caches nothing. Set cache mode observe "
            "for some days: it serves nothing and tells how many questions repeat.",
            evidence={
                **looked_at(facts, requests[name]),
                "route": name,
                "spent_usd": format_usd(spent[name]),
                "unknown": ["how often equal or similar questions come: nothing looks at it yet"],
            },
        )


def prompt_caches(facts: Facts) -> Iterator[Advice]:
    """What `domain.analytics.prompt_caching` advises, with the figures behind it."""
    found: dict[tuple[str, str, str], PromptCachingSums] = {}
    for group in facts.groups:
        place, sums = (group.route, group.provider, group.model), group.sums
        found[place] = found.get(place, NO_SUMS).plus(
            PromptCachingSums(
                sums.requests,
                sums.attempts,
                sums.input_tokens,
                sums.cached_read_tokens,
                sums.cache_write_tokens,
                sums.prompt_cache_saved_nano_usd,
                sums.unpriced_prompt_cache_attempts,
            )
        )
    for (name, provider, model), each in sorted(found.items()):
        route, target = facts.routes.get(name), facts.target(provider, model)
        if route is None or target is None:
            continue
        advice = advice_for(each, target.prompt_cache, route.prompt_caching)
        if advice is not None:
            yield _prompt_cache(facts, name, target.own_id, provider, each, advice)


def _prompt_cache(
    facts: Facts, name: str, target: str, provider: str, sums: PromptCachingSums, advice: PromptCachingAdvice
) -> Advice:
    share, saving = sums.hit_share or 0.0, None
    if advice is PromptCachingAdvice.WRITTEN_IN_VAIN:
        saving = per_month(exactly(-sums.saved_nano_usd), facts.days, ())
        sentence = (
            f"On route {name}, {target} is paid more for writing prompts into its cache than reading saves: "
            f"switch prompt_caching off or to the longer time to live, which {saves(saving)}."
        )
    else:
        sentence = (
            f"On route {name}, prompts to {target} are long and {share:.0%} of them is read from its cache: "
            "try prompt_caching: auto. Whether they begin alike is not known, so neither is the saving."
        )
    evidence = {
        **looked_at(facts, sums.requests),
        "route": name,
        "target": target,
        "advice": advice.value,
        "attempts": sums.attempts,
        "input_tokens": sums.input_tokens,
        "cached_read_tokens": sums.cached_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
        "saved_usd": format_usd(sums.saved_nano_usd),
    }
    if saving is not None:
        evidence["saving"] = amounts(saving)
    subject = subject_of(route=name, prompt_caching=target)
    return Advice(
        kind=Kind.PROMPT_CACHING,
        subject=subject,
        sentence=sentence,
        evidence=evidence,
        saving=saving,
        integration_id=provider,
    )


def output_limits(facts: Facts) -> Iterator[Advice]:
    """Where a route's own limit cuts answers off, or holds budgets for answers that nobody writes."""
    answers: dict[str, list[RequestEvent]] = defaultdict(list)
    for one in facts.sample:
        if one.outcome == "ok" and one.operation in COUNTED and one.output_tokens:
            answers[one.route].append(one)
    for name, route in sorted(facts.routes.items()):
        limit, mine = route.max_output_tokens, answers[name]
        if limit is None or len(mine) < ANSWERS_MIN:
            continue
        longest = max(one.output_tokens for one in mine)
        # Shorter ones that ended so were limited by their callers.
        cut = sum(one.finish_reason == "length" and one.output_tokens >= limit for one in mine)
        if cut >= CUT_SHARE * len(mine):
            yield _limit(facts, route, Kind.RAISE_MAX_TOKENS, len(mine), cut, longest)
        elif longest * ROOM_FACTOR <= limit:
            yield _limit(facts, route, Kind.LOWER_MAX_TOKENS, len(mine), cut, longest)


def _limit(facts: Facts, route: Route, kind: Kind, answers: int, cut: int, longest: int) -> Advice:
    if kind is Kind.RAISE_MAX_TOKENS:
        sentence = (
            f"On route {route.name}, {cut / answers:.0%} of answers end at max_output_tokens "
            f"{route.max_output_tokens}: raise it, or ask for shorter answers. An answer cut off is paid for."
        )
    else:
        sentence = (
            f"On route {route.name}, no sampled answer has more than {longest} tokens, and "
            f"max_output_tokens is {route.max_output_tokens}: lowered to {2 * longest}, budgets hold less "
            "for each request."
        )
    return Advice(
        kind=kind,
        subject=subject_of(route=route.name, limit="max_output_tokens"),
        sentence=sentence,
        evidence={
            **looked_at(facts, answers),
            "route": route.name,
            "max_output_tokens": route.max_output_tokens,
            "longest_answer_tokens": longest,
            "ended_at_the_limit": cut,
            "sampled": not facts.sample_complete,
        },
    )


def unreliable(facts: Facts) -> Iterator[Advice]:
    """Providers whose sampled attempts fail often, whoever then answered."""
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for one in facts.sample:
        for attempt in one.attempts:
            tried[attempt.provider] += 1
            if attempt.outcome not in _NOT_ITS_FAULT:
                failed[attempt.provider] += 1
                kinds[attempt.provider][attempt.outcome] += 1
    models = {target.provider for target in facts.targets}
    for provider, count in sorted(tried.items()):
        share = failed[provider] / count
        if provider not in models or count < ATTEMPTS_MIN or share <= FAILED_SHARE:
            continue
        often = ", ".join(f"{kind} {number}" for kind, number in kinds[provider].most_common(3))
        yield Advice(
            kind=Kind.UNRELIABLE_PROVIDER,
            subject=subject_of(provider=provider),
            sentence=f"{share:.1%} of {count} sampled attempts at {provider} failed ({often}). Put another "
            "provider before it, or look at its limits and its status.",
            evidence={
                **looked_at(facts, len(facts.sample)),
                "provider": provider,
                "attempts": count,
                "failed": failed[provider],
                "kinds": dict(kinds[provider].most_common(10)),
                "sampled": not facts.sample_complete,
            },
            integration_id=provider,
        )


def unused(facts: Facts) -> Iterator[Advice]:
    """Routes and integrations that nothing touched for two weeks at least."""
    if facts.days < UNUSED_DAYS_MIN:
        return
    days = round(facts.days)
    if facts.routes_used is not None:
        for name in sorted(set(facts.routes) - facts.routes_used):
            sentence = f"Route {name} had no request in {days} days"
            yield _unused(facts, Kind.UNUSED_ROUTE, "route", name, sentence)
    for name, requests in sorted(facts.integrations.items()):
        if not requests:
            sentence = f"Integration {name} had no call in {days} days"
            yield _unused(facts, Kind.UNUSED_INTEGRATION, "integration", name, sentence)


def _unused(facts: Facts, kind: Kind, what: str, name: str, sentence: str) -> Advice:
    return Advice(
        kind=kind,
        subject=subject_of(**{what: name}),
        sentence=f"{sentence}: remove it, or find out why nothing reaches it.",
        evidence={**looked_at(facts, 0), what: name},
    )
