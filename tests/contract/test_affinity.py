"""Binds the stores of conversations' places."""

import pytest

from adapters.memory.affinity import InMemoryAffinityStore
from adapters.sql.affinity import SqlAffinityStore
from application.ports.affinity import AffinityStore
from contracts.ports.affinity import AffinityStoreContract
from tests.contract.sql_world import AnySqlWorld


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
    def store(self, sql: AnySqlWorld) -> AffinityStore:
        return SqlAffinityStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> AffinityStore:
        sql.lose()
        return SqlAffinityStore(sql.database)
