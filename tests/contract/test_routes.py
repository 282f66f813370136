"""Binds the stores of routes made through the API."""

import pytest

from adapters.memory.routes import InMemoryRouteStore
from adapters.sql.routes import SqlRouteStore
from application.ports.routes import RouteStore
from contracts.ports.routes import RouteStoreContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryRouteStore(RouteStoreContract):
    @pytest.fixture
    def store(self) -> RouteStore:
        return InMemoryRouteStore()

    @pytest.fixture
    def unreachable_store(self) -> RouteStore:
        store = InMemoryRouteStore()
        store.reachable = False
        return store


class TestSqlRouteStore(RouteStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> RouteStore:
        return SqlRouteStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> RouteStore:
        sql.lose()
        return SqlRouteStore(sql.database)
