"""What every Outbox promises."""

import asyncio

import pytest

from application.ports.outbox import Outbox, OutboxEvent
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

NOW_US = 1_772_368_215_123_456
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def event(
    key: str = "one", at_us: int = NOW_US, *, tenant: str = "acme", topic: str = "cost.budget_alert"
) -> OutboxEvent:
    return OutboxEvent(key, topic, tenant, '{"said": "ö 🧾"}', at_us, TRACE)


class OutboxContract(PortContract):
    """Bind `outbox`, and `unreachable_outbox`: the same adapter with its backend gone."""

    @pytest.fixture
    def outbox(self) -> Outbox:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_outbox(self) -> Outbox:
        raise NotImplementedError

    async def test_a_new_outbox_is_empty(self, outbox: Outbox) -> None:
        assert await outbox.waiting() == []
        assert await outbox.newest(None, None) == []

    async def test_events_wait_oldest_first(self, outbox: Outbox) -> None:
        later, same, first = event("later", NOW_US + 5), event("b", NOW_US), event("a", NOW_US)
        for each in (later, same, first):
            assert await outbox.add(each) is True

        assert await outbox.waiting() == [first, same, later]
        assert await outbox.waiting(limit=2) == [first, same]

    async def test_the_same_fact_is_one_event(self, outbox: Outbox) -> None:
        assert await outbox.add(event()) is True
        assert await outbox.add(event("one", NOW_US + 1)) is False

        assert await outbox.waiting() == [event()]

    async def test_of_many_telling_the_same_fact_one_is_first(self, outbox: Outbox) -> None:
        new = await asyncio.gather(*(outbox.add(event()) for _ in range(8)))

        assert new.count(True) == 1

    async def test_what_is_done_waits_no_longer_and_is_not_told_again(self, outbox: Outbox) -> None:
        await outbox.add(event())
        await outbox.add(event("two"))

        await outbox.done(["one", "never heard of"], NOW_US + 1)
        await outbox.done(["one"], NOW_US + 2)
        await outbox.done([], NOW_US + 3)

        assert [each.key for each in await outbox.waiting()] == ["two"]
        assert await outbox.add(event()) is False

    async def test_people_see_the_newest_first_done_or_not(self, outbox: Outbox) -> None:
        for number in range(3):
            await outbox.add(event(f"key {number}", NOW_US + number))
        await outbox.done(["key 1"], NOW_US + 5)

        seen = await outbox.newest(None, None, limit=2)

        assert [each.key for each in seen] == ["key 2", "key 1"]

    async def test_people_see_their_tenant_and_topic(self, outbox: Outbox) -> None:
        await outbox.add(event("a", tenant="acme"))
        await outbox.add(event("b", tenant="other"))
        await outbox.add(event("c", topic="provider.failover"))

        assert {each.key for each in await outbox.newest("acme", None)} == {"a", "c"}
        assert {each.key for each in await outbox.newest(None, "cost.budget_alert")} == {"a", "b"}
        assert [each.key for each in await outbox.newest("acme", "cost.budget_alert")] == ["a"]
        assert await outbox.newest("nobody", None) == []

    async def test_an_unreachable_outbox_says_so(self, unreachable_outbox: Outbox) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_outbox.add(event())
        with pytest.raises(StoreUnavailable):
            await unreachable_outbox.waiting()
        with pytest.raises(StoreUnavailable):
            await unreachable_outbox.newest(None, None)
        with pytest.raises(StoreUnavailable):
            await unreachable_outbox.done(["one"], NOW_US)
