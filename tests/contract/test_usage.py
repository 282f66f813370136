"""Binds the usage logs."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.memory.usage import InMemoryUsageLog
from adapters.sql.usage_log import JournaledUsageLog
from adapters.sql.usage_query import SqlUsageQuery
from adapters.sql.usage_rows import SqlUsageWriter
from contracts.ports.usage import UsageLogContract, UsageWorld
from tests.contract.sql_world import AnySqlWorld


class MemoryWorld:
    def __init__(self, buffer_rows_max: int = 100_000) -> None:
        self.log = self.query = InMemoryUsageLog(buffer_rows_max=buffer_rows_max)

    def lose_database(self) -> None:
        self.log.reachable = False

    def restore_database(self) -> None:
        self.log.reachable = True


class TestInMemoryUsageLog(UsageLogContract):
    @pytest.fixture
    def world(self) -> UsageWorld:
        return MemoryWorld()

    @pytest.fixture
    def tiny_world(self) -> UsageWorld:
        return MemoryWorld(buffer_rows_max=4)


class JournaledWorld:
    def __init__(self, sql: AnySqlWorld, log: JournaledUsageLog) -> None:
        self.log = log
        self.query = SqlUsageQuery(sql.database)
        self.lose_database = sql.lose
        self.restore_database = sql.restore


def no_space(descriptor: int, data: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


class TestJournaledUsageLog(UsageLogContract):
    @pytest.fixture
    async def world(self, sql: AnySqlWorld, tmp_path: Path) -> AsyncIterator[UsageWorld]:
        log = JournaledUsageLog(SqlUsageWriter(sql.database), sql.thread, tmp_path / "journal")
        await log.start()
        yield JournaledWorld(sql, log)
        await log.aclose()

    @pytest.fixture
    async def tiny_world(self, sql: AnySqlWorld, tmp_path: Path) -> AsyncIterator[UsageWorld]:
        log = JournaledUsageLog(
            SqlUsageWriter(sql.database), sql.thread, tmp_path / "journal", queue_rows_max=4, write=no_space
        )
        await log.start()
        yield JournaledWorld(sql, log)
        await log.aclose()
