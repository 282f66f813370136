"""Binds the stores that count units of rate limits."""

import time
from collections.abc import AsyncIterator

import pytest

from adapters.memory.rate_limits import InMemoryRateLimits
from adapters.redis.connection import RedisConnection
from adapters.redis.rate_limits import PARTITIONS, RedisRateLimits
from adapters.sql.rate_limits import SqlRateLimits
from adapters.system.clock import SystemClock
from application.ports.rate_limits import RateLimitStore
from contracts.ports.rate_limits import SLOW, RateLimitStoreContract, line, new_account
from domain.errors import StoreUnavailable
from domain.limits.bucket import Credit
from tests.contract.sql_world import AnySqlWorld
from tests.redis_world import RedisClusterWorld, RedisServer


def now_us() -> int:
    return time.time_ns() // 1000


class TestInMemoryRateLimits(RateLimitStoreContract):
    @pytest.fixture
    def store(self) -> RateLimitStore:
        return InMemoryRateLimits(now_us)

    @pytest.fixture
    def unreachable_store(self) -> RateLimitStore:
        store = InMemoryRateLimits(now_us)
        store.reachable = False
        return store


class TestSqlRateLimits(RateLimitStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> RateLimitStore:
        return SqlRateLimits(sql.database, SystemClock())

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> RateLimitStore:
        sql.lose()
        return SqlRateLimits(sql.database, SystemClock())


class RedisHoles(RateLimitStoreContract):
    """Slides only. Its data count as whole for long already."""

    rules = (SLOW,)

    @pytest.fixture
    async def store(self, redis: RedisConnection) -> RateLimitStore:
        store = RedisRateLimits(redis)
        await make_whole_for_long(redis, store)
        return store

    @pytest.fixture
    def unreachable_store(self) -> RateLimitStore:
        return RedisRateLimits(RedisConnection(["redis://127.0.0.1:1/0"]))

    async def test_what_comes_twice_gives_nothing_back_twice(self, store: RateLimitStore) -> None:
        account = new_account()
        (first,) = await store.exchange("h", 1, [line(account, SLOW, 10)])
        again = line(account, credits=(Credit(first.at_us, 4),))

        rooms = [(await store.exchange("h", 2, [again]))[0].room for _ in range(2)]

        assert rooms == [4, 4]

    async def test_quotas_are_refused(self, store: RateLimitStore) -> None:
        with pytest.raises(StoreUnavailable):
            await store.exchange("h", 1, [line(new_account(), None, 1)])


class TestRedisRateLimits(RedisHoles):
    @pytest.fixture
    async def redis(self, redis_server: RedisServer) -> AsyncIterator[RedisConnection]:
        connection = RedisConnection([redis_server.url])
        yield connection
        await connection.aclose()


class TestRedisClusterRateLimits(RedisHoles):
    @pytest.fixture
    async def redis(self, redis_cluster: RedisClusterWorld) -> AsyncIterator[RedisConnection]:
        connection = RedisConnection(redis_cluster.urls, cluster=True)
        yield connection
        await connection.aclose()


async def make_whole_for_long(redis: RedisConnection, store: RedisRateLimits) -> None:
    """As if the server had run since 1970."""
    await store.begin()
    for partition in range(PARTITIONS):
        key = f"ic:{{rl{partition}}}:reign"
        whose = str(await redis.call("GET", key)).split()[0]
        await redis.call("SET", key, f"{whose} 0")
