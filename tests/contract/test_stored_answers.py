"""Binds the stores of answers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.stored_answers import InMemoryStoredAnswers
from adapters.sql.stored_answers import SqlStoredAnswers
from application.ports.stored_answers import StoredAnswers
from contracts.ports.stored_answers import StoredAnswersContract
from tests.contract.sql_world import SqlWorld


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
    async def sql(self, tmp_path: Path) -> AsyncIterator[SqlWorld]:
        world = SqlWorld(tmp_path)
        yield world
        await world.aclose()

    @pytest.fixture
    def store(self, sql: SqlWorld) -> StoredAnswers:
        return SqlStoredAnswers(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: SqlWorld) -> StoredAnswers:
        sql.lose()
        return SqlStoredAnswers(sql.database)
