"""Binds the stores of stops."""

import pytest

from adapters.memory.stops import InMemoryStopStore
from adapters.sql.stops import SqlStopStore
from application.ports.stops import StopStore
from contracts.ports.stops import StopStoreContract
from tests.contract.sql_world import AnySqlWorld


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
    def store(self, sql: AnySqlWorld) -> StopStore:
        return SqlStopStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> StopStore:
        sql.lose()
        return SqlStopStore(sql.database)
