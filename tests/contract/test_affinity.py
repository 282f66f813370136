"""Binds the stores of conversations' places."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.affinity import InMemoryAffinityStore
from adapters.sql.affinity import SqlAffinityStore
from application.ports.affinity import AffinityStore
from contracts.ports.affinity import AffinityStoreContract
from tests.contract.sql_world import SqlWorld


class TestInMemoryAffinityStore(AffinityStoreContract):
    @pytest.fixture
    def store(self) -> AffinityStore:
        return InMemoryAffinityStore()

    @pytest.fixture
    def unreachable_store(self) -> AffinityStore:
        store = InMemoryAffinityStore()
        store.reachable = False
        return store


class TestSqlAffinityStore(AffinityStoreContract):
    @pytest.fixture
    async def sql(self, tmp_path: Path) -> AsyncIterator[SqlWorld]:
        world = SqlWorld(tmp_path)
        yield world
        await world.aclose()

    @pytest.fixture
    def store(self, sql: SqlWorld) -> AffinityStore:
        return SqlAffinityStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: SqlWorld) -> AffinityStore:
        sql.lose()
        return SqlAffinityStore(sql.database)
