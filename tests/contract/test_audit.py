"""Binds the keepers of the audit trail."""

from collections.abc import AsyncIterator

import pytest

from adapters.memory.audit import InMemoryAuditStore
from adapters.sql.audit import SqlAuditStore
from adapters.sql.audit_log import SqlAuditLog
from adapters.system.clock import SystemClock
from application.ports.audit import AuditLog, AuditStore
from contracts.ports.audit import AuditLogContract, AuditStoreContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryAuditStore(AuditStoreContract):
    @pytest.fixture
    def store(self) -> AuditStore:
        return InMemoryAuditStore(SystemClock())

    @pytest.fixture
    def second_store(self, store: AuditStore) -> AuditStore:
        return store

    @pytest.fixture
    def unreachable_store(self) -> AuditStore:
        store = InMemoryAuditStore(SystemClock())
        store.reachable = False
        return store


class TestSqlAuditStore(AuditStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> AuditStore:
        return SqlAuditStore(sql.database, SystemClock())

    @pytest.fixture
    async def second_store(self, store: AuditStore, sql: AnySqlWorld) -> AsyncIterator[AuditStore]:
        database = sql.another()
        yield SqlAuditStore(database, SystemClock())
        await database.aclose()

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> AuditStore:
        sql.lose()
        return SqlAuditStore(sql.database, SystemClock())


class TestInMemoryAuditLog(AuditLogContract):
    @pytest.fixture
    def store(self) -> AuditStore:
        return InMemoryAuditStore(SystemClock())

    @pytest.fixture
    def log(self, store: AuditStore) -> AuditLog:
        assert isinstance(store, InMemoryAuditStore)
        return store


class TestSqlAuditLog(AuditLogContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> AuditStore:
        return SqlAuditStore(sql.database, SystemClock())

    @pytest.fixture
    def log(self, store: AuditStore, sql: AnySqlWorld) -> AuditLog:
        return SqlAuditLog(sql.database)
