"""Runs one batch to its end, from wherever an earlier process left it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from application.batch_lines import lines_of, understood
from application.batch_run import BatchCounters, BatchRun
from application.ports.batch_store import BatchStore
from application.ports.batch_wire import BatchWire
from application.ports.file_store import FileContents
from application.ports.llm import UpstreamFailed
from application.ports.system import Clock
from application.ports.usage import UsageLog
from application.use_cases.answer_batch_line import AnswerBatchLine
from application.use_cases.answer_llm_request import AnswerLlmRequest
from application.use_cases.check_batch_file import CheckBatchFile
from application.use_cases.finish_batch import FinishBatch
from application.use_cases.manage_batches import BatchLimits
from application.use_cases.run_provider_batch import NotPossible, RunProviderBatch
from domain.batch.batch import Batch, BatchProblem, BatchStatus, LineCounts, StopReason, final_status
from domain.batch.line import BatchLine
from domain.batch.pace import background_room
from domain.batch.progress import TryEnded
from domain.batch.settings import BatchMode
from domain.errors import NotFound, StoreUnavailable

SAVE_EVERY_S: Final = 0.5
ROOM_LOOK_EVERY_S: Final = 0.01
STORE_RETRY_S: Final = 1.0


class Background:
    """Lines of all batches of this process that are in flight."""

    def __init__(self, pipeline: AnswerLlmRequest) -> None:
        self._pipeline = pipeline
        self.in_flight = 0

    @property
    def room(self) -> bool:
        """Whether one more may be begun beside what callers are waiting for."""
        return background_room(self._pipeline.slots_max, self._pipeline.in_flight, self.in_flight)

    def park(self, lines: int) -> None:
        """So many more lines only wait for something; fewer when negative."""
        self.in_flight -= lines


class LostBatch(Exception):
    """Somebody else has taken the batch over."""


class RunBatch:
    """`usage_log` gets the usage of finished lines once more after a crash, which changes nothing if it is
    there already."""

    def __init__(
        self,
        *,
        store: BatchStore,
        contents: FileContents,
        wire: BatchWire,
        check: CheckBatchFile,
        answer: AnswerBatchLine,
        finish: FinishBatch,
        at_provider: RunProviderBatch,
        usage_log: UsageLog,
        clock: Clock,
        limits: BatchLimits,
        background: Background,
        counters: BatchCounters,
    ) -> None:
        self._store = store
        self._contents = contents
        self._wire = wire
        self._check = check
        self._answer = answer
        self._finish = finish
        self._at_provider = at_provider
        self._usage_log = usage_log
        self._clock = clock
        self._limits = limits
        self._background = background
        self._counters = counters

    def concurrency(self, batch: Batch) -> int:
        """Lines of it that may be in flight at once."""
        return min(batch.settings.concurrency or self._limits.concurrency, self._limits.concurrency_max)

    async def __call__(self, run: BatchRun) -> None:
        """Returns when the batch is over. Cancelling leaves it to whoever takes it over.

        Raises:
            LostBatch: somebody else did already. StoreUnavailable: it may be run again later.
        """
        if run.batch.status is BatchStatus.VALIDATING:
            await self._validate(run)
        if run.batch.status is BatchStatus.IN_PROGRESS:
            await self._replay(run)
            await (self._run_at_provider(run) if run.batch.answered_by else self._run_lines(run))
            self._note(run)
            run.batch = replace(run.batch, stop=run.stop)
            await self._move(run, BatchStatus.FINALIZING)
        if run.batch.status is BatchStatus.FINALIZING:
            await self._replay(run)
            self._note(run)
            outputs = await self._finish(run)
            if run.batch.answered_by:
                await self._at_provider.clean(run)
            unasked = run.batch.counts.total - len(run.progress.finished)
            self._counters.lines["not_run"] += unasked
            counts = run.batch.counts._replace(failed=run.progress.failed + unasked)
            run.batch = replace(
                run.batch,
                counts=counts,
                output_file_id=outputs.output_file_id,
                error_file_id=outputs.error_file_id,
            )
            await self._move(run, final_status(run.batch.stop))

    async def _validate(self, run: BatchRun) -> None:
        try:
            check = await self._check(run.batch)
        except NotFound:
            problem = BatchProblem("input_file_gone", "the input file is gone", None, "input_file_id")
            run.batch = run.batch.with_problem(problem)
            await self._move(run, BatchStatus.FAILED)
            return
        run.batch = replace(run.batch, counts=LineCounts(0 if check.wrong else check.lines))
        if check.wrong:
            run.batch = replace(run.batch, problems=tuple(check.problems))
            await self._move(run, BatchStatus.FAILED)
            return
        run.fresh = True
        if run.batch.settings.mode is not BatchMode.OWN:
            try:
                target = await self._at_provider.choose(run)
                run.batch = replace(run.batch, answered_by=target.id)
            except NotPossible as error:
                await self._at_provider.put_back(run)
                if run.batch.settings.mode is BatchMode.PROVIDER:
                    run.batch = run.batch.with_problem(error.problem)
                    await self._move(run, BatchStatus.FAILED)
                    return
        await self._move(run, BatchStatus.IN_PROGRESS)

    async def _run_at_provider(self, run: BatchRun) -> None:
        """The provider's own batch; what it will not take is a problem of the batch, not of its lines."""
        watching = asyncio.create_task(self._watch(run))
        working = asyncio.create_task(self._at_provider(run, lambda: self._save(run), resumed=not run.fresh))
        try:
            await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            await working
        except UpstreamFailed as error:
            failure = error.failure
            if failure.disposition.try_next and run.batch.provider_batch:
                # It is there and will be asked for again: nothing is lost.
                raise StoreUnavailable(f"the provider's batch cannot be reached: {failure.message}") from None
            run.batch = run.batch.with_problem(BatchProblem("provider_batch_failed", failure.message))
            run.end(StopReason.PROVIDER)
        finally:
            run.elsewhere = (0, 0)
            for task in (watching, working):
                task.cancel()
            await asyncio.gather(watching, working, return_exceptions=True)

    async def _replay(self, run: BatchRun) -> None:
        """What the journal knows of earlier processes; their usage is recorded once more."""
        if run.replayed:
            return
        run.replayed = True
        offset, last = 0, False
        while not last:
            records, offset, last = await run.journal.page(offset)
            for record in records:
                run.progress.take(record)
                if isinstance(record, TryEnded) and record.event is not None:
                    while not self._usage_log.accepting:  # noqa: ASYNC110 - there is no event for it
                        await asyncio.sleep(STORE_RETRY_S)
                    self._usage_log.record(record.event)
        run.purse.spent_nano_usd = run.progress.spent_nano_usd

    async def _run_lines(self, run: BatchRun) -> None:
        watching = asyncio.create_task(self._watch(run))
        lines: set[asyncio.Task[None]] = set()
        run.park = self._background.park
        try:
            async for line in self._unfinished_lines(run):
                while run.stop is None and (len(lines) >= run.pace.allowed or not self._background.room):
                    await self._wait(lines, watching)
                if run.stop is not None:
                    break
                task = asyncio.create_task(self._line(run, line))
                lines.add(task)
                task.add_done_callback(lines.discard)
            while lines:
                await self._wait(lines, watching)
            run.budget_has_room()
            if run.stop is not None:
                await self._settle_doubts(run)
        finally:
            left = [*lines, watching]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _wait(self, lines: "set[asyncio.Task[None]]", watching: "asyncio.Task[None]") -> None:
        """Until a line ends or it is time to look again; what went wrong in one of them comes through."""
        full = bool(lines) and self._background.room
        waited = {*lines, watching}
        done, _ = await asyncio.wait(
            waited,
            timeout=SAVE_EVERY_S if full else ROOM_LOOK_EVERY_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in done:
            lines.discard(task)
            task.result()

    async def _line(self, run: BatchRun, line: BatchLine) -> None:
        self._background.in_flight += 1
        try:
            await self._answer(run, line)
        finally:
            self._background.in_flight -= 1

    async def _unfinished_lines(self, run: BatchRun) -> AsyncIterator[BatchLine]:
        """Lines that are not finished, those first of which an earlier process had begun a try."""
        if run.progress.begun:
            begun = set(run.progress.begun)
            async for line in self._lines(run):
                if line.number in begun:
                    yield line
            async for line in self._lines(run):
                if line.number not in begun and line.number not in run.progress.finished:
                    yield line
            return
        finished = frozenset(run.progress.finished)
        async for line in self._lines(run):
            if line.number not in finished:
                yield line

    async def _lines(self, run: BatchRun) -> AsyncIterator[BatchLine]:
        bytes_max = self._limits.line_bytes_max
        chunks = self._contents.read(run.batch.tenant_id, run.batch.input_file_id)
        async for raw in lines_of(chunks, line_bytes_max=bytes_max):
            yield understood(self._wire, raw, bytes_max)

    async def _settle_doubts(self, run: BatchRun) -> None:
        """No line is asked again: what may have been paid for without an answer is recorded as such."""
        doubtful = {number for number, state in run.progress.begun.items() if state.open or state.key}
        if not doubtful:
            return
        async for line in self._lines(run):
            if line.number in doubtful:
                await self._answer.settle_doubt(run, line, run.progress.begun[line.number])

    async def _watch(self, run: BatchRun) -> None:
        """Tells the store how far it is, and the run when it must stop."""
        while True:
            now_us = self._now_us()
            if now_us >= run.batch.expires_at_us:
                run.end(StopReason.EXPIRED)
            try:
                await run.journal.sync()
                await self._save_progress(run)
                kept = await self._store.get(run.batch.tenant_id, run.batch.batch_id)
                if kept is not None and kept.moments.cancelling is not None:
                    run.end(StopReason.CANCELLED)
            except StoreUnavailable:
                # Lines go on while the journal can be written; progress is shown when the store is back.
                await asyncio.sleep(STORE_RETRY_S)
            left_s = (run.batch.expires_at_us - now_us) / 1e6
            try:
                async with asyncio.timeout(min(SAVE_EVERY_S, max(0.01, left_s))):
                    await run.nudged.wait()
                run.nudged.clear()
            except TimeoutError:
                continue

    async def _save_progress(self, run: BatchRun) -> None:
        before = run.batch
        self._note(run)
        if run.batch != before:
            await self._save(run)

    def _note(self, run: BatchRun) -> None:
        progress = run.progress
        run.batch = replace(
            run.batch,
            counts=run.counts(),
            cost_nano_usd=progress.cost_nano_usd,
            uncosted=progress.uncosted,
            unresolved=progress.unresolved,
            waiting_for=run.waiting_for,
        )

    async def _move(self, run: BatchRun, to: BatchStatus) -> None:
        run.batch = run.batch.moved(to, self._now_us())
        await self._save(run)

    async def _save(self, run: BatchRun) -> None:
        if not await self._store.save(run.batch):
            raise LostBatch(run.batch.batch_id)

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)
