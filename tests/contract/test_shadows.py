"""Binds what is seen of shadows."""

import pytest

from adapters.memory.shadows import InMemoryShadowLog
from adapters.sql.shadows import SqlShadowLog
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.shadows import ShadowLog
from contracts.ports.shadows import ShadowLogContract, ShadowWorld
from domain.analytics.event import RequestEvent
from tests.contract.sql_world import AnySqlWorld


class _InMemoryWorld:
    def __init__(self) -> None:
        self._events: list[RequestEvent] = []
        self.log = InMemoryShadowLog(lambda: self._events)

    async def record(self, *events: RequestEvent) -> None:
        self._events.extend(events)


class _SqlWorld:
    def __init__(self, sql: AnySqlWorld) -> None:
        self._writer = SqlUsageWriter(sql.database)
        self.log = SqlShadowLog(sql.database, sql.database)

    async def record(self, *events: RequestEvent) -> None:
        await self._writer.insert(list(events))


class TestInMemoryShadowLog(ShadowLogContract):
    @pytest.fixture
    def world(self) -> ShadowWorld:
        return _InMemoryWorld()

    @pytest.fixture
    def unreachable_log(self) -> ShadowLog:
        log = InMemoryShadowLog(list)
        log.reachable = False
        return log


class TestSqlShadowLog(ShadowLogContract):
    @pytest.fixture
    def world(self, sql: AnySqlWorld) -> ShadowWorld:
        return _SqlWorld(sql)

    @pytest.fixture
    def unreachable_log(self, sql: AnySqlWorld) -> ShadowLog:
        sql.lose()
        return SqlShadowLog(sql.database, sql.database)
