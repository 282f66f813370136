"""Who wants events, and following them: nothing missed, nothing kept for those who are slow."""

import asyncio
from contextlib import aclosing

import pytest

from adapters.memory.event_listeners import InMemoryEventListeners
from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.outbox import InMemoryOutbox
from adapters.memory.system import CountingIds, SteppingClock
from application.events import tail as tail_module
from application.events.breakers import WAITING_MAX, BreakerWatch, Watched
from application.events.interest import Interest, Subscription
from application.events.tail import EventTail
from application.events.writing import EventWriter, event_of
from application.use_cases.follow_events import (
    LISTENERS_PER_TENANT_MAX,
    RESUME_WITHIN_S,
    Ear,
    ListenToEvents,
)
from domain.errors import InvalidRequest, Overloaded, StoreUnavailable
from domain.resilience.breaker import BreakerPolicy, CircuitBreaker
from domain.tenancy.principal import Principal
from domain.tenancy.role import permissions_of

ACME = Principal(
    tenant_id="acme",
    key_id="Key000000001",
    key_name="k",
    role="viewer",
    permissions=permissions_of("viewer", "acme"),
)


class World:
    def __init__(self) -> None:
        self.clock, self.ids = SteppingClock(), CountingIds()
        self.outbox, self.listeners = InMemoryOutbox(), InMemoryEventListeners()
        self.log = InMemoryEventLog(self.outbox)
        self.interest = Interest()
        self.tail = EventTail(self.log)
        self.listen = ListenToEvents(
            self.tail, self.log, self.listeners, self.interest, self.clock, heartbeat_s=0.0
        )
        self.made = 0

    async def happen(self, count: int = 1, tenant_id: str = "acme", topic: str = "key.revoked") -> None:
        for _ in range(count):
            self.made += 1
            await self.outbox.add(event_of(topic, tenant_id, f"event {self.made}", {}, self.made))
        await self.log.number(self.made, limit=10_000)

    async def heard(self, ear: Ear, count: int) -> list[int]:
        """The places of so many events."""
        places: list[int] = []
        async with aclosing(ear.hear()) as hearing:
            async for heard in hearing:
                places += [event.seq for event in heard.events]
                if len(places) >= count:
                    return places
                await self.tail.look()
                await asyncio.sleep(0)
        return places


async def test_events_are_heard_once_in_order_from_the_place_one_had_reached() -> None:
    world = World()
    await world.happen(250)
    ear = await world.listen.open(ACME, (), 100)

    assert await world.heard(ear, 150) == list(range(101, 251))

    ear.close()
    ear.close()
    assert world.listen.listening == 0


async def test_one_who_asks_for_nothing_older_hears_what_comes() -> None:
    world = World()
    await world.happen(5)
    ear = await world.listen.open(ACME, (), None)
    await world.happen(2)

    assert await world.heard(ear, 2) == [6, 7]


async def test_a_place_that_was_never_given_out_is_the_newest() -> None:
    world = World()
    await world.happen(5)
    ear = await world.listen.open(ACME, (), 99)
    await world.happen(1)

    assert await world.heard(ear, 1) == [6]


async def test_one_hears_their_own_tenant_and_the_names_they_asked_for() -> None:
    world = World()
    ear = await world.listen.open(ACME, ("key.*",), 0)
    await world.happen(1, "other")
    await world.happen(1, topic="agent.stopped")
    await world.happen(1)

    assert await world.heard(ear, 1) == [3]
    assert ear.position == 3


async def test_what_fell_out_of_memory_is_read_from_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "RECENT_MAX", 3)
    world = World()
    slow = await world.listen.open(ACME, (), None)
    async with aclosing(slow.hear()) as hearing:
        await anext(hearing)
        await world.tail.look()
        for _ in range(4):
            await world.happen(60)
            await world.tail.look()
        places: list[int] = []
        while len(places) < 240:
            places += [event.seq for event in (await anext(hearing)).events]

    assert places == list(range(1, 241))


async def test_a_store_that_is_away_makes_listeners_wait() -> None:
    world = World()
    ear = await world.listen.open(ACME, (), 0)
    await world.happen(1)
    world.outbox.reachable = False
    async with aclosing(ear.hear()) as hearing:
        assert (await anext(hearing)).events == []
        world.outbox.reachable = True
        assert [event.seq for event in (await anext(hearing)).events] == [1]


async def test_listeners_end_with_the_process() -> None:
    world = World()
    ear = await world.listen.open(ACME, (), 0)
    async with aclosing(ear.hear()) as hearing:
        await anext(hearing)
        world.listen.end()
        assert [each async for each in hearing] == []


async def test_so_many_listen_and_a_place_that_is_left_is_free() -> None:
    world = World()
    ears = [await world.listen.open(ACME, (), None) for _ in range(LISTENERS_PER_TENANT_MAX)]

    with pytest.raises(Overloaded):
        await world.listen.open(ACME, (), None)
    ears[0].close()

    (await world.listen.open(ACME, (), None)).close()


async def test_who_cannot_be_noted_takes_no_place() -> None:
    world = World()
    world.listeners.reachable = False
    with pytest.raises(StoreUnavailable):
        await world.listen.open(ACME, (), None)
    with pytest.raises(InvalidRequest):
        await world.listen.open(ACME, ("no.such",), None)

    assert world.listen.listening == 0


async def test_events_are_written_for_a_listener_until_a_while_after_its_end() -> None:
    world = World()
    (await world.listen.open(ACME, ("key.*",), None)).close()

    ends_us = max(each.until_us for each in await world.listeners.all(0))
    began_s = world.clock.utc_now().timestamp()
    assert ends_us / 1_000_000 - began_s == pytest.approx(RESUME_WITHIN_S, abs=1)


async def test_until_it_is_known_who_wants_what_everything_is_wanted() -> None:
    interest = Interest()
    assert interest.wants("acme", "key.created")

    await interest.refresh()
    assert not interest.wants("acme", "key.created")

    interest.want("acme", ("key.*",))
    assert interest.wants("acme", "key.created")
    assert not interest.wants("other", "key.created")


async def test_what_sources_say_holds_while_they_are_away() -> None:
    away = False

    async def source() -> list[Subscription]:
        if away:
            raise StoreUnavailable("away", retry_after_s=1.0)
        return [Subscription("acme", ("key.*",)), Subscription("*", ("cost.*",))]

    interest = Interest(["agent.*"], [source])
    await interest.refresh()
    away = True
    with pytest.raises(StoreUnavailable):
        await interest.refresh()

    assert interest.wants("acme", "key.created") and not interest.wants("other", "key.created")
    assert interest.wants("other", "cost.budget_alert") and interest.wants("other", "agent.stopped")


async def test_breakers_tell_when_they_open_and_when_they_are_closed_again() -> None:
    world, breaker = World(), CircuitBreaker(BreakerPolicy(open_s=30.0))
    watch = BreakerWatch(world.outbox, world.clock, world.ids)
    watch.add_source(lambda: [Watched("acme", "orders", "", breaker)])

    async def told() -> list[str]:
        await watch.look()
        return [event.topic.removeprefix("integration.breaker_") for event in await world.outbox.waiting()]

    assert await told() == []
    breaker.force_open()
    assert await told() == ["opened"]
    world.clock.advance(60)
    assert await told() == ["opened"]
    world.clock.advance(1)
    breaker.reset()
    assert await told() == ["opened", "closed"]


async def test_breakers_are_told_of_later_while_the_store_is_away_and_not_without_end() -> None:
    world, breaker = World(), CircuitBreaker(BreakerPolicy())
    watch = BreakerWatch(world.outbox, world.clock, world.ids)
    watch.add_source(lambda: [Watched(None, "alpha", "alpha/small", breaker)])
    world.outbox.reachable = False
    for _ in range(WAITING_MAX):
        breaker.force_open()
        with pytest.raises(StoreUnavailable):
            await watch.look()
        breaker.reset()
        with pytest.raises(StoreUnavailable):
            await watch.look()

    world.outbox.reachable = True
    await watch.look()

    assert len(await world.outbox.waiting(limit=5000)) == WAITING_MAX
    assert watch.dropped == WAITING_MAX


async def test_an_event_with_its_causes_key_is_written_once_and_another_always() -> None:
    world = World()
    writer = EventWriter(world.outbox, world.clock, world.ids)

    assert await writer.write("key.revoked", "acme", {}, key="one")
    assert not await writer.write("key.revoked", "acme", {}, key="one")
    assert await writer.write("key.revoked", "acme", {})
    assert await writer.write("key.revoked", "acme", {})
