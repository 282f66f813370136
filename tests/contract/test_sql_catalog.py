"""The SQL catalogue store keeps the promises of its port."""

from collections.abc import AsyncIterator

import pytest

from adapters.sql.catalog import SqlCatalogStore
from application.ports.catalog import CatalogStore
from contracts.ports.catalog import CatalogStoreContract
from tests.contract.sql_world import AnySqlWorld


class TestSqlCatalogStore(CatalogStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> CatalogStore:
        return SqlCatalogStore(sql.database)

    @pytest.fixture
    async def second_store(self, sql: AnySqlWorld) -> AsyncIterator[CatalogStore]:
        database = sql.another()
        yield SqlCatalogStore(database)
        await database.aclose()

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> CatalogStore:
        sql.lose()
        return SqlCatalogStore(sql.database)
