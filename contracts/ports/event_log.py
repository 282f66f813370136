"""What every EventLog promises."""

import asyncio

import pytest

from application.ports.event_log import EventLog
from application.ports.outbox import Outbox, OutboxEvent
from contracts.ports._base import PortContract
from domain.errors import StoreUnavailable
from domain.webhooks.envelope import event_id

NOW_US = 1_772_368_215_123_456
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def event(key: str, at_us: int = NOW_US, *, tenant: str = "acme") -> OutboxEvent:
    return OutboxEvent(key, "cost.budget_alert", tenant, '{"said": "ö 🧾"}', at_us, TRACE)


class EventLogContract(PortContract):
    """Bind `outbox`, `log` over it, and `unreachable_log`."""

    @pytest.fixture
    def outbox(self) -> Outbox:
        raise NotImplementedError

    @pytest.fixture
    def log(self, outbox: Outbox) -> EventLog:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_log(self) -> EventLog:
        raise NotImplementedError

    async def test_a_new_log_is_empty(self, log: EventLog) -> None:
        assert await log.newest_seq() == 0
        assert await log.after(0) == []
        assert await log.number(NOW_US) == 0

    async def test_an_event_keeps_the_trace_of_its_cause(self, log: EventLog, outbox: Outbox) -> None:
        traced, other = event("a"), event("b", NOW_US + 1)._replace(trace="")
        await outbox.add(traced)
        await outbox.add(other)
        await log.number(NOW_US)

        assert [each.trace for each in await log.after(0)] == [traced.trace, ""]

    async def test_events_get_places_in_their_order(self, log: EventLog, outbox: Outbox) -> None:
        for each in (event("later", NOW_US + 5), event("b"), event("a")):
            await outbox.add(each)
        assert await log.after(0) == []

        assert await log.number(NOW_US + 9) == 3

        found = await log.after(0)
        assert [each.event_id for each in found] == [event_id(key) for key in ("a", "b", "later")]
        assert [each.seq for each in found] == sorted({each.seq for each in found})
        assert await log.newest_seq() == found[-1].seq
        assert found[0][2:-1] == ("cost.budget_alert", "acme", '{"said": "ö 🧾"}', NOW_US)
        assert await outbox.waiting() == []

    async def test_a_reader_goes_on_behind_a_place(self, log: EventLog, outbox: Outbox) -> None:
        for number in range(5):
            await outbox.add(event(str(number), NOW_US + number))
        await log.number(NOW_US, limit=3)
        first = await log.after(0, limit=2)
        await log.number(NOW_US)

        rest = await log.after(first[-1].seq)

        assert [each.event_id for each in first + rest] == [event_id(str(number)) for number in range(5)]

    async def test_a_tenant_sees_its_own(self, log: EventLog, outbox: Outbox) -> None:
        await outbox.add(event("a"))
        await outbox.add(event("b", tenant="other"))
        await log.number(NOW_US)

        assert [each.tenant_id for each in await log.after(0, "other")] == ["other"]
        assert await log.after(0, "nobody") == []

    async def test_who_reads_by_position_misses_nothing(self, log: EventLog, outbox: Outbox) -> None:
        """However many write and number at the same time."""
        seen: list[str] = []

        async def write(name: int) -> None:
            for number in range(10):
                await outbox.add(event(f"{name}.{number}", NOW_US + number))
                await log.number(NOW_US, limit=3)

        async def read() -> None:
            place = 0
            while len(seen) < 40:
                for each in await log.after(place, limit=7):
                    seen.append(each.event_id)
                    place = each.seq
                await asyncio.sleep(0.001)

        async with asyncio.timeout(20):
            reading = asyncio.create_task(read())
            await asyncio.gather(*(write(name) for name in range(4)))
            while await log.number(NOW_US):
                pass
            await reading

        assert len(set(seen)) == 40

    async def test_an_unreachable_log_says_so(self, unreachable_log: EventLog) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable_log.after(0)
        with pytest.raises(StoreUnavailable):
            await unreachable_log.newest_seq()
        with pytest.raises(StoreUnavailable):
            await unreachable_log.number(NOW_US)
