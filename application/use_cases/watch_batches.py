"""Finds batches that nobody runs and runs them; forgets what is too old.

A batch belongs to the process that holds its journal. The kernel frees the journal of a dead process at
once, so after a crash another worker, or the next start, goes on where it stopped.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from application.batch_run import BatchCounters, BatchRun
from application.ports.batch_store import BatchJournals, BatchStore
from application.ports.system import Clock
from application.ports.telemetry import Gauge
from application.use_cases.manage_batches import BatchLimits
from application.use_cases.manage_files import ManageFiles
from application.use_cases.run_batch import LostBatch, RunBatch
from domain.batch.batch import BatchStatus
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 1.0
HOUSEKEEPING_EVERY_S: Final = 60.0
COUNT_EVERY_S: Final = 5.0
UNFINISHED_LOOKED_AT_MAX: Final = 500
FORGOTTEN_AT_ONCE_MAX: Final = 100
AFTER_FAILURE_S: Final = 5.0


class WatchBatches:
    """Run `run` as a task of its owner; `wake` makes it look at once. `retention_s` bounds what is kept."""

    def __init__(
        self,
        *,
        store: BatchStore,
        journals: BatchJournals,
        files: ManageFiles,
        run_batch: RunBatch,
        clock: Clock,
        limits: BatchLimits,
        counters: BatchCounters,
        retention_s: int,
    ) -> None:
        self._store = store
        self._journals = journals
        self._files = files
        self._run_batch = run_batch
        self._clock = clock
        self._limits = limits
        self._counters = counters
        self._retention_s = retention_s
        self._running: dict[str, asyncio.Task[None]] = {}
        self._runs: dict[str, BatchRun] = {}
        self._not_before: dict[str, float] = {}
        self._counts: Mapping[str, int] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something new: a batch, or the wish that one ends."""
        self._woken.set()
        for run in self._runs.values():
            run.nudged.set()

    def gauges(self) -> Iterable[Gauge]:
        """For the metrics page: batches by status as last counted, lines by what became of them."""
        yield Gauge(
            "interchange_batches",
            "Batches by status, of all workers.",
            tuple(((("status", s.value),), self._counts.get(s.value, 0)) for s in BatchStatus),
        )
        yield Gauge(
            "interchange_batch_lines_total",
            "Lines of batches of this process by what became of them.",
            tuple(((("outcome", name),), count) for name, count in sorted(self._counters.lines.items())),
            "counter",
        )

    async def run(self) -> None:
        """Until cancelled. A store that is down is asked again."""
        clock = self._clock
        housekeeping_at = count_at = clock.monotonic()
        try:
            while True:
                self._woken.clear()
                try:
                    await self._start_what_waits()
                    if clock.monotonic() >= count_at:
                        self._counts = await self._store.counts()
                        count_at = clock.monotonic() + COUNT_EVERY_S
                    if clock.monotonic() >= housekeeping_at:
                        await self._forget_old()
                        housekeeping_at = clock.monotonic() + HOUSEKEEPING_EVERY_S
                except StoreUnavailable as error:
                    log.warning("batches: %s", error.message)
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        finally:
            running = list(self._running.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _start_what_waits(self) -> None:
        now = self._clock.monotonic()
        for batch_id in await self._store.unfinished(UNFINISHED_LOOKED_AT_MAX):
            if len(self._running) >= self._limits.running_max:
                return
            if batch_id in self._running or self._not_before.get(batch_id, 0.0) > now:
                continue
            journal = await self._journals.open(batch_id)
            if journal is None:
                continue
            try:
                # The journal is ours, so whoever had the batch before is gone or has let go of it.
                batch = await self._store.take_over(batch_id)
                if batch is None:
                    continue
                run = BatchRun(batch, journal, concurrency=self._run_batch.concurrency(batch))
                task = asyncio.create_task(self._keep(run), name=f"batch {batch_id}")
                self._running[batch_id] = task
                self._runs[batch_id] = run
                journal = None
            finally:
                if journal is not None:
                    journal.close()

    async def _keep(self, run: BatchRun) -> None:
        batch_id = run.batch.batch_id
        self._not_before.pop(batch_id, None)
        try:
            await self._run_batch(run)
        except LostBatch:
            log.warning("batch %s was taken over by another process", batch_id)
        except StoreUnavailable as error:
            log.warning("batch %s pauses: %s", batch_id, error.message)
            self._not_before[batch_id] = self._clock.monotonic() + AFTER_FAILURE_S
        except Exception:  # one batch's trouble must not end the others; it is logged and tried again
            log.exception("batch %s met an unexpected error and is tried again", batch_id)
            self._not_before[batch_id] = self._clock.monotonic() + AFTER_FAILURE_S
        finally:
            run.journal.close()
            del self._running[batch_id], self._runs[batch_id]
            self._woken.set()

    async def _forget_old(self) -> None:
        before_us = int(self._clock.utc_now().timestamp() * 1e6) - self._retention_s * 1_000_000
        for batch_id in await self._store.remove_created_before(before_us, FORGOTTEN_AT_ONCE_MAX):
            await self._journals.remove(batch_id)
        await self._files.forget_expired()
