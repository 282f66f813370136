"""Binds the stores of quality, and what only a database counts."""

from typing import Any

import pytest

from adapters.memory.quality import InMemoryQualityStore
from adapters.sql.quality import SqlQualityStore
from adapters.sql.quality_days import QualityDays
from application.ports.quality import CellFilter, QualityStore
from contracts.ports.quality import QualityStoreContract
from contracts.ports.usage import usage_event
from domain.analytics.rollup import DAY_US
from domain.quality.cells import CellKey
from tests.contract.sql_world import AnySqlWorld

DAY = 21_000


class TestInMemoryQualityStore(QualityStoreContract):
    @pytest.fixture
    def store(self) -> QualityStore:
        return InMemoryQualityStore()

    @pytest.fixture
    def unreachable_store(self) -> QualityStore:
        store = InMemoryQualityStore()
        store.reachable = False
        return store


class TestSqlQualityStore(QualityStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> QualityStore:
        return SqlQualityStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> QualityStore:
        sql.lose()
        return SqlQualityStore(sql.database)


async def test_answers_are_counted_by_the_day_for_whoever_gave_them(sql: AnySqlWorld) -> None:
    at: dict[str, Any] = {"started_at_us": DAY * DAY_US + 5, "task": "chat", "route": "assistant"}
    events = [
        usage_event(1, **at),
        usage_event(2, **at, checks="truncated", cost_nano_usd=None),
        usage_event(3, **at, checks="refusal,empty", outcome="ok"),
        usage_event(4, **at, checks="cut", outcome="cut"),
        usage_event(5, **at | {"task": "embedding"}),
        usage_event(6, **at, cache="hit-l1"),
        usage_event(7, **at | {"started_at_us": (DAY + 1) * DAY_US}),
        usage_event(8, **at, provider="", model="", outcome="error"),
        usage_event(9, **at, tenant_id="other"),
    ]
    follow, store = QualityDays(sql.database.dialect), SqlQualityStore(sql.database)
    await sql.database.write(lambda connection: follow(connection, events[:4]))
    await sql.database.write(lambda connection: follow(connection, events[4:]))

    where = CellFilter(tenant_id="acme", from_us=DAY * DAY_US, to_us=(DAY + 1) * DAY_US)
    [cell] = await store.cells(where)
    assert cell.key == CellKey("acme", "small", "chat", "assistant")
    assert (cell.requests, cell.truncated, cell.refused, cell.empty, cell.cut) == (4, 1, 1, 1, 1)
    assert (cell.duration_us, cell.cost_nano_usd, cell.unpriced) == (4000, 3000, 1)
    [both_days] = await store.cells(CellFilter(tenant_id="acme"))
    assert both_days.requests == 5
    assert await store.purge((DAY + 1) * DAY_US) == 2
