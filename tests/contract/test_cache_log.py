"""Binds the logs that instances read."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from adapters.crypto.entry_seal import AesGcmEntrySeal
from adapters.crypto.sealed_cache_log import SealedCacheLog
from adapters.memory.cache_log import InMemoryCacheLog
from adapters.sql.cache_log import SqlCacheLog
from application.ports.answer_store import CacheLog, LogRecord
from contracts.ports.cache_log import RECORDS_MAX, CacheLogContract
from domain.caching.entry import NOWHERE
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


class TestSealedCacheLog(CacheLogContract):
    @pytest.fixture
    def clear(self) -> InMemoryCacheLog:
        return InMemoryCacheLog(records_max=RECORDS_MAX)

    @pytest.fixture
    def log(self, clear: InMemoryCacheLog) -> CacheLog:
        return SealedCacheLog(clear, AesGcmEntrySeal({"1": b"k" * 32}))

    @pytest.fixture
    def another_log(self, clear: InMemoryCacheLog) -> CacheLog:
        return SealedCacheLog(clear, AesGcmEntrySeal({"1": b"k" * 32}))

    @pytest.fixture
    def unreachable_log(self, clear: InMemoryCacheLog, log: CacheLog) -> CacheLog:
        clear.reachable = False
        return log

    @pytest.fixture
    def lose(self, clear: InMemoryCacheLog) -> Callable[[], None]:
        return clear.lose

    async def test_nothing_of_a_record_can_be_read_without_the_key(
        self, clear: InMemoryCacheLog, log: CacheLog
    ) -> None:
        await log.append([LogRecord("invalidate", b'["prompt", "acme", "my secret"]')])
        page = await clear.read(NOWHERE, 10)
        assert not any(b"secret" in each.data or b"acme" in each.data for _, each in page.records)

    async def test_what_was_forged_moved_or_sealed_with_another_key_comes_as_nothing(
        self, clear: InMemoryCacheLog, log: CacheLog
    ) -> None:
        await log.append([LogRecord("label", b"a label")])
        ((_, sealed),) = (await clear.read(NOWHERE, 10)).records
        stranger = SealedCacheLog(clear, AesGcmEntrySeal({"1": b"x" * 32}))
        await stranger.append([LogRecord("invalidate", b"theirs")])
        forged = [sealed.data, sealed.data[:-1], b"", b"\x01", b"clear text of an earlier time"]
        await clear.append([LogRecord("invalidate", data) for data in forged])
        found = (await log.read(NOWHERE, 10)).records
        assert [each.data for _, each in found] == [b"a label", *([b""] * 6)]


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
