"""Binds sums and rows of usage."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.usage import InMemoryUsageLog
from adapters.memory.usage_rows import InMemoryUsageRows
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_pages import SqlUsageRows
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.usage_query import UsageDimension, UsageFilter
from contracts.ports.usage import usage_event
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


class StoredWorld:
    def __init__(self, sql: AnySqlWorld, log: JournaledUsageLog) -> None:
        self.log = log
        self.query = SqlUsageQuery(sql.database)
        self.rows = SqlUsageRows(sql.database)


class TestSqlUsageAnalysis(UsageAnalysisContract):
    @pytest.fixture
    async def world(self, sql: AnySqlWorld, tmp_path: Path) -> AsyncIterator[AnalysisWorld]:
        log = JournaledUsageLog(SqlUsageWriter(sql.database), sql.thread, tmp_path / "journal")
        await log.start()
        yield StoredWorld(sql, log)
        await log.aclose()


async def test_writers_side_by_side_count_everything_once(sql: AnySqlWorld) -> None:
    """Two instances add to the same groups at once, in opposite orders; neither waits for ever."""
    events = [usage_event(number, team=f"team {number % 40}") for number in range(800)]
    writers = [SqlUsageWriter(sql.database) for _ in range(2)]

    starts = range(0, 800, 100)
    forwards = (writers[start // 100 % 2].insert(events[start : start + 100]) for start in starts)
    backwards = (
        writers[start // 100 % 2].insert(events[start : start + 100][::-1]) for start in starts[::-1]
    )
    await asyncio.gather(*forwards, *backwards)

    (total,) = await SqlUsageQuery(sql.database).totals(UsageFilter())
    teams = await SqlUsageQuery(sql.database).totals(UsageFilter(), (UsageDimension.TEAM,))
    assert (total.requests, total.attempts) == (800, 800)
    assert {row.requests for row in teams} == {20}
