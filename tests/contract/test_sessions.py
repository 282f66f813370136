"""Binds the stores of logins."""

import pytest

from adapters.memory.sessions import InMemorySessionStore
from adapters.sql.sessions import SqlSessionStore
from application.ports.sessions import SessionStore
from contracts.ports.sessions import SessionStoreContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemorySessionStore(SessionStoreContract):
    @pytest.fixture
    def store(self) -> SessionStore:
        return InMemorySessionStore()

    @pytest.fixture
    def unreachable_store(self) -> SessionStore:
        store = InMemorySessionStore()
        store.reachable = False
        return store


class TestSqlSessionStore(SessionStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> SessionStore:
        return SqlSessionStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> SessionStore:
        sql.lose()
        return SqlSessionStore(sql.database)
