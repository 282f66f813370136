"""What somebody else writes over the keys of the cache in Redis: answers may be lost, the log goes on."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.memory.system import SteppingClock
from adapters.redis.answers import PREFIX, RedisAnswerStore
from application.ports.answer_store import LogRecord
from contracts.ports.answer_store import kept_answer
from contracts.ports.cache_log import record
from domain.caching.entry import NOWHERE, Position
from tests.contract.cache_world import RedisCacheWorld
from tests.redis_world import RedisServer

Spoil = Callable[[Any, str], object]
GARBAGE: dict[str, Spoil] = {
    "a text in place of the stream": lambda redis, log: (redis.delete(log), redis.set(log, "x")),
    "a text in place of the state": lambda redis, log: (
        redis.delete(f"{log}:state"),
        redis.set(f"{log}:state", "x"),
    ),
    "no numbers in the state": lambda redis, log: redis.hset(
        f"{log}:state", mapping={"tail": "many", "gone": "", "bytes": "nan"}
    ),
    "half of the state": lambda redis, log: redis.hdel(f"{log}:state", "tail"),
    "a strange record": lambda redis, log: redis.xadd(log, {"a": "b"}),
    "a record with a kind that is no text": lambda redis, log: redis.xadd(
        log, {b"k": b"\xff\xfe", b"d": b"x"}
    ),
    "a record that is gone": lambda redis, log: redis.xdel(log, "1-0"),
    "all records gone": lambda redis, log: redis.xtrim(log, 0, approximate=False),
}


@pytest.fixture
async def world(redis_server: RedisServer) -> AsyncIterator[RedisCacheWorld]:
    world = RedisCacheWorld(redis_server)
    yield world
    await world.aclose()


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_the_log_goes_on_and_nobody_takes_it_for_the_same(
    world: RedisCacheWorld, redis_server: RedisServer, garbage: str
) -> None:
    log = world.log()
    before = await log.append([record(1), record(2)])
    with redis_server.client() as redis:
        GARBAGE[garbage](redis, f"ic:{{cache:{world.name}}}:log")
    written = await log.append([LogRecord("invalidate", b"everything")])
    found: list[LogRecord] = []
    at, lost = before, False
    while True:
        page = await world.log(1).read(at, 100)
        found += [each for _, each in page.records]
        lost, at = lost or page.lost, page.position
        if not page.records:
            break
    assert LogRecord("invalidate", b"everything") in found
    assert at >= written
    assert lost or garbage == "all records gone", "its reader had read them all"
    assert (await log.append([record(4)])).number > 0


async def test_answers_that_are_none_are_misses(world: RedisCacheWorld, redis_server: RedisServer) -> None:
    store = RedisAnswerStore(world.connections[0], SteppingClock(), installation=world.name)
    answer = kept_answer(SteppingClock())
    name = f"{PREFIX}{world.name}:{answer.key.hex()}"
    bomb = b"\x01\x00\x00" + b"\x00" * 8 + b"\x01\x28\xb5\x2f\xfd" + b"\xff" * 64
    with redis_server.client() as redis:
        for data in (b"", b"\x01", b"\xff" * 100, bomb, b"\x01\xff\xff" + b"x" * 70_000):
            redis.set(name, data)
            assert await store.read(answer.key) is None
    assert store.unreadable == 5 and Position("", 0) == NOWHERE
