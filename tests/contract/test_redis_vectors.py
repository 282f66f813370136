"""Binds the index in vector sets: to a stand-in, and to a real Redis 8 where `REDIS8_URL` names one."""

import os
from collections.abc import AsyncIterator

import pytest

from adapters.memory.system import SteppingClock
from adapters.redis.connection import RedisConnection
from adapters.redis.vectors import ASK_AGAIN_AFTER_S, RedisVectorIndex, _scored
from application.ports.vector_index import VectorIndex
from contracts.ports.vector_index import DIMENSIONS, NORTH, NOW_US, VectorIndexContract, at, found, indexed
from domain.errors import StoreUnavailable
from tests.redis_world import RedisServer
from tests.vector_set_server import VectorSetServer

P = b"70" * 32
SET = b"ic:vec:{" + P + b"}"


def connected(url: str) -> RedisConnection:
    return RedisConnection([url], binary=True)


def index_on(url: str) -> RedisVectorIndex:
    return RedisVectorIndex(connected(url), SteppingClock(), DIMENSIONS)


@pytest.fixture
async def server() -> AsyncIterator[VectorSetServer]:
    server = VectorSetServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def index(server: VectorSetServer) -> AsyncIterator[RedisVectorIndex]:
    index = index_on(f"redis://127.0.0.1:{server.port}/0")
    yield index
    await index.aclose()


class TestRedisVectorIndexOnAStandIn(VectorIndexContract):
    @pytest.fixture
    def index(self, index: RedisVectorIndex) -> VectorIndex:
        return index

    @pytest.fixture
    async def unreachable_index(self) -> AsyncIterator[VectorIndex]:
        index = index_on("redis://127.0.0.1:1/0")
        yield index
        await index.aclose()


class TestRedisVectorIndex(VectorIndexContract):
    @pytest.fixture
    async def index(self) -> AsyncIterator[VectorIndex]:
        url = os.environ.get("REDIS8_URL")
        if not url:
            pytest.skip("REDIS8_URL names no Redis 8")
        connection = connected(url)
        for key in await connection.call("KEYS", "ic:vec*"):
            await connection.call("DEL", key)
        index = RedisVectorIndex(connection, SteppingClock(), DIMENSIONS)
        yield index
        await index.aclose()


async def test_the_commands_are_those_of_redis_8(index: RedisVectorIndex, server: VectorSetServer) -> None:
    await index.add([indexed(b"k")])
    await found(index, limit=3)
    await index.remove([b"k"])
    await index.within("acme", NORTH, 0.9)

    ends_us = NOW_US + 3_600_000_000
    ends_ms = b"%d" % (ends_us // 1000)
    assert server.log[1:] == [
        [b"GET", b"ic:vec-at:6b"],
        [b"SET", b"ic:vec-at:6b", b"p" * 32, b"PXAT", ends_ms],
        [b"ZADD", b"ic:vec-of:61636d65", b"GT", b"%d" % ends_us, b"p" * 32],
        [b"ZADD", b"ic:vec-sets", b"GT", b"%d" % ends_us, b"p" * 32],
        [b"VADD", SET, b"FP32", NORTH, b"k", b"Q8", b"SETATTR", b'{"exp":%d}' % ends_us],
        [b"PEXPIREAT", SET, ends_ms, b"NX"],
        [b"PEXPIREAT", SET, ends_ms, b"GT"],
        [b"PEXPIREAT", b"ic:vec-of:61636d65", ends_ms, b"NX"],
        [b"PEXPIREAT", b"ic:vec-of:61636d65", ends_ms, b"GT"],
        [b"VSIM", SET, b"FP32", NORTH, b"WITHSCORES", b"COUNT", b"3", b"FILTER", b".exp > %d" % NOW_US],
        [b"GETDEL", b"ic:vec-at:6b"],
        [b"VREM", SET, b"k"],
        [b"ZRANGE", b"ic:vec-of:61636d65", b"0", b"-1"],
        [b"VSIM", SET, b"FP32", NORTH, b"WITHSCORES", b"COUNT", b"10000", b"TRUTH"],
    ]


async def test_a_set_lives_as_long_as_the_last_of_its_vectors(
    index: RedisVectorIndex, server: VectorSetServer
) -> None:
    await index.add([indexed(b"long", expires_at_us=NOW_US + 9_000_000)])
    await index.add([indexed(b"short", expires_at_us=NOW_US + 1_000_000)])

    assert server.ends_ms[SET] == (NOW_US + 9_000_000) // 1000


async def test_a_key_that_moves_is_taken_out_of_its_set(
    index: RedisVectorIndex, server: VectorSetServer
) -> None:
    await index.add([indexed(b"k")])
    await index.add([indexed(b"k", partition=b"q" * 32)])

    assert server.sent("VREM") == [[b"VREM", SET, b"k"]]


def test_scores_of_both_protocols_become_cosines() -> None:
    assert list(_scored([b"a", b"1", b"b", b"0.5"])) == [(b"a", 1.0), (b"b", 0.0)]
    assert list(_scored({b"a": 0.75})) == [(b"a", 0.5)]


async def test_an_older_redis_is_told_by_name_and_asked_seldom(redis_server: RedisServer) -> None:
    clock = SteppingClock()
    connection = connected(redis_server.url)
    index = RedisVectorIndex(connection, clock, DIMENSIONS)

    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="needs Redis 8"):
            await index.add([indexed(b"k", at(0.9))])
    assert connection.health.up and connection.health.calls == 1

    clock.advance(ASK_AGAIN_AFTER_S)
    with pytest.raises(StoreUnavailable, match="needs Redis 8"):
        await found(index)
    assert connection.health.calls == 2
    await index.aclose()
