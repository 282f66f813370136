"""Binds the second tiers of kept answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.crypto.entry_seal import AesGcmEntrySeal
from adapters.memory.answer_store import InMemoryAnswerStore
from adapters.memory.system import SteppingClock
from adapters.redis.answers import RedisAnswerStore
from adapters.sql.answers import SqlAnswerStore
from adapters.system.clock import SystemClock
from application.ports.answer_store import AnswerStore
from contracts.ports.answer_store import AnswerStoreContract, MovableClock
from tests.contract.cache_world import AnyCacheWorld, CacheFileWorld, CachePostgresWorld, RedisCacheWorld
from tests.redis_world import RedisClusterWorld, RedisServer


class TestInMemoryAnswerStore(AnswerStoreContract):
    @pytest.fixture
    def clock(self) -> MovableClock:
        return SteppingClock()

    @pytest.fixture
    def store(self, clock: MovableClock) -> AnswerStore:
        return InMemoryAnswerStore(clock)

    @pytest.fixture
    def another_store(self, store: AnswerStore) -> AnswerStore:
        return store

    @pytest.fixture
    def unreachable_store(self, clock: MovableClock) -> AnswerStore:
        store = InMemoryAnswerStore(clock)
        store.reachable = False
        return store


class TestSqlAnswerStore(AnswerStoreContract):
    @pytest.fixture(params=["sqlite", "postgres"])
    async def world(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AnyCacheWorld]:
        world: AnyCacheWorld = CacheFileWorld(tmp_path) if request.param == "sqlite" else CachePostgresWorld()
        await world.prepare()
        yield world
        await world.aclose()

    @pytest.fixture
    def clock(self) -> MovableClock:
        return SteppingClock()

    @pytest.fixture
    def store(self, world: AnyCacheWorld, clock: MovableClock) -> AnswerStore:
        return SqlAnswerStore(world.database, clock)

    @pytest.fixture
    def another_store(self, world: AnyCacheWorld, clock: MovableClock) -> AnswerStore:
        return SqlAnswerStore(world.another, clock)

    @pytest.fixture
    def unreachable_store(self, world: AnyCacheWorld, clock: MovableClock) -> AnswerStore:
        world.lose()
        return SqlAnswerStore(world.database, clock)


class RedisHoles:
    """Written under a seal, which makes no difference."""

    seal = AesGcmEntrySeal({"k1": b"1" * 32})

    @pytest.fixture
    def clock(self) -> MovableClock:
        return SteppingClock(utc=SystemClock().utc_now())

    @pytest.fixture
    def store(self, world: RedisCacheWorld, clock: MovableClock) -> AnswerStore:
        return RedisAnswerStore(world.connections[0], clock, seal=self.seal)

    @pytest.fixture
    def another_store(self, world: RedisCacheWorld, clock: MovableClock) -> AnswerStore:
        return RedisAnswerStore(world.connections[1], clock, seal=self.seal)

    @pytest.fixture
    async def unreachable_store(self, world: RedisCacheWorld, clock: MovableClock) -> AnswerStore:
        return RedisAnswerStore(await world.lost(), clock)


class TestSingleRedisAnswerStore(RedisHoles, AnswerStoreContract):
    @pytest.fixture
    async def world(self, redis_server: RedisServer) -> AsyncIterator[RedisCacheWorld]:
        world = RedisCacheWorld(redis_server)
        yield world
        await world.aclose()


class TestClusterRedisAnswerStore(RedisHoles, AnswerStoreContract):
    @pytest.fixture
    async def world(self, redis_cluster: RedisClusterWorld) -> AsyncIterator[RedisCacheWorld]:
        world = RedisCacheWorld(redis_cluster)
        yield world
        await world.aclose()
