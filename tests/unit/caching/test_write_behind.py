"""Writing to the second tier beside requests: bounded, in groups, patient with a store that is away."""

import asyncio
from collections.abc import Sequence
from typing import Any

from adapters.memory.answer_store import InMemoryAnswerStore
from application.caching.write_behind import GROUP_MAX, WriteBehind
from contracts.ports.answer_store import kept_answer
from contracts.ports.fast_answers import named
from domain.caching.entry import ENTRY_OVERHEAD_BYTES, CachedAnswer
from tests.simulation.virtual_time import VirtualClock
from tests.unit.application.upstreams import virtually


class CountingStore(InMemoryAnswerStore):
    """Knows how large the groups were."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.groups: list[int] = []

    async def write(self, answers: Sequence[CachedAnswer]) -> None:
        self.groups.append(len(answers))
        await super().write(answers)


class World:
    def __init__(self, **bounds: Any) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.store = CountingStore(self.clock)
        self.writing = WriteBehind(self.store, self.clock, **bounds)

    def put(self, name: object, body: bytes = b"", **changed: object) -> CachedAnswer:
        answer = kept_answer(self.clock, named(name), body=body, **changed)
        self.writing.put(answer)
        return answer


@virtually
async def test_what_is_put_is_written_in_groups() -> None:
    world = World()
    running = asyncio.create_task(world.writing.run())

    answers = [world.put(number) for number in range(GROUP_MAX + 10)]
    await asyncio.sleep(1)

    assert world.store.groups == [GROUP_MAX, 10]
    assert [await world.store.read(answer.key) for answer in answers] == answers
    assert (world.writing.waiting, world.writing.waiting_bytes) == (0, 0)
    assert world.writing.written == GROUP_MAX + 10
    running.cancel()


@virtually
async def test_of_one_key_only_the_last_is_written() -> None:
    world = World()
    world.put("a", b"first")
    last = world.put("a", b"second")

    assert await world.writing.flush(1) == 0

    assert world.store.groups == [1]
    assert await world.store.read(named("a")) == last


@virtually
async def test_the_oldest_leave_when_too_many_wait() -> None:
    world = World(waiting_max=3)
    for number in range(5):
        world.put(number)

    await world.writing.flush(1)

    assert world.writing.dropped == 2
    found = [await world.store.read(named(number)) is not None for number in range(5)]
    assert found == [False, False, True, True, True]


@virtually
async def test_the_oldest_leave_when_too_many_bytes_wait() -> None:
    world = World(waiting_bytes_max=2 * ENTRY_OVERHEAD_BYTES + 100)
    for number in range(3):
        world.put(number, b"x" * 50)

    assert (world.writing.waiting, world.writing.dropped) == (2, 1)
    world.put("large", b"x" * 10_000)
    assert (world.writing.waiting, world.writing.waiting_bytes) == (0, 0)


@virtually
async def test_a_store_that_comes_back_gets_what_waited() -> None:
    world = World()
    world.store.reachable = False
    running = asyncio.create_task(world.writing.run())
    answer = world.put("a")
    await asyncio.sleep(60)
    asked_meanwhile = len(world.store.groups)
    assert world.writing.down and world.writing.failures == asked_meanwhile

    world.store.reachable = True
    await asyncio.sleep(10)

    assert await world.store.read(named("a")) == answer
    assert not world.writing.down
    assert 5 < asked_meanwhile < 60
    running.cancel()


@virtually
async def test_a_store_that_hangs_is_given_up_and_tried_again() -> None:
    world = World()
    world.store.answering.clear()
    running = asyncio.create_task(world.writing.run())
    world.put("a")
    await asyncio.sleep(10)
    assert world.writing.failures >= 1 and world.writing.waiting == 1

    world.store.answering.set()
    await asyncio.sleep(10)

    assert world.writing.waiting == 0
    running.cancel()


@virtually
async def test_what_is_over_by_then_is_not_written() -> None:
    world = World()
    now_us = int(world.clock.utc_now().timestamp() * 1e6)
    world.put("a", kept_until_us=now_us + 1_000_000)
    await asyncio.sleep(2)

    await world.writing.flush(1)

    assert world.store.groups == []
    assert world.writing.waiting == 0


@virtually
async def test_a_cancelled_write_waits_on() -> None:
    world = World()
    world.store.answering.clear()
    running = asyncio.create_task(world.writing.run())
    world.put("a")
    await asyncio.sleep(0.1)

    running.cancel()
    await asyncio.wait([running])
    world.store.answering.set()

    assert await world.writing.flush(1) == 0
    assert await world.store.read(named("a")) is not None


@virtually
async def test_what_is_replaced_while_its_group_is_on_its_way_is_written_again() -> None:
    world = World()
    world.store.answering.clear()
    running = asyncio.create_task(world.writing.run())
    world.put("a", b"first")
    await asyncio.sleep(0.1)
    last = world.put("a", b"second")

    world.store.answering.set()
    await asyncio.sleep(1)

    assert await world.store.read(named("a")) == last
    running.cancel()


@virtually
async def test_a_flush_ends_in_time_and_says_what_is_left() -> None:
    world = World()
    world.put("a")
    world.store.answering.clear()

    assert await world.writing.flush(0.5) == 1
    world.store.answering.set()
    world.store.reachable = False
    assert await world.writing.flush(0.5) == 1


@virtually
async def test_what_is_forgotten_is_not_written() -> None:
    world = World()
    world.put("a")
    kept = world.put("b")

    world.writing.forget([named("a"), named("c")])
    await world.writing.flush(1)

    assert await world.store.read(named("a")) is None
    assert await world.store.read(named("b")) == kept
