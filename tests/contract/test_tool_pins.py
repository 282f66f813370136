"""Binds the stores of what tools of upstream servers were accepted as."""

import pytest

from adapters.memory.tool_pins import InMemoryToolPins
from adapters.sql.integrations import SqlIntegrationStore
from adapters.sql.tool_pins import SqlToolPins
from application.ports.tool_pins import ToolPins
from contracts.ports.integrations import MAX, stored
from contracts.ports.tool_pins import FIRST, ToolPinsContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryToolPins(ToolPinsContract):
    @pytest.fixture
    def pins(self) -> ToolPins:
        return InMemoryToolPins()

    @pytest.fixture
    def unreachable_pins(self) -> ToolPins:
        pins = InMemoryToolPins()
        pins.reachable = False
        return pins


class TestSqlToolPins(ToolPinsContract):
    @pytest.fixture
    def pins(self, sql: AnySqlWorld) -> ToolPins:
        return SqlToolPins(sql.database)

    @pytest.fixture
    def unreachable_pins(self, sql: AnySqlWorld) -> ToolPins:
        sql.lose()
        return SqlToolPins(sql.database)


async def test_pins_go_with_their_integration(sql: AnySqlWorld) -> None:
    pins, integrations = SqlToolPins(sql.database), SqlIntegrationStore(sql.database)
    for name in ("warehouse", "other"):
        await integrations.put(stored(name), tenant_max=MAX)
        await pins.accept("acme", name, {"double": FIRST})
    await integrations.delete("acme", "warehouse")

    assert await pins.of("acme", "warehouse") == {}
    assert set(await pins.turns()) == {("acme", "other")}


async def test_others_notice_what_was_accepted_as_they_notice_any_change(sql: AnySqlWorld) -> None:
    integrations = SqlIntegrationStore(sql.database)
    before = await integrations.generation()
    await SqlToolPins(sql.database).accept("acme", "up", {"double": FIRST})

    assert await integrations.generation() > before
