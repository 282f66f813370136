"""What every store of webhook endpoints and deliveries promises."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from application.ports.event_log import EventLog
from application.ports.outbox import Outbox, OutboxEvent
from application.ports.webhooks import (
    Claimed,
    DeliveryLog,
    DeliveryQueue,
    DeliveryUpkeep,
    EndpointStore,
    Settlement,
)
from application.webhooks.telling import dead_events
from contracts.ports._base import PortContract
from domain.errors import Conflict, StoreUnavailable
from domain.events import BUDGET_ALERT, KEY_CREATED, WEBHOOK_DELIVERY_DEAD, WEBHOOK_ENDPOINT_DISABLED
from domain.webhooks.delivery import Attempt, DeliveryState, Outcome
from domain.webhooks.endpoint import Endpoint, EndpointState, EndpointTerms
from domain.webhooks.envelope import event_id
from domain.webhooks.filter import EventFilter
from domain.webhooks.schedule import Schedule

NOW_US = 1_772_368_215_123_456
S = 1_000_000
SCHEDULE = Schedule(waits_s=(0, 5, 300), jitter_share=0)
FIVE_DAYS_S = 5 * 86_400.0


class Stores(NamedTuple):
    """All over the same data."""

    outbox: Outbox
    events: EventLog
    endpoints: EndpointStore
    queue: DeliveryQueue
    log: DeliveryLog
    upkeep: DeliveryUpkeep


def endpoint(name: str = "wh_a", tenant: str = "acme", **said: Any) -> Endpoint:
    terms = EndpointTerms(url="https://example.com/in", **said)
    return Endpoint(endpoint_id=name, tenant_id=tenant, terms=terms, created_at_us=NOW_US)


async def tell(stores: Stores, *keys: str, tenant: str = "acme", topic: str = BUDGET_ALERT) -> None:
    for number, key in enumerate(keys):
        payload = f'{{"name": "{key}", "hard": true}}'
        await stores.outbox.add(OutboxEvent(key, topic, tenant, payload, NOW_US + number))
    await stores.queue.fan_out(NOW_US)


async def claim(
    stores: Stores, *names: str, at_us: int = NOW_US, room: int = 10, limit: int = 100
) -> list[Claimed]:
    return await stores.queue.claim(dict.fromkeys(names or ("wh_a",), room), at_us, limit=limit, lease_s=60)


def settled(claimed: Claimed, outcome: Outcome = Outcome.DELIVERED, at_us: int = NOW_US) -> Settlement:
    attempt = Attempt(outcome, at_us, 12, 200 if outcome is Outcome.DELIVERED else 500, None, "said")
    after = claimed.delivery.after(attempt, at_us, SCHEDULE, draw=0.0)
    return Settlement(after, attempt, dead_events(after, claimed.event.event_id, at_us))


async def settle(stores: Stores, *settlements: Settlement, at_us: int = NOW_US) -> int:
    return await stores.queue.settle(settlements, at_us, FIVE_DAYS_S)


def names(claimed: Sequence[Claimed]) -> list[str]:
    return [each.event.event_id for each in claimed]


class WebhooksContract(PortContract):
    """Bind `stores`, and `unreachable_stores`."""

    @pytest.fixture
    def stores(self) -> Stores:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_stores(self) -> Stores:
        raise NotImplementedError

    async def test_an_endpoint_is_kept_as_it_was_made(self, stores: Stores) -> None:
        wanted = EventFilter(types=("key.*", BUDGET_ALERT), equals={"name": "ö", "hard": True})
        made = endpoint(filter=wanted, ordered=True, rate_per_s=2.5, concurrency=7, description="ö")
        await stores.endpoints.add(made, endpoints_max=1)

        assert await stores.endpoints.all() == [made]
        assert await stores.endpoints.all("other") == []
        with pytest.raises(Conflict):
            await stores.endpoints.add(made, endpoints_max=9)
        with pytest.raises(Conflict):
            await stores.endpoints.add(endpoint("wh_b"), endpoints_max=1)

    async def test_a_change_takes_the_place_of_what_it_was_made_from(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        before = await stores.endpoints.generation()
        paused = replace(endpoint(), state=EndpointState.PAUSED, revision=2)

        assert await stores.endpoints.change(paused, expected_revision=1) is True
        assert await stores.endpoints.change(endpoint(), expected_revision=1) is False
        assert await stores.endpoints.change(replace(paused, tenant_id="b"), expected_revision=2) is False

        assert await stores.endpoints.all() == [paused]
        assert await stores.endpoints.generation() > before

    async def test_who_removes_an_endpoint_removes_its_deliveries(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one")

        assert await stores.endpoints.remove("other", "wh_a") is False
        assert await stores.endpoints.remove("acme", "wh_a") is True
        assert await stores.endpoints.remove("acme", "wh_a") is False

        assert await stores.log.page("acme", None, None) == []
        assert await claim(stores) == []

    async def test_an_event_goes_to_the_endpoints_of_its_tenant_that_want_it(self, stores: Stores) -> None:
        for each in (
            endpoint("wh_all"),
            endpoint("wh_keys", filter=EventFilter(types=("key.*",))),
            endpoint("wh_some", filter=EventFilter(equals={"name": "two", "hard": True})),
            endpoint("wh_other", tenant="other"),
            replace(endpoint("wh_off"), state=EndpointState.DISABLED),
            replace(endpoint("wh_paused"), state=EndpointState.PAUSED),
        ):
            await stores.endpoints.add(each, endpoints_max=9)
        await tell(stores, "one", "two")
        await tell(stores, "three", topic=KEY_CREATED)

        made = await stores.log.page("acme", None, None)

        assert sorted((each.endpoint_id, each.seq) for each in made) == [
            ("wh_all", 1),
            ("wh_all", 2),
            ("wh_all", 3),
            ("wh_keys", 3),
            ("wh_paused", 1),
            ("wh_paused", 2),
            ("wh_paused", 3),
            ("wh_some", 2),
        ]
        assert await stores.events.newest_seq() == 3

    async def test_what_is_claimed_is_nobody_elses_until_the_lease_runs_out(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one")

        first = await claim(stores)
        assert names(first) == [event_id("one")] and first[0].delivery.fence == 1
        assert first[0].event.payload == '{"name": "one", "hard": true}'
        assert await claim(stores, at_us=NOW_US + 59 * S) == []
        again = await claim(stores, at_us=NOW_US + 60 * S)

        assert names(again) == names(first) and again[0].delivery.fence == 2
        assert await settle(stores, settled(first[0])) == 0
        assert await settle(stores, settled(again[0])) == 1
        assert await claim(stores, at_us=NOW_US + 999 * S) == []

    async def test_of_many_who_claim_each_gets_its_own(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, *(f"e{number}" for number in range(40)))

        rounds = await asyncio.gather(*(claim(stores, room=5) for _ in range(8)))
        rest = await claim(stores, room=32)
        rest += await claim(stores, room=32)

        got = [name for each in (*rounds, rest) for name in names(each)]
        assert len(got) == len(set(got)) == 40

    async def test_endpoints_take_turns(self, stores: Stores) -> None:
        for name in ("wh_a", "wh_b", "wh_c"):
            await stores.endpoints.add(endpoint(name), endpoints_max=9)
        await tell(stores, "one", "two", "three")

        got = await stores.queue.claim({"wh_a": 3, "wh_b": 1, "wh_c": 3}, NOW_US, limit=4, lease_s=60)

        assert sorted(each.delivery.endpoint_id for each in got) in (
            ["wh_a", "wh_a", "wh_b", "wh_c"],
            ["wh_a", "wh_b", "wh_c", "wh_c"],
        )

    async def test_who_is_not_active_gets_nothing(self, stores: Stores) -> None:
        paused = replace(endpoint(), state=EndpointState.PAUSED)
        await stores.endpoints.add(paused, endpoints_max=9)
        await tell(stores, "one")

        assert await claim(stores) == []
        await stores.endpoints.change(endpoint(), expected_revision=1)
        assert len(await claim(stores)) == 1

    async def test_an_ordered_endpoint_gets_one_at_a_time_in_order(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(ordered=True), endpoints_max=9)
        await tell(stores, "one", "two", "three")

        first = await claim(stores)
        assert names(first) == [event_id("one")]
        assert await claim(stores) == []
        await settle(stores, settled(first[0], Outcome.HTTP))
        assert await claim(stores, at_us=NOW_US + 4 * S) == []
        again = await claim(stores, at_us=NOW_US + 5 * S)
        assert names(again) == [event_id("one")]
        await settle(stores, settled(again[0]))

        assert names(await claim(stores, at_us=NOW_US + 6 * S)) == [event_id("two")]

    async def test_a_failure_comes_again_and_the_last_is_a_dead_letter(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one")
        for wait_s in (0, 5, 305):
            (got,) = await claim(stores, at_us=NOW_US + wait_s * S)
            await settle(stores, settled(got, Outcome.HTTP, NOW_US + wait_s * S))

        (dead,) = await stores.log.page("acme", "wh_a", DeliveryState.DEAD)
        found = await stores.log.one("acme", "wh_a", dead.seq)

        assert (dead.attempts, dead.last_outcome, dead.last_status) == (3, "http", 500)
        assert found is not None and found[1] is not None
        assert [each.attempt.detail for each in found[2]] == ["said"] * 3
        assert [each.fence for each in found[2]] == [1, 2, 3]
        assert [each.topic for each in await stores.outbox.waiting()] == [WEBHOOK_DELIVERY_DEAD]
        assert await stores.log.one("other", "wh_a", dead.seq) is None

    async def test_an_endpoint_that_is_gone_is_disabled_and_that_is_told(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one", "two")
        first, second = await claim(stores)
        before = await stores.endpoints.generation()

        await settle(stores, settled(first), settled(second, Outcome.GONE))

        (now,) = await stores.endpoints.all()
        assert now.state is EndpointState.DISABLED and "410" in now.reason and now.revision == 2
        assert await stores.endpoints.generation() > before
        told = {each.topic for each in await stores.outbox.waiting()}
        assert told == {WEBHOOK_ENDPOINT_DISABLED, WEBHOOK_DELIVERY_DEAD}
        assert (await stores.log.figures(NOW_US)).disabled == 1

    async def test_a_run_of_failures_ends_with_a_success(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one", "two")
        one, two = await claim(stores)

        await settle(stores, settled(one, Outcome.HTTP))
        assert (await stores.endpoints.all())[0].failing.first_at_s == NOW_US / S
        await settle(stores, settled(two))

        assert (await stores.endpoints.all())[0].failing.first_at_s is None

    async def test_what_is_released_can_be_claimed_again_at_once(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one")
        first = await claim(stores)

        await stores.queue.release([each.delivery for each in first], NOW_US)
        again = await claim(stores)
        await stores.queue.release([first[0].delivery], NOW_US)

        assert names(again) == names(first) and again[0].delivery.attempts == 0
        assert await claim(stores) == []

    async def test_events_are_sent_again_on_request(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one", "two", "three")
        got = await claim(stores)
        await settle(stores, settled(got[0]), settled(got[1], Outcome.TOO_LARGE))
        (mine,) = await stores.endpoints.all()
        late = endpoint("wh_late", filter=EventFilter(equals={"name": "two"}))
        span = await stores.log.places("acme", NOW_US, NOW_US + S)
        assert span == (1, 4) and await stores.log.places("acme", NOW_US + S, NOW_US + 2 * S) is None

        later = NOW_US + S
        assert await stores.log.replay(mine, span, later, dead_only=True, limit=10) == (1, None)
        assert await stores.log.replay(late, span, later, dead_only=False, limit=10) == (1, None)
        first = await stores.log.replay(mine, span, later, dead_only=False, limit=2)
        assert first == (2, 3)
        assert await stores.log.replay(mine, (3, 4), later, dead_only=False, limit=2) == (1, None)

        states = {each.seq: each.state for each in await stores.log.page("acme", "wh_a", None)}
        assert states == {
            1: DeliveryState.WAITING,
            2: DeliveryState.WAITING,
            3: DeliveryState.LEASED,
        }
        assert [each.seq for each in await stores.log.page("acme", "wh_late", None)] == [2]

    async def test_a_page_goes_on_below_a_place(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, *"abcde")

        first = await stores.log.page("acme", "wh_a", None, limit=2)
        rest = await stores.log.page("acme", "wh_a", None, before_seq=first[-1].seq)

        assert [each.seq for each in first + rest] == [5, 4, 3, 2, 1]
        assert await stores.log.page("other", "wh_a", None) == []

    async def test_figures_say_what_waits_and_since_when(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one", "two")
        got = await claim(stores, room=1)
        await settle(stores, settled(got[0], Outcome.TOO_LARGE))

        found = await stores.log.figures(NOW_US + 7)

        assert found == (1, 1, NOW_US, 0)

    async def test_what_waited_too_long_becomes_a_dead_letter(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one", "two")
        await claim(stores, room=1)

        assert await stores.upkeep.expire(NOW_US + 1, NOW_US + 2) == 1
        (dead,) = await stores.log.page("acme", None, DeliveryState.DEAD)

        assert (dead.last_outcome, dead.settled_at_us) == ("expired", NOW_US + 2)

    async def test_what_is_old_is_forgotten(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one", "two")
        got = await claim(stores, room=1)
        await settle(stores, settled(got[0]))

        assert await stores.upkeep.forget(NOW_US) == 0
        assert await stores.upkeep.forget(NOW_US + 1) >= 1

        assert [each.seq for each in await stores.log.page("acme", None, None)] == [2]
        assert names(await claim(stores)) == [event_id("two")]

    async def test_what_cannot_be_reached_says_so(self, unreachable_stores: Stores) -> None:
        stores = unreachable_stores
        for asked in (
            lambda: stores.endpoints.all(),
            lambda: stores.endpoints.generation(),
            lambda: stores.queue.fan_out(NOW_US),
            lambda: claim(stores),
            lambda: stores.log.page("acme", None, None),
            lambda: stores.log.figures(NOW_US),
            lambda: stores.upkeep.forget(NOW_US),
        ):
            with pytest.raises(StoreUnavailable):
                await asked()
