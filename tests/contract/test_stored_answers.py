"""Binds the stores of answers."""

import pytest

from adapters.memory.stored_answers import InMemoryStoredAnswers
from adapters.sql.stored_answers import SqlStoredAnswers
from application.ports.stored_answers import StoredAnswers
from contracts.ports.stored_answers import StoredAnswersContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryStoredAnswers(StoredAnswersContract):
    @pytest.fixture
    def store(self) -> StoredAnswers:
        return InMemoryStoredAnswers()

    @pytest.fixture
    def unreachable_store(self) -> StoredAnswers:
        store = InMemoryStoredAnswers()
        store.reachable = False
        return store


class TestSqlStoredAnswers(StoredAnswersContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> StoredAnswers:
        return SqlStoredAnswers(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> StoredAnswers:
        sql.lose()
        return SqlStoredAnswers(sql.database)
