"""Rows survive what kills processes and fills disks: proved with real processes and real files."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from adapters.sql.journal import LOCK_FILE, abandoned_journals
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.usage_query import UsageFilter
from contracts.ports.usage import usage_event
from domain.errors import StoreUnavailable
from tests.contract.sql_world import SqlWorld

CHILD = """
import asyncio, sys
from pathlib import Path
from adapters.sql.database import SqlDatabase
from adapters.sql.thread import BlockingThread
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_rows import SqlUsageWriter
from contracts.ports.usage import usage_event

async def main(url, journal, first, count, draining):
    thread = BlockingThread("child")
    writer = SqlUsageWriter(SqlDatabase(url, thread))
    log = JournaledUsageLog(writer, thread, Path(journal), drain_every_s=0.001)
    await log.start()
    running = asyncio.create_task(log.run()) if draining else None
    for number in range(first, first + count):
        log.record(usage_event(number, tries=2))
        if draining:
            await asyncio.sleep(0)
    print("recorded", flush=True)
    if draining:
        await running
    sys.stdin.read()

url, journal, first, count, draining = sys.argv[1:]
asyncio.run(main(url, journal, int(first), int(count), draining == "draining"))
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture
async def sql(tmp_path: Path) -> AsyncIterator[SqlWorld]:
    world = SqlWorld(tmp_path)
    yield world
    await world.aclose()


def log_of(sql: SqlWorld, **options: object) -> JournaledUsageLog:
    return JournaledUsageLog(SqlUsageWriter(sql.database), sql.thread, sql.path.parent / "journal", **options)  # type: ignore[arg-type]


async def rows_of(sql: SqlWorld) -> tuple[int, int]:
    (row,) = await SqlUsageQuery(sql.database).totals(UsageFilter())
    return row.requests, row.attempts


class Child:
    """A process of its own that has recorded its events and now waits to be killed."""

    def __init__(self, sql: SqlWorld, *, first: int, count: int, draining: bool = False) -> None:
        arguments = [sql.url, str(sql.path.parent / "journal"), str(first), str(count)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments, "draining" if draining else "idle"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    async def recorded(self) -> None:
        assert self.process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(self.process.stdout.readline), 20)
        assert line == b"recorded\n"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.mark.parametrize("draining", [False, True])
async def test_rows_of_a_killed_process_are_there_after_the_next_start_exactly_once(
    sql: SqlWorld, draining: bool
) -> None:
    child = Child(sql, first=0, count=300, draining=draining)
    try:
        await child.recorded()
    finally:
        child.kill()

    log = log_of(sql)
    await log.start()
    await log.aclose()

    assert await rows_of(sql) == (300, 600)
    assert list((sql.path.parent / "journal").iterdir()) == []


async def test_a_living_process_keeps_its_journal_and_a_dead_one_does_not(sql: SqlWorld) -> None:
    living, dead = Child(sql, first=0, count=5), Child(sql, first=100, count=7)
    try:
        await living.recorded()
        await dead.recorded()
        dead.kill()

        log = log_of(sql)
        await log.start()
        assert await rows_of(sql) == (7, 14)
    finally:
        living.kill()
    await log._adopt()
    await log.aclose()

    assert await rows_of(sql) == (12, 24)


async def test_two_processes_record_side_by_side(sql: SqlWorld) -> None:
    children = [Child(sql, first=first, count=200, draining=True) for first in (0, 1000)]
    try:
        for child in children:
            await child.recorded()
    finally:
        for child in children:
            child.kill()

    log = log_of(sql)
    await log.start()
    await log.aclose()

    assert await rows_of(sql) == (400, 800)


async def abandoned_segment(sql: SqlWorld, count: int) -> Path:
    """A journal whose owner let go of it without writing a row, as death does."""
    log = log_of(sql)
    await log.start()
    for number in range(count):
        log.record(usage_event(number))
    (path,) = [segment.path for segment in log._journal.segments]
    log._journal.close()
    return path


async def test_a_torn_tail_costs_only_the_record_that_was_not_finished(sql: SqlWorld) -> None:
    path = await abandoned_segment(sql, 3)
    os.truncate(path, path.stat().st_size - 5)

    log = log_of(sql)
    await log.start()

    assert (await rows_of(sql))[0] == 2
    assert log.damaged_records == 0
    assert not path.exists()
    await log.aclose()


async def test_zeros_after_a_power_cut_end_the_segment(sql: SqlWorld) -> None:
    path = await abandoned_segment(sql, 3)
    os.truncate(path, path.stat().st_size + 4096)

    log = log_of(sql)
    await log.start()

    assert (await rows_of(sql))[0] == 3
    assert log.damaged_records == 0
    await log.aclose()


async def test_a_damaged_record_is_left_out_and_its_segment_kept(sql: SqlWorld) -> None:
    path = await abandoned_segment(sql, 3)
    content = bytearray(path.read_bytes())
    content[content.index(b"req_000000000001")] ^= 1
    path.write_bytes(content)

    log = log_of(sql)
    await log.start()

    assert (await rows_of(sql))[0] == 2
    assert log.damaged_records == 1
    (kept,) = (path.parent.parent / "damaged").iterdir()
    assert kept.read_bytes() == content
    await log.aclose()


async def test_a_file_that_is_no_journal_is_put_aside(sql: SqlWorld) -> None:
    path = await abandoned_segment(sql, 1)
    path.write_bytes(b"\x05\x00\x00\x00what?is this")

    log = log_of(sql)
    await log.start()

    assert log.damaged_records == 1
    assert len(list((path.parent.parent / "damaged").iterdir())) == 1
    await log.aclose()


async def test_a_full_disk_turns_healthy_false_and_heals(sql: SqlWorld) -> None:
    full = False

    def write(descriptor: int, data: bytes) -> int:
        if full:
            os.write(descriptor, data[:7])  # as a real disk does when its last block fills
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data)

    log = log_of(sql, write=write)
    await log.start()
    log.record(usage_event(0))

    full = True
    for number in range(1, 4):
        log.record(usage_event(number))
    assert (log.healthy, log.accepting, log.unjournaled_rows) == (False, True, 3)

    full = False
    assert log._rejournal()
    assert (log.healthy, log.unjournaled_rows) == (True, 0)
    (path,) = [segment.path for segment in log._journal.segments]
    log._journal.close()

    heir = log_of(sql)
    await heir.start()
    assert (await rows_of(sql))[0] == 4
    assert not path.exists()
    await heir.aclose()


async def test_half_a_record_on_a_full_disk_does_not_hide_the_next_one(sql: SqlWorld) -> None:
    lengths: list[int | None] = [None, None, 10, None, None]

    def write(descriptor: int, data: bytes) -> int:
        length = lengths.pop(0)
        return os.write(descriptor, data[:length])

    log = log_of(sql, write=write)
    await log.start()
    for number in range(2):
        log.record(usage_event(number))
    assert log.unjournaled_rows == 1
    log._rejournal()
    log.record(usage_event(2))
    log._journal.close()

    heir = log_of(sql)
    await heir.start()
    assert (await rows_of(sql))[0] == 3
    assert heir.damaged_records == 0
    await heir.aclose()


async def test_a_real_full_device_is_survived(sql: SqlWorld) -> None:
    try:
        device = os.open("/dev/full", os.O_WRONLY)
    except OSError:
        pytest.skip("no /dev/full on this system")
    full = False

    log = log_of(sql, write=lambda descriptor, data: os.write(device if full else descriptor, data))
    await log.start()
    log.record(usage_event(0))
    full = True
    log.record(usage_event(1))
    assert not log.healthy

    await log.flush()

    assert log.healthy
    assert (await rows_of(sql))[0] == 2
    await log.aclose()
    os.close(device)


async def test_what_does_not_fit_in_memory_waits_in_the_journal(sql: SqlWorld) -> None:
    log = log_of(sql, queue_rows_max=5, segment_size_bytes_max=4000)
    await log.start()
    sql.lose()
    for number in range(40):
        log.record(usage_event(number))
    assert (log.waiting_rows, log.accepting) == (5, True)
    with pytest.raises(StoreUnavailable):
        await log.flush()
    assert not log.healthy

    sql.restore()
    await log.flush()

    assert (await rows_of(sql))[0] == 40
    assert log.healthy
    await log.aclose()
    assert list((sql.path.parent / "journal").iterdir()) == []


async def test_closing_without_a_database_leaves_the_rows_to_the_next_start(sql: SqlWorld) -> None:
    log = log_of(sql)
    await log.start()
    sql.lose()
    log.record(usage_event(0))
    await log.aclose()
    sql.restore()

    heir = log_of(sql)
    await heir.start()

    assert (await rows_of(sql))[0] == 1
    await heir.aclose()


async def test_closing_with_neither_disk_nor_database_says_what_is_lost(sql: SqlWorld) -> None:
    def write(descriptor: int, data: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    log = log_of(sql, write=write)
    await log.start()
    sql.lose()
    log.record(usage_event(0))

    with pytest.raises(StoreUnavailable, match="1 usage rows"):
        await log.aclose()

    sql.restore()


async def test_segments_are_deleted_once_their_rows_are_durable(sql: SqlWorld) -> None:
    log = log_of(sql, segment_size_bytes_max=3000)
    await log.start()
    for number in range(50):
        log.record(usage_event(number))
    assert len(log._journal.segments) > 3

    await log._drain()

    assert len(log._journal.segments) == 1
    await log.aclose()


async def test_the_background_task_writes_without_being_asked(sql: SqlWorld) -> None:
    log = log_of(sql, drain_every_s=0.001)
    await log.start()
    running = asyncio.create_task(log.run())
    log.record(usage_event(0))

    await until(lambda: not log.waiting_rows)

    running.cancel()
    await asyncio.wait([running])
    await log.aclose()
    assert (await rows_of(sql))[0] == 1


async def test_two_heirs_do_not_take_over_the_same_journal(sql: SqlWorld) -> None:
    path = await abandoned_segment(sql, 1)
    directory = path.parent.parent

    (mine,) = abandoned_journals(directory)
    assert abandoned_journals(directory) == []
    mine.close()

    assert (path.parent / LOCK_FILE).exists()
    (again,) = abandoned_journals(directory)
    again.close()


async def test_a_journal_directory_that_cannot_be_made_is_reported(sql: SqlWorld) -> None:
    (sql.path.parent / "journal").write_text("in the way")

    with pytest.raises(StoreUnavailable, match="usage journal"):
        await log_of(sql).start()


async def test_a_start_without_database_keeps_old_journals_for_later(sql: SqlWorld) -> None:
    await abandoned_segment(sql, 2)
    sql.lose()
    log = log_of(sql)
    await log.start()
    assert not log.healthy
    sql.restore()

    await log._drain()
    await log._adopt()

    assert log.healthy
    assert (await rows_of(sql))[0] == 2
    await log.aclose()


async def test_a_segment_with_rows_still_waiting_is_not_deleted(sql: SqlWorld) -> None:
    log = log_of(sql, segment_size_bytes_max=1, group_rows_max=1)
    await log.start()
    for number in range(4):
        log.record(usage_event(number))

    await log._drain(groups_max=1)
    log._journal.close()  # as death does

    heir = log_of(sql)
    await heir.start()
    assert (await rows_of(sql))[0] == 4
    await heir.aclose()


async def test_the_background_task_outlives_an_outage(sql: SqlWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY_DATABASE_AFTER_S", "SYNC_EVERY_S", "ADOPT_EVERY_S"):
        monkeypatch.setattr(f"adapters.sql.usage_log.{name}", 0.005)
    log = log_of(sql, drain_every_s=0.001)
    await log.start()
    sql.lose()
    running = asyncio.create_task(log.run())
    log.record(usage_event(0))
    await until(lambda: not log.healthy)

    sql.restore()
    await until(lambda: log.healthy and not log.waiting_rows)

    running.cancel()
    await asyncio.wait([running])
    await log.aclose()
    assert (await rows_of(sql))[0] == 1


async def test_a_disk_that_does_not_sync_is_not_healthy(sql: SqlWorld) -> None:
    log = log_of(sql)
    await log.start()
    log.record(usage_event(0))
    sync = log._journal.sync

    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    log._journal.sync = fail  # type: ignore[method-assign]
    await log._sync()
    assert not log.healthy

    log._journal.sync = sync  # type: ignore[method-assign]
    await log._sync()
    assert log.healthy
    await log.aclose()


async def test_a_lost_journal_folder_leaves_rows_in_memory_and_then_in_the_database(sql: SqlWorld) -> None:
    log = log_of(sql)
    await log.start()
    assert log._journal._folder is not None
    shutil.rmtree(log._journal._folder)

    log.record(usage_event(0))
    assert not log.healthy
    await log.flush()

    assert (await rows_of(sql))[0] == 1
    await log.aclose()


async def test_the_older_segment_takes_more_when_there_is_no_room_for_another(sql: SqlWorld) -> None:
    full = False

    def write(descriptor: int, data: bytes) -> int:
        if full and b"tenant_id" in data:  # only a new segment begins with the names of the fields
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(descriptor, data)

    log = log_of(sql, segment_size_bytes_max=1, write=write)
    await log.start()
    log.record(usage_event(0))
    full = True
    log.record(usage_event(1))

    assert log.unjournaled_rows == 0
    assert len(log._journal.segments) == 1
    await log.aclose()
    assert (await rows_of(sql))[0] == 2


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (the log tells nobody when it is done)
            await asyncio.sleep(0.005)
