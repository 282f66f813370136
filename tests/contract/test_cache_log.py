"""Binds the logs that instances read."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from adapters.memory.cache_log import InMemoryCacheLog
from adapters.sql.cache_log import SqlCacheLog
from application.ports.answer_store import CacheLog
from contracts.ports.cache_log import RECORDS_MAX, CacheLogContract
from tests.contract.cache_world import (
    AnyCacheWorld,
    CacheFileWorld,
    CachePostgresWorld,
    RedisCacheWorld,
    new_epoch,
)
from tests.redis_world import RedisClusterWorld, RedisServer


class TestInMemoryCacheLog(CacheLogContract):
    @pytest.fixture
    def log(self) -> InMemoryCacheLog:
        return InMemoryCacheLog(records_max=RECORDS_MAX)

    @pytest.fixture
    def another_log(self, log: InMemoryCacheLog) -> CacheLog:
        return log

    @pytest.fixture
    def unreachable_log(self) -> CacheLog:
        log = InMemoryCacheLog()
        log.reachable = False
        return log

    @pytest.fixture
    def lose(self, log: InMemoryCacheLog) -> Callable[[], None]:
        return log.lose


class TestSqlCacheLog(CacheLogContract):
    @pytest.fixture(params=["sqlite", "postgres"])
    async def world(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnyCacheWorld]:
        world: AnyCacheWorld = CacheFileWorld(tmp_path) if request.param == "sqlite" else CachePostgresWorld()
        await world.prepare()
        yield world
        await world.aclose()

    @pytest.fixture
    def log(self, world: AnyCacheWorld) -> CacheLog:
        return SqlCacheLog(world.database, new_epoch, records_max=RECORDS_MAX)

    @pytest.fixture
    def another_log(self, world: AnyCacheWorld) -> CacheLog:
        return SqlCacheLog(world.another, new_epoch, records_max=RECORDS_MAX)

    @pytest.fixture
    def unreachable_log(self, world: AnyCacheWorld) -> CacheLog:
        world.lose()
        return SqlCacheLog(world.database, new_epoch)

    @pytest.fixture
    def lose(self, world: AnyCacheWorld) -> Callable[[], None]:
        return world.empty


class RedisHoles:
    @pytest.fixture
    def log(self, world: RedisCacheWorld) -> CacheLog:
        return world.log()

    @pytest.fixture
    def another_log(self, world: RedisCacheWorld) -> CacheLog:
        return world.log(1)

    @pytest.fixture
    async def unreachable_log(self, world: RedisCacheWorld) -> CacheLog:
        await world.lost()
        return world.log()

    @pytest.fixture
    def lose(self, world: RedisCacheWorld) -> Callable[[], None]:
        return world.empty


class TestSingleRedisCacheLog(RedisHoles, CacheLogContract):
    @pytest.fixture
    async def world(self, redis_server: RedisServer) -> AsyncIterator[RedisCacheWorld]:
        world = RedisCacheWorld(redis_server)
        yield world
        await world.aclose()


class TestClusterRedisCacheLog(RedisHoles, CacheLogContract):
    @pytest.fixture
    async def world(self, redis_cluster: RedisClusterWorld) -> AsyncIterator[RedisCacheWorld]:
        world = RedisCacheWorld(redis_cluster)
        yield world
        await world.aclose()
