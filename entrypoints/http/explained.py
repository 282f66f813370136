"""An explanation as the JSON object of `POST /api/v1/routing/explain`."""

from typing import Any

from application.use_cases.explain_cache import CacheExplanation
from domain.money import format_usd
from domain.routing.explanation import CandidateExplanation, Explanation

CANDIDATES_SHOWN_MAX = 2000


def explanation_object(explanation: Explanation, cached: CacheExplanation) -> dict[str, Any]:
    """Every candidate with its reason; money as text, exact."""
    refusal = explanation.refusal
    return {
        "route": explanation.route,
        "strategy": explanation.strategy,
        "attempts_max": explanation.attempts_max,
        "estimated_input_tokens": explanation.input_tokens,
        "estimated_output_tokens": explanation.output_tokens,
        "cache": cached.effect,
        "cache_reason": cached.why or None,
        "affinity": None if explanation.verdict is None else explanation.verdict.outcome,
        "affinity_reason": None if explanation.verdict is None else explanation.verdict.reason,
        "refusal": None if refusal is None else {"code": refusal.code, "message": refusal.message},
        "candidates_total": len(explanation.candidates),
        "candidates": [_candidate(c) for c in explanation.candidates[:CANDIDATES_SHOWN_MAX]],
    }


def _candidate(candidate: CandidateExplanation) -> dict[str, Any]:
    def usd(amount: int | None) -> str | None:
        return None if amount is None else format_usd(amount)

    return {
        "target": candidate.target_id,
        "provider": candidate.provider,
        "model": candidate.model,
        "region": candidate.region,
        "kept": candidate.kept,
        "rank": candidate.rank,
        "reason": candidate.reason.value if candidate.reason else None,
        "explanation": candidate.sentence,
        "estimated_cost_usd": usd(candidate.estimated_cost_nano_usd),
        "effective_cost_usd": usd(candidate.effective_cost_nano_usd),
        "warm_probability": candidate.warm_probability,
        "prefix_tokens": candidate.prefix_tokens,
        "price_bound_usd": usd(candidate.worst_cost_nano_usd),
        "price_bound_by": candidate.bounded_by,
        "max_tokens_set": candidate.max_tokens_set,
        "predicted_p95_ms": candidate.predicted_p95_ms,
        "first_token_ms": candidate.first_token_ms,
        "in_flight": candidate.in_flight,
        "health": candidate.health.value,
        "breaker": candidate.breaker.value,
    }
