"""Binds the stores of routes made through the API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.routes import InMemoryRouteStore
from adapters.sql.routes import SqlRouteStore
from application.ports.routes import RouteStore
from contracts.ports.routes import RouteStoreContract
from tests.contract.sql_world import SqlWorld


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
    async def sql(self, tmp_path: Path) -> AsyncIterator[SqlWorld]:
        world = SqlWorld(tmp_path)
        yield world
        await world.aclose()

    @pytest.fixture
    def store(self, sql: SqlWorld) -> RouteStore:
        return SqlRouteStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: SqlWorld) -> RouteStore:
        sql.lose()
        return SqlRouteStore(sql.database)
