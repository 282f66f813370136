"""Binds sums and rows of usage."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.usage import InMemoryUsageLog
from adapters.memory.usage_rows import InMemoryUsageRows
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_pages import SqlUsageRows
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_rows import SqlUsageWriter
from contracts.ports.usage_analysis import AnalysisWorld, UsageAnalysisContract
from tests.contract.sql_world import AnySqlWorld


class MemoryWorld:
    def __init__(self) -> None:
        self.log = self.query = InMemoryUsageLog()
        self.rows = InMemoryUsageRows(self.log)


class TestInMemoryUsageAnalysis(UsageAnalysisContract):
    @pytest.fixture
    def world(self) -> AnalysisWorld:
        return MemoryWorld()


class SqliteWorld:
    def __init__(self, sql: AnySqlWorld, log: JournaledUsageLog) -> None:
        self.log = log
        self.query = SqlUsageQuery(sql.database)
        self.rows = SqlUsageRows(sql.database)


class TestSqlUsageAnalysis(UsageAnalysisContract):
    @pytest.fixture
    async def world(self, sql: AnySqlWorld, tmp_path: Path) -> AsyncIterator[AnalysisWorld]:
        log = JournaledUsageLog(SqlUsageWriter(sql.database), sql.thread, tmp_path / "journal")
        await log.start()
        yield SqliteWorld(sql, log)
        await log.aclose()
