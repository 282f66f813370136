"""Binds the stores of stops."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.stops import InMemoryStopStore
from adapters.sql.stops import SqlStopStore
from application.ports.stops import StopStore
from contracts.ports.stops import StopStoreContract
from tests.contract.sql_world import SqlWorld


class TestInMemoryStopStore(StopStoreContract):
    @pytest.fixture
    def store(self) -> StopStore:
        return InMemoryStopStore()

    @pytest.fixture
    def unreachable_store(self) -> StopStore:
        store = InMemoryStopStore()
        store.reachable = False
        return store


class TestSqlStopStore(StopStoreContract):
    @pytest.fixture
    async def sql(self, tmp_path: Path) -> AsyncIterator[SqlWorld]:
        world = SqlWorld(tmp_path)
        yield world
        await world.aclose()

    @pytest.fixture
    def store(self, sql: SqlWorld) -> StopStore:
        return SqlStopStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: SqlWorld) -> StopStore:
        sql.lose()
        return SqlStopStore(sql.database)
