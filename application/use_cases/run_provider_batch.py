"""Runs a batch as a batch of the provider's own, at the provider's batch prices.

Which target answers is written down before anything is handed over, the provider's id before it is asked how
it is doing. So whoever takes over after a crash finds the provider's batch again instead of paying for two.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Final

from application.batch_course import postponed_s
from application.batch_lines import DIALECT_BY_ENDPOINT, lines_of, understood
from application.batch_money import BatchMoney
from application.batch_records import BatchRecords
from application.batch_run import BatchCounters, BatchRun
from application.guardrails.inspecting import guarded
from application.job import Attribution, Job
from application.key_ring import KeyRing
from application.ports.batch_wire import BatchWire
from application.ports.file_store import FileContents
from application.ports.http import BodySource
from application.ports.llm import UpstreamFailed
from application.ports.provider_batches import Marker, ProviderBatches, ProviderBatchState, ProviderLine
from application.ports.system import Clock
from application.ports.wire import RequestReader
from application.privacy.protecting import enforced
from application.provider_batch_lines import (
    KnownLine,
    LinesBill,
    SpooledDocument,
    cheaper_in_batches,
    keep_record,
    number_of,
    shape_of,
    spool_id,
    upstream_id,
)
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.keep_answers import KeepAnswers
from application.use_cases.manage_batches import BatchLimits
from domain.batch.batch import BatchProblem
from domain.batch.line import BatchLine
from domain.batch.progress import TryEnded, request_id
from domain.batch.settings import BatchMode
from domain.batch.spending import line_bound
from domain.errors import BudgetExceeded, InterchangeError, InvalidRequest, RateLimited
from domain.llm.cache_wish import CacheWish
from domain.llm.failures import Failure, FailureKind, classify
from domain.llm.request import LlmRequest
from domain.llm.usage import NO_USAGE, Usage
from domain.resilience.backoff import retry_wait_s
from domain.routing.requirements import Requirements
from domain.routing.target import Target
from domain.tenancy.principal import Principal

POLL_FIRST_S: Final = 0.5
POLL_MAX_S: Final = 60.0
POLL_FACTOR: Final = 1.5
FAILED_POLLS_MAX: Final = 200
"""Asked in vain so often in a row, at growing intervals, the batch is left for a later try."""
SUBMISSIONS_MAX: Final = 6
LINES_AT_ONCE: Final = 64
UPSTREAM_BYTES_MAX: Final = 2**40
NOT_POSSIBLE: Final = "provider_batch_not_possible"


class NotPossible(Exception):
    """No single target's batch API can answer these lines; `problem` says why."""

    def __init__(self, problem: BatchProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


class RunProviderBatch:
    """Memory: the custom id and model of each line, no bodies."""

    def __init__(
        self,
        *,
        providers: ProviderBatches,
        pipeline: AnswerLlmRequest,
        records: BatchRecords,
        key_ring: KeyRing,
        keep: KeepAnswers,
        reader: RequestReader,
        contents: FileContents,
        wire: BatchWire,
        clock: Clock,
        limits: BatchLimits,
        counters: BatchCounters,
        money: BatchMoney | None = None,
    ) -> None:
        self._providers = providers
        self._pipeline = pipeline
        self._records = records
        self._key_ring = key_ring
        self._keep = keep
        self._reader = reader
        self._contents = contents
        self._wire = wire
        self._clock = clock
        self._limits = limits
        self._counters = counters
        self._money = money

    async def choose(self, run: BatchRun) -> Target:
        """The one target that may answer every line through its provider's batch API.

        All lines together are charged to hard budgets at their bound then. Raises NotPossible, also where the
        mode is `auto` and its batches cost no less, and StoreUnavailable.
        """
        chosen: Target | None = None
        bound, unbounded = 0, False
        async for line in self._lines(run):
            if line.number % LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
            target, request = await self._target_for(run, line, chosen)
            chosen = chosen or target
            most = line_bound(request, target)
            limit = run.purse.limit_nano_usd
            bound += most or 0
            unbounded = unbounded or most is None
            if limit is not None and (most is None or bound > limit):
                raise NotPossible(
                    BatchProblem(
                        NOT_POSSIBLE, "the whole file at once could pass the budget", line.number, "metadata"
                    )
                )
        if chosen is None:
            raise NotPossible(BatchProblem(NOT_POSSIBLE, "there are no lines"))
        if run.batch.settings.mode is BatchMode.AUTO and not cheaper_in_batches(chosen):
            raise NotPossible(BatchProblem(NOT_POSSIBLE, "the provider's batches cost no less"))
        await self._set_aside(run, chosen, None if unbounded else bound)
        return chosen

    async def _set_aside(self, run: BatchRun, target: Target, bound_nano_usd: int | None) -> None:
        if self._money is None:
            return
        dialect = DIALECT_BY_ENDPOINT[run.batch.endpoint]
        job = self._job(run, "", shape_of(dialect, target.model), target, run.batch.batch_id)
        try:
            await self._money.set_aside(job, target, run.batch.batch_id, bound_nano_usd)
        except BudgetExceeded as error:
            raise NotPossible(BatchProblem(error.code, error.message, None, "metadata")) from None

    async def put_back(self, run: BatchRun) -> None:
        """Nothing of the batch will be handed over. Raises StoreUnavailable."""
        if self._money is not None:
            await self._money.lines_billed(run.batch.batch_id, 0)

    def _job(
        self, run: BatchRun, custom_id: str, request: LlmRequest, target: Target, request_id: str
    ) -> Job:
        holder = self._key_ring.known_holder(run.batch.tenant_id, run.batch.key_id)
        return self._records.job(run, custom_id, request, target, request_id, holder)

    async def _target_for(
        self, run: BatchRun, line: BatchLine, chosen: Target | None
    ) -> tuple[Target, LlmRequest]:
        dialect = DIALECT_BY_ENDPOINT[run.batch.endpoint]
        try:
            principal = self._key_ring.holder_of(run.batch.tenant_id, run.batch.key_id)
            request = self._reader.read(dialect, line.body)
            await self._keep.resolve(principal, request)
            if request.home is not None or request.body != line.body:
                # The document is made of the lines as they stand.
                raise InvalidRequest("it refers to an answer that is kept somewhere", param="input")
            request.cache_wish = CacheWish(no_store=True)  # the provider answers, whatever is kept here
            job = await self._admitted(run, principal, request)
            self._pipeline.abandon(job)
            if request.body != line.body or enforced(job):
                raise InvalidRequest("a privacy policy changes it or its answer", param="input")
            if guarded(job):
                raise InvalidRequest("a guardrail looks at its answer", param="input")
        except InterchangeError as error:
            raise NotPossible(BatchProblem(NOT_POSSIBLE, error.message, line.number, error.param)) from None
        targets = job.plan.targets
        target = chosen if chosen is not None and chosen in targets else targets[0]
        if chosen is not None and target.id != chosen.id:
            raise NotPossible(
                BatchProblem(
                    NOT_POSSIBLE, f"leads to {target.id}, earlier lines to {chosen.id}", line.number, "model"
                )
            )
        if not self._providers.offers(target, dialect):
            raise NotPossible(
                BatchProblem(NOT_POSSIBLE, f"{target.provider} has no batch API for this", line.number)
            )
        return target, request

    async def _admitted(self, run: BatchRun, principal: Principal, request: LlmRequest) -> Job:
        """The plan of a line. A rate limit makes it wait; what it took is given back, for what a provider's
        batch API answers counts by that API's limits alone."""
        while True:
            try:
                return (await self._pipeline.begin(principal, request, Requirements(), Attribution()))[0]
            except RateLimited as error:
                if run.stop is not None:
                    raise
                await run.sleep(postponed_s(error))

    async def __call__(self, run: BatchRun, save: Callable[[], Awaitable[None]], resumed: bool) -> None:
        """Hands over, looks after and fetches the batch; `run.batch.answered_by` is written down already.

        `save` writes `run.batch` down. Raises StoreUnavailable and what `save` raises; UpstreamFailed when
        the provider takes or gives nothing, after which it may be called again with `resumed`.
        """
        target = self._records.target(run.batch.answered_by)
        if target is None:
            message = f"{run.batch.answered_by} is no longer configured"
            raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message, sent=False))
        known: dict[int, KnownLine] = {}
        if not run.batch.provider_batch:
            try:
                document = await self._spool(run, target, known)
            except UpstreamFailed:
                if not resumed:
                    await self.put_back(run)
                raise
            reference = await self._hand_over(run, target, document, resumed)
            run.batch = replace(run.batch, provider_batch=reference)
            await save()
        if not known:
            async for line in self._lines(run):
                known[line.number] = self._known(run, line, target)
        state = await self._until_ended(run, target)
        bill = LinesBill()
        async for result in self._providers.results(target, run.batch.provider_batch, state):
            await self._take(run, target, known, result, bill)
        await self._settle_rest(run, known, state)
        if self._money is not None:
            await self._money.lines_billed(run.batch.batch_id, bill.total(run.progress))

    async def clean(self, run: BatchRun) -> None:
        """Forgets the document that was made for the provider."""
        await self._contents.remove(run.batch.tenant_id, spool_id(run))

    async def _spool(self, run: BatchRun, target: Target, known: dict[int, KnownLine]) -> BodySource:
        """All lines in the provider's shape, on our disk, so that their size is known beforehand."""
        dialect = DIALECT_BY_ENDPOINT[run.batch.endpoint]

        async def requests() -> AsyncIterator[bytes]:
            async for line in self._lines(run):
                request = self._reader.read(dialect, line.body)
                known[line.number] = self._known(run, line, target)
                yield self._providers.encode(target, request, upstream_id(run, line.number))

        document = self._providers.document(target, requests())
        spool = spool_id(run)
        written = await self._contents.write(
            run.batch.tenant_id, spool, document, size_bytes_max=UPSTREAM_BYTES_MAX
        )
        return SpooledDocument(self._contents, run.batch.tenant_id, spool, written.size_bytes)

    async def _hand_over(self, run: BatchRun, target: Target, document: BodySource, resumed: bool) -> str:
        """The provider's id of the batch, made at most once: whoever is in doubt looks first."""
        dialect = DIALECT_BY_ENDPOINT[run.batch.endpoint]
        marker = Marker(run.batch.batch_id, run.batch.counts.total, run.batch.created_at_us)
        in_doubt, checked = resumed, not resumed
        for attempt in range(SUBMISSIONS_MAX):
            try:
                if in_doubt and (found := await self._providers.find(target, marker)) is not None:
                    return found
                if not checked:
                    checked = True
                    await self._check_again(run, target)
                return await self._providers.submit(target, dialect, document, marker)
            except UpstreamFailed as error:
                failure = error.failure
                in_doubt = in_doubt or failure.may_be_billed or (failure.status or 0) >= 500
                hopeless = not failure.disposition.retry_same and failure.kind is not FailureKind.TIMEOUT
                if hopeless or attempt + 1 == SUBMISSIONS_MAX or run.stop is not None:
                    if not in_doubt:
                        await self.put_back(run)
                    raise
                await run.sleep(retry_wait_s(attempt, retry_after_s=failure.retry_after_s, draw=1.0))
        raise AssertionError("the last attempt returned or raised")

    async def _check_again(self, run: BatchRun, target: Target) -> None:
        """Policies may have changed since the lines were allowed to go, before the process that was to hand
        them over ended. Raises UpstreamFailed where one may not go any more; nothing is charged then."""
        try:
            async for line in self._lines(run):
                if line.number % LINES_AT_ONCE == 0:
                    await asyncio.sleep(0)
                await self._target_for(run, line, target)
        except NotPossible as error:
            await self.put_back(run)
            said = f"line {error.problem.line}: {error.problem.message}"
            failure = Failure(kind=FailureKind.CALLER_FAULT, message=said, sent=False)
            raise UpstreamFailed(failure) from None

    async def _until_ended(self, run: BatchRun, target: Target) -> ProviderBatchState:
        wait_s, failed, cancelled = POLL_FIRST_S, 0, False
        while True:
            if run.stop is not None and not cancelled:
                cancelled = True
                await self._providers.cancel(target, run.batch.provider_batch)
                wait_s = POLL_FIRST_S
            try:
                state = await self._providers.poll(target, run.batch.provider_batch)
            except UpstreamFailed:
                failed += 1
                if failed >= FAILED_POLLS_MAX:
                    raise
            else:
                failed = 0
                run.elsewhere = (state.completed, state.failed)
                if state.ended:
                    return state
            # `run.sleep` returns at once when the batch has stopped; the provider still needs its time.
            await (asyncio.sleep(wait_s) if cancelled else run.sleep(wait_s))
            wait_s = min(POLL_MAX_S, wait_s * POLL_FACTOR)

    async def _take(
        self,
        run: BatchRun,
        target: Target,
        known: dict[int, KnownLine],
        result: ProviderLine,
        bill: LinesBill,
    ) -> None:
        number = number_of(run, result.custom_id)
        line = known.get(number)
        if line is None or number in run.progress.finished:
            return
        dialect = DIALECT_BY_ENDPOINT[run.batch.endpoint]
        told = request_id(run.batch.batch_id, number, 0)
        shape = shape_of(dialect, line.model)
        job = self._job(run, line.custom_id, shape, target, told)
        failure: Failure | None = None
        body: bytes | None = result.body or None
        usage = None
        if result.ok:
            try:
                answer = self._providers.translate(target, shape, result.body)
                body, usage, job.finish_reason = answer.body, answer.usage, answer.finish_reason or ""
            except UpstreamFailed as error:
                failure = error.failure
        else:
            kind = classify(result.status or 500, codes=(result.code or None,), message=result.message)
            failure = Failure(kind=kind, message=result.message or kind.value, status=result.status or None)
        outcome = "ok" if failure is None else failure.kind.value
        if failure is not None:
            # An answer that could not be read was billed, though nobody knows how much.
            usage = Usage(estimated=True) if result.ok else NO_USAGE
        hold = None if self._money is None else self._money.counted(job, target)
        self._records.note_batched(job, target, usage, outcome, failure, hold)
        ok = failure is None
        code, message = ("", "") if failure is None else (result.code or outcome, failure.message)
        ended = TryEnded(number, 0, line.custom_id, True, ok, result.status, told, body, code, message, None)
        records: list[TryEnded] = []

        def keep(record: TryEnded) -> None:
            bill.take(record.event, line.bound_nano_usd)
            keep_record(run, records, record)

        self._pipeline.record(
            job,
            status=result.status or 0,
            outcome="ok" if ok else "error",
            error_code="" if ok else f"upstream_{outcome}",
            first=lambda event: keep(ended._replace(event=event)),
        )
        for waiting in records:
            await run.write_in_the_end(waiting)
        self._counters.lines["completed" if ok else "failed"] += 1

    async def _settle_rest(
        self, run: BatchRun, known: dict[int, KnownLine], state: ProviderBatchState
    ) -> None:
        """Lines the provider says nothing about; after a stop they are told with the others."""
        if run.stop is not None:
            return
        why = state.message or "the provider's batch ended without a result for this line"
        for number, line in known.items():
            if number not in run.progress.finished:
                ended = TryEnded(
                    number, 0, line.custom_id, True, False, 0, "", None, "provider_batch_failed", why, None
                )  # fmt: skip
                await run.write_in_the_end(ended)
                self._counters.lines["failed"] += 1
        if state.message:
            run.batch = run.batch.with_problem(BatchProblem("provider_batch_failed", state.message))

    def _known(self, run: BatchRun, line: BatchLine, target: Target) -> KnownLine:
        request = self._reader.read(DIALECT_BY_ENDPOINT[run.batch.endpoint], line.body)
        return KnownLine(line.custom_id, request.model, line_bound(request, target))

    async def _lines(self, run: BatchRun) -> AsyncIterator[BatchLine]:
        bytes_max = self._limits.line_bytes_max
        chunks = self._contents.read(run.batch.tenant_id, run.batch.input_file_id)
        async for raw in lines_of(chunks, line_bytes_max=bytes_max):
            yield understood(self._wire, raw, bytes_max)
