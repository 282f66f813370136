"""Three instances over one database, and Redis between them: what one revokes lets nobody in anywhere."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.redis.connection import RedisConnection
from adapters.redis.key_news import RedisKeyNews
from adapters.sql.keys import SqlKeyStore
from adapters.system.clock import SystemClock
from adapters.system.ids import TimeOrderedIds
from application.key_following import KeyFollowing
from application.key_ring import KeyRing
from application.use_cases.change_keys import RotateKey
from application.use_cases.manage_keys import CreatedKey, CreateKey, RevokeKey
from domain.errors import Unauthenticated
from domain.tenancy.key_rules import NewKey
from domain.tenancy.role import local_operator
from entrypoints.background import BackgroundTasks, every
from tests.contract.sql_world import AnySqlWorld
from tests.redis_world import RedisServer, required_server

PATIENCE_S = 10.0
ACME = NewKey(tenant_id="acme", name="robot", role="agent")


class Instance:
    """What one server process has of keys."""

    def __init__(self, sql: AnySqlWorld, redis_url: str) -> None:
        clock, ids = SystemClock(), TimeOrderedIds()
        hasher = PepperedKeyHasher({1: b"p" * 32})
        self.database = sql.another()
        store = SqlKeyStore(self.database)
        self.redis = RedisConnection([redis_url])
        news = RedisKeyNews(self.redis, lambda: ids.next("news"))
        self.ring = KeyRing(store, hasher, clock)
        self.following = KeyFollowing(self.ring, store, clock, news)
        self.create = CreateKey(store, hasher, clock, self.following.changed)
        self.revoke = RevokeKey(store, clock, self.following.changed)
        self.rotate = RotateKey(store, hasher, clock, self.following.changed)

    def lets_in(self, key: str) -> bool:
        try:
            self.ring.authenticate(key)
        except Unauthenticated:
            return False
        return True

    async def aclose(self) -> None:
        await self.redis.aclose()
        await self.database.aclose()


class Cluster:
    def __init__(self, instances: list[Instance], server: RedisServer) -> None:
        self.instances = instances
        self.server = server

    async def everywhere(self, key: str, *, let_in: bool) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while any(each.lets_in(key) is not let_in for each in self.instances):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def created(self) -> CreatedKey:
        created = await self.instances[0].create(local_operator(), ACME)
        await self.everywhere(created.key, let_in=True)
        return created


@pytest.fixture
async def cluster(sql: AnySqlWorld, tmp_path: Path) -> AsyncIterator[Cluster]:
    server = RedisServer(required_server(), tmp_path / "redis")
    instances = [Instance(sql, server.url) for _ in range(3)]
    for instance in instances:
        await instance.following.look()
    yield Cluster(instances, server)
    for instance in instances:
        await instance.aclose()
    server.kill()


@contextlib.asynccontextmanager
async def listening(cluster: Cluster, *, looking: bool) -> AsyncIterator[None]:
    tasks = BackgroundTasks()
    for instance in cluster.instances:
        tasks.start("news", instance.following.listen)
        if looking:
            tasks.start("look", lambda instance=instance: every(0.5, instance.following.look))  # type: ignore[misc]
    try:
        yield
    finally:
        await tasks.aclose()


async def test_news_alone_carry_a_revocation_everywhere(cluster: Cluster) -> None:
    async with listening(cluster, looking=False):
        created = await cluster.created()

        await cluster.instances[1].revoke(local_operator(), created.key_id)

        await cluster.everywhere(created.key, let_in=False)


async def test_without_redis_every_instance_sees_it_for_itself(cluster: Cluster) -> None:
    async with listening(cluster, looking=True):
        created = await cluster.created()
        cluster.server.kill()

        await cluster.instances[2].revoke(local_operator(), created.key_id)

        await cluster.everywhere(created.key, let_in=False)


async def test_news_come_again_after_redis_started_empty(cluster: Cluster) -> None:
    async with listening(cluster, looking=False):
        first, second = await cluster.created(), await cluster.created()
        await cluster.instances[0].revoke(local_operator(), first.key_id)
        await cluster.everywhere(first.key, let_in=False)

        cluster.server.restart_empty()
        await cluster.instances[1].revoke(local_operator(), second.key_id)

        await cluster.everywhere(second.key, let_in=False)


async def test_a_rotated_key_lets_in_with_both_secrets_and_then_with_one(cluster: Cluster) -> None:
    async with listening(cluster, looking=True):
        created = await cluster.created()

        rotated = await cluster.instances[1].rotate(local_operator(), created.key_id, 3600)
        await cluster.everywhere(rotated.key, let_in=True)
        await cluster.everywhere(created.key, let_in=True)

        again = await cluster.instances[2].rotate(local_operator(), created.key_id, 0)
        await cluster.everywhere(again.key, let_in=True)
        await cluster.everywhere(rotated.key, let_in=False)
        await cluster.everywhere(created.key, let_in=False)


async def test_instances_that_start_late_know_what_was_revoked(cluster: Cluster, sql: AnySqlWorld) -> None:
    created = await cluster.instances[0].create(local_operator(), ACME)
    await cluster.instances[0].revoke(local_operator(), created.key_id)
    late = Instance(sql, cluster.server.url)
    await late.following.look()

    assert not late.lets_in(created.key)
    await late.aclose()
