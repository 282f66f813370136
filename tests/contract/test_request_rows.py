"""Binds what reads single requests back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.usage import InMemoryUsageLog
from adapters.sql.request_rows import SqlRequestRows
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_rows import SqlUsageWriter
from contracts.ports.request_rows import RequestRowsContract, RowsWorld
from tests.contract.sql_world import AnySqlWorld


class MemoryWorld:
    def __init__(self) -> None:
        self.log = self.rows = InMemoryUsageLog()

    def lose_database(self) -> None:
        self.log.reachable = False


class SqlRowsWorld:
    def __init__(self, sql: AnySqlWorld, log: JournaledUsageLog) -> None:
        self.log = log
        self.rows = SqlRequestRows(sql.database)
        self.lose_database = sql.lose


class TestInMemoryRows(RequestRowsContract):
    @pytest.fixture
    def world(self) -> RowsWorld:
        return MemoryWorld()


class TestSqlRows(RequestRowsContract):
    @pytest.fixture
    async def world(self, sql: AnySqlWorld, tmp_path: Path) -> AsyncIterator[RowsWorld]:
        log = JournaledUsageLog(SqlUsageWriter(sql.database), sql.thread, tmp_path / "journal")
        await log.start()
        yield SqlRowsWorld(sql, log)
        await log.aclose()
