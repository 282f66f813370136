"""Binds the stores of budgets made through the API."""

import pytest

from adapters.memory.budgets import InMemoryBudgetStore
from adapters.sql.budgets import SqlBudgetStore
from application.ports.budgets import BudgetStore
from contracts.ports.budgets import BudgetStoreContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryBudgetStore(BudgetStoreContract):
    @pytest.fixture
    def store(self) -> BudgetStore:
        return InMemoryBudgetStore()

    @pytest.fixture
    def unreachable_store(self) -> BudgetStore:
        store = InMemoryBudgetStore()
        store.reachable = False
        return store


class TestSqlBudgetStore(BudgetStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> BudgetStore:
        return SqlBudgetStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> BudgetStore:
        sql.lose()
        return SqlBudgetStore(sql.database)
