"""One attempt: what it needs to run, and what its failure tells the target's breaker and health."""

from dataclasses import dataclass, replace
from typing import assert_never

from application.accounting import attempt_id
from application.affinity import moved_from
from application.credentials import ONLY_ONE, Credential, as_the_pool_tells, blamed
from application.hold import Hold
from application.job import Job
from application.ports.llm import CALLER, LlmProvider, UpstreamCall
from domain.budgets.output_limit import as_limited, limited_further
from domain.llm.failures import BreakerVote, Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.resilience.breaker import Permit
from domain.routing.keeping import as_sent, left_out
from domain.routing.live import LiveState, TargetState
from domain.routing.prompt_cache import PromptCaching
from domain.routing.prompt_marking import with_prompt_marks
from domain.routing.target import Target
from domain.routing.way import Way
from domain.tracing.active import NO_HEADERS, ActiveTrace, Receiver, TraceHeaders

QUOTA_COOL_DOWN_S = 60.0
"""How long an exhausted account rests when the provider does not say."""
RATE_LIMIT_COOL_DOWN_S = 1.0
"""How long a rate-limited target rests when the provider does not say."""
COOL_DOWN_MAX_S = 600.0
MODEL_MISSING_COOL_DOWN_S = 600.0
"""How long a target rests whose provider does not know the model."""


@dataclass(slots=True)
class Attempt:
    """What one attempt needs to run and to be settled. Owned by the loop that runs it."""

    target: Target
    state: TargetState
    permit: Permit
    way: Way
    provider: LlmProvider
    started: float
    last: bool = True
    """Whether nothing else could be tried after it."""
    key: Credential = ONLY_ONE
    """Which of the provider's keys it uses."""
    hold: Hold | None = None
    """What is held for it; None: no budget counts it."""
    request: LlmRequest | None = None
    """What is sent, where that is not what was asked: with a limit of ours on the answer."""

    @property
    def credential(self) -> str:
        """The id of that key; empty: the only one."""
        return self.key.id


def not_sent(job: Job, attempt: Attempt) -> tuple[str, ...]:
    """Names of what only another account could have read, and this attempt therefore left out."""
    return left_out(job.request, attempt.target, attempt.key.id)


def request_of(job: Job, target: Target, credential: str) -> LlmRequest:
    """What this account is sent: without what only another could read, with the route's limit on the answer
    where the caller set none, and with what makes its prompt cacheable, unless the caller's own account pays.
    """
    route = job.plan.route
    request = as_limited(as_sent(job.request, target, credential), route, target)
    if route.prompt_caching.mode is PromptCaching.OFF or credential == CALLER:
        return request
    tenant_id, session_id = job.principal.tenant_id, job.attribution.session_id
    return with_prompt_marks(request, route, target, tenant_id=tenant_id, session_id=session_id)


def upstream_call(
    job: Job, attempt: Attempt, continue_from: str | None = None, *, last: bool = True
) -> UpstreamCall:
    """The call of one attempt, with its share of what is left of the deadline.

    Streams show a provider's silence by their first-token timeout; a unary answer shows nothing until it is
    whole, so an attempt that others may follow gets only a share of the time.
    """
    timeouts, now = job.plan.route.timeouts, attempt.started
    target, credential = attempt.target, attempt.key.id
    request = attempt.request or request_of(job, target, credential)
    job.max_tokens_set = request.forced_max_output_tokens
    job.cut_to_budget = limited_further(request, job.request, job.plan.route, target)
    return UpstreamCall(
        request,
        target,
        timeouts,
        job.deadline.remaining_s(now)
        if last
        else job.deadline.share_s(now, more_to_come=True, at_least_s=timeouts.first_token_s),
        job.request_id,
        continue_from,
        credential,
        # Where it is known who keeps or encrypted what, nothing needs to be guessed.
        moved_from="" if job.request.home is not None else moved_from(job, target, credential),
        trace=NO_HEADERS if job.tracing is None else _trace_headers(job, job.tracing, attempt),
    )


def _trace_headers(job: Job, trace: ActiveTrace, attempt: Attempt) -> TraceHeaders:
    receiver = Receiver.GATEWAY if attempt.way is Way.GATEWAY else Receiver.PROVIDERS
    return trace.headers(receiver, attempt_id(job))


def vote(live: LiveState, attempt: Attempt, failure: Failure, now: float) -> None:
    """What a failure tells breaker, cool-down and health of the target; a failed hop tells nothing."""
    state = attempt.state
    if failure.at_gateway:
        state.breaker.forget(attempt.permit)
        return
    if blamed(state, attempt.key, failure, now, COOL_DOWN_MAX_S):
        state.breaker.forget(attempt.permit)
        return
    match failure.disposition.breaker:
        case BreakerVote.FAILURE:
            state.breaker.record(attempt.permit, ok=False, now=now)
            live.providers[attempt.target.provider].health.record(False, now - attempt.started, now)
            if failure.retry_after_s is not None:
                state.cool_down(now + min(failure.retry_after_s, COOL_DOWN_MAX_S))
        case BreakerVote.COOL_DOWN:
            # Not ill: closed for a while. A probe that meets it has proven nothing.
            state.breaker.forget(attempt.permit)
            rest_s = failure.retry_after_s
            if rest_s is None:
                rest_s = QUOTA_COOL_DOWN_S if failure.kind is FailureKind.QUOTA else RATE_LIMIT_COOL_DOWN_S
            state.cool_down(now + min(rest_s, COOL_DOWN_MAX_S))
        case BreakerVote.NEUTRAL:
            state.breaker.forget(attempt.permit)
            if failure.kind is FailureKind.MODEL_MISSING:
                # The offering is wrong, not the caller: nobody else needs to find that out in a while.
                state.cool_down(now + MODEL_MISSING_COOL_DOWN_S)
        case never:
            assert_never(never)


def as_everybody_was_told(job: Job, failure: Failure, attempt: Attempt, now: float) -> Failure:
    """The failure with the target's whole cool-down as Retry-After: another caller may have been told
    to stay away for longer, or the provider may not have said for how long."""
    if failure.disposition.breaker is BreakerVote.NEUTRAL or failure.at_gateway or attempt.key.is_callers:
        return failure
    if (told := as_the_pool_tells(job, attempt.key, failure, now)) is not None:
        return told
    left_s = attempt.state.cool_until - now
    return failure if left_s <= (failure.retry_after_s or 0.0) else replace(failure, retry_after_s=left_s)


def pass_over(job: Job, state: TargetState, now: float, *, tried: bool) -> None:
    """Counts a target that nobody may call now, unless it was `tried` before."""
    if not tried:
        job.skipped += 1
        job.breaker_skips += not state.breaker.would_admit(now)


def earliest_reopening_s(targets: tuple[Target, ...], live: LiveState, now: float) -> float | None:
    """Seconds until the first of them may be asked again; None when nothing says so."""
    waits = [
        max(
            state.cool_until - now,
            state.breaker.reopen_after_s(now),
            0.0 if state.provider.keys is None else state.provider.keys.back_after_s(now),
            0.0,
        )
        for state in (live.targets[target.index] for target in targets)
    ]
    return min(waits, default=None)
