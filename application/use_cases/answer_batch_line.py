"""One line of a batch, from its first try to its row in the result or the error file.

Each try is one request through the usual pipeline with one target. What it is about to do is written to the
batch's journal before it is sent, what came of it before anything else learns it. So whoever takes over
after a crash knows what may have been paid for, and repeats it under the same idempotency key.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from application.batch_course import Course, Next, carried_by_repeat, is_kept, postponed_s, unasked, with_cost
from application.batch_lines import DIALECT_BY_ENDPOINT
from application.batch_records import BatchRecords
from application.batch_run import BatchCounters, BatchRun
from application.hold import Hold
from application.job import Attribution, Job
from application.key_ring import KeyRing
from application.late_money import LateMoney
from application.ports.system import Clock
from application.ports.wire import FrameWriter, RequestReader
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.keep_answers import KeepAnswers
from domain.analytics.event import RequestEvent
from domain.batch.batch import BatchProblem, StopReason
from domain.batch.line import BatchLine
from domain.batch.progress import (
    UNRESOLVED,
    Intent,
    LineState,
    TryEnded,
    idempotency_key,
    request_id,
    request_ids_begin,
)
from domain.batch.retry import (
    Doubt,
    LineFailed,
    after_failed_try,
    doubt_of,
    pause_for_budget_s,
    pushes_back,
)
from domain.batch.spending import line_bound
from domain.budgets.posting import Posting
from domain.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    InterchangeError,
    NoProviderAvailable,
    Overloaded,
    RateLimited,
    StoreUnavailable,
    TenantSuspended,
    Unauthenticated,
    UpstreamError,
)
from domain.llm.cache_wish import CacheWish
from domain.llm.request import LlmRequest
from domain.routing.live import LiveState
from domain.routing.prompt_marking import with_prompt_marks
from domain.routing.requirements import Requirements
from domain.routing.target import Target
from domain.time import Deadline

RenderError = Callable[[InterchangeError, str, str], tuple[int, bytes]]
"""(error, dialect, request id) -> status and body, as the HTTP interface would answer."""


class AnswerBatchLine:
    """Belongs to one event loop; holds nothing of any line."""

    def __init__(
        self,
        *,
        pipeline: AnswerLlmRequest,
        records: BatchRecords,
        key_ring: KeyRing,
        keep: KeepAnswers,
        reader: RequestReader,
        frames: FrameWriter,
        clock: Clock,
        chance: random.Random,
        render_error: RenderError,
        counters: BatchCounters,
        money: LateMoney | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._records = records
        self._key_ring = key_ring
        self._keep = keep
        self._reader = reader
        self._frames = frames
        self._clock = clock
        self._chance = chance
        self._render = render_error
        self._counters = counters
        self._money = money

    async def __call__(self, run: BatchRun, line: BatchLine) -> None:
        """Returns when the line is finished, or when the batch has stopped."""
        course = await self._resumed(run, line)
        while run.stop is None and course is not None:
            await run.past_budget(self._clock.monotonic)
            if run.stop is not None:
                return
            try:
                step = await self._try(run, course)
            except StoreUnavailable as error:
                # The journal or the usage log cannot be written: nothing was sent.
                step = Next(postponed_s(error), begun=False)
            if step is None:
                return
            course.number += step.begun
            if step.begun:
                self._counters.lines["retried"] += 1
            await run.sleep(step.wait_s)

    async def settle_doubt(self, run: BatchRun, line: BatchLine, state: LineState) -> None:
        """Records that a try may have been billed though nobody will learn its answer."""
        # An open try has no row yet; a failed one whose repeat never came has, so this gets the next number.
        number = state.tries - 1 if state.open else state.tries
        target = self._records.target(state.target_id)
        record = TryEnded(
            line.number, number, line.custom_id, False, False, 0,
            request_id(run.batch.batch_id, line.number, number), None, UNRESOLVED,
            "sent, and nobody knows whether it was carried out", None,
        )  # fmt: skip
        self._counters.lines["unresolved"] += 1
        if target is None:
            # Nobody knows its prices any more; the batch still says that there is something unknown.
            await run.write_in_the_end(record)
            return
        holder = self._key_ring.known_holder(run.batch.tenant_id, run.batch.key_id)
        job = self._records.job(run, line.custom_id, self._read(run, line), target, record.request_id, holder)
        self._records.note_unresolved(job, target, self._counted(job, target))
        ended: list[TryEnded] = []
        self._pipeline.record(
            job,
            status=0,
            outcome="error",
            error_code=UNRESOLVED,
            first=lambda event: ended.append(record._replace(event=event)),
        )
        await run.write_in_the_end(ended[0])

    async def _resumed(self, run: BatchRun, line: BatchLine) -> Course | None:
        """Where an earlier process left the line."""
        state = run.progress.begun.get(line.number)
        if state is None:
            return Course(line, 0)
        if state.open or state.key:
            target = self._records.target(state.target_id)
            if target is not None and target.honours_idempotency_keys:
                number = state.tries - 1 if state.open else state.tries
                charge = state.charge or await self._recovered(run, line, number)
                return Course(line, number, state.failed, state.key, state.target_id, charge)
            await self.settle_doubt(run, line, state)
        return Course(line, state.tries, state.failed)

    async def _recovered(self, run: BatchRun, line: BatchLine, number: int) -> Posting | None:
        """What hard budgets were charged for a try that died with its process and is repeated."""
        if self._money is None:
            return None
        if run.recovered is None:
            run.recovered = await self._money.charges_of(request_ids_begin(run.batch.batch_id))
        return run.recovered.get(f"{request_id(run.batch.batch_id, line.number, number)}.0")

    async def _try(self, run: BatchRun, course: Course) -> Next | None:
        line = course.line
        if course.key and self._records.target(course.pinned) is None:
            # A new configuration took the target away whose answer was to tell what became of a try.
            state = LineState(tries=course.number, target_id=course.pinned, key=course.key)
            await self.settle_doubt(run, line, state)
            course.forget_key()
            course.number += 1
        try:
            request = self._read(run, line)
            if course.key:
                request.cache_wish = CacheWish(no_store=True)  # only its provider can resolve the doubt
            job, live = await self._begin(run, line, request)
        except Unauthenticated as error:
            run.end(StopReason.KEY_REVOKED, BatchProblem(StopReason.KEY_REVOKED.value, error.message))
            return None
        except (Overloaded, RateLimited, NoProviderAvailable, StoreUnavailable, TenantSuspended) as error:
            if isinstance(error, RateLimited):
                run.pace.pushed_back(self._clock.monotonic())
            return Next(postponed_s(error), begun=False)
        except InterchangeError as error:
            await self._refuse(run, course, error)
            return None
        bound: int | None = None
        held = False
        try:
            if is_kept(job):
                job.request_id = request_id(run.batch.batch_id, line.number, course.number)
                return await self._send(run, course, job, live)  # nothing is, so nothing is reserved for it
            target = self._choose(job, course)
            bound = line_bound(with_prompt_marks(request, job.plan.route, target), target)
            held = await run.reserve(line.number, bound)
            if not held:
                return None
            self._prepare(run, course, job, target, bound)
            return await self._send(run, course, job, live)
        finally:
            # What was not recorded by now is told by the journal: an intent without an end.
            self._pipeline.abandon(job)
            if held:
                run.settle(bound, job.cost_nano_usd if job.attempts else 0)

    def _read(self, run: BatchRun, line: BatchLine) -> LlmRequest:
        return self._reader.read(DIALECT_BY_ENDPOINT[run.batch.endpoint], line.body)

    async def _begin(self, run: BatchRun, line: BatchLine, request: LlmRequest) -> tuple[Job, LiveState]:
        """Admitted as whoever made the batch, with the rights of this moment."""
        principal = self._key_ring.holder_of(run.batch.tenant_id, run.batch.key_id)
        await self._keep.resolve(principal, request)
        attribution = Attribution(
            workflow_id=run.batch.batch_id,
            client_request_id=line.custom_id[:256],
        )
        job, live = await self._pipeline.begin(principal, request, Requirements(), attribution)
        nobody = unasked(job)
        if nobody is not None:
            self._pipeline.abandon(job)
            raise nobody
        return job, live

    def _choose(self, job: Job, course: Course) -> Target:
        """The one in doubt again; else the best of the plan that has not failed this line yet."""
        if course.key:
            pinned = self._records.target(course.pinned)
            if pinned is not None:
                return pinned
        fresh = [target for target in job.plan.targets if target.id not in course.avoided]
        return fresh[0] if fresh else job.plan.targets[0]

    def _prepare(self, run: BatchRun, course: Course, job: Job, target: Target, bound: int | None) -> None:
        """Makes the job one try at one target, and writes down that it is about to be sent."""
        batch_id, line = run.batch.batch_id, course.line
        if course.pinned != target.id:
            course.forget_key()
        key = course.key or idempotency_key(batch_id, line.number, course.number)
        # Refusals were recorded under ids of their own; from here on this id belongs to this try.
        job.request_id = request_id(batch_id, line.number, course.number)
        job.request.idempotency_key = key
        job.paid_before = course.charge is not None
        route = replace(job.plan.route, retries=0, max_fallbacks=0)
        job.plan = job.plan._replace(route=route, targets=(target,), spares=())
        job.deadline = Deadline(self._clock.monotonic() + route.timeouts.total_s)
        run.write(Intent(line.number, course.number, key, target.id, bound))

    async def _send(self, run: BatchRun, course: Course, job: Job, live: LiveState) -> Next | None:
        try:
            answer = await self._pipeline.complete(job, live)
        except UpstreamError as error:
            run.budget_has_room()
            return await self._failed(run, course, job, job.plan.targets[0], error)
        except BudgetExceeded as error:
            return await self._without_room(run, course, job, error)
        except (NoProviderAvailable, DeadlineExceeded, StoreUnavailable) as error:
            # Closed between planning and sending, or no ledger to ask: this try never left.
            await self._never_left(run, course, job, error)
            return Next(postponed_s(error))
        except InterchangeError as error:
            await self._end_unanswered(run, course, job, error)
            return None
        run.budget_has_room()
        run.pace.answered()
        body = with_cost(self._frames, job, answer)
        job.response_bytes = len(body)
        ended = self._ended(run, course, final=True, ok=True)._replace(status=200, answer=body)
        await self._record(run, job, ended, status=200, outcome="ok")
        self._counters.lines["completed"] += 1
        if course.charge is not None and self._money is not None:
            await self._money.repeat_answered(course.charge, job)
        return None

    def _counted(self, job: Job, target: Target) -> Hold | None:
        return None if self._money is None else self._money.counted(job, target)

    async def _without_room(
        self, run: BatchRun, course: Course, job: Job, error: BudgetExceeded
    ) -> Next | None:
        """Waits for a budget that may have room before the batch expires; else the line fails."""
        pause_s = pause_for_budget_s(
            error.room_at_us,
            now_us=int(self._clock.utc_now().timestamp() * 1e6),
            expires_at_us=run.batch.expires_at_us,
            pauses=run.budget_pauses,
            draw=self._chance.random(),
        )
        if pause_s is None:
            await self._end_unanswered(run, course, job, error)
            return None
        await self._never_left(run, course, job, error)
        run.budget_is_full(str(error.details.get("budget", "")), self._clock.monotonic() + pause_s)
        return Next(0.0, begun=False)

    async def _never_left(self, run: BatchRun, course: Course, job: Job, error: InterchangeError) -> None:
        """The end of a try that reached no provider; a hop on its way may have failed."""
        ended = self._ended(run, course, final=False, ok=False, error=error)
        ended = ended._replace(key_goes_on=bool(course.key))
        if job.attempts:
            await self._record(run, job, ended, status=ended.status, outcome="error", error_code=error.code)
        else:
            await run.write_in_the_end(ended)

    async def _end_unanswered(self, run: BatchRun, course: Course, job: Job, error: InterchangeError) -> None:
        """The line will not be sent, or not again, and fails with the reason."""
        if course.key:
            state = LineState(tries=course.number, target_id=course.pinned, key=course.key)
            await self.settle_doubt(run, course.line, state)
        ended = self._ended(run, course, final=True, ok=False, error=error)
        await self._record(run, job, ended, status=ended.status, outcome="refused", error_code=error.code)
        self._counters.lines["failed"] += 1

    async def _failed(
        self, run: BatchRun, course: Course, job: Job, target: Target, error: UpstreamError
    ) -> Next | None:
        failure = error.failure
        if pushes_back(failure):
            run.pace.pushed_back(self._clock.monotonic())
        step = after_failed_try(
            failure,
            tries_left=run.batch.settings.retries - course.failed,
            failed_before=course.failed,
            draw=self._chance.random(),
            honours_keys=target.honours_idempotency_keys,
            in_doubt_before=bool(course.key),
        )
        final = isinstance(step, LineFailed)
        same_key = not isinstance(step, LineFailed) and step.same_key
        if same_key and job.attempts:
            course.charge = carried_by_repeat(job) or course.charge
        elif final and course.key and doubt_of(failure) is Doubt.NONE:
            # This one was refused; what became of the one it repeated stays unknown.
            self._records.note_unresolved(job, target, self._counted(job, target))
            self._counters.lines["unresolved"] += 1
        ended = self._ended(run, course, final=final, ok=False, error=error)._replace(key_goes_on=same_key)
        await self._record(run, job, ended, status=ended.status, outcome="error", error_code=error.code)
        course.failed += 1
        if same_key:
            course.key, course.pinned = job.request.idempotency_key, target.id
        else:
            course.forget_key()
        if isinstance(step, LineFailed):
            self._counters.lines["failed"] += 1
            return None
        if step.elsewhere:
            course.avoided.add(target.id)
        return Next(step.wait_s)

    async def _record(
        self,
        run: BatchRun,
        job: Job,
        ended: TryEnded,
        *,
        status: int,
        outcome: str,
        error_code: str = "",
    ) -> None:
        """The end of a try: into the journal with its usage in one piece, and only then into the usage."""
        events: list[RequestEvent] = []

        def first(event: RequestEvent) -> None:
            events.append(event)
            run.write(ended._replace(event=event))

        finish = partial(self._pipeline.end, job, status=status, outcome=outcome, error_code=error_code)
        try:
            finish(first=first)
        except StoreUnavailable:
            await run.write_in_the_end(ended._replace(event=events[0]))

    async def _refuse(self, run: BatchRun, course: Course, error: InterchangeError) -> None:
        """The line can never be asked: it fails with the reason, and nothing was sent for it."""
        await run.write_in_the_end(self._ended(run, course, final=True, ok=False, error=error))
        self._counters.lines["failed"] += 1

    def _ended(
        self,
        run: BatchRun,
        course: Course,
        *,
        final: bool,
        ok: bool,
        error: InterchangeError | None = None,
    ) -> TryEnded:
        line = course.line
        told = request_id(run.batch.batch_id, line.number, course.number)
        ended = TryEnded(line.number, course.number, line.custom_id, final, ok, 0, told, None, "", "", None)
        if error is None:
            return ended
        status, body = self._render(error, DIALECT_BY_ENDPOINT[run.batch.endpoint], told)
        return ended._replace(
            status=status, answer=body if final else None, code=error.code, message=error.message
        )
