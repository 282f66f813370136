"""Whose turn it is: nobody is kept waiting by others, however many, slow, or unable to be signed for."""

import asyncio
from typing import Any

import pytest

import application.webhooks.dispatcher as dispatching
from application.ports.outbox import OutboxEvent
from domain.errors import VaultLocked
from domain.events import BUDGET_ALERT
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.envelope import event_id
from tests.unit.webhooks.world import World


async def tell_tenant(world: World, tenant: str, *keys: str) -> None:
    for key in keys:
        await world.outbox.add(OutboxEvent(key, BUDGET_ALERT, tenant, "{}", 1))


async def test_of_more_endpoints_than_are_asked_for_at_once_none_waits_for_a_later_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatching, "ENDPOINTS_PER_CLAIM", 10)
    monkeypatch.setattr(dispatching, "POLL_S", 5.0)
    monkeypatch.setattr(dispatching, "POLL_S_MAX", 5.0)
    world = World()
    for number in range(95):
        await world.endpoint(f"idle{number:02}", tenant=f"t{number}")
    last = await world.endpoint("zz")
    await world.tell("one")
    await world.deliveries.fan_out(0)
    async with world.running():
        await asyncio.wait_for(world.until(lambda: world.sender.ids(last) == [event_id("one")]), 2)


async def test_slow_endpoints_never_have_more_than_half_of_the_room() -> None:
    world = World(slots=16)
    slow = [await world.endpoint(f"slow{number}", tenant="slow") for number in range(10)]
    fast = await world.endpoint("fast")
    for url in slow:
        world.sender.took_ms[url] = 2_000
    await tell_tenant(world, "slow", "first")
    async with world.running():
        await world.until(lambda: len(world.sender.got) == 10 and not world.open())
        for url in slow:
            world.sender.hold[url] = asyncio.Event()
        await tell_tenant(world, "slow", *(f"s{number}" for number in range(10)))
        await world.until(lambda: sum(world.sender.under_way[url] for url in slow) >= 8)
        await world.tell(*(f"f{number}" for number in range(20)))
        await world.until(lambda: len(world.sender.ids(fast)) == 20)

        assert sum(world.sender.under_way[url] for url in slow) == 8


async def test_an_endpoint_whose_secret_cannot_be_opened_is_left_alone_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    await world.endpoint("a", concurrency=2)
    world.secrets.fails = VaultLocked("the keys are away")
    await world.tell(*(f"e{number}" for number in range(50)))
    async with world.running():
        await world.until(lambda: len(world.endpoints.deliveries) == 50)
        await asyncio.sleep(0.15)

    fences = [each.fence for each in world.endpoints.deliveries.values()]
    assert sum(fences) == 2
    assert sum("wait: the keys are away" in line for line in caplog.messages) <= 2


async def test_a_change_of_others_gives_nobody_a_new_burst() -> None:
    world = World()
    url = await world.endpoint("a", rate_per_s=0.01)
    await world.tell("one", "two")
    async with world.running() as dispatcher:
        await world.until(lambda: len(world.sender.ids(url)) == 1)
        await world.endpoint("b", tenant="other")
        await world.book.refresh()
        dispatcher.forget_manners()
        await asyncio.sleep(0.1)

        assert len(world.sender.ids(url)) == 1


async def test_a_delivery_that_breaks_the_sender_is_an_attempt_that_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(waits_s=(0,))
    url = await world.endpoint("a")

    def breaks(_message: Any) -> int:
        raise RuntimeError("a bug of ours")

    world.sender.answers[url] = breaks
    await world.tell("one")
    async with world.running():
        await world.until(
            lambda: any(each.state is DeliveryState.DEAD for each in world.endpoints.deliveries.values())
        )

    assert "a bug of ours" in caplog.text


async def test_who_does_not_deliver_still_brings_events_into_the_log() -> None:
    world = World()
    await world.endpoint("a")
    await world.tell("one")
    await world.book.refresh()
    task = asyncio.create_task(world.dispatcher().bring_in())
    await world.until(lambda: world.open() == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert world.sender.got == []
