"""What may happen to the file of kept answers: it is lost, damaged, full, locked, or of another version."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event

from adapters.memory.system import SteppingClock
from adapters.sql.answers import BYTES_MAX, SqlAnswerStore
from adapters.sql.cache_database import CacheDatabase, open_cache_database
from adapters.sql.cache_log import SqlCacheLog
from adapters.sql.cache_tables import FORMAT
from adapters.sql.thread import BlockingThread
from application.ports.answer_store import LogRecord
from contracts.ports.answer_store import kept_answer
from contracts.ports.cache_log import record
from domain.caching.entry import NOWHERE
from domain.errors import StoreUnavailable
from tests.contract.cache_world import CacheFileWorld, new_epoch


class Process:
    """What one worker has of the file."""

    def __init__(self, database: CacheDatabase, clock: SteppingClock, *, bytes_max: int = BYTES_MAX) -> None:
        self.database = database
        self.store = SqlAnswerStore(database, clock, bytes_max=bytes_max)
        self.log = SqlCacheLog(database, new_epoch)

    async def in_time(self) -> None:
        """Until it works again; so many calls may fail."""
        for _ in range(5):
            try:
                await self.log.read(NOWHERE, 1)
                await self.store.facts()
            except StoreUnavailable:
                await asyncio.sleep(0.05)
            else:
                return
        pytest.fail("it does not recover")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[CacheFileWorld]:
    world = CacheFileWorld(tmp_path)
    yield world
    await world.aclose()


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def one(world: CacheFileWorld, clock: SteppingClock) -> Process:
    return Process(world.database, clock)


@pytest.fixture
def two(world: CacheFileWorld, clock: SteppingClock) -> Process:
    return Process(world.another, clock)


async def test_answers_and_log_survive_the_end_of_every_process(
    tmp_path: Path, world: CacheFileWorld, one: Process, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)
    await one.store.write([answer])
    last = await one.log.append([record(1, "invalidate")])
    await world.aclose()

    thread = BlockingThread("test-cache-later")
    later = Process(open_cache_database(tmp_path / "cache.db", thread), clock)

    assert await later.store.read(answer.key) == answer
    assert (await later.log.read(last, 10)).position == last
    await later.database.aclose()
    await thread.aclose()


async def test_a_damaged_file_is_made_anew_by_whoever_finds_it_and_all_go_on_together(
    world: CacheFileWorld, one: Process, two: Process, clock: SteppingClock
) -> None:
    answers = [kept_answer(clock, body=os.urandom(3_000)) for _ in range(100)]
    await one.store.write(answers)
    before = await two.log.append([record(1)])
    with sqlite3.connect(world.path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    world.path.write_bytes(os.urandom(world.path.stat().st_size))

    for answer in answers:
        try:
            assert await one.store.read(answer.key) in (None, answer)
        except StoreUnavailable:
            break
    else:
        with pytest.raises(StoreUnavailable):
            await one.store.write(answers)
    await one.in_time()
    await two.in_time()
    await one.store.write(answers[:1])

    assert await two.store.read(answers[0].key) == answers[0]
    assert await two.store.read(answers[1].key) is None
    after = await one.log.append([record(2)])
    assert after.epoch != before.epoch
    assert (await two.log.read(before, 10)).lost
    assert (await two.log.read(NOWHERE, 10)).position == after


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all" * 500, b"\x93\x01\xfe" * 40], ids=["empty", "text", "noise"]
)
async def test_a_file_that_is_no_database_is_replaced_when_it_is_opened(
    world: CacheFileWorld, one: Process, clock: SteppingClock, content: bytes
) -> None:
    world.path.write_bytes(content)
    answer = kept_answer(clock)

    await one.store.write([answer])

    assert await one.store.read(answer.key) == answer


async def test_who_has_the_file_open_notices_that_another_replaced_it(
    world: CacheFileWorld, one: Process, two: Process, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)
    await one.store.write([answer])
    before = await two.log.append([record(1)])
    world.empty()

    assert await two.store.read(answer.key) is None
    await two.store.write([answer])
    assert await one.store.read(answer.key) == answer
    assert (await one.log.read(before, 1)).lost


async def test_a_later_version_takes_the_file_over_and_the_earlier_one_leaves_it_alone(
    world: CacheFileWorld, one: Process, two: Process, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = kept_answer(clock)
    await one.store.write([answer])
    monkeypatch.setattr("adapters.sql.cache_database.FORMAT", FORMAT + 1)
    assert await two.store.read(answer.key) is None
    await two.store.write([answer])
    monkeypatch.undo()

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await one.store.read(answer.key)

    monkeypatch.setattr("adapters.sql.cache_database.FORMAT", FORMAT + 1)
    assert await two.store.read(answer.key) == answer


async def test_while_another_process_prepares_the_file_there_is_none(
    world: CacheFileWorld, one: Process, two: Process
) -> None:
    with one.database._preparing(), pytest.raises(StoreUnavailable):
        await two.store.facts()

    assert (await two.store.facts()).entries == 0


async def test_a_locked_file_refuses_writes_soon_and_answers_reads(
    world: CacheFileWorld, one: Process, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)
    await one.store.write([answer])
    other = sqlite3.connect(world.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        await one.store.write([kept_answer(clock)])
    with pytest.raises(StoreUnavailable):
        await one.log.append([record(1)])
    assert await one.store.read(answer.key) == answer

    other.execute("ROLLBACK")
    other.close()
    await one.log.append([record(1)])


@pytest.mark.parametrize("pragma", ["query_only=ON", "max_page_count=1"], ids=["read-only", "full"])
async def test_a_disk_that_is_full_or_read_only_refuses_writes_and_answers_reads(
    world: CacheFileWorld, one: Process, two: Process, clock: SteppingClock, pragma: str
) -> None:
    answer = kept_answer(clock)
    await two.store.write([answer])
    event.listen(one.database._engine, "connect", lambda raw, _: raw.execute(f"PRAGMA {pragma}"))

    with pytest.raises(StoreUnavailable):
        await one.store.write([kept_answer(clock, body=os.urandom(100_000))])
    with pytest.raises(StoreUnavailable):
        await one.log.append([LogRecord("vector", os.urandom(100_000))])
    assert await one.store.read(answer.key) == answer


async def test_of_more_bytes_than_allowed_those_leave_first_that_end_first(
    world: CacheFileWorld, clock: SteppingClock
) -> None:
    small = Process(world.database, clock, bytes_max=100_000)
    answers = [kept_answer(clock, body=os.urandom(9_000)) for _ in range(20)]
    answers = [each._replace(kept_until_us=each.kept_until_us - n) for n, each in enumerate(answers)]

    for answer in answers[::-1]:
        await small.store.write([answer])

    facts = await small.store.facts()
    assert facts.bytes_used is not None
    assert facts.bytes_used <= 100_000
    kept = [answer for answer in answers if await small.store.read(answer.key) is not None]
    assert kept == answers[: len(kept)]
    assert len(kept) == facts.entries == 20 - small.store.evictions == 10


async def test_an_answer_that_alone_is_too_large_is_not_kept(
    world: CacheFileWorld, clock: SteppingClock
) -> None:
    small = Process(world.database, clock, bytes_max=10_000)
    large = kept_answer(clock, body=os.urandom(20_000))

    await small.store.write([large])

    assert await small.store.read(large.key) is None
    assert (await small.store.facts()).bytes_used == 0


async def test_upkeep_drops_what_is_over_and_gives_room_back(
    world: CacheFileWorld, one: Process, clock: SteppingClock
) -> None:
    answers = [kept_answer(clock, body=os.urandom(8_000)) for _ in range(600)]
    longer = answers[0]._replace(kept_until_us=answers[0].kept_until_us + 1)
    await one.store.write([longer, *answers[1:]])
    pages = "PRAGMA page_count"
    before = await one.database.read(lambda connection: connection.exec_driver_sql(pages).scalar_one())
    clock.advance(3600)

    assert await one.store.upkeep() == 599
    assert await one.store.upkeep() == 0

    facts = await one.store.facts()
    after = await one.database.read(lambda connection: connection.exec_driver_sql(pages).scalar_one())
    assert facts.entries == 1
    assert await one.store.read(longer.key) == longer
    assert after < before / 10


async def test_a_log_of_large_records_keeps_within_its_bytes(world: CacheFileWorld) -> None:
    log = SqlCacheLog(world.database, new_epoch, bytes_max=100_000)
    start = (await log.read(NOWHERE, 1)).position
    for _ in range(10):
        await log.append([LogRecord("vector", os.urandom(5_000)) for _ in range(10)])

    page = await log.read(start, 1_000)

    assert page.lost
    assert 15 <= len(page.records) <= 20
    assert page.position.number == 100


async def test_an_older_copy_of_the_file_put_back_is_another_epoch(
    world: CacheFileWorld, one: Process, two: Process
) -> None:
    await one.log.append([record(1)])
    with sqlite3.connect(world.path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = world.path.with_name("copy")
    copy.write_bytes(world.path.read_bytes())
    last = await one.log.append([record(2)])
    for name in ("cache.db", "cache.db-wal", "cache.db-shm"):
        world.path.with_name(name).unlink()
    copy.rename(world.path)

    page = await one.log.read(last, 10)

    assert page.lost
    assert page.position.epoch != last.epoch
    assert (await two.log.read(last, 10)).lost


def modes_of(directory: Path) -> list[int]:
    """Of everything in it that holds something."""
    return [each.stat().st_mode & 0o777 for each in directory.iterdir() if each.suffix != ".lock"]


async def test_nobody_else_on_the_machine_reads_what_was_asked_and_answered(
    tmp_path: Path, one: Process, clock: SteppingClock
) -> None:
    before = os.umask(0)
    try:
        await one.store.write([kept_answer(clock)])
        await one.log.append([record(1)])
    finally:
        os.umask(before)
    assert modes_of(tmp_path) == [0o600, 0o600, 0o600]
