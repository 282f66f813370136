"""What every RequestRows promises, together with the UsageLog that writes its rows."""

from typing import Any, Protocol

import pytest

from application.ports.request_rows import RequestRows, RowFilter, place_of
from application.ports.usage import UsageLog
from contracts.ports._base import PortContract
from contracts.ports.usage import STARTED_AT_US, usage_event
from domain.errors import StoreUnavailable


class RowsWorld(Protocol):
    """A log, the rows it wrote, and the power to take the database away."""

    @property
    def log(self) -> UsageLog: ...

    @property
    def rows(self) -> RequestRows: ...

    def lose_database(self) -> None: ...


class RequestRowsContract(PortContract):
    """Bind `world`."""

    @pytest.fixture
    def world(self) -> RowsWorld:
        raise NotImplementedError

    async def test_the_latest_end_comes_first_whoever_began_first(self, world: RowsWorld) -> None:
        await written(world, {"duration_us": 9_000_000}, {"started_at_us": STARTED_AT_US + 1_000_000})

        assert await ids(world, RowFilter()) == ["req_000000000000", "req_000000000001"]

    async def test_rows_are_whole_but_for_their_attempts(self, world: RowsWorld) -> None:
        event = usage_event(7, tries=2, affinity="kept", reason="its cache is warm", cost_nano_usd=None)
        world.log.record(event)
        await world.log.flush()

        assert await world.rows.newest(RowFilter(), limit=10) == [event._replace(attempts=())]

    async def test_one_request_comes_with_its_attempts_in_order(self, world: RowsWorld) -> None:
        event = usage_event(7, tries=3)
        world.log.record(event)
        await world.log.flush()

        assert await world.rows.one(event.request_id, None) == event
        assert await world.rows.one(event.request_id, "acme") == event

    async def test_another_tenants_request_is_as_good_as_none(self, world: RowsWorld) -> None:
        await written(world, {})

        assert await world.rows.one("req_000000000000", "other") is None
        assert await world.rows.one("req_999999999999", None) is None
        assert await ids(world, RowFilter(tenant_id="other")) == []

    @pytest.mark.parametrize(
        "wanted",
        [
            {"tenant_id": "b"},
            {"key_id": "b"},
            {"agent_id": "b"},
            {"session_id": "b"},
            {"user_id": "b"},
            {"provider": "b"},
            {"model": "b"},
            {"route": "b"},
            {"outcome": "cut"},
            {"status": 429},
            {"cache": "miss"},
            {"task": "code"},
            {"trace_id": "0af7651916cd43dd8448eb211c80319c"},
        ],
    )
    async def test_a_filter_keeps_what_is_equal(self, world: RowsWorld, wanted: dict[str, Any]) -> None:
        await written(world, {}, wanted, {})

        assert await ids(world, RowFilter(**wanted)) == ["req_000000000001"]

    async def test_only_what_failed(self, world: RowsWorld) -> None:
        await written(world, {}, {"outcome": "cut"}, {"outcome": "error"})

        assert await ids(world, RowFilter(failed=True)) == ["req_000000000002", "req_000000000001"]

    async def test_hits_of_all_kinds_are_found_as_hit(self, world: RowsWorld) -> None:
        await written(world, {"cache": "hit-l1"}, {"cache": "miss"}, {"cache": "hit-semantic"})

        assert await ids(world, RowFilter(cache="hit")) == ["req_000000000002", "req_000000000000"]
        assert await ids(world, RowFilter(cache="hit-l1")) == ["req_000000000000"]

    async def test_an_unknown_cost_is_not_above_any(self, world: RowsWorld) -> None:
        await written(world, {"cost_nano_usd": 10}, {"cost_nano_usd": None}, {"cost_nano_usd": 9})

        assert await ids(world, RowFilter(min_cost_nano_usd=10)) == ["req_000000000000"]
        assert await ids(world, RowFilter(min_cost_nano_usd=0)) == ["req_000000000002", "req_000000000000"]

    async def test_what_took_long_or_fell_back_is_found(self, world: RowsWorld) -> None:
        await written(world, {"duration_us": 10}, {"duration_us": 20, "fallbacks": 2}, {"duration_us": 19})

        assert await ids(world, RowFilter(min_duration_us=20)) == ["req_000000000001"]
        assert await ids(world, RowFilter(has_fallback=True)) == ["req_000000000001"]
        assert await ids(world, RowFilter(has_fallback=False)) == ["req_000000000002", "req_000000000000"]

    async def test_times_are_of_the_end_from_inclusive_to_exclusive(self, world: RowsWorld) -> None:
        await written(world, *({"duration_us": number} for number in range(5)))

        window = RowFilter(from_us=STARTED_AT_US + 1, to_us=STARTED_AT_US + 3)

        assert await ids(world, window) == ["req_000000000002", "req_000000000001"]

    async def test_pages_follow_one_another_without_gap_or_repetition(self, world: RowsWorld) -> None:
        await written(world, *({"duration_us": number // 3} for number in range(10)))
        seen: list[str] = []
        where = RowFilter(tenant_id="acme")

        while page := await world.rows.newest(where, limit=4):
            seen += [event.request_id for event in page]
            where = RowFilter(tenant_id="acme", after=place_of(page[-1]))

        assert seen == sorted(seen, reverse=True)
        assert len(seen) == 10

    async def test_a_lost_database_is_told(self, world: RowsWorld) -> None:
        world.lose_database()

        with pytest.raises(StoreUnavailable):
            await world.rows.newest(RowFilter(), limit=1)
        with pytest.raises(StoreUnavailable):
            await world.rows.one("req_000000000000", None)


async def written(world: RowsWorld, *changes: dict[str, Any]) -> None:
    for number, change in enumerate(changes):
        world.log.record(usage_event(number, **change))
    await world.log.flush()


async def ids(world: RowsWorld, where: RowFilter) -> list[str]:
    return [event.request_id for event in await world.rows.newest(where, limit=100)]
