"""Rows survive what kills processes: proved with real processes and real files."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.sql.journal import LOCK_FILE, abandoned_journals
from contracts.ports.usage import usage_event
from tests.contract.sql_world import SqlWorld
from tests.unit.sql._journals import abandoned_segment, log_of, rows_of, until

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
