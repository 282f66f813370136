"""What everybody promises who looks events up."""

from typing import NamedTuple

import pytest

from application.ports.event_log import EventLog
from application.ports.event_pages import EventPages, EventQuery
from application.ports.outbox import Outbox, OutboxEvent
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable

NOW_US = 1_772_366_400_000_000


class EventWorld(NamedTuple):
    """An outbox, the log of its events, and who looks them up there."""

    outbox: Outbox
    log: EventLog
    pages: EventPages


class EventPagesContract(PortContract):
    """Bind `events`, and `unreachable_pages`: the same adapter with its backend gone."""

    @pytest.fixture
    def events(self) -> EventWorld:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_pages(self) -> EventPages:
        raise NotImplementedError

    async def test_the_newest_come_first_and_those_behind_a_place_in_order(self, events: EventWorld) -> None:
        await _told(events, "a", "b", "c")
        asked = EventQuery("acme", 2)

        newest = await events.pages.page(asked)
        assert [event.payload for event in newest] == ['"c"', '"b"']
        behind = await events.pages.page(asked._replace(before_seq=newest[-1].seq))
        assert [event.payload for event in behind] == ['"a"']
        onwards = await events.pages.page(asked._replace(after_seq=behind[0].seq))
        assert [event.payload for event in onwards] == ['"b"', '"c"']

    async def test_they_are_the_events_of_the_log(self, events: EventWorld) -> None:
        await _told(events, "a")

        assert await events.pages.page(EventQuery("acme", 9)) == await events.log.after(0)

    async def test_only_the_tenants_own_and_what_has_its_place(self, events: EventWorld) -> None:
        await _told(events, "a")
        await _told(events, "b", tenant_id="other")
        await events.outbox.add(OutboxEvent("c", "key.created", "acme", '"c"', NOW_US))

        assert [event.payload for event in await events.pages.page(EventQuery("acme", 9))] == ['"a"']
        assert await events.pages.page(EventQuery("nobody", 9)) == []

    async def test_names_and_groups_of_names(self, events: EventWorld) -> None:
        await _told(events, "a", topic="key.created")
        await _told(events, "b", topic="key.revoked")
        await _told(events, "c", topic="keyx.created")
        await _told(events, "d", topic="cost.budget_alert")

        async def found(*patterns: str) -> list[str]:
            asked = EventQuery("acme", 9, patterns, after_seq=0)
            return [event.payload.strip('"') for event in await events.pages.page(asked)]

        assert await found("key.*") == ["a", "b"]
        assert await found("key.created", "cost.*") == ["a", "d"]
        assert await found("*") == ["a", "b", "c", "d"]
        assert await found("ke%.created") == []

    async def test_times_begin_with_their_first_moment_and_end_before_their_last(
        self, events: EventWorld
    ) -> None:
        await _told(events, "a", "b", "c")
        asked = EventQuery("acme", 9, from_us=NOW_US + 1, to_us=NOW_US + 2)

        assert [event.payload for event in await events.pages.page(asked)] == ['"b"']

    async def test_an_unreachable_store_says_so(self, unreachable_pages: EventPages) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_pages.page(EventQuery("acme", 9))


async def _told(events: EventWorld, *names: str, tenant_id: str = "acme", topic: str = "key.created") -> None:
    for number, name in enumerate(names):
        event = OutboxEvent(name, topic, tenant_id, f'"{name}"', NOW_US + number)
        assert await events.outbox.add(event)
    await events.log.number(NOW_US)
