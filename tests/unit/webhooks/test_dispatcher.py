"""Delivering: at least once, in turn, in order where that is asked for, and leaving nothing behind."""

import asyncio
import json
from dataclasses import replace

import pytest
from standardwebhooks import Webhook

from adapters.system.clock import SystemClock
from application.ports.outbox import OutboxEvent
from domain.errors import VaultLocked
from domain.events import BUDGET_ALERT
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.endpoint import EndpointState
from domain.webhooks.envelope import event_id
from domain.webhooks.signature import secret_text
from tests.unit.webhooks.world import KEY, World


async def test_an_event_arrives_signed_in_its_envelope() -> None:
    world = World()
    url = await world.endpoint("a")
    await world.tell("one")
    async with world.running():
        await world.until(lambda: bool(world.sender.got) and not world.open())

    (message,) = world.sender.got
    assert (message.url, message.tenant_id) == (url, "acme")
    said = json.loads(message.body)
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "id": event_id("one"),
        "type": "cost.budget_alert",
        "tenant_id": "acme",
        "data": {"n": 1},
    }
    assert dict(message.headers)["webhook-id"] == event_id("one")
    assert dict(message.headers)["webhook-timestamp"] == str(int(world.clock.utc_now().timestamp()))


@pytest.mark.parametrize("told", [True, False])
async def test_the_trace_of_its_cause_is_a_header_beside_what_is_signed(told: bool) -> None:
    world = World()
    world.policy = replace(world.policy, traces=told)
    await world.endpoint("a")
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    await world.outbox.add(OutboxEvent("one", BUDGET_ALERT, "acme", '{"n": 1}', 1, trace))
    await world.tell("two")
    async with world.running():
        await world.until(lambda: len(world.sender.got) == 2)

    headers = {each["webhook-id"]: each for each in (dict(message.headers) for message in world.sender.got)}
    assert headers[event_id("one")].get("traceparent") == (trace if told else None)
    assert "traceparent" not in headers[event_id("two")]
    assert all(trace.encode() not in message.body for message in world.sender.got)


async def test_a_retry_has_the_same_id_and_body_and_a_time_of_its_own() -> None:
    world = World()
    url = await world.endpoint("a")
    answers = iter((500, 200))
    world.sender.answers[url] = lambda _message: next(answers)
    await world.tell("one")
    async with world.running() as dispatcher:
        await world.until(lambda: len(world.sender.got) == 1)
        world.clock.now_s = 6
        dispatcher.wake()
        await world.until(lambda: not world.open())

    first, second = world.sender.got
    assert first.body == second.body
    assert dict(first.headers)["webhook-id"] == dict(second.headers)["webhook-id"]
    assert dict(first.headers)["webhook-timestamp"] != dict(second.headers)["webhook-timestamp"]
    assert dict(dispatcher.outcomes) == {"http": 1, "delivered": 1}


async def test_what_never_arrives_is_a_dead_letter_and_told_but_not_of_itself() -> None:
    world = World(waits_s=(0,))
    url = await world.endpoint("a")
    world.sender.answers[url] = lambda _message: 500
    await world.tell("one")
    async with world.running():
        await world.until(lambda: len(world.endpoints.deliveries) == 2 and not world.open())

    dead = await world.deliveries.page("acme", None, DeliveryState.DEAD)
    assert [each.topic for each in dead] == ["webhook.delivery_dead", "cost.budget_alert"]
    assert await world.outbox.waiting() == []


async def test_410_disables_at_once() -> None:
    world = World()
    url = await world.endpoint("a")
    world.sender.answers[url] = lambda _message: 410
    await world.tell("one")
    async with world.running():
        await world.until(lambda: world.endpoints.kept["wh_a"].state is EndpointState.DISABLED)

    assert {each.topic for each in await world.outbox.newest("acme", None)} >= {"webhook.endpoint_disabled"}


async def test_who_hangs_delays_nobody() -> None:
    world = World(slots=8)
    slow, fast = await world.endpoint("slow"), await world.endpoint("fast")

    world.sender.hold[slow] = asyncio.Event()
    await world.tell(*(f"e{number}" for number in range(50)))
    async with world.running():
        await world.until(lambda: len(world.sender.ids(fast)) == 50)

        assert world.sender.ids(slow) == []
        assert world.sender.most[slow] <= 4


async def test_an_endpoint_that_fails_gets_one_at_a_time() -> None:
    world = World(waits_s=(0, 100))
    url = await world.endpoint("a", concurrency=1)
    world.sender.answers[url] = lambda _message: 503
    await world.tell(*"abcdef")
    async with world.running():
        await world.until(lambda: len(world.sender.got) == 6)

    assert world.sender.most[url] == 1


async def test_an_ordered_endpoint_gets_events_in_order_whatever_fails() -> None:
    world = World(waits_s=(0, 0, 0, 0))
    url = await world.endpoint("a", ordered=True)
    answers = iter((200, 500, 500, 200, 200, 0, 200))
    world.sender.answers[url] = lambda _message: next(answers, 200)
    await world.tell("1", "2", "3", "4")
    async with world.running():
        await world.until(lambda: len(world.endpoints.deliveries) == 4 and not world.open())

    seen = list(dict.fromkeys(world.sender.ids(url)))
    assert seen == [event_id(key) for key in "1234"]
    assert world.sender.ids(url).count(event_id("2")) == 3


async def test_who_stops_gives_back_what_is_under_way() -> None:

    world = World()
    url = await world.endpoint("a")
    world.sender.hold[url] = asyncio.Event()
    await world.tell("one", "two")
    async with world.running():
        await world.until(lambda: world.sender.under_way[url] == 2)

    states = {each.state for each in world.endpoints.deliveries.values()}
    assert states == {DeliveryState.WAITING}

    world.sender.hold.clear()
    async with world.running():
        await world.until(lambda: not world.open())
    assert sorted(world.sender.ids(url)) == sorted([event_id("one"), event_id("two")])


async def test_while_the_vault_is_locked_deliveries_wait_and_no_attempt_counts() -> None:
    world = World()
    await world.endpoint("a")
    world.secrets.fails = VaultLocked("the keys are away")
    await world.tell("one")
    async with world.running() as dispatcher:
        await world.until(
            lambda: any(each.due_at_us > 10_000_000 for each in world.endpoints.deliveries.values())
        )
        assert world.sender.got == []
        world.secrets.fails = None
        world.clock.now_s = 31
        dispatcher.wake()
        await world.until(lambda: not world.open())

    (done,) = world.endpoints.deliveries.values()
    assert done.attempts == 1


async def test_while_the_store_is_away_everything_waits_and_then_goes_on() -> None:
    world = World()
    url = await world.endpoint("a")
    await world.tell("one")
    await world.book.refresh()
    world.outbox.reachable = False

    task = asyncio.create_task(world.dispatcher().run())
    await asyncio.sleep(0.05)
    world.outbox.reachable = True
    await world.until(lambda: world.sender.ids(url) == [event_id("one")])
    await world.until(lambda: not world.open())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_official_library_accepts_what_we_sign() -> None:
    """Its verifier looks at its own clock, so this dispatcher's is the real one."""

    world = World()
    world.clock = SystemClock()  # type: ignore[assignment]
    await world.endpoint("a")
    await world.tell("one")
    async with world.running():
        await world.until(lambda: bool(world.sender.got) and not world.open())

    (message,) = world.sender.got
    verified = Webhook(secret_text(KEY.reveal())).verify(message.body.decode(), dict(message.headers))
    assert verified["id"] == event_id("one")
