"""A finished job as its wide event."""

from typing import Final

from application.job import Job
from domain.analytics.event import RequestEvent

DROPPED_CHARS_MAX: Final = 2048
"""Callers choose these names, and may send a body full of them."""


def event_of(job: Job, now: float, *, status: int, outcome: str, error_code: str) -> RequestEvent:
    """Everything worth knowing about a request that is over at `now` (monotonic seconds)."""
    request, plan, who, target = job.request, job.plan, job.attribution, job.answered_by
    tokens_in = tokens_out = cached = written = reasoning = 0
    attempts = tuple(job.attempts)
    for attempt in attempts:
        tokens_in += attempt.input_tokens
        tokens_out += attempt.output_tokens
        cached += attempt.cached_read_tokens
        written += attempt.cache_write_tokens + attempt.cache_write_long_tokens
        reasoning += attempt.reasoning_tokens
    return RequestEvent(
        job.request_id,
        job.principal.tenant_id,
        job.principal.key_id,
        who.agent_id,
        who.user_id,
        who.session_id,
        who.workflow_id,
        who.client_request_id,
        request.operation.value,
        request.dialect,
        request.model,
        plan.route.name,
        plan.strategy,
        target.provider if target else "",
        target.model if target else "",
        job.via,
        outcome,
        status,
        error_code,
        request.stream,
        target.simulated if target else False,
        job.started_at_us,
        int((now - job.started) * 1e6),
        int(job.upstream_s * 1e6),
        int(job.plan_s * 1e6),
        0,
        None if job.first_token_s is None else int(job.first_token_s * 1e6),
        len(request.body),
        job.response_bytes,
        tokens_in,
        tokens_out,
        cached,
        written,
        reasoning,
        job.cost_nano_usd,
        job.cost_estimated,
        plan.candidates,
        len(attempts),
        job.fallbacks,
        job.continued,
        job.finish_reason,
        job.cache,
        ",".join(job.dropped)[:DROPPED_CHARS_MAX] if job.dropped else "",
        who.metadata,
        job.affinity,
        job.reason,
        job.principal.team,
        job.principal.project,
        job.principal.cost_center,
        job.saved_nano_usd,
        job.similarity,
        attempts,
    )
