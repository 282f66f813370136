"""Binds the stores of integrations and of their checks."""

import pytest

from adapters.memory.integrations import InMemoryIntegrations
from adapters.sql.integrations import SqlHealthLog, SqlIntegrationStore
from application.ports.integrations import HealthLog, IntegrationStore
from contracts.ports.integrations import HealthLogContract, IntegrationStoreContract
from tests.contract.sql_world import AnySqlWorld


@pytest.fixture
def memory() -> InMemoryIntegrations:
    return InMemoryIntegrations()


@pytest.fixture
def unreachable_memory() -> InMemoryIntegrations:
    store = InMemoryIntegrations()
    store.reachable = False
    return store


class TestInMemoryIntegrationStore(IntegrationStoreContract):
    @pytest.fixture
    def store(self, memory: InMemoryIntegrations) -> IntegrationStore:
        return memory

    @pytest.fixture
    def unreachable_store(self, unreachable_memory: InMemoryIntegrations) -> IntegrationStore:
        return unreachable_memory


class TestSqlIntegrationStore(IntegrationStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> IntegrationStore:
        return SqlIntegrationStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> IntegrationStore:
        sql.lose()
        return SqlIntegrationStore(sql.database)


class TestInMemoryHealthLog(HealthLogContract):
    @pytest.fixture
    def store(self, memory: InMemoryIntegrations) -> IntegrationStore:
        return memory

    @pytest.fixture
    def health(self, memory: InMemoryIntegrations) -> HealthLog:
        return memory

    @pytest.fixture
    def unreachable_health(self, unreachable_memory: InMemoryIntegrations) -> HealthLog:
        return unreachable_memory


class TestSqlHealthLog(HealthLogContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> IntegrationStore:
        return SqlIntegrationStore(sql.database)

    @pytest.fixture
    def health(self, sql: AnySqlWorld) -> HealthLog:
        return SqlHealthLog(sql.database)

    @pytest.fixture
    def unreachable_health(self, sql: AnySqlWorld) -> HealthLog:
        sql.lose()
        return SqlHealthLog(sql.database)
