"""What Redis may do to kept answers and their log: vanish, freeze, come back empty, run out of memory."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from adapters.memory.system import SteppingClock
from adapters.redis.answers import LOOK_EVERY_S, RedisAnswerStore
from adapters.redis.cache_log import RedisCacheLog
from adapters.redis.connection import RedisConnection, ScriptCall
from adapters.system.clock import SystemClock
from application.ports.answer_store import LogRecord
from contracts.ports.answer_store import kept_answer
from contracts.ports.cache_log import all_of, record
from domain.caching.entry import NOWHERE
from domain.errors import StoreUnavailable
from tests.contract.cache_world import new_epoch
from tests.redis_world import RedisClusterWorld, RedisServer, required_server

Result = TypeVar("Result")
MEGABYTE = 1024 * 1024


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of its own, to be maltreated."""
    server = RedisServer(required_server(), tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[RedisConnection]:
    connection = RedisConnection([server.url], binary=True)
    yield connection
    await connection.aclose()


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock(utc=SystemClock().utc_now())


@pytest.fixture
def store(redis: RedisConnection, clock: SteppingClock) -> RedisAnswerStore:
    return RedisAnswerStore(redis, clock)


@pytest.fixture
def log(redis: RedisConnection) -> RedisCacheLog:
    return RedisCacheLog(redis, new_epoch)


async def soon(work: Callable[[], Awaitable[Result]]) -> Result:
    """What it returns once Redis is back."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await work()
            except StoreUnavailable:
                await asyncio.sleep(0.1)


async def test_a_redis_that_is_gone_says_so_and_works_when_it_is_back_and_empty(
    server: RedisServer, store: RedisAnswerStore, log: RedisCacheLog, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)
    await store.write([answer])
    before = await log.append([record(1)])
    server.kill()
    for call in (store.read(answer.key), store.write([answer]), store.erase([answer.key]), store.facts()):
        with pytest.raises(StoreUnavailable):
            await call
    with pytest.raises(StoreUnavailable):
        await log.append([record(2)])
    with pytest.raises(StoreUnavailable):
        await log.read(before, 10)

    server.start()

    assert await soon(lambda: store.read(answer.key)) is None
    page = await log.read(before, 10)
    assert page.lost
    assert page.position.epoch != before.epoch
    await store.write([answer])
    assert await store.read(answer.key) == answer


@pytest.mark.parametrize("how", ["stands still", "takes two seconds"])
async def test_a_redis_that_is_slow_is_down_within_the_bound_and_recovers(
    server: RedisServer, store: RedisAnswerStore, log: RedisCacheLog, clock: SteppingClock, how: str
) -> None:
    answer = kept_answer(clock)
    await store.write([answer])
    last = await log.append([record(1)])
    if how == "stands still":
        server.freeze()
    else:
        with server.client() as client:
            client.client_pause(2_000)

    async with asyncio.timeout(10):
        for call in (store.read(answer.key), store.write([answer]), log.read(last, 10)):
            with pytest.raises(StoreUnavailable):
                await call
    server.thaw()

    assert await soon(lambda: store.read(answer.key)) == answer
    page = await soon(lambda: log.read(last, 10))
    assert not page.lost
    assert page.position.epoch == last.epoch


async def test_a_call_that_a_broken_connection_repeats_appends_once(
    redis: RedisConnection, log: RedisCacheLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = redis.run

    async def twice(calls: list[ScriptCall]) -> list[object]:
        await run(calls)
        return await run(calls)

    monkeypatch.setattr(redis, "run", twice)
    last = await log.append([record(1), record(2)])
    monkeypatch.undo()

    assert [told for _, told in await all_of(log)] == [record(1), record(2)]
    assert (await log.read(last, 10)).records == []


async def test_a_log_that_was_evicted_alone_has_lost_its_records_but_not_its_epoch(
    server: RedisServer, log: RedisCacheLog
) -> None:
    before = await log.append([record(1)])
    last = await log.append([record(2)])
    with server.client() as client:
        client.delete("ic:{cache:}:log")

    page = await log.read(before, 10)
    assert page.lost
    assert page.records == []
    assert page.position == last
    assert not (await log.read(last, 10)).lost
    assert (await log.append([record(3)])).number > last.number
    assert [told for _, told in (await log.read(last, 10)).records] == [record(3)]


async def test_a_log_of_large_records_keeps_within_its_bytes_and_reads_in_bounded_pages(
    redis: RedisConnection,
) -> None:
    log = RedisCacheLog(redis, new_epoch, bytes_max=10 * MEGABYTE)
    start = (await log.read(NOWHERE, 1)).position
    for _ in range(16):
        await log.append([LogRecord("vector", os.urandom(100_000)) for _ in range(10)])

    page = await log.read(start, 1_000)
    assert page.lost
    assert 3 * MEGABYTE < sum(len(told.data) for _, told in page.records) < 5 * MEGABYTE
    everything = await all_of(log, page.position, 1_000)
    assert 95 <= len(page.records) + len(everything) <= 105


async def test_entries_leave_redis_by_themselves_when_their_life_is_over(
    server: RedisServer, store: RedisAnswerStore, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)

    await store.write([answer])

    with server.client() as client:
        (name,) = client.keys("ic:answer:*")
        assert 3_590_000 < client.pttl(name) <= 3_600_000


async def test_installations_that_share_a_redis_see_neither_answers_nor_records_of_each_other(
    redis: RedisConnection, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)
    stores = [RedisAnswerStore(redis, clock, installation=name) for name in ("", "one", "two")]
    logs = [RedisCacheLog(redis, new_epoch, installation=name) for name in ("", "one", "two")]

    await stores[1].write([answer])
    await logs[1].append([record(1)])

    assert [await store.read(answer.key) for store in stores] == [None, answer, None]
    assert [len(await all_of(log)) for log in logs] == [0, 1, 0]


async def test_a_damaged_entry_is_a_miss_and_counted(
    server: RedisServer, store: RedisAnswerStore, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)
    await store.write([answer])
    with server.client() as client:
        (name,) = client.keys("ic:answer:*")
        client.setrange(name, 40, "?")

    assert await store.read(answer.key) is None
    assert store.unreadable == 1


async def test_a_redis_without_memory_refuses_answers_counts_them_and_goes_on_reading(
    server: RedisServer, redis: RedisConnection, store: RedisAnswerStore, clock: SteppingClock
) -> None:
    answer = kept_answer(clock)
    await store.write([answer])
    with server.client() as client:
        client.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailable):
        await store.write([kept_answer(clock), kept_answer(clock)])
    assert store.refused_writes == 2
    assert (await store.facts()).refused_writes == 2
    assert await store.read(answer.key) == answer
    assert redis.health.up

    with server.client() as client:
        client.config_set("maxmemory", 0)
    clock.advance(LOOK_EVERY_S)
    await store.write([kept_answer(clock)])


async def test_neither_an_answer_nor_a_record_that_meets_a_full_server_is_written(
    server: RedisServer, store: RedisAnswerStore, log: RedisCacheLog, clock: SteppingClock
) -> None:
    await store.write([kept_answer(clock)])
    await log.append([record(0)])
    with server.client() as client:
        client.config_set("maxmemory", 1)

    with pytest.raises(StoreUnavailable):
        await store.write([kept_answer(clock)])
    with pytest.raises(StoreUnavailable):
        await log.append([record(1)])
    assert store.refused_writes == 1
    assert store._redis.health.up


async def test_answers_keep_within_the_bytes_allowed_to_redis(
    redis: RedisConnection, clock: SteppingClock
) -> None:
    used = (await redis.info("memory"))["used_memory"]
    store = RedisAnswerStore(redis, clock, bytes_max=used + 4 * MEGABYTE)
    await store.write([kept_answer(clock, body=os.urandom(MEGABYTE)) for _ in range(5)])
    clock.advance(LOOK_EVERY_S)

    with pytest.raises(StoreUnavailable):
        await store.write([kept_answer(clock)])
    assert store.refused_writes == 1
    assert any("allowed to it" in each for each in (await store.facts()).problems)


@pytest.mark.parametrize(
    ("maxmemory", "policy", "problems"),
    [
        (0, "noeviction", ["no maxmemory"]),
        (1 << 40, "volatile-ttl", []),
        (1 << 40, "noeviction", ["noeviction"]),
        (1 << 40, "allkeys-lru", ["any key"]),
        (1, "volatile-ttl", ["of its maxmemory"]),
    ],
)
async def test_facts_say_what_an_operator_should_see_to(
    server: RedisServer, store: RedisAnswerStore, maxmemory: int, policy: str, problems: list[str]
) -> None:
    with server.client() as client:
        client.config_set("maxmemory", maxmemory)
        client.config_set("maxmemory-policy", policy)

    facts = await store.facts()

    assert facts.kind == "redis"
    assert facts.bytes_max == (maxmemory or None)
    assert len(facts.problems) == len(problems)
    for problem, said in zip(problems, facts.problems, strict=True):
        assert problem in said


async def test_a_failover_of_a_cluster_is_another_epoch_and_survived_without_restart(tmp_path: Path) -> None:
    world = RedisClusterWorld(required_server(), tmp_path)
    clock = SteppingClock(utc=SystemClock().utc_now())
    redis, other = (RedisConnection(world.urls, cluster=True, binary=True) for _ in range(2))
    store, log = RedisAnswerStore(redis, clock), RedisCacheLog(redis, new_epoch)
    log_elsewhere = RedisCacheLog(other, new_epoch)
    try:
        answers = [kept_answer(clock) for _ in range(30)]
        await soon(lambda: store.write(answers))
        before = await log.append([record(1)])
        assert (await log_elsewhere.read(NOWHERE, 10)).position == before
        assert (await store.facts()).kind == "redis-cluster"

        world.master_of("ic:{cache:}:log").kill()
        after = await soon(lambda: log.append([record(2)]))

        assert after.epoch != before.epoch
        assert (await soon(lambda: log_elsewhere.read(before, 10))).lost
        assert await all_of(log_elsewhere) == [(after.number, record(2))]
        for answer in answers:
            assert await soon(lambda answer=answer: store.read(answer.key)) in (None, answer)  # type: ignore[misc]
        await soon(lambda: store.write(answers))
        assert [await soon(lambda key=each.key: store.read(key)) for each in answers] == answers  # type: ignore[misc]
    finally:
        await redis.aclose()
        await other.aclose()
        world.kill()


async def test_the_rights_that_the_manual_names_are_enough(server: RedisServer, clock: SteppingClock) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    (rights,) = re.findall(r"`user interchange on >secret ([^`]*)`", manual)
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "interchange", "on", ">secret", *rights.split())
    redis = RedisConnection([server.url.replace("//", "//interchange:secret@")], binary=True)
    store, log = RedisAnswerStore(redis, clock), RedisCacheLog(redis, new_epoch, records_max=1)
    answer = kept_answer(clock)
    try:
        await store.write([answer])
        assert await store.read(answer.key) == answer
        await store.erase([answer.key])
        assert (await store.facts()).bytes_used
        await log.append([record(1), record(2)])
        assert [told for _, told in await all_of(log)] == [record(2)]
        with pytest.raises(StoreUnavailable):
            await redis.call("FLUSHALL")
    finally:
        await redis.aclose()
