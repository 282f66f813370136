"""A finished job as its wide event."""

from collections.abc import Iterable
from math import trunc
from typing import Final

from application.job import Job
from domain.analytics.event import PLANNED_MAX, RequestEvent, new_tuple
from domain.errors import InterchangeError
from domain.quality.checks import flags
from domain.quality.tasks import task_of
from domain.routing.filters import DropReason

DROPPED_CHARS_MAX: Final = 2048
"""Callers choose these names, and may send a body full of them."""


def event_of(job: Job, now: float, *, status: int, outcome: str, error_code: str) -> RequestEvent:
    """Everything worth knowing about a request that is over at `now` (monotonic seconds)."""
    request, plan, who, target = job.request, job.plan, job.attribution, job.answered_by
    operation: str = request.operation._value_  # `value` is looked up by a function of Python's
    estimated = job.cost_estimated
    tokens_in = tokens_out = cached = written = reasoning = 0
    attempts = tuple(job.attempts)
    for attempt in attempts:
        tokens_in += attempt.input_tokens
        tokens_out += attempt.output_tokens
        cached += attempt.cached_read_tokens
        written += attempt.cache_write_tokens + attempt.cache_write_long_tokens
        reasoning += attempt.reasoning_tokens
    values = (
        job.request_id,
        job.principal.tenant_id,
        job.principal.key_id,
        who.agent_id,
        who.user_id,
        who.session_id,
        who.workflow_id,
        who.client_request_id,
        operation,
        request.dialect,
        request.model,
        plan.route.name,
        plan.strategy,
        "" if target is None else target.provider,
        "" if target is None else target.model,
        job.via,
        outcome,
        status,
        error_code,
        request.stream,
        target is not None and target.simulated,
        job.started_at_us,
        trunc((now - job.started) * 1e6),
        trunc(job.upstream_s * 1e6),
        trunc(job.plan_s * 1e6),
        trunc(job.queue_s * 1e6) if job.queue_s else 0,
        None if job.first_token_s is None else trunc(job.first_token_s * 1e6),
        len(request.body),
        job.response_bytes,
        tokens_in,
        tokens_out,
        cached,
        written,
        reasoning,
        job.cost_nano_usd,
        estimated,
        plan.candidates,
        len(attempts),
        job.fallbacks,
        job.continued,
        job.finish_reason,
        job.cache,
        ",".join(job.dropped)[:DROPPED_CHARS_MAX] if job.dropped else "",
        who.metadata,
        job.affinity,
        job.reason if not job.switched_by else f"{job.reason}; budget {job.switched_by!r} switched its route",
        job.principal.team,
        job.principal.project,
        job.principal.cost_center,
        job.saved_nano_usd,
        job.similarity,
        *_stages_and_decision(job, outcome, operation, tokens_out if attempts and not estimated else None),
        attempts,
    )
    return new_tuple(RequestEvent, values)


def _stages_and_decision(
    job: Job, outcome: str, operation: str, tokens_counted: int | None
) -> tuple[
    int, int, int, int, str, str, str, str, str, str, str, int, int, int | None, str, str,
    int | None, str, str, bool, float | None,
]:  # fmt: skip
    """The fields from `entry_us` to `propensity`. `tokens_counted`: of an answer made for this request."""
    request, plan, trace = job.request, job.plan, job.tracing
    targets = plan.targets
    return (
        trunc(job.entry_s * 1e6),
        trunc(job.admit_s * 1e6),
        trunc(job.cache_s * 1e6) if job.cache_s else 0,
        trunc(job.hold_s * 1e6) if job.hold_s else 0,
        "" if trace is None else trace.trace_id,
        "" if trace is None else trace.parent_span_id,
        targets[0].id if len(targets) == 1 else ",".join([each.id for each in targets[:PLANNED_MAX]]),
        _counted((why.value, count) for why, count in plan.left_out) if plan.left_out else job.left_out,
        job.requirements.said,
        _counted(sorted(job.privacy.items())) if job.privacy else "",
        ",".join(job.objections) if job.objections else "",
        _breaker_skips(job) if plan.left_out else job.breaker_skips,
        job.chunks,
        trunc(job.gap_max_s * 1e6) if job.gap_max_s >= 0.0 else None,
        flags(outcome, job.finish_reason, tokens_counted, operation),
        task_of(request),
        job.budget_left_nano_usd,
        job.experiment,
        job.arm,
        trace is not None and trace.recorded,
        plan.propensity if targets else None,
    )


def note_refusal(job: Job, refused: InterchangeError, took_s: float, *, planning: bool) -> None:
    """Notes how long the stage took that refused a request, and, of a plan, whom it left out."""
    if not planning:
        job.admit_s = took_s
        return
    job.plan_s = took_s
    dropped = refused.details.get("dropped")
    job.left_out = _counted(dropped.items()) if isinstance(dropped, dict) else ""


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ",".join([f"{name}={count}" for name, count in counts])


def _breaker_skips(job: Job) -> int:
    """Of the plan and of the attempts after it."""
    skipped = sum(count for why, count in job.plan.left_out if why is DropReason.BREAKER_OPEN)
    return job.breaker_skips + skipped
