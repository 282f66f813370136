"""The answer cache as JSON: for the public page, for operators, for explanations."""

import dataclasses
from datetime import UTC, datetime
from typing import Any, Final

from application.use_cases.explain_cache import CacheExplanation, KeptThere, SimilarFound
from application.use_cases.manage_cache import CacheFigures, CacheStatus, Invalidated, KeptEntry
from application.use_cases.report_cache_usage import CacheUsage
from application.use_cases.report_prompt_caching import PromptCachingReport
from application.use_cases.report_verified_reuse import RouteReuse
from application.use_cases.warm_cache import WarmReport
from domain.analytics.prompt_caching import PromptCachingSums
from domain.analytics.savings import hit_ratio
from domain.caching.entry import CachedAnswer
from domain.caching.invalidation import InvalidationKind
from domain.caching.policy import CacheMode
from domain.money import format_usd

_REACH: Final = {mode: place for place, mode in enumerate(CacheMode)}


def cache_health(status: CacheStatus) -> str:
    """In one word."""
    return "off" if not status.caches else "degraded" if status.degraded else "ok"


def status_object(status: CacheStatus) -> dict[str, Any]:
    """What everybody may know. `mode` is the one that goes furthest."""
    modes = [*status.routes, status.by_default]
    mode = max(modes, key=_REACH.__getitem__)
    return {
        "status": cache_health(status),
        "mode": mode.value,
        "routes": sum(status.routes.values()),
        "suspended": status.suspended,
        "l1": {"enabled": status.caches},
        "l2": {"enabled": status.caches and status.l2 != "none", "status": status.l2},
        "semantic": {"enabled": any(mode.looks_for_similar for mode in modes)},
    }


def figures_object(figures: CacheFigures) -> dict[str, Any]:
    """Of this process; for whoever may see the metrics."""
    tiers, fast = figures.tiers, figures.tiers.fast
    store, vectors = figures.store, figures.vectors
    return {
        "l1": {**dataclasses.asdict(fast), "hits": tiers.l1_hits, "misses": tiers.l1_misses},
        "l2": {
            "hits": tiers.l2_hits,
            "misses": tiers.l2_misses,
            "slow": tiers.l2_slow,
            "failed": tiers.l2_failed,
            "not_asked": tiers.l2_not_asked,
            "written": tiers.written,
            "writes_waiting": tiers.writes_waiting,
            "writes_dropped": tiers.writes_dropped,
            "write_failures": tiers.write_failures,
            "store": None if store is None else {**dataclasses.asdict(store), "problems": [*store.problems]},
        },
        "log": {
            "epoch": tiers.heard.epoch,
            "position": tiers.heard.number,
            "heard_ago_s": round(tiers.heard_ago_s, 3),
            "rules": tiers.rules,
            "not_allowed": tiers.not_allowed,
        },
        "index": None if vectors is None else dataclasses.asdict(vectors),
        "outcomes": figures.outcomes,
        "similar": figures.similar,
        "beside": figures.beside,
    }


def usage_object(usage: CacheUsage) -> dict[str, Any]:
    """What it did for a tenant."""
    return {
        "from": iso(usage.from_us),
        "to": iso(usage.to_us),
        "lookups": usage.lookups,
        "hits": usage.hits,
        "hit_ratio": hit_ratio(usage.hits, usage.lookups),
        "saved_usd": format_usd(usage.saved_nano_usd),
        "complete": usage.complete,
        "lines": [
            {
                "route": line.route,
                "cache": line.effect,
                "requests": line.requests,
                "saved_usd": format_usd(line.saved_nano_usd),
                "unpriced_hits": line.unpriced,
                "cost_usd": format_usd(line.cost_nano_usd),
            }
            for line in usage.lines
        ],
    }


def entry_object(entry: KeptEntry, *, with_body: bool) -> dict[str, Any]:
    """One kept answer; what was asked and answered only on request."""
    answer = entry.answer
    shown = _answer(answer)
    shown["tiers"] = list(entry.tiers)
    shown["namespace"] = answer.namespace
    shown["tags"] = list(answer.tags)
    shown["heard"] = {"epoch": answer.heard.epoch, "position": answer.heard.number}
    if with_body:
        shown["question"] = answer.question
        shown["body"] = answer.body.decode("utf-8", "replace")
    return shown


def _answer(answer: CachedAnswer) -> dict[str, Any]:
    return {
        "key": answer.key.hex(),
        "route": answer.route,
        "dialect": answer.dialect,
        "streamed": answer.streamed,
        "target": answer.target_id,
        "provider": answer.provider,
        "model": answer.model,
        "via": answer.via,
        "simulated": answer.simulated,
        "finish_reason": answer.finish_reason,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "cost_usd": None if answer.cost_nano_usd is None else format_usd(answer.cost_nano_usd),
        "bytes": len(answer.body),
        "made_at": iso(answer.made_at_us),
        "expires_at": iso(answer.expires_at_us),
        "kept_until": iso(answer.kept_until_us),
    }


def invalidated_object(done: Invalidated) -> dict[str, Any]:
    """A rule that is in force. A radius is shown without its vector."""
    rule = done.rule
    return {
        "kind": rule.kind.value,
        "tenant_id": rule.tenant_id or None,
        "value": "" if rule.kind is InvalidationKind.RADIUS else rule.value,
        "position": done.position.number,
        "epoch": done.position.epoch,
        "heard_by_all_within_s": done.heard_by_all_within_s,
        "matched": done.matched,
    }


def cache_explanation_object(explained: CacheExplanation, *, with_words: bool) -> dict[str, Any]:
    """What the cache would do, and from what. `with_words`: also how a similar question was put."""
    policy, partition = explained.policy, explained.partition
    return {
        "route": explained.route,
        "mode": policy.mode.value,
        "cache": explained.effect,
        "reason": explained.why or None,
        "would": explained.would or None,
        "suspended": explained.suspended,
        "key": explained.key.hex() or None,
        "partition": None if partition is None else {
            "scope": policy.scope.value,
            "namespace": partition.namespace,
            "route_version": partition.route_version,
            "policy_version": partition.policy_version,
            "dialect": partition.dialect,
            "form": partition.form,
        },
        "l1": _there(explained.l1),
        "l2": _there(explained.l2),
        "l2_down": explained.l2_down,
        "similar": None if explained.similar is None else _similar(explained.similar, with_words=with_words),
    }  # fmt: skip


def _there(there: KeptThere | None) -> dict[str, Any] | None:
    if there is None:
        return None
    return {
        "state": there.state.value,
        "age_s": round(there.age_s, 3),
        "fresh_for_s": round(there.fresh_for_s, 3),
        **_answer(there.answer),
    }


def _similar(found: SimilarFound, *, with_words: bool) -> dict[str, Any]:
    candidate = found.candidate
    if candidate is None:
        return {"reason": found.why or None, "candidate": None}
    return {
        "reason": found.why or None,
        "candidate": {
            "question": candidate.kept.question if with_words else None,
            "similarity": candidate.similarity,
            "guarded": candidate.guarded or None,
            "p_low": candidate.p_low,
            "decided_by": candidate.reason or None,
            "would_serve": candidate.served or candidate.would_serve,
            **_answer(candidate.kept),
        },
    }


def warm_object(report: WarmReport) -> dict[str, Any]:
    """Line by line."""
    return {
        **{outcome: report.count(outcome) for outcome in ("kept", "skipped", "failed")},
        "cost_usd": format_usd(report.cost_nano_usd),
        "lines": [
            {
                "line": line.number,
                "outcome": line.outcome,
                "reason": line.reason or None,
                "key": line.key or None,
                "cost_usd": None if line.cost_nano_usd is None else format_usd(line.cost_nano_usd),
            }
            for line in report.lines
        ],
    }


def reuse_object(one: RouteReuse) -> dict[str, Any]:
    """One route; shares are of hits on similar questions."""
    forecast = one.forecast
    return {
        "route": one.route,
        "mode": None if one.mode is None else one.mode.value,
        "error_rate_accepted": one.error_rate,
        "looked_for": one.looked_for,
        "hits": one.hits,
        "audited": one.audited,
        "wrong": one.wrong,
        "unjudged": one.unjudged,
        "error_rate_measured": one.measured,
        "error_rate_low": one.interval.low,
        "error_rate_high": one.interval.high,
        "labels": one.labels,
        "strictness": one.strictness,
        "audits_today_usd": format_usd(one.audits_nano_usd_today),
        "forecast": None if forecast is None else {
            "exact_hits": forecast.exact_hits,
            "similar_hits": forecast.similar_hits,
            "saved_usd": format_usd(forecast.saved_nano_usd),
        },
    }  # fmt: skip


def prompt_object(report: PromptCachingReport) -> dict[str, Any]:
    """What providers' prompt caches did."""
    return {
        "from": iso(report.from_us),
        "to": iso(report.to_us),
        "complete": report.complete,
        "totals": _sums(report.totals),
        "lines": [
            {
                "provider": line.provider,
                "model": line.model,
                "route": line.route,
                **_sums(line.sums),
                "caching": line.caching or None,
                "tokens_min": line.tokens_min,
                "advice": None if line.advice is None else line.advice.value,
            }
            for line in report.lines
        ],
    }


def _sums(sums: PromptCachingSums) -> dict[str, Any]:
    return {
        "requests": sums.requests,
        "attempts": sums.attempts,
        "input_tokens": sums.input_tokens,
        "cached_read_tokens": sums.cached_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
        "hit_share": sums.hit_share,
        "saved_usd": format_usd(sums.saved_nano_usd),
        "unpriced_attempts": sums.unpriced_attempts,
    }


def iso(moment_us: int) -> str:
    """UTC epoch microseconds as ISO text; what lies beyond all calendars is the last day of them."""
    try:
        return datetime.fromtimestamp(moment_us / 1e6, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC).isoformat()
