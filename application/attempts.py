"""The one attempt loop, for unary answers and for streams.

The domain decides (plan, breaker, next step after a failure, which way to take), the loop obeys. It is the
only owner of retries: no adapter repeats, falls back or waits. Each attempt is noted with its usage and
cost whatever its end, and a permit is always given back, also when the caller leaves.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar, assert_never

from application.accounting import note_attempt
from application.attempt import (
    Attempt,
    as_everybody_was_told,
    earliest_reopening_s,
    not_sent,
    pass_over,
    request_of,
    upstream_call,
    vote,
)
from application.credentials import another_key, choose_credential
from application.holds import BudgetHolds
from application.job import Job
from application.next_targets import continuations, larger_windows
from application.ports.llm import LlmProvider, UpstreamAnswer, UpstreamFailed
from application.ports.system import Clock
from application.ports.wire import FrameWriter
from application.stream import OpenedStream, Recovery
from application.stream_opening import Opened, open_attempt
from application.ways import Ways
from domain.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    InterchangeError,
    NoProviderAvailable,
    StoreUnavailable,
    UpstreamError,
)
from domain.llm.continuation import ContinuationMode
from domain.llm.failures import Failure
from domain.llm.request import Operation
from domain.llm.usage import NO_USAGE
from domain.resilience.breaker import Permit, Refused
from domain.resilience.retry_budget import RetryBudget
from domain.routing.failover import GiveUp, RetrySame, TryNext, next_step
from domain.routing.live import LiveState
from domain.routing.target import Target

Result = TypeVar("Result")

GATEWAY_HOPS_MAX = 3
"""Failed gateway hops for one target before the loop treats it as the target's failure."""
TIMER_GRAIN_S = 0.002
"""Timers may fire a millisecond early, which must not make a retry come before its Retry-After."""


class FailoverHappened(NamedTuple):
    """Reported when another target takes over (SPEC section 9, `provider.failover`)."""

    request_id: str
    original_provider: str
    fallback_provider: str
    reason: str


class AttemptLoop:
    """Runs a job's plan until one target answers or the rules say stop."""

    def __init__(
        self,
        *,
        direct: LlmProvider,
        gateway: LlmProvider | None,
        frames: FrameWriter,
        clock: Clock,
        chance: random.Random,
        retry_budget: RetryBudget,
        on_failover: Callable[[FailoverHappened], None] | None = None,
        holds: BudgetHolds | None = None,
    ) -> None:
        self._ways = Ways(direct, gateway)
        self._frames = frames
        self._clock = clock
        self._chance = chance
        self._retry_budget = retry_budget
        self._on_failover = on_failover
        self._holds = holds

    def reachable(self, target: Target, dialect: str, job: Job | None = None, direct: bool = False) -> bool:
        """Whether a way it may take carries a request of this dialect there now; `direct`: that one alone."""
        return self._ways.reachable(target, dialect, job, direct)

    def complete(self, job: Job, live: LiveState) -> Coroutine[Any, Any, UpstreamAnswer]:
        """A whole answer.

        Raises:
            UpstreamError: the last failure, when everything allowed was tried.
            BudgetExceeded: no target was tried, because no hard budget has room for what it may cost.
            NoProviderAvailable: every planned target was closed meanwhile.
            DeadlineExceeded: the time ran out.
        """
        return self._run(job, live, self._complete_once)

    def open(self, job: Job, live: LiveState) -> Coroutine[Any, Any, OpenedStream]:
        """A stream that has shown its first content (or is complete without any). Raises as `complete`."""
        return self._run(job, live, self._open_once)

    async def _run(
        self,
        job: Job,
        live: LiveState,
        call: Callable[[Job, LiveState, Attempt], Awaitable[Result]],
    ) -> Result:
        self._retry_budget.on_request(self._clock.monotonic())
        queue = list(job.plan.targets)
        last: Failure | None = None
        refused: BudgetExceeded | None = None
        while queue:
            target = queue.pop(0)
            retries_left = job.plan.route.retries
            tries = hops = 0
            waited_s = 0.0
            tried: list[str] = []
            while True:
                now = self._clock.monotonic()
                if job.deadline.passed(now):
                    raise DeadlineExceeded(f"no answer within {now - job.started:.0f} s")
                attempt = self._admit(job, live, target, now, tried, last=not queue)
                if attempt is None:
                    pass_over(job, live.targets[target.index], now, tried=bool(tries or hops or tried))
                    break
                try:
                    attempt = await self._funded(job, attempt) if self._counted else attempt
                    return await call(job, live, attempt)
                except BudgetExceeded as error:
                    attempt.state.breaker.forget(attempt.permit)
                    refused = refused or error
                    break  # another target may be cheaper, or counted elsewhere
                except UpstreamFailed as error:
                    last = self._note_failure(job, live, attempt, error.failure)
                except BaseException:
                    attempt.state.breaker.forget(attempt.permit)
                    raise
                if last.at_gateway and hops < GATEWAY_HOPS_MAX and self._ways.choose(job, target) is not None:
                    # The hop failed, not the provider: another way to it is no retry of the target.
                    hops += 1
                    continue
                if another_key(job, attempt.key, last, self._clock.monotonic(), tried):
                    continue  # the key failed, not the target: no retry of it is spent
                last = as_everybody_was_told(job, last, attempt, self._clock.monotonic())
                step = self._next_step(
                    job, last, retries_left, tries, bool(queue or job.plan.spares), waited_s
                )
                tries += 1
                match step:
                    case RetrySame(wait_s):
                        retries_left -= 1
                        waited_s += wait_s
                        tried.clear()
                        await _pause(job, wait_s + TIMER_GRAIN_S)
                        continue
                    case TryNext():
                        if last.disposition.larger_context_only:
                            queue = larger_windows(job, target)
                        self._report_failover(job, target, queue, last)
                        break
                    case GiveUp():
                        raise UpstreamError(last, attempts=len(job.attempts))
                    case _:
                        assert_never(step)
        raise self._out_of_targets(job, live, last, refused)

    def _out_of_targets(
        self, job: Job, live: LiveState, last: Failure | None, refused: BudgetExceeded | None
    ) -> InterchangeError:
        if last is not None:
            return UpstreamError(last, attempts=len(job.attempts))
        return refused or NoProviderAvailable(
            "every candidate is closed at the moment",
            retry_after_s=earliest_reopening_s(job.plan.targets, live, self._clock.monotonic()),
        )

    @property
    def _counted(self) -> bool:
        """Whether there are budgets at all."""
        return self._holds is not None and not self._holds.book.empty

    async def _funded(self, job: Job, attempt: Attempt, more_bytes: int = 0) -> Attempt:
        """The attempt with its worst cost held, that of `more_bytes` beyond its body included.

        Raises BudgetExceeded or StoreUnavailable: nothing is sent.
        """
        holds = self._holds
        if holds is None or holds.book.empty:
            return attempt
        target, key_id, since = attempt.target, attempt.key.id, attempt.started
        funded = False
        try:
            request = request_of(job, target, key_id)
            attempt.hold, attempt.request = await holds.begin(job, target, key_id, request, more_bytes)
            funded = True
        finally:
            # What was waited for here is not the provider's time.
            attempt.started = started = self._clock.monotonic()
            job.hold_s += started - since
            if not funded:
                attempt.key.settle(0)
        return attempt

    def _next_step(
        self,
        job: Job,
        failure: Failure,
        retries_left: int,
        attempt: int,
        more_targets: bool,
        waited_s: float,
    ) -> RetrySame | TryNext | GiveUp:
        now = self._clock.monotonic()
        remaining_s, draw = job.deadline.remaining_s(now), self._chance.random()

        def decide(retry_allowed: bool) -> RetrySame | TryNext | GiveUp:
            return next_step(
                failure,
                retries_left=retries_left,
                retry_allowed=retry_allowed,
                deadline_remaining_s=remaining_s,
                attempt=attempt,
                draw=draw,
                more_targets=more_targets,
                waited_s=waited_s,
            )

        step = decide(True)
        if isinstance(step, RetrySame) and not self._retry_budget.try_spend(now):
            return decide(False)
        return step

    def _admit(
        self, job: Job, live: LiveState, target: Target, now: float, tried: list[str], *, last: bool = True
    ) -> Attempt | None:
        state = live.targets[target.index]
        if not state.usable(now):
            return None
        way = self._ways.choose(job, target)
        if way is None:
            return None
        draw = 0.0 if state.provider.keys is None else self._chance.random()
        key = choose_credential(job, state, target, now, draw, tried)
        if key is None:
            return None
        permit = state.breaker.try_acquire(now=now)
        if type(permit) is Refused:
            key.settle(0)
            return None
        assert isinstance(permit, Permit)
        return Attempt(target, state, permit, way, self._ways.provider(way), now, last, key)

    async def _complete_once(self, job: Job, live: LiveState, attempt: Attempt) -> UpstreamAnswer:
        target, state, key, via = attempt.target, attempt.state, attempt.key, attempt.way._value_
        state.in_flight += 1
        outcome = "cancelled"
        try:
            call = upstream_call(job, attempt, last=attempt.last)
            answer = await attempt.provider.complete(call)
            outcome = "ok"
        except UpstreamFailed:
            outcome = "failed"
            raise
        finally:
            state.in_flight -= 1
            ended = self._clock.monotonic()
            job.upstream_s += ended - attempt.started
            if outcome != "ok":
                key.settle()
            if outcome == "cancelled":
                note_attempt(
                    job, target, via=via, outcome=outcome, started=attempt.started, ended=ended,
                    usage=None, credential=key.id, hold=attempt.hold,
                )  # fmt: skip
        if key.pool is not None:
            key.settle(None if answer.usage is None else answer.usage.total_tokens)
            key.answered(ended, answer.headroom)
        took_s = ended - attempt.started
        slow = state.breaker.policy.is_slow(took_s)
        state.breaker.record(attempt.permit, ok=True, now=ended, slow=slow)
        state.ttft.observe(took_s, ended)
        state.latency.observe(took_s, ended)
        live.providers[target.provider].health.record(True, took_s, ended)
        note_attempt(
            job,
            target,
            via=via,
            credential=key.id,
            outcome="ok",
            started=attempt.started,
            ended=ended,
            usage=NO_USAGE if job.request.operation is Operation.COUNT_TOKENS else answer.usage,
            answer_chars=len(answer.body),
            hold=attempt.hold,
        )
        job.answered_by = target
        job.via = via
        job.credential = key.id
        job.dropped = answer.dropped + not_sent(job, attempt)
        job.finish_reason = answer.finish_reason or ""
        return answer

    async def _open_once(self, job: Job, live: LiveState, attempt: Attempt) -> OpenedStream:
        first = await open_attempt(self._clock, job, attempt)
        return OpenedStream(self._clock, self._frames, job, live, first, self)

    async def resume(
        self, job: Job, live: LiveState, broken: Target, sent: str, *, skip: int
    ) -> "Recovery | None":
        """The next attempt, after `skip` earlier ones, that may finish a plain text cut after `sent`.

        None when every way to finish it was tried, or the time ran out.
        """
        for number, (target, mode) in enumerate(continuations(job, broken)):
            if number < skip:
                continue
            continue_from = sent.rstrip() if mode is ContinuationMode.PREFILL else None
            if continue_from == "":
                continue  # nobody continues an empty text
            opened = await self._reopen(job, live, target, continue_from)
            if opened is None:
                continue
            if target is not broken and self._on_failover is not None:
                self._on_failover(
                    FailoverHappened(job.request_id, broken.provider, target.provider, "stream_interrupted")
                )
            return Recovery(opened, mode, number + 1)
        return None

    async def _reopen(
        self, job: Job, live: LiveState, target: Target, continue_from: str | None
    ) -> Opened | None:
        """One way to finish a cut text, None when it fails; a failed hop is tried again another way."""
        for _ in range(1 + GATEWAY_HOPS_MAX):
            now = self._clock.monotonic()
            attempt = None if job.deadline.passed(now) else self._admit(job, live, target, now, [])
            if attempt is None:
                return None
            try:
                attempt = await self._funded(job, attempt, 4 * len(continue_from or ""))
                return await open_attempt(self._clock, job, attempt, continue_from=continue_from)
            except (BudgetExceeded, StoreUnavailable):
                attempt.state.breaker.forget(attempt.permit)
                return None
            except UpstreamFailed as error:
                self._note_failure(job, live, attempt, error.failure)
                if not error.failure.at_gateway:
                    return None
            except BaseException:
                attempt.state.breaker.forget(attempt.permit)
                raise
        return None

    def _note_failure(self, job: Job, live: LiveState, attempt: Attempt, failure: Failure) -> Failure:
        now = self._clock.monotonic()
        note_attempt(
            job,
            attempt.target,
            via=attempt.way.value,
            credential=attempt.credential,
            outcome=failure.kind.value,
            started=attempt.started,
            ended=now,
            usage=None,
            failure=failure,
            may_be_billed=failure.may_be_billed,
            hold=attempt.hold,
        )
        vote(live, attempt, failure, now)
        return failure

    def _report_failover(self, job: Job, target: Target, queue: list[Target], failure: Failure) -> None:
        if queue and self._on_failover is not None:
            self._on_failover(
                FailoverHappened(job.request_id, target.provider, queue[0].provider, failure.kind.value)
            )


async def _pause(job: Job, wait_s: float) -> None:
    await asyncio.sleep(wait_s)
    job.upstream_s += wait_s  # the provider's doing, not our overhead
