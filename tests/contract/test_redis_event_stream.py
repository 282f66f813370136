"""Events on their way to a real Redis Stream: nothing missing, whatever dies on the way."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.memory.event_cursors import InMemoryEventCursors
from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.outbox import InMemoryOutbox
from adapters.memory.system import CountingIds, SteppingClock
from adapters.redis.connection import RedisConnection
from adapters.redis.event_stream import RedisEventStream, StreamTerms
from adapters.sql.event_cursors import SqlEventCursors
from adapters.sql.event_log import SqlEventLog
from adapters.sql.outbox import SqlOutbox
from application.events.passing_on import LEASE_S, PassOn
from application.events.writing import event_of
from application.ports.event_cursors import EventCursors
from application.ports.event_log import EventLog
from application.ports.outbox import Outbox
from domain.errors import StoreUnavailable
from tests.contract.sql_world import AnySqlWorld
from tests.redis_world import RedisServer, required_server

CONNECT_S, COMMAND_S = 0.5, 0.5


class World:
    """A log of events, and processes that pass them on to one Redis."""

    def __init__(self, redis: RedisConnection, outbox: Outbox, log: EventLog, cursors: EventCursors) -> None:
        self.redis, self.outbox, self.log, self.cursors = redis, outbox, log, cursors
        self.clock, self.ids = SteppingClock(), CountingIds()
        self.made = 0

    def process(self, *patterns: str, **terms: Any) -> PassOn:
        sink = RedisEventStream(self.redis, StreamTerms(**terms))
        return PassOn(sink, self.log, self.cursors, self.clock, self.ids, patterns or ("*",))

    async def happen(self, count: int = 1, tenant_id: str = "acme", topic: str = "key.revoked") -> None:
        for _ in range(count):
            self.made += 1
            told = {"key_id": f"n{self.made}", "revoked_by": None, "reason": None}
            await self.outbox.add(event_of(topic, tenant_id, f"event {self.made}", told, self.made))
        await self.log.number(self.made, limit=10_000)

    async def entries(self, key: str = "ic:events") -> list[dict[str, str]]:
        found = await self.redis.call("XRANGE", key, "-", "+")
        return [
            dict(zip(said[::2], said[1::2], strict=True)) if isinstance(said, list) else said
            for _, said in found
        ]

    async def arrived(self, key: str = "ic:events") -> list[str]:
        return [json.loads(entry["event"])["data"]["key_id"] for entry in await self.entries(key)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """One of its own: it is killed."""
    running = RedisServer(required_server(), tmp_path / "redis")
    yield running
    running.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[RedisConnection]:
    connection = RedisConnection([server.url], connect_timeout_s=CONNECT_S, command_timeout_s=COMMAND_S)
    yield connection
    await connection.aclose()


@pytest.fixture
def world(redis: RedisConnection) -> World:
    outbox = InMemoryOutbox()
    return World(redis, outbox, InMemoryEventLog(outbox), InMemoryEventCursors())


def names(first: int, last: int) -> list[str]:
    return [f"n{number}" for number in range(first, last + 1)]


async def test_a_new_stream_begins_with_what_is_lately_and_goes_on_in_order(world: World) -> None:
    await world.happen(1003)
    process = world.process()
    await process.look()

    await world.happen(450)
    while await process.look():
        pass

    assert await world.arrived() == names(4, 1453)
    entry = (await world.entries())[0]
    event = json.loads(entry["event"])
    assert (entry["id"], entry["type"], entry["tenant_id"]) == (event["id"], "key.revoked", "acme")
    assert entry["seq"] == "4"


async def test_it_goes_on_on_both_databases_where_the_last_process_stopped(
    redis: RedisConnection, sql: AnySqlWorld
) -> None:
    database = sql.database
    world = World(redis, SqlOutbox(database), SqlEventLog(database), SqlEventCursors(database))
    first, second = world.process(), world.process()
    await first.look()
    await world.happen(2)
    await first.look()
    await second.look()
    assert (first.active, second.active) == (True, False)

    world.clock.advance(LEASE_S + 1)  # the first one died without a word
    await world.happen(2)
    await second.look()

    assert await world.arrived() == names(1, 4)
    assert second.active


async def test_a_process_that_sent_and_died_before_it_was_noted_is_repeated(world: World) -> None:
    first, second = world.process(), world.process()
    await first.look()
    await world.happen(2)
    cursors, advance = world.cursors, world.cursors.advance

    async def died(name: str, fence: int, seq: int) -> bool:
        del name, fence, seq
        raise StoreUnavailable("the process died here")

    cursors.advance = died  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await first.look()
    cursors.advance = advance  # type: ignore[method-assign]
    world.clock.advance(LEASE_S + 1)
    await second.look()

    assert await world.arrived() == [*names(1, 2), *names(1, 2)]
    assert len({entry["id"] for entry in await world.entries()}) == 2


async def test_one_that_slept_too_long_notes_nothing_behind_the_back_of_another(world: World) -> None:
    first, second = world.process(), world.process()
    await first.look()
    taken = await world.cursors.take("redis", "somebody else", 2**60, 2**61, 0)
    await world.happen(1)

    assert taken is not None
    assert not await first.look()
    assert not first.active
    assert not await second.look()


async def test_while_redis_is_away_events_wait_and_then_come(world: World, server: RedisServer) -> None:
    process = world.process()
    await process.look()
    await world.happen(2)
    await process.look()
    server.kill()
    await world.happen(3)
    with pytest.raises(StoreUnavailable):
        await process.look()

    server.start()
    process.doubt()
    await process.look()

    arrived = await world.arrived()
    assert arrived[-3:] == names(3, 5)
    assert set(arrived) == set(names(1, 5)), "a Redis that forgot everything has what is lately again"


async def test_a_redis_that_lost_its_end_gets_what_it_lacks(world: World) -> None:
    process = world.process()
    await process.look()
    await world.happen(5)
    await process.look()
    for entry_id, _ in (await world.redis.call("XRANGE", "ic:events", "-", "+"))[3:]:
        await world.redis.call("XDEL", "ic:events", entry_id)

    process.doubt()
    await process.look()

    assert await world.arrived() == names(1, 5)


async def test_each_tenant_has_its_own_stream_where_that_is_wanted(world: World) -> None:
    process = world.process(stream="mine", per_tenant=True)
    await process.look()
    await world.happen(2, "acme")
    await world.happen(1, "other")
    await process.look()

    assert await world.arrived("mine:acme") == names(1, 2)
    assert await world.arrived("mine:other") == names(3, 3)


async def test_only_what_is_wanted_is_passed_on_and_a_stream_keeps_so_many(world: World) -> None:
    process = world.process("key.*", length_max=100)
    await process.look()
    await world.happen(5, topic="agent.released")
    await world.happen(900)
    while await process.look():
        pass

    assert 100 <= len(await world.arrived()) < 400
    assert (await world.arrived())[-1] == "n905"


async def test_whoever_stops_lets_another_go_on_at_once(world: World) -> None:
    first, second = world.process(), world.process()
    await first.look()
    await first.release()
    await world.happen(1)

    await second.look()

    assert await world.arrived() == names(1, 1)
