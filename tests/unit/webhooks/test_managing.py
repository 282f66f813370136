"""Managing endpoints while others do, and where stores fail halfway: nobody is told what is not so."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import application.use_cases.manage_webhooks as managing
from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.outbox import InMemoryOutbox
from adapters.memory.webhooks import InMemoryDeliveries, InMemoryEndpointStore
from application.ports.outbox import OutboxEvent
from application.use_cases.manage_webhooks import ManageWebhooks, WebhookKeeping
from application.webhooks.book import WebhookBook
from application.webhooks.secrets import EndpointSecrets
from domain.errors import Conflict, Forbidden, InvalidConfiguration, NotFound, StoreUnavailable
from domain.events import BUDGET_ALERT
from domain.tenancy.principal import Principal
from domain.vault.secret import SecretText
from domain.webhooks.delivery import DeliveryState
from domain.webhooks.endpoint import Endpoint, EndpointState, EndpointTerms
from domain.webhooks.filter import EventFilter
from domain.webhooks.format import WebhookFormat
from domain.webhooks.health import FailureRun
from domain.webhooks.signature import secret_key
from tests.unit.vault.vault_world import NOW, vault_world

BY = Principal(
    tenant_id="acme",
    key_id="key_1",
    key_name="one",
    role="owner",
    permissions=frozenset({"webhooks.read", "webhooks.operate", "webhooks.write"}),
)
NOW_US = round(NOW.timestamp() * 1_000_000)
TERMS = EndpointTerms(url="https://example.com/in")


class World:
    def __init__(self) -> None:
        vault = vault_world()
        self.outbox = InMemoryOutbox()
        self.endpoints = InMemoryEndpointStore(self.outbox)
        self.log = InMemoryDeliveries(self.endpoints, InMemoryEventLog(self.outbox))
        self.secrets = EndpointSecrets(vault.vault, vault.clock, os.urandom)
        self.clock, self.vault = vault.clock, vault.vault
        keeping = WebhookKeeping(lambda _id: None, False, lambda: asyncio.sleep(0))
        self.manage = ManageWebhooks(
            self.endpoints, self.log, self.outbox, self.secrets, vault.clock, vault.ids, keeping
        )

    async def made(self, **said: Any) -> Endpoint:
        endpoint, _ = await self.manage.create(BY, replace(TERMS, **said))
        return endpoint

    async def tell(self, count: int) -> None:
        for number in range(count):
            event = OutboxEvent(f"e{number:03}", BUDGET_ALERT, "acme", f'{{"n": {number}}}', NOW_US + number)
            await self.outbox.add(event)
        await self.log.fan_out(NOW_US)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_rotation_that_another_one_overtook_writes_nothing_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await world.made()
    overtaking: list[SecretText] = []
    put_in = world.vault.replace

    async def overtaken(*said: Any, **more: Any) -> Any:
        monkeypatch.setattr(world.vault, "replace", put_in)
        overtaking.append((await world.manage.rotate(BY, made.endpoint_id))[1])
        return await put_in(*said, **more)

    monkeypatch.setattr(world.vault, "replace", overtaken)
    with pytest.raises(Conflict):
        await world.manage.rotate(BY, made.endpoint_id)

    keys = {each.reveal() for each in await world.secrets.keys(world.endpoints.kept[made.endpoint_id])}
    assert {secret_key(each.reveal()).reveal() for each in overtaking} < keys


async def test_a_rotation_beside_another_change_tells_its_secret(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await world.made()
    rotate = world.secrets.rotate

    async def slowly(endpoint: Endpoint, by: str, overlap_s: float) -> SecretText:
        secret = await rotate(endpoint, by, overlap_s)
        await world.manage.pause(BY, made.endpoint_id)
        return secret

    monkeypatch.setattr(world.secrets, "rotate", slowly)
    _, secret, _ = await world.manage.rotate(BY, made.endpoint_id)

    now = world.endpoints.kept[made.endpoint_id]
    assert now.state is EndpointState.PAUSED and now.revision > made.revision + 1
    assert secret_key(secret.reveal()).reveal() == (await world.secrets.keys(now))[0].reveal()


MANAGER = replace(BY, tenant_id="default", permissions=BY.permissions | {"tenants.manage"})


async def test_who_manages_tenants_does_everything_in_the_tenant_that_is_named(world: World) -> None:
    manage = world.manage
    made, _ = await manage.create(MANAGER, TERMS, tenant_id="acme")
    endpoint_id = made.endpoint_id

    assert made.tenant_id == "acme" and await manage.all(MANAGER) == []
    assert [each.endpoint_id for each in await manage.all(MANAGER, "acme")] == [endpoint_id]
    assert (await manage.one(BY, endpoint_id)).endpoint_id == endpoint_id
    changed = await manage.change(MANAGER, endpoint_id, replace(TERMS, description="x"), tenant_id="acme")
    assert changed.terms.description == "x" and changed.tenant_id == "acme"
    assert (await manage.pause(MANAGER, endpoint_id, "acme")).state is EndpointState.PAUSED
    assert (await manage.resume(MANAGER, endpoint_id, "acme")).state is EndpointState.ACTIVE
    assert (await manage.rotate(MANAGER, endpoint_id, 60, "acme"))[2] == 60
    assert await manage.test(MANAGER, endpoint_id, "acme")
    await world.tell(1)
    sent = await manage.deliveries(MANAGER, endpoint_id, None, before_seq=None, limit=9, tenant_id="acme")
    assert sent and sent == await manage.deliveries(BY, endpoint_id, None, before_seq=None, limit=9)
    assert await manage.deliveries(MANAGER, None, None, before_seq=None, limit=9) == []
    with pytest.raises(NotFound):
        await manage.remove(MANAGER, endpoint_id)
    await manage.remove(MANAGER, endpoint_id, "acme")
    assert await manage.all(BY) == []


async def test_nobody_else_names_another_tenant(world: World) -> None:
    endpoint_id = (await world.made()).endpoint_id
    other, manage = replace(BY, tenant_id="evil"), world.manage
    since = datetime.fromtimestamp(NOW_US / 1e6 - 60, UTC)
    for asked in (
        manage.all(other, "acme"),
        manage.one(other, endpoint_id, "acme"),
        manage.create(other, TERMS, tenant_id="acme"),
        manage.change(other, endpoint_id, TERMS, tenant_id="acme"),
        manage.remove(other, endpoint_id, "acme"),
        manage.pause(other, endpoint_id, "acme"),
        manage.resume(other, endpoint_id, "acme"),
        manage.rotate(other, endpoint_id, None, "acme"),
        manage.test(other, endpoint_id, "acme"),
        manage.deliveries(other, None, None, before_seq=None, limit=9, tenant_id="acme"),
        manage.delivery(other, endpoint_id, "d", "acme"),
        manage.retry(other, endpoint_id, "d", "acme"),
        manage.replay(other, endpoint_id, since, None, dead_only=False, tenant_id="acme"),
    ):
        with pytest.raises(Forbidden):
            await asked


async def test_an_endpoint_whose_making_failed_after_all_is_not_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = world.endpoints.add

    async def broken(endpoint: Endpoint, *, endpoints_max: int) -> None:
        await add(endpoint, endpoints_max=endpoints_max)
        raise StoreUnavailable("the connection ended with the commit")

    monkeypatch.setattr(world.endpoints, "add", broken)
    with pytest.raises(StoreUnavailable):
        await world.made()

    assert world.endpoints.kept == {}
    assert (await world.vault.store.tenant("acme")).rows == ()


async def test_sending_again_what_the_endpoint_wants_no_more_is_refused(world: World) -> None:
    made = await world.made()
    await world.tell(1)
    (delivery,) = await world.log.page("acme", None, None)
    await world.log.expire(NOW_US + 10, NOW_US + 10)
    await world.manage.change(BY, made.endpoint_id, replace(TERMS, filter=EventFilter(types=("key.*",))))

    with pytest.raises(Conflict, match="wants"):
        await world.manage.retry(BY, made.endpoint_id, delivery.delivery_id)


@pytest.mark.parametrize("wanted", [{"n": 19}, {"n": 11}, {}])
async def test_a_long_replay_that_is_gone_on_with_reaches_every_event(
    world: World, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    monkeypatch.setattr(managing, "REPLAYED_MAX", 6)
    monkeypatch.setattr(managing, "REPLAYED_AT_ONCE", 3)
    await world.tell(20)
    world.clock.now_s = 60
    made = await world.made(filter=EventFilter(equals=wanted))
    since, sent, calls = NOW - timedelta(seconds=1), 0, 0
    while True:
        found = await world.manage.replay(BY, made.endpoint_id, since, None, dead_only=False)
        sent, calls = sent + found.deliveries, calls + 1
        if found.more_from_us is None:
            break
        assert calls < 10
        since = NOW + timedelta(microseconds=found.more_from_us - NOW_US)

    states = [each.state for each in await world.log.page("acme", made.endpoint_id, None)]
    assert states == [DeliveryState.WAITING] * (1 if wanted else 20) and sent == len(states)


async def test_another_address_begins_without_the_failures_of_the_one_before(world: World) -> None:
    made = await world.made()
    run = FailureRun(1.0, 2.0)
    world.endpoints.kept[made.endpoint_id] = replace(made, failing=run)

    same = await world.manage.change(BY, made.endpoint_id, replace(TERMS, description="new"))
    other = await world.manage.change(BY, made.endpoint_id, replace(TERMS, url="https://example.com/new"))

    assert (same.failing, other.failing) == (run, FailureRun())


async def test_what_the_file_changes_begins_anew_unless_somebody_paused_it(world: World) -> None:
    book = WebhookBook(world.endpoints)
    wanted = [
        Endpoint(endpoint_id=f"wh_file_{n}", tenant_id="acme", terms=TERMS, declared=True) for n in "ab"
    ]
    await book.declare(wanted, NOW_US)
    run = FailureRun(1.0, 2.0)
    for name, state in (("wh_file_a", EndpointState.PAUSED), ("wh_file_b", EndpointState.DISABLED)):
        world.endpoints.kept[name] = replace(world.endpoints.kept[name], state=state, failing=run)

    moved = [replace(each, terms=replace(TERMS, url="https://example.com/new")) for each in wanted]
    await book.declare(moved, NOW_US)

    found = {name: (each.state, each.failing) for name, each in world.endpoints.kept.items()}
    assert found == {
        "wh_file_a": (EndpointState.PAUSED, FailureRun()),
        "wh_file_b": (EndpointState.ACTIVE, FailureRun()),
    }


async def test_a_routing_key_does_not_follow_its_endpoint_to_another_host(world: World) -> None:
    pager = replace(TERMS, url="https://events.pagerduty.com/v2/enqueue", format=WebhookFormat.PAGERDUTY)
    made, _ = await world.manage.create(BY, pager, "KEY1")

    for url in ("https://elsewhere.example/in", "https://events.pagerduty.com:8443/v2/enqueue"):
        with pytest.raises(InvalidConfiguration, match="given again"):
            await world.manage.change(BY, made.endpoint_id, replace(pager, url=url))

    stays = replace(pager, url="https://events.pagerduty.com/v2/other", description="d")
    changed = await world.manage.change(BY, made.endpoint_id, stays)
    assert (await world.secrets.sending(changed)).routing_key == "KEY1"
    moved = await world.manage.change(
        BY, made.endpoint_id, replace(pager, url="https://elsewhere.example/in"), "KEY2"
    )
    assert (await world.secrets.sending(moved)).routing_key == "KEY2"
