"""What every store around events promises: listeners, cursors, and messages that were seen."""

import asyncio

import pytest

from application.ports.event_cursors import Cursor, EventCursors
from application.ports.event_listeners import EventListeners, Listening
from application.ports.seen_messages import SeenMessages
from contracts.ports._base import PortContract
from domain.errors import Overloaded, StoreUnavailable

NOW_US = 1_772_366_400_000_000
SECOND_US = 1_000_000
MANY = 100


class EventListenersContract(PortContract):
    """Bind `listeners`, and `unreachable_listeners`: the same adapter with its backend gone."""

    @pytest.fixture
    def listeners(self) -> EventListeners:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_listeners(self) -> EventListeners:
        raise NotImplementedError

    async def test_who_listens_is_known_until_then(self, listeners: EventListeners) -> None:
        until = NOW_US + SECOND_US
        await listeners.keep(Listening("acme", ("key.*", "cost.*"), until), NOW_US, per_tenant_max=MANY)

        assert list(await listeners.all(NOW_US)) == [Listening("acme", ("cost.*", "key.*"), until)]
        assert list(await listeners.all(until)) == []

    async def test_the_same_wish_is_one_entry_that_lasts_the_longer(self, listeners: EventListeners) -> None:
        later = NOW_US + 9 * SECOND_US
        await listeners.keep(Listening("acme", ("a.b", "*"), later), NOW_US, per_tenant_max=MANY)
        await listeners.keep(
            Listening("acme", ("*", "a.b", "*"), NOW_US + SECOND_US), NOW_US, per_tenant_max=MANY
        )

        assert list(await listeners.all(NOW_US)) == [Listening("acme", ("*", "a.b"), later)]

    async def test_a_tenant_has_so_many_and_the_first_to_end_makes_room(
        self, listeners: EventListeners
    ) -> None:
        for number in (3, 1, 2):
            wish = Listening("acme", (f"g{number}.*",), NOW_US + number * SECOND_US)
            await listeners.keep(wish, NOW_US, per_tenant_max=2)
        await listeners.keep(Listening("other", ("*",), NOW_US + SECOND_US), NOW_US, per_tenant_max=2)

        kept = [(each.tenant_id, each.patterns) for each in await listeners.all(NOW_US)]
        assert kept == [("acme", ("g2.*",)), ("acme", ("g3.*",)), ("other", ("*",))]

    async def test_an_unreachable_store_says_so(self, unreachable_listeners: EventListeners) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_listeners.all(NOW_US)
        with pytest.raises(StoreUnavailable):
            await unreachable_listeners.keep(Listening("a", ("*",), NOW_US), NOW_US, per_tenant_max=1)


class EventCursorsContract(PortContract):
    """Bind `cursors`, and `unreachable_cursors`: the same adapter with its backend gone."""

    @pytest.fixture
    def cursors(self) -> EventCursors:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_cursors(self) -> EventCursors:
        raise NotImplementedError

    async def test_a_new_cursor_begins_where_it_is_told(self, cursors: EventCursors) -> None:
        assert await cursors.take("redis", "one", NOW_US, NOW_US + SECOND_US, 41) == Cursor(41, 1)
        assert await cursors.take("redis", "one", NOW_US, NOW_US + SECOND_US, 99) == Cursor(41, 1)

    async def test_one_holds_it_until_its_time_is_over(self, cursors: EventCursors) -> None:
        until = NOW_US + SECOND_US
        await cursors.take("redis", "one", NOW_US, until, 0)

        assert await cursors.take("redis", "two", until - 1, until + SECOND_US, 0) is None
        assert await cursors.take("redis", "two", until, until + SECOND_US, 0) == Cursor(0, 2)
        assert await cursors.take("other", "two", NOW_US, until, 7) == Cursor(7, 1)

    async def test_of_many_that_want_it_one_has_it(self, cursors: EventCursors) -> None:
        taken = await asyncio.gather(
            *(cursors.take("redis", f"n{n}", NOW_US, NOW_US + SECOND_US, 0) for n in range(6))
        )

        assert sum(each is not None for each in taken) == 1

    async def test_whoever_lost_it_moves_it_no_more(self, cursors: EventCursors) -> None:
        first = await cursors.take("redis", "one", NOW_US, NOW_US + 1, 0)
        assert first is not None and await cursors.advance("redis", first.fence, 5)
        second = await cursors.take("redis", "two", NOW_US + 1, NOW_US + SECOND_US, 0)
        assert second == Cursor(5, 2)

        assert not await cursors.advance("redis", first.fence, 9)
        await cursors.release("redis", first.fence)

        assert await cursors.take("redis", "three", NOW_US + 2, NOW_US + SECOND_US, 0) is None
        assert await cursors.advance("redis", second.fence, 6)

    async def test_it_never_goes_back(self, cursors: EventCursors) -> None:
        taken = await cursors.take("redis", "one", NOW_US, NOW_US + SECOND_US, 5)
        assert taken is not None

        assert await cursors.advance("redis", taken.fence, 3)

        assert await cursors.take("redis", "one", NOW_US, NOW_US + SECOND_US, 0) == Cursor(5, 1)
        assert not await cursors.advance("unknown", 1, 3)

    async def test_once_released_anybody_may_take_it(self, cursors: EventCursors) -> None:
        taken = await cursors.take("redis", "one", NOW_US, NOW_US + SECOND_US, 0)
        assert taken is not None

        await cursors.release("redis", taken.fence)

        assert await cursors.take("redis", "two", NOW_US, NOW_US + SECOND_US, 0) == Cursor(0, 2)

    async def test_an_unreachable_store_says_so(self, unreachable_cursors: EventCursors) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_cursors.take("redis", "one", NOW_US, NOW_US, 0)
        with pytest.raises(StoreUnavailable):
            await unreachable_cursors.advance("redis", 1, 1)
        with pytest.raises(StoreUnavailable):
            await unreachable_cursors.release("redis", 1)


class SeenMessagesContract(PortContract):
    """Bind `seen`, and `unreachable_seen`: the same adapter with its backend gone."""

    @pytest.fixture
    def seen(self) -> SeenMessages:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_seen(self) -> SeenMessages:
        raise NotImplementedError

    async def test_a_message_is_seen_once(self, seen: SeenMessages) -> None:
        until = NOW_US + SECOND_US

        assert await seen.first("acme", b"one", NOW_US, until, per_tenant_max=MANY)
        assert not await seen.first("acme", b"one", NOW_US, until, per_tenant_max=MANY)
        assert await seen.first("acme", b"two", NOW_US, until, per_tenant_max=MANY)
        assert await seen.first("other", b"one", NOW_US, until, per_tenant_max=MANY)

    async def test_of_many_at_once_one_is_first(self, seen: SeenMessages) -> None:
        until = NOW_US + SECOND_US

        first = await asyncio.gather(
            *(seen.first("acme", b"one", NOW_US, until, per_tenant_max=MANY) for _ in range(6))
        )

        assert sum(first) == 1

    async def test_it_is_forgotten_when_its_time_is_over(self, seen: SeenMessages) -> None:
        until = NOW_US + SECOND_US
        await seen.first("acme", b"one", NOW_US, until, per_tenant_max=1)

        assert not await seen.first("acme", b"one", until - 1, until + SECOND_US, per_tenant_max=1)
        assert await seen.first("acme", b"one", until, until + SECOND_US, per_tenant_max=1)

    async def test_a_full_tenant_is_refused_and_forgets_nothing(self, seen: SeenMessages) -> None:
        until = NOW_US + SECOND_US
        await seen.first("acme", b"one", NOW_US, until, per_tenant_max=1)

        with pytest.raises(Overloaded):
            await seen.first("acme", b"two", NOW_US, until, per_tenant_max=1)

        assert not await seen.first("acme", b"one", NOW_US, until, per_tenant_max=1)
        assert await seen.first("other", b"two", NOW_US, until, per_tenant_max=1)
        assert await seen.first("acme", b"two", NOW_US, until, per_tenant_max=2)

    async def test_an_unreachable_store_says_so(self, unreachable_seen: SeenMessages) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_seen.first("acme", b"one", NOW_US, NOW_US, per_tenant_max=MANY)
