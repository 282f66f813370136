"""Binds the stores of rate limits made through the API."""

import pytest

from adapters.memory.limits import InMemoryLimitStore
from adapters.sql.limits import SqlLimitStore
from application.ports.limits import LimitStore
from contracts.ports.limits import LimitStoreContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryLimitStore(LimitStoreContract):
    @pytest.fixture
    def store(self) -> LimitStore:
        return InMemoryLimitStore()

    @pytest.fixture
    def unreachable_store(self) -> LimitStore:
        store = InMemoryLimitStore()
        store.reachable = False
        return store


class TestSqlLimitStore(LimitStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> LimitStore:
        return SqlLimitStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> LimitStore:
        sql.lose()
        return SqlLimitStore(sql.database)
