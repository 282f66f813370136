"""What of the answer cache is measured at the moment of the scrape. Names of routes are bounded."""

from collections.abc import Iterable, Sequence
from typing import Final

from application.ports.answer_store import StoreFacts
from application.ports.telemetry import Gauge
from application.ports.vector_index import IndexFacts
from application.use_cases.report_verified_reuse import RouteReuse
from domain.money import NANO_PER_USD
from entrypoints.caching import Caching

ROUTES_SHOWN_MAX: Final = 100
"""Pairs of tenant and route; those with the most audited hits."""


def tier_gauges(caching: Caching) -> Iterable[Gauge]:
    """Of both tiers and the log between instances."""
    facts = caching.tiers.facts()
    fast = facts.fast
    yield _one("interchange_cache_l1_entries", "Answers in this process's memory.", fast.entries)
    yield _one("interchange_cache_l1_bytes", "What they take.", fast.bytes_used)
    yield _one("interchange_cache_l1_bytes_max", "What they may take.", fast.bytes_max)
    yield _one("interchange_cache_l1_evictions_total", "Left for want of room.", fast.evictions, "counter")
    yield Gauge(
        "interchange_cache_lookups_total",
        "Looks into a tier by what came of them; `not_asked` while the second tier was down.",
        tuple(
            ((("tier", tier), ("outcome", outcome)), count)
            for tier, outcome, count in (
                ("l1", "hit", facts.l1_hits),
                ("l1", "miss", facts.l1_misses),
                ("l2", "hit", facts.l2_hits),
                ("l2", "miss", facts.l2_misses),
                ("l2", "slow", facts.l2_slow),
                ("l2", "failed", facts.l2_failed),
                ("l2", "not_asked", facts.l2_not_asked),
            )
        ),
        "counter",
    )
    yield _one(
        "interchange_cache_not_allowed_total", "Were there, but invalidated.", facts.not_allowed, "counter"
    )
    yield Gauge(
        "interchange_cache_writes_total",
        "Answers for the second tier by what became of them.",
        (
            ((("outcome", "written"),), facts.written),
            ((("outcome", "dropped"),), facts.writes_dropped),
            ((("outcome", "failed"),), facts.write_failures),
        ),
        "counter",
    )
    yield _one("interchange_cache_writes_waiting", "Answers not yet written.", facts.writes_waiting)
    yield _one("interchange_cache_l2_down", "1 while the second tier is not asked.", int(facts.l2_down))
    yield _one(
        "interchange_cache_suspended",
        "1 while nothing is served, because invalidations may have been missed.",
        int(facts.suspended),
    )
    yield _one(
        "interchange_cache_log_lag_seconds",
        "Since the log between instances was last known to its end.",
        facts.heard_ago_s,
    )
    yield _one(
        "interchange_cache_log_dropped_total", "Not told to others.", caching.hearing.dropped, "counter"
    )
    yield _one("interchange_cache_invalidations_known", "Rules in force here.", facts.rules)
    yield from _similar_gauges(caching)


def _similar_gauges(caching: Caching) -> Iterable[Gauge]:
    yield Gauge(
        "interchange_cache_beside_total",
        "Calls beside requests (refresh, audit) by what became of them.",
        tuple(((("outcome", name),), count) for name, count in sorted(caching.beside.counts.items())),
        "counter",
    )
    if caching.similar is None:
        return
    counts = caching.similar.nearest.counts
    # Hits come from the events of requests.
    misses = sum(counts[name] for name in ("nothing_near", "guarded", "unsure"))
    yield Gauge(
        "interchange_cache_lookups_total",
        "Looks into a tier by what came of them.",
        (((("tier", "semantic"), ("outcome", "miss")), misses),),
        "counter",
    )
    yield Gauge(
        "interchange_cache_similar_total",
        "Looks for similar questions, by what became of them.",
        tuple(((("outcome", name),), count) for name, count in sorted(counts.items())),
        "counter",
    )


def shared_gauges(store: StoreFacts | None, vectors: IndexFacts | None) -> Iterable[Gauge]:
    """Of the second tier and the index, as they were last seen; what they cannot say is left out."""
    figures: list[tuple[str, str, float | None]] = []
    if store is not None:
        figures += [
            ("interchange_cache_l2_entries", "Answers in the second tier.", store.entries),
            ("interchange_cache_l2_bytes", "What they take there.", store.bytes_used),
            ("interchange_cache_l2_bytes_max", "What they may take there.", store.bytes_max),
            ("interchange_cache_l2_problems", "What an operator should see to.", len(store.problems)),
        ]
    if vectors is not None:
        figures += [
            ("interchange_cache_index_vectors", "Questions that may be found.", vectors.vectors),
            ("interchange_cache_index_bytes", "What their vectors take.", vectors.bytes_used),
        ]
    for name, told, value in figures:
        if value is not None:
            yield _one(name, told, value)


def reuse_gauges(reuse: Sequence[tuple[str, RouteReuse]]) -> Iterable[Gauge]:
    """How often answers to similar questions were right, where that was measured."""
    labelled = [((("tenant", tenant), ("route", one.route)), one) for tenant, one in reuse]
    yield Gauge(
        "interchange_cache_similar_labels",
        "Comparisons of answers that were learned from.",
        tuple((labels, one.labels) for labels, one in labelled),
    )
    yield Gauge(
        "interchange_cache_similar_error",
        "Share of audited hits on similar questions whose answer was wrong, of those that could be judged.",
        tuple((labels, one.measured) for labels, one in labelled if one.measured is not None),
    )
    yield Gauge(
        "interchange_cache_similar_error_upper",
        "Its upper bound, right 97.5 times of 100.",
        tuple((labels, one.interval.high) for labels, one in labelled if one.audited),
    )
    yield Gauge(
        "interchange_cache_similar_unjudged",
        "Audited hits of which nobody could say whether they were right.",
        tuple((labels, one.unjudged) for labels, one in labelled),
    )
    yield Gauge(
        "interchange_cache_audit_cost_usd_today",
        "What this process's audits cost today (UTC).",
        tuple((labels, one.audits_nano_usd_today / NANO_PER_USD) for labels, one in labelled),
    )


def _one(name: str, help_text: str, value: float, kind: str = "gauge") -> Gauge:
    return Gauge(name, help_text, (((), value),), kind)
