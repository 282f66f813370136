"""Panels about caches: how often they answer, whether similar answers are right, and the memory they take."""

from typing import Final

from contracts.alert_rules import WHERE_HIT, WHERE_LOOKUP
from contracts.dashboard_panels import (
    RATE,
    ROUTE,
    TENANT,
    Dashboard,
    Panel,
    Query,
    Section,
    bad_above,
    bad_below,
    grown,
    per_minute,
    quantile,
    rate,
    seen,
    share,
)
from domain.sla.rules import HITS, RULES

_CACHE: Final = "interchange_cache_requests_total"
_LOOKUPS: Final = "interchange_cache_lookups_total"
_PLACE: Final = "tenant, route"
_NAMED: Final = "{{tenant}} · {{route}}"
_GOOD: Final = bad_below(0.5, RULES[HITS].threshold)
_FULL: Final = bad_above(0.9, 0.98)


def _of(part: str, whole: str, across: str) -> str:
    """How full a tier is: bytes it takes of those it may take."""
    return f"{seen(part, across=across)} / {seen(whole, across=across)}"


_L1: Final = _of("interchange_cache_l1_bytes", "interchange_cache_l1_bytes_max", "sum")
_L2: Final = _of("interchange_cache_l2_bytes", "interchange_cache_l2_bytes_max", "max")

_LOOK: Final = Section(
    "In one look",
    (
        Panel(
            "Hit ratio",
            (Query(share(grown(_CACHE, ROUTE, WHERE_HIT), grown(_CACHE, ROUTE, WHERE_LOOKUP))),),
            "percentunit",
            "Of requests that could have been answered without a call, in the time shown. Low: prompts "
            "with changing parts (times, ids) never repeat; `interchange cache explain` compares two "
            "requests.",
            kind="stat", page="cache", alert=HITS, width=4, height=4, bounds=(0, 1), steps=_GOOD,
        ),
        Panel(
            "Calls saved",
            (Query(grown(_CACHE, ROUTE, WHERE_HIT)),),
            "short",
            "Hits of every kind in the time shown.",
            kind="stat", page="cache", width=4, height=4,
        ),
        Panel(
            "Saved",
            (Query(grown("interchange_cache_saved_usd_total", ROUTE)),),
            "currencyUSD",
            "What these hits would have cost, where that is known.",
            kind="stat", page="costs", width=4, height=4,
        ),
        Panel(
            "Wrong similar answers, at most",
            (Query(seen("interchange_cache_similar_error_upper", TENANT, ROUTE)),),
            "percentunit",
            "Upper bound of the worst route, right 97.5 times of 100. It is wide while few hits were "
            "audited. Above what you declared as `error_rate`: raise the threshold, or use `verified`.",
            kind="stat", page="cache", width=4, height=4, bounds=(0, 1), steps=bad_above(0.05, 0.5),
        ),
        Panel(
            "Memory in use",
            (Query(_L1),),
            "percentunit",
            "Of what answers may take in all workers. Full is normal; full with many evictions and a "
            "falling hit ratio wants a larger `cache.l1_bytes`.",
            kind="stat", page="cache", width=4, height=4, bounds=(0, 1), steps=_FULL,
        ),
        Panel(
            "Second tier",
            (Query(f"max({seen('interchange_cache_l2_down')} + 2 * {seen('interchange_cache_suspended')})"),),
            "short",
            "down: it does not answer, and only memory is asked. suspended: nothing is served, because an "
            "invalidation may have been missed; it ends by itself once the log is read again.",
            kind="stat", page="cache", width=4, height=4, bounds=(None, None), steps=bad_above(1, 2),
            words=((0, "answers", "green"), (1, "down", "orange"), (2, "suspended", "red"),
                   (3, "down, suspended", "red")),
        ),
    ),
)  # fmt: skip

_RATIOS: Final = Section(
    "Hit ratios",
    (
        Panel(
            "By route",
            (Query(share(rate(_CACHE, ROUTE, WHERE_HIT, by="route"),
                         rate(_CACHE, ROUTE, WHERE_LOOKUP, by="route")),
                   "{{route}}"),),
            "percentunit",
            "A route that fell after a change of its prompt has to learn anew. One that never rises needs "
            "no cache.",
            page="cache", alert=HITS, bounds=(0, 1), steps=_GOOD,
        ),
        Panel(
            "What the cache did, requests per second",
            (Query(rate(_CACHE, ROUTE, by="outcome"), "{{outcome}}"),),
            "reqps",
            "Hits by tier, misses, bypass (the caller wanted none, or the request cannot be kept), observe "
            "(only measured).",
            page="cache", stacked=True,
        ),
        Panel(
            "Hit ratio by tier",
            (Query(share(rate(_LOOKUPS, 'outcome="hit"', by="tier"), rate(_LOOKUPS, by="tier")),
                   "{{tier}}"),),
            "percentunit",
            "Each tier is asked about what the one before it did not have: l1 memory, l2 shared, semantic. "
            "`not_asked` counts as no hit: the second tier was down.",
            page="cache", bounds=(0, 1),
        ),
        Panel(
            "Cost of misses, per hour",
            (Query(f"{rate('interchange_cache_miss_cost_nano_usd_total', ROUTE, by='route')} / 1e9 * 3600",
                   "{{route}}"),),
            "currencyUSD",
            "What a better cache could save at most. Warm what is asked every day: `interchange cache "
            "warm`.",
            page="cache",
        ),
        Panel(
            "Time of the look-up, 95 %",
            (Query(quantile(0.95, "interchange_stage_seconds", 'stage="cache"')),),
            "s",
            "Memory takes microseconds; more is the second tier or the comparison of questions, bounded by "
            "`cache.l2_timeout_s`.",
            steps=bad_above(0.05, 0.25),
        ),
        Panel(
            "Not served although there, per minute",
            (Query(per_minute("interchange_cache_not_allowed_total"), "invalidated"),),
            "short",
            "Answers that a rule forbids. Many after an invalidation that was meant narrowly: look at its "
            "tags.",
            page="cache",
        ),
    ),
)  # fmt: skip

_SIMILAR: Final = Section(
    "Similarity",
    (
        Panel(
            "Similarity of served answers",
            (Query(grown("interchange_cache_similarity_bucket", ROUTE, by="le", over=RATE)),),
            "short",
            "How close questions were to those whose answer they got (cosine). Much just above the "
            "threshold: it decides a lot, so watch the errors beside.",
            kind="heatmap", page="cache", bounds=(None, None),
        ),
        Panel(
            "Similarity: the middle, and the least similar 5 %",
            (
                Query(quantile(0.5, "interchange_cache_similarity", ROUTE, by="route"), "{{route}} 50 %"),
                Query(quantile(0.05, "interchange_cache_similarity", ROUTE, by="route"), "{{route}} 5 %"),
            ),
            "percentunit",
            "Read from classes. When it sinks towards the threshold, questions are changing.",
            page="cache", bounds=(None, 1),
        ),
        Panel(
            "Looks for similar questions, per minute",
            (Query(per_minute("interchange_cache_similar_total", by="outcome"), "{{outcome}}"),),
            "short",
            "What became of each: served, below the threshold, stopped by a guard (numbers, names, "
            "negations), or not looked at in time.",
            page="cache",
        ),
        Panel(
            "Wrong similar answers, measured",
            (
                Query(seen("interchange_cache_similar_error", TENANT, ROUTE, by=_PLACE), _NAMED),
                Query(seen("interchange_cache_similar_error_upper", TENANT, ROUTE, by=_PLACE),
                      f"{_NAMED} at most"),
            ),
            "percentunit",
            "Audited hits whose answer was wrong, and the upper bound. The gap closes with audits: raise "
            "`audit_share` for a while.",
            page="cache", bounds=(0, 1), steps=bad_above(0.02, 0.05),
        ),
        Panel(
            "What is known",
            (
                Query(seen("interchange_cache_similar_labels", TENANT, ROUTE, by=_PLACE),
                      f"{_NAMED} compared"),
                Query(seen("interchange_cache_similar_unjudged", TENANT, ROUTE, by=_PLACE),
                      f"{_NAMED} unjudged"),
            ),
            "short",
            "Comparisons that the model of a route learned from, and audits of which nobody could say "
            "whether the answer was right.",
            page="cache",
        ),
        Panel(
            "Calls beside requests, per minute, and what audits cost today",
            (
                Query(per_minute("interchange_cache_beside_total", by="outcome"), "{{outcome}}"),
                Query(seen("interchange_cache_audit_cost_usd_today", TENANT, ROUTE, across="sum"),
                      "audits today, USD"),
            ),
            "short",
            "Refreshes and audits. They end for the day at `shadow_usd_per_day`.",
            page="cache",
        ),
    ),
)  # fmt: skip

_MEMORY: Final = Section(
    "Memory",
    (
        Panel(
            "Memory of workers",
            (
                Query(seen("interchange_cache_l1_bytes", across="sum"), "taken"),
                Query(seen("interchange_cache_l1_bytes_max", across="sum"), "allowed"),
            ),
            "bytes",
            "Answers in all workers; each has its own.",
            page="cache",
        ),
        Panel(
            "Answers kept",
            (
                Query(seen("interchange_cache_l1_entries", across="sum"), "memory of workers"),
                Query(seen("interchange_cache_index_vectors"), "questions to compare"),
            ),
            "short",
            "Memory is empty after a start and fills from the second tier; questions to compare stay.",
            page="cache",
        ),
        Panel(
            "Left for want of room, per minute",
            (Query(per_minute("interchange_cache_l1_evictions_total"), "memory of workers"),),
            "short",
            "With a falling hit ratio: a larger `cache.l1_bytes`. Without: answers nobody asks for again.",
            page="cache",
        ),
        Panel(
            "Second tier: how full",
            (Query(_L2, "taken of allowed"),),
            "percentunit",
            "Of Redis, all that is in it. Near 100 % with `noeviction` it refuses writes: leases of "
            "budgets are there, too, so give it more memory.",
            page="cache", bounds=(0, 1), steps=_FULL, width=6,
        ),
        Panel(
            "Second tier and vectors",
            (
                Query(seen("interchange_cache_l2_bytes"), "second tier"),
                Query(seen("interchange_cache_index_bytes"), "vectors"),
            ),
            "bytes",
            "What answers, and the vectors of questions, take beside the workers' memory.",
            page="cache", width=6,
        ),
        Panel(
            "Writes to the second tier, per minute",
            (
                Query(per_minute("interchange_cache_writes_total", by="outcome"), "{{outcome}}"),
                Query(seen("interchange_cache_writes_waiting", across="sum"), "waiting"),
            ),
            "short",
            "dropped: more answers than it takes; failed: it did not answer. Requests wait for neither.",
            page="cache", width=6,
        ),
        Panel(
            "Log between instances",
            (
                Query(seen("interchange_cache_log_lag_seconds"), "behind, s"),
                Query(seen("interchange_cache_l2_problems"), "problems of the store"),
                Query(seen("interchange_cache_invalidations_known"), "rules in force"),
            ),
            "short",
            "Invalidations travel in it. Too far behind, nothing is served until it is read again; "
            "`/health` names problems of the store.",
            page="cache", width=6, steps=bad_above(5, 30),
        ),
    ),
)  # fmt: skip

CACHE_DASHBOARD: Final = Dashboard(
    "interchange-cache",
    "Cache Performance",
    "How often caches answer, whether similar answers are right, and the memory they take.",
    ("route", "tenant"),
    (("cache", "Cache"), ("costs", "Cost & savings"), ("routes", "Routes")),
    (_LOOK, _RATIOS, _SIMILAR, _MEMORY),
)
