"""What every UsageLog promises, together with the UsageQuery that reads its rows."""

from typing import Any, Protocol

import pytest

from application.ports.usage import UsageLog
from application.ports.usage_query import UsageDimension, UsageFilter, UsageQuery
from contracts.ports._base import PortContract
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.errors import StoreUnavailable

STARTED_AT_US = 1_767_225_600_000_000 + 7 * 3_600_000_000
"""2026-01-01T07:00Z."""


def attempt(request_id: str, ordinal: int, **changes: Any) -> AttemptEvent:
    values: dict[str, Any] = dict.fromkeys(AttemptEvent._fields, 0)
    values |= {
        "attempt_id": f"{request_id}_{ordinal}",
        "request_id": request_id,
        "ordinal": ordinal,
        "provider": "acme",
        "model": "small",
        "via": "direct",
        "outcome": "ok",
        "first_token_us": None,
        "cost_nano_usd": 600,
        "estimated": False,
        "price_source": "file",
        "retry_after_us": None,
        "message": "",
        "credential": "",
        "billed_as": "",
        "units": "",
        "ledger": "",
        "prompt_cache_saved_nano_usd": 0,
    }
    return AttemptEvent(**(values | changes))


def usage_event(number: int, *, tries: int = 1, **changes: Any) -> RequestEvent:
    request_id = f"req_{number:012d}"
    nothing: dict[Any, Any] = {str: "", bool: False}
    values: dict[str, Any] = {
        name: nothing.get(kind, 0) for name, kind in RequestEvent.__annotations__.items()
    }
    values |= {
        "request_id": request_id,
        "tenant_id": "acme",
        "key_id": "Key000000001",
        "operation": "chat",
        "provider": "acme",
        "model": "small",
        "outcome": "ok",
        "status": 200,
        "streamed": False,
        "simulated": True,
        "started_at_us": STARTED_AT_US,
        "duration_us": 1000,
        "first_token_us": None,
        "input_tokens": 10,
        "output_tokens": 20,
        "cost_nano_usd": 1000,
        "estimated": False,
        "continued": False,
        "cache": "off",
        "cache_similarity": None,
        "gap_max_us": None,
        "budget_left_nano_usd": None,
        "propensity": None,
        "attempts_made": tries,
        "attempts": tuple(attempt(request_id, ordinal) for ordinal in range(tries)),
    }
    return RequestEvent(**(values | changes))


class UsageWorld(Protocol):
    """A log, the query that reads what it wrote, and the power to take the database away."""

    @property
    def log(self) -> UsageLog: ...

    @property
    def query(self) -> UsageQuery: ...

    def lose_database(self) -> None: ...

    def restore_database(self) -> None: ...


class UsageLogContract(PortContract):
    """Bind `world` (any capacity), and `tiny_world`: room for 4 events, and a journal that cannot be
    written where the log has one."""

    @pytest.fixture
    def world(self) -> UsageWorld:
        raise NotImplementedError

    @pytest.fixture
    def tiny_world(self) -> UsageWorld:
        raise NotImplementedError

    async def test_a_recorded_request_and_its_attempts_can_be_read_after_a_flush(
        self, world: UsageWorld
    ) -> None:
        world.log.record(usage_event(1, tries=3))
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter())

        assert (row.requests, row.attempts) == (1, 3)
        assert (row.input_tokens, row.output_tokens) == (10, 20)
        assert (row.cost_nano_usd, row.attempt_cost_nano_usd) == (1000, 1800)
        assert row.duration_us == 1000

    async def test_the_same_request_recorded_twice_counts_once(self, world: UsageWorld) -> None:
        world.log.record(usage_event(1, tries=2))
        world.log.record(usage_event(1, tries=2))
        await world.log.flush()
        world.log.record(usage_event(1, tries=2))
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter())

        assert (row.requests, row.attempts) == (1, 2)

    async def test_nothing_recorded_sums_to_nothing(self, world: UsageWorld) -> None:
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter())

        assert set(row[1:]) == {0}
        assert await world.query.totals(UsageFilter(), (UsageDimension.MODEL,)) == []

    async def test_an_unknown_cost_is_counted_apart_and_not_as_zero(self, world: UsageWorld) -> None:
        world.log.record(usage_event(1))
        world.log.record(usage_event(2, cost_nano_usd=None, estimated=True))
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter())

        assert (row.cost_nano_usd, row.unpriced_requests, row.estimated_requests) == (1000, 1, 1)

    async def test_sums_beyond_the_precision_of_a_float_are_exact(self, world: UsageWorld) -> None:
        dear = 2**53 + 1
        for number in range(3):
            world.log.record(usage_event(number, cost_nano_usd=dear))
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter())

        assert row.cost_nano_usd == 3 * dear

    async def test_groups_come_dearest_first(self, world: UsageWorld) -> None:
        world.log.record(usage_event(1, model="small", cost_nano_usd=5))
        world.log.record(usage_event(2, model="large", cost_nano_usd=50))
        world.log.record(usage_event(3, model="small", cost_nano_usd=6, outcome="error"))
        await world.log.flush()

        rows = await world.query.totals(UsageFilter(), (UsageDimension.PROVIDER, UsageDimension.MODEL))

        assert [(row.key, row.requests, row.ok_requests, row.cost_nano_usd) for row in rows] == [
            (("acme", "large"), 1, 1, 50),
            (("acme", "small"), 2, 1, 11),
        ]

    async def test_days_and_hours_are_utc(self, world: UsageWorld) -> None:
        world.log.record(usage_event(1))
        world.log.record(usage_event(2, started_at_us=STARTED_AT_US + 17 * 3_600_000_000, cost_nano_usd=1))
        await world.log.flush()

        days = await world.query.totals(UsageFilter(), (UsageDimension.DAY,))
        hours = await world.query.totals(UsageFilter(), (UsageDimension.HOUR,))

        assert [row.key for row in days] == [("2026-01-01",), ("2026-01-02",)]
        assert [row.key for row in hours] == [("2026-01-01T07",), ("2026-01-02T00",)]

    async def test_a_filter_keeps_tenants_models_and_times_apart(self, world: UsageWorld) -> None:
        world.log.record(usage_event(1, tenant_id="acme", model="small"))
        world.log.record(usage_event(2, tenant_id="acme", model="large"))
        world.log.record(usage_event(3, tenant_id="other", model="small"))
        world.log.record(usage_event(4, tenant_id="acme", model="small", started_at_us=STARTED_AT_US + 10))
        await world.log.flush()

        async def requests(where: UsageFilter) -> int:
            (row,) = await world.query.totals(where)
            return row.requests

        assert await requests(UsageFilter(tenant_id="acme")) == 3
        assert await requests(UsageFilter(tenant_id="other")) == 1
        assert await requests(UsageFilter(tenant_id="nobody")) == 0
        assert await requests(UsageFilter(tenant_id="acme", model="small", provider="acme")) == 2
        assert await requests(UsageFilter(from_us=STARTED_AT_US + 10)) == 1
        assert await requests(UsageFilter(to_us=STARTED_AT_US + 10)) == 3

    async def test_requests_are_counted_by_the_providers_key_that_was_used_last(
        self, world: UsageWorld
    ) -> None:
        for number, credential in enumerate(("one", "two", "two", "")):
            request_id = f"req_{number:012d}"
            first = attempt(request_id, 0, credential="tired")
            last = attempt(request_id, 1, credential=credential)
            world.log.record(usage_event(number, attempts_made=2, attempts=(first, last)))
        world.log.record(usage_event(9, tries=0, attempts_made=0))
        await world.log.flush()

        rows = await world.query.totals(UsageFilter(), (UsageDimension.CREDENTIAL,))

        assert {row.key[0]: row.requests for row in rows} == {"one": 1, "two": 2, "": 2}

    async def test_one_keys_requests_can_be_counted(self, world: UsageWorld) -> None:
        for number in range(3):
            world.log.record(usage_event(number, key_id=f"k{number % 2}"))
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter(key_id="k0"))
        assert row.requests == 2

    async def test_at_most_limit_groups_are_returned(self, world: UsageWorld) -> None:
        for number in range(5):
            world.log.record(usage_event(number, key_id=f"k{number}"))
        await world.log.flush()

        assert len(await world.query.totals(UsageFilter(), (UsageDimension.KEY,), limit=2)) == 2

    async def test_odd_text_and_numbers_do_not_get_lost(self, world: UsageWorld) -> None:
        world.log.record(usage_event(1, agent_id="a'\x00\u2028\N{SNOWMAN}", metadata='{"x":1}'))
        world.log.record(usage_event(2, agent_id="lone \ud800 surrogate"))
        world.log.record(usage_event(3, request_bytes=2**70))
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter())

        assert row.requests == 3

    async def test_a_lost_database_is_told_by_flush_and_healed_later(self, world: UsageWorld) -> None:
        world.lose_database()
        for number in range(10):
            world.log.record(usage_event(number))
        with pytest.raises(StoreUnavailable):
            await world.log.flush()
        assert not world.log.healthy
        assert world.log.accepting

        world.restore_database()
        await world.log.flush()

        (row,) = await world.query.totals(UsageFilter())
        assert row.requests == 10
        assert world.log.healthy

    async def test_a_full_buffer_refuses_new_work_but_loses_nothing(self, tiny_world: UsageWorld) -> None:
        tiny_world.lose_database()
        for number in range(4):
            assert tiny_world.log.accepting
            tiny_world.log.record(usage_event(number))
        assert not tiny_world.log.accepting
        tiny_world.log.record(usage_event(4))  # a request that was already admitted

        tiny_world.restore_database()
        await tiny_world.log.flush()

        assert tiny_world.log.accepting
        (row,) = await tiny_world.query.totals(UsageFilter())
        assert row.requests == 5
