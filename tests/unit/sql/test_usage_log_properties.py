"""Whatever fails in whatever order, no row is lost and none is written twice."""

import asyncio
import errno
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sql.thread import BlockingThread
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_rows import SqlUsageWriter
from contracts.ports.usage import usage_event
from domain.analytics.event import RequestEvent
from domain.errors import StoreUnavailable


class ScriptedWriter(SqlUsageWriter):
    """Keeps ids like the database does; can be away, and can fail after it has committed."""

    def __init__(self) -> None:
        self.rows: set[str] = set()
        self.reachable = True
        self.forgets_to_answer = False
        self.durable = True

    async def insert(self, events: list[RequestEvent]) -> None:
        if not self.reachable:
            raise StoreUnavailable("away")
        self.rows.update(event.request_id for event in events)
        if self.forgets_to_answer:
            self.forgets_to_answer = False
            raise StoreUnavailable("the answer was lost")

    async def make_durable(self) -> bool:
        return self.durable and self.reachable


class Machine:
    """One journal directory, one process after another."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.writer = ScriptedWriter()
        self.thread = BlockingThread("property")
        self.disk_full = False
        self.recorded = 0
        self.born_at = 0
        self.log = self._new_log()

    def _write(self, descriptor: int, data: bytes) -> int:
        if self.disk_full:
            os.write(descriptor, data[:3])
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data)

    def _new_log(self) -> JournaledUsageLog:
        return JournaledUsageLog(
            self.writer,
            self.thread,
            self.directory,
            queue_rows_max=6,
            group_rows_max=3,
            segment_size_bytes_max=1100,
            write=self._write,
        )

    async def step(self, name: str) -> None:
        match name:
            case "record":
                self.log.record(usage_event(self.recorded))
                self.recorded += 1
            case "database":
                self.writer.reachable = not self.writer.reachable
            case "disk":
                self.disk_full = not self.disk_full
            case "checkpoint":
                self.writer.durable = not self.writer.durable
            case "lost answer":
                self.writer.forgets_to_answer = True
            case "drain":
                async with self.log._draining:
                    self.log._rejournal()
                    await self.log._sync()
                    try:
                        await self.log._drain(groups_max=1, segments_max=1)
                    except StoreUnavailable:
                        pass
            case "flush":
                try:
                    await self.log.flush()
                except StoreUnavailable:
                    pass
                else:
                    mine = {usage_event(number).request_id for number in range(self.born_at, self.recorded)}
                    assert mine <= self.writer.rows
            case "kill":
                await self._kill()
        assert self.log.unjournaled_rows <= self.log.waiting_rows
        assert self.log.accepting or self.log.unjournaled_rows

    async def _kill(self) -> None:
        # Only rows that were never journaled may go with the process, and it says how many those are.
        if self.log.unjournaled_rows:
            return
        self.log._journal.close()
        self.log = self._new_log()
        self.born_at = self.recorded
        await self.log.start()

    async def finish(self) -> None:
        self.disk_full = False
        self.writer.reachable = self.writer.durable = True
        self.writer.forgets_to_answer = False
        await self.log.flush()
        await self.log._adopt()
        await self.log.aclose()
        await self.thread.aclose()


FAULTS = ("database", "disk", "checkpoint", "lost answer")
STEPS = st.lists(
    st.sampled_from(("record",) * 8 + ("drain", "drain", "kill", "flush", *FAULTS)),
    min_size=25,
    max_size=60,
)


@given(STEPS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_row_is_lost_whatever_fails(steps: list[str]) -> None:
    async def live(directory: Path) -> None:
        machine = Machine(directory)
        await machine.log.start()
        for step in steps:
            await machine.step(step)
        await machine.finish()
        assert len(machine.writer.rows) == machine.recorded
        assert machine.log.damaged_records == 0

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "journal"
        asyncio.run(live(directory))
        assert list(directory.iterdir()) == []
