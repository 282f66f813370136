"""Three instances over one real store and log: what one takes out, none serves; what breaks is a miss."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from adapters.memory.fast_answers import InMemoryFastAnswers
from adapters.redis.answers import RedisAnswerStore
from adapters.redis.cache_log import RedisCacheLog
from adapters.redis.connection import RedisConnection
from adapters.sql.answers import SqlAnswerStore
from adapters.sql.cache_database import open_cache_database
from adapters.sql.cache_log import SqlCacheLog
from adapters.sql.thread import BlockingThread
from adapters.system.clock import SystemClock
from application.caching.hearing import Hearing
from application.caching.tiers import AnswerTiers
from application.caching.write_behind import WriteBehind
from application.ports.answer_store import AnswerStore, CacheLog
from contracts.ports.answer_store import kept_answer
from contracts.ports.fast_answers import named
from domain.caching.entry import CachedAnswer
from domain.caching.invalidation import InvalidationKind, InvalidationRule, RuleBook
from tests.contract.cache_world import new_epoch
from tests.redis_world import RedisServer, required_server

WITHIN_S = 20.0
"""On a machine that is busy with other things."""


class Instance:
    def __init__(self, store: AnswerStore, log: CacheLog) -> None:
        self.clock = SystemClock()
        self.hearing = Hearing(log, self.clock)
        self.writing = WriteBehind(store, self.clock)
        self.fast = InMemoryFastAnswers(10_000_000, self.clock)
        self.tiers = AnswerTiers(self.fast, store, self.hearing, RuleBook(), self.writing, self.clock)
        self.running = [asyncio.create_task(part.run()) for part in (self.hearing, self.writing)]

    def keep(self, name: str, **changed: object) -> CachedAnswer:
        answer = kept_answer(self.clock, named(name), heard=self.tiers.heard, **changed)
        self.tiers.keep(answer)
        return answer

    async def find(self, name: str) -> CachedAnswer | None:
        return self.tiers.at_hand(named(name)) or await self.tiers.fetch(named(name))

    async def aclose(self) -> None:
        for task in self.running:
            task.cancel()
        _ended, left = await asyncio.wait(self.running, timeout=WITHIN_S)
        assert not left
        await self.tiers.aclose()


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not reached():  # noqa: ASYNC110 (several things at once; none of them tells)
            await asyncio.sleep(0.02)


async def until_found(instance: Instance, name: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await instance.find(name) is None:  # noqa: ASYNC110 (asking is the point)
            await asyncio.sleep(0.02)


async def all_hear(instances: list[Instance]) -> None:
    await until(lambda: all(instance.tiers.heard.epoch for instance in instances))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of this test's own, to be stopped and frozen."""
    server = RedisServer(required_server(), tmp_path)
    yield server
    server.thaw()
    server.kill()


@pytest.fixture
async def over_redis(server: RedisServer) -> AsyncIterator[list[Instance]]:
    connections = [RedisConnection([server.url], binary=True) for _ in range(3)]
    instances = [
        Instance(RedisAnswerStore(connection, SystemClock()), RedisCacheLog(connection, new_epoch))
        for connection in connections
    ]
    await all_hear(instances)
    yield instances
    for instance, connection in zip(instances, connections, strict=True):
        await instance.aclose()
        await connection.aclose()


@pytest.fixture
async def over_a_file(tmp_path: Path) -> AsyncIterator[list[Instance]]:
    threads = [BlockingThread(f"test-instances-{number}") for number in range(3)]
    databases = [open_cache_database(tmp_path / "cache.db", thread) for thread in threads]
    instances = [
        Instance(SqlAnswerStore(database, SystemClock()), SqlCacheLog(database, new_epoch))
        for database in databases
    ]
    await all_hear(instances)
    yield instances
    for instance, database, thread in zip(instances, databases, threads, strict=True):
        await instance.aclose()
        await database.aclose()
        await thread.aclose()


@pytest.fixture(params=["over_redis", "over_a_file"])
def instances(request: pytest.FixtureRequest) -> list[Instance]:
    found: list[Instance] = request.getfixturevalue(request.param)
    return found


async def test_what_one_takes_out_none_of_three_serves(instances: list[Instance]) -> None:
    first, second, third = instances
    first.keep("red", tags=("red",))
    first.keep("blue", tags=("blue",))
    for instance in (second, third):
        await until_found(instance, "red")
        await until_found(instance, "blue")
    running = second.keep("late", tags=("red",))

    position = await third.tiers.invalidate(InvalidationRule(InvalidationKind.TAG, "acme", "red"))
    await until(lambda: all(instance.tiers.heard >= position for instance in instances))
    second.tiers.keep(running)

    for instance in instances:
        assert await instance.find("red") is None
        assert await instance.find("late") is None
        assert await instance.find("blue") is not None


async def test_what_was_kept_is_there_for_an_instance_that_starts_later(
    over_redis: list[Instance], server: RedisServer
) -> None:
    over_redis[0].keep("a")
    over_redis[0].keep("b", tags=("red",))
    await until(lambda: over_redis[0].writing.waiting == 0)
    await over_redis[1].tiers.invalidate(InvalidationRule(InvalidationKind.TAG, "acme", "red"))
    connection = RedisConnection([server.url], binary=True)

    later = Instance(RedisAnswerStore(connection, SystemClock()), RedisCacheLog(connection, new_epoch))
    await all_hear([later])

    await until_found(later, "a")
    assert await later.find("b") is None
    await later.aclose()
    await connection.aclose()


async def test_a_redis_that_comes_back_empty_costs_hits_and_nothing_else(
    over_redis: list[Instance], server: RedisServer
) -> None:
    first, second, third = over_redis
    before = first.tiers.heard.epoch
    first.keep("a")
    await until_found(second, "a")

    server.restart_empty()
    await until(lambda: all(one.tiers.heard.epoch not in ("", before) for one in over_redis))

    assert [await instance.find("a") for instance in over_redis] == [None] * 3
    first.keep("a")
    await until_found(third, "a")


async def test_a_redis_that_hangs_is_a_miss_and_hits_come_back(
    over_redis: list[Instance], server: RedisServer
) -> None:
    first, second, _ = over_redis
    first.keep("a")
    await until(lambda: first.writing.waiting == 0)

    server.freeze()
    found = [await second.find("a") for _ in range(5)]
    at_hand = await first.find("a")
    server.thaw()

    assert found == [None] * 5 and at_hand is not None
    await until_found(second, "a")
