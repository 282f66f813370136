"""The SQL catalogue store keeps the promises of its port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sql.catalog import SqlCatalogStore
from adapters.sql.database import SqlDatabase
from application.ports.catalog import CatalogStore
from contracts.ports.catalog import CatalogStoreContract
from tests.contract.sql_world import SqlWorld


class TestSqlCatalogStore(CatalogStoreContract):
    @pytest.fixture
    async def sql(self, tmp_path: Path) -> AsyncIterator[SqlWorld]:
        world = SqlWorld(tmp_path)
        yield world
        await world.aclose()

    @pytest.fixture
    def store(self, sql: SqlWorld) -> CatalogStore:
        return SqlCatalogStore(sql.database)

    @pytest.fixture
    async def second_store(self, sql: SqlWorld) -> AsyncIterator[CatalogStore]:
        database = SqlDatabase(sql.url, sql.thread)
        yield SqlCatalogStore(database)
        await database.aclose()

    @pytest.fixture
    def unreachable_store(self, sql: SqlWorld) -> CatalogStore:
        sql.lose()
        return SqlCatalogStore(sql.database)
