"""What every store of webhooks promises where several are at it, or somebody comes late."""

from dataclasses import replace

import pytest

from contracts.ports._base import PortContract
from contracts.ports.webhooks import NOW_US, S, Stores, claim, endpoint, names, settle, settled, tell
from domain.webhooks.delivery import DeliveryState, Outcome
from domain.webhooks.endpoint import EndpointState
from domain.webhooks.envelope import event_id


class WebhookRacesContract(PortContract):
    """Bind `stores`."""

    @pytest.fixture
    def stores(self) -> Stores:
        raise NotImplementedError

    async def test_of_two_attempts_settled_together_the_one_that_lost_its_lease_changes_nothing(
        self, stores: Stores
    ) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one")
        (late,) = await claim(stores)
        (held,) = await claim(stores, at_us=NOW_US + 60 * S)

        done = await settle(stores, settled(late, Outcome.TOO_LARGE), settled(held), at_us=NOW_US + 61 * S)

        assert done == 1
        (delivery,) = await stores.log.page("acme", None, None)
        assert delivery.state is DeliveryState.DELIVERED
        assert await stores.outbox.waiting() == []
        found = await stores.log.one("acme", "wh_a", delivery.seq)
        assert found is not None and [each.fence for each in found[2]] == [2]

    async def test_of_an_ordered_endpoint_nothing_older_is_begun_beside_what_is_under_way(
        self, stores: Stores
    ) -> None:
        mine = endpoint(ordered=True)
        await stores.endpoints.add(mine, endpoints_max=9)
        await tell(stores, "one", "two")
        (one,) = await claim(stores)
        await settle(stores, settled(one))
        (two,) = await claim(stores)
        await stores.log.replay(mine, (1, 2), NOW_US, dead_only=False, limit=9)

        assert await claim(stores) == []
        await settle(stores, settled(two))
        assert names(await claim(stores)) == [event_id("one")]

    async def test_an_ordered_endpoint_goes_on_after_a_holder_that_died(self, stores: Stores) -> None:
        mine = endpoint(ordered=True)
        await stores.endpoints.add(mine, endpoints_max=9)
        await tell(stores, "one", "two")
        (one,) = await claim(stores)
        await settle(stores, settled(one))
        await claim(stores)
        await stores.log.replay(mine, (1, 2), NOW_US, dead_only=False, limit=9)

        (again,) = await claim(stores, at_us=NOW_US + 60 * S)

        assert names([again]) == [event_id("one")]

    async def test_a_dead_head_lets_the_next_of_an_ordered_endpoint_pass(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(ordered=True), endpoints_max=9)
        await tell(stores, "one", "two")
        (one,) = await claim(stores)

        await settle(stores, settled(one, Outcome.TOO_LARGE))

        assert names(await claim(stores)) == [event_id("two")]

    async def test_events_on_their_way_outlive_what_is_forgotten(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint("wh_a"), endpoints_max=9)
        await stores.endpoints.add(endpoint("wh_b"), endpoints_max=9)
        await tell(stores, "one")
        (one,) = await claim(stores, "wh_a")
        await settle(stores, settled(one))

        while await stores.upkeep.forget(NOW_US + 99 * S):
            pass

        assert names(await claim(stores, "wh_b")) == [event_id("one")]

    async def test_an_endpoint_made_anew_under_its_name_is_disabled_anew(self, stores: Stores) -> None:
        for round_number in range(2):
            made = endpoint("wh_file_a")
            await stores.endpoints.add(made, endpoints_max=9)
            await tell(stores, f"e{round_number}")
            (got,) = await claim(stores, "wh_file_a", at_us=NOW_US + round_number * S)
            at_us = NOW_US + round_number * S
            await settle(stores, settled(got, Outcome.GONE, at_us), at_us=at_us)
            told = [
                each for each in await stores.outbox.waiting() if each.topic == "webhook.endpoint_disabled"
            ]
            assert len(told) == 1
            await stores.queue.fan_out(at_us)
            await stores.endpoints.remove("acme", "wh_file_a")

    async def test_the_oldest_behind_a_place_says_when_to_go_on(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one", "two", "three")
        await tell(stores, "four", tenant="other")

        assert await stores.log.oldest("acme", 2, NOW_US, NOW_US + S) == NOW_US + 1
        assert await stores.log.oldest("acme", 1, NOW_US + 2, NOW_US + S) == NOW_US + 2
        assert await stores.log.oldest("acme", 4, NOW_US, NOW_US + S) is None

    async def test_what_waits_for_a_paused_endpoint_is_not_late(self, stores: Stores) -> None:
        await stores.endpoints.add(endpoint(), endpoints_max=9)
        await tell(stores, "one")
        await stores.endpoints.change(
            replace(endpoint(), state=EndpointState.PAUSED, revision=2), expected_revision=1
        )

        assert await stores.log.figures(NOW_US + 7) == (1, 0, None, 0)
