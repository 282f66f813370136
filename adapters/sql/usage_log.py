"""The usage log of a process: journal first, database in groups.

`record` writes the event to the journal and puts it in a queue; `run` empties the queue into the
database. A segment of the journal is deleted once all its rows are durable in the database. When the
queue is full the event stays in the journal only and is read back from there later; when the journal
cannot be written, the event stays in the queue only and is written to the journal later.
"""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from adapters.sql.journal import (
    SEGMENT_SIZE_BYTES_MAX,
    AbandonedJournal,
    ProcessJournal,
    Segment,
    SegmentReader,
    abandoned_journals,
)
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_rows import UsageWriter
from application.ports.usage import UsageLog
from domain.analytics.event import RequestEvent
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

UNBOUNDED: Final = sys.maxsize
QUEUE_ROWS_MAX: Final = 100_000
GROUP_ROWS_MAX: Final = 2000
REJOURNAL_ROWS_MAX: Final = 1000
DRAIN_EVERY_S: Final = 0.25
SYNC_EVERY_S: Final = 1.0
ADOPT_EVERY_S: Final = 30.0
RETRY_DATABASE_AFTER_S: Final = 1.0


class Companion(Protocol):
    """What lives in the journal's folder beside the rows: the board of open holds."""

    def open(self, folder: Path) -> None:
        """From now on it may use the folder of this process."""
        ...

    def sync(self) -> None:
        """Puts it on the disk; in the writer's thread. Raises OSError."""
        ...

    def rows_at_risk(self, at_risk: bool) -> None:
        """Told before `record` returns that rows are in memory only, and when none is any more."""
        ...

    def close(self) -> None:
        """Ends it before the folder is given up. Idempotent."""
        ...


Recover = Callable[[Path, bool], Awaitable[None]]
"""Takes over what else lies in the folder of a dead process, whose rows are in the database now; with whether
rows of it were lost. May be called again for the same folder. Raises StoreUnavailable, OSError."""


class _Run:
    """Neighbours in the queue that lie in the same segment; None: in no segment yet."""

    __slots__ = ("rows", "segment")

    def __init__(self, segment: Segment | None, rows: int) -> None:
        self.segment = segment
        self.rows = rows


class JournaledUsageLog(UsageLog):
    """Rows survive SIGKILL once `record` returned, and a power cut about a second later.

    Belongs to one event loop. Order of life: `start`, `run` as a task of its owner, `aclose`. The queue
    holds at most `queue_rows_max` events; while the journal cannot be written, the events of requests
    that were already admitted are taken beyond that rather than lost.
    """

    def __init__(
        self,
        writer: UsageWriter,
        thread: BlockingThread,
        directory: Path,
        *,
        queue_rows_max: int = QUEUE_ROWS_MAX,
        group_rows_max: int = GROUP_ROWS_MAX,
        drain_every_s: float = DRAIN_EVERY_S,
        segment_size_bytes_max: int = SEGMENT_SIZE_BYTES_MAX,
        write: Callable[[int, bytes], int] = os.write,
        beside: Companion | None = None,
        recover: Recover | None = None,
    ) -> None:
        """`directory` is `<data_dir>/journal`, shared by all processes of the machine."""
        self._beside = beside
        self._recover = recover
        self._at_risk = False
        self._writer = writer
        self._thread = thread
        self._journal = ProcessJournal(directory, segment_size_bytes_max=segment_size_bytes_max, write=write)
        self._queue: deque[RequestEvent] = deque()
        self._runs: deque[_Run] = deque()
        self._queue_rows_max = queue_rows_max
        self._group_rows_max = group_rows_max
        self._drain_every_s = drain_every_s
        self._draining = asyncio.Lock()
        self._taken = 0
        self._written = 0
        self._database_failing = False
        self._disk_failing = False
        self._closed = False
        self.damaged_records = 0
        """Records of journals that could not be read; their segments are kept in `damaged/`."""
        self.damaged_own_rows = False
        """Whether records of this process's own journal are among them."""

    def record(self, event: RequestEvent) -> None:
        runs = self._runs
        last = runs[-1] if runs else None
        # Behind an event that is not in the journal yet, order is kept: the whole tail is written later.
        segment = None if last is not None and last.segment is None else self._journal.append(event)
        if segment is not None:
            if len(self._queue) >= self._queue_rows_max:
                segment.spilled += 1
                return
            segment.waiting += 1
        elif not self._at_risk:
            self._tell_risk(True)
        self._queue.append(event)
        self._taken += 1
        if last is not None and last.segment is segment and last.rows:
            last.rows += 1
        else:
            runs.append(_Run(segment, 1))

    @property
    def accepting(self) -> bool:
        return len(self._queue) < self._queue_rows_max or not self.unjournaled_rows

    @property
    def healthy(self) -> bool:
        return not (self._database_failing or self._disk_failing or self.unjournaled_rows)

    @property
    def apart(self) -> bool:
        """Whether another process writes the rows now."""
        return self._writer.apart

    @property
    def unjournaled_rows(self) -> int:
        """Events that a death of the process would lose now."""
        last = self._runs[-1] if self._runs else None
        return last.rows if last is not None and last.segment is None else 0

    @property
    def waiting_rows(self) -> int:
        """Events in memory that are not yet in the database."""
        return len(self._queue)

    @property
    def oldest_waiting_us(self) -> int | None:
        """When the oldest of them ended (UTC epoch microseconds); None: none waits."""
        if not self._queue:
            return None
        oldest = self._queue[0]
        return oldest.started_at_us + oldest.duration_us

    async def start(self) -> None:
        """Opens the journal and brings rows of dead processes into the database.

        With an unreachable database those rows keep waiting; `run` tries again.

        Raises:
            StoreUnavailable: the journal's directory cannot be used.
        """
        try:
            await self._thread.call(self._journal.open)
        except OSError as error:
            raise StoreUnavailable(
                f"the usage journal {self._journal.directory} cannot be opened: {error}"
            ) from error
        if self._beside is not None and self._journal.folder is not None:
            self._beside.open(self._journal.folder)
        async with self._draining:
            try:
                await self._adopt()
            except StoreUnavailable:
                self._database_failing = True

    async def run(self) -> None:
        """Writes what is waiting until cancelled. Survives an unreachable database and a full disk."""
        now = asyncio.get_running_loop().time
        sync_at = now() + SYNC_EVERY_S
        adopt_at = now() + (RETRY_DATABASE_AFTER_S if self._database_failing else ADOPT_EVERY_S)
        database_at = now()
        while True:
            behind = len(self._queue) >= self._group_rows_max and now() >= database_at
            await asyncio.sleep(0 if behind else self._drain_every_s)
            async with self._draining:
                self._rejournal()
                if self._at_risk and not self.unjournaled_rows and not self.damaged_own_rows:
                    self._tell_risk(False)
                if now() >= sync_at:
                    await self._sync()
                    sync_at = now() + SYNC_EVERY_S
                if now() < database_at:
                    continue
                try:
                    # A share at a time, so that syncing and rejournalling get their turn under load.
                    await self._drain(groups_max=4, segments_max=1)
                    if now() >= adopt_at:
                        await self._adopt()
                        adopt_at = now() + ADOPT_EVERY_S
                except StoreUnavailable:
                    database_at = now() + RETRY_DATABASE_AFTER_S

    async def flush(self) -> None:
        goal = self._taken
        async with self._draining:
            while self._written < goal:
                await self._write_group()
            if any(segment.spilled for segment in self._journal.segments):
                await self._drain()

    async def rotate(self) -> None:
        """Writes everything, and leaves nothing of it in the journal as soon as the database has it for good.

        Raises StoreUnavailable; nothing is lost then.
        """
        async with self._draining:
            await self._drain()
            self._journal.seal()
            await self._retire()

    async def aclose(self) -> None:
        """Writes what can be written and closes the journal; what the database did not take stays in it.

        Idempotent. Raises StoreUnavailable when rows are in neither, which loses them.
        """
        if self._closed:
            return
        self._closed = True
        async with self._draining:
            try:
                await self._drain()
                self._journal.seal()
                await self._retire()
            except StoreUnavailable:
                pass  # the next start reads the journal
            while self.unjournaled_rows and self._rejournal():
                pass
            await self._sync()
            if self._beside is not None:
                self._beside.close()
            await self._thread.call(self._journal.close)
        if lost := self.unjournaled_rows:
            raise StoreUnavailable(
                f"{lost} usage rows could be written neither to the journal nor the database"
            )

    async def _drain(self, *, groups_max: int = UNBOUNDED, segments_max: int = UNBOUNDED) -> None:
        """Brings the queue to the database, then what only the journal holds."""
        while self._queue and groups_max > 0:
            await self._write_group()
            groups_max -= 1
        if not self._queue and any(one.spilled and not one.sealed for one in self._journal.segments):
            self._journal.seal()
        if self._database_failing:
            await self._insert([])  # nothing was waiting: find out whether it is back
        await self._retire(segments_max)

    async def _write_group(self) -> None:
        group = list(islice(self._queue, self._group_rows_max))
        await self._insert(group)
        # Taken off only now: a cancelled or failed group is simply written again, which changes nothing.
        for _ in group:
            self._queue.popleft()
        self._written += len(group)
        self._settle(len(group))

    async def _insert(self, group: list[RequestEvent]) -> None:
        try:
            await self._writer.insert(group)
        except StoreUnavailable:
            self._database_failing = True
            raise
        self._database_failing = False

    def _settle(self, rows: int) -> None:
        while rows:
            run = self._runs[0]
            settled = min(rows, run.rows)
            run.rows -= settled
            rows -= settled
            if run.segment is not None:
                run.segment.waiting -= settled
            if not run.rows:
                self._runs.popleft()

    def _tell_risk(self, at_risk: bool) -> None:
        self._at_risk = at_risk
        if self._beside is not None:
            self._beside.rows_at_risk(at_risk)

    def _rejournal(self) -> bool:
        """Writes events that missed the journal to it, some at a time. False: it still cannot be written."""
        missing = self.unjournaled_rows
        if not missing:
            return True
        tail = self._runs.pop()
        first = len(self._queue) - missing
        for event in islice(self._queue, first, first + REJOURNAL_ROWS_MAX):
            segment = self._journal.append(event)
            if segment is None:
                break
            segment.waiting += 1
            tail.rows -= 1
            if self._runs and self._runs[-1].segment is segment:
                self._runs[-1].rows += 1
            else:
                self._runs.append(_Run(segment, 1))
        if tail.rows:
            self._runs.append(tail)
        return tail.rows < missing

    async def _sync(self) -> None:
        try:
            await self._thread.call(self._journal.sync)
            if self._beside is not None:
                await self._thread.call(self._beside.sync)
            self._disk_failing = False
        except (OSError, StoreUnavailable):
            self._disk_failing = True

    async def _retire(self, segments_max: int = UNBOUNDED) -> None:
        """Deletes segments whose rows are all in the database for good."""
        done = [segment for segment in self._journal.segments if segment.sealed and not segment.waiting]
        done = done[:segments_max]
        for segment in done:
            if segment.spilled:
                segment.damaged = await self._replay(segment.path) > 0
                segment.spilled = 0
                if segment.damaged:
                    self.damaged_own_rows = True
                    self._tell_risk(True)
        if not done or not await self._writer.make_durable():
            return
        try:
            for segment in done:
                await self._thread.call(partial(self._journal.remove, segment))
        except OSError:
            self._disk_failing = True

    async def _adopt(self) -> None:
        """Takes over the journals of processes that are gone."""
        try:
            found = await self._thread.call(lambda: abandoned_journals(self._journal.directory))
        except OSError:
            self._disk_failing = True
            return
        try:
            for journal in found:
                await self._take_over(journal)
        except OSError:
            self._disk_failing = True
        finally:
            for journal in found:
                journal.close()

    async def _take_over(self, journal: AbandonedJournal) -> None:
        for path in journal.segments():
            damaged = await self._replay(path)
            if await self._writer.make_durable():
                await self._thread.call(partial(journal.remove, path, damaged=damaged > 0))
        if self._recover is None or journal.segments():
            return
        try:
            await self._recover(journal.folder, journal.lossy)
        except StoreUnavailable as error:
            # Rows have to be written whether or not the ledger can be reached: the next round tries again.
            log.warning("what a dead process held cannot be recovered yet: %s", error.message)

    async def _replay(self, path: Path) -> int:
        """Inserts every event of a segment again. How many records could not be read."""
        reader = SegmentReader(path)
        while group := await self._thread.call(lambda: list(islice(reader, self._group_rows_max))):
            await self._insert(group)
        self.damaged_records += reader.damaged
        return reader.damaged
