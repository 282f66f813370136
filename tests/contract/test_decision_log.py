"""Binds the logs of decisions."""

from dataclasses import replace

import pytest

from adapters.memory.decision_log import InMemoryDecisionLog
from adapters.sql.decision_log import SqlDecisionLog
from adapters.sql.quality import SqlQualityStore
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.decision_log import DecisionLog
from contracts.ports.decision_log import DecisionLogContract, DecisionLogWorld
from contracts.ports.quality import feedback
from domain.analytics.event import RequestEvent
from domain.quality.feedback import verdict_of
from tests.contract.sql_world import AnySqlWorld


class _InMemoryWorld:
    def __init__(self) -> None:
        self._events: list[RequestEvent] = []
        self._scores: dict[str, list[float]] = {}
        self.log = InMemoryDecisionLog(
            lambda: self._events, lambda event: self._scores.get(event.request_id, [])
        )

    async def record(self, *events: RequestEvent) -> None:
        self._events.extend(events)

    async def score(self, event: RequestEvent, score: float, source: str) -> None:
        self._scores.setdefault(event.request_id, []).append(score)


class _SqlWorld:
    def __init__(self, sql: AnySqlWorld) -> None:
        self._writer = SqlUsageWriter(sql.database)
        self._quality = SqlQualityStore(sql.database)
        self.log = SqlDecisionLog(sql.database)

    async def record(self, *events: RequestEvent) -> None:
        await self._writer.insert(list(events))

    async def score(self, event: RequestEvent, score: float, source: str) -> None:
        said = replace(
            feedback(event.request_id),
            tenant_id=event.tenant_id,
            source=source,
            verdict=verdict_of(score=score),
        )
        await self._quality.give(said)


class TestInMemoryDecisionLog(DecisionLogContract):
    @pytest.fixture
    def world(self) -> DecisionLogWorld:
        return _InMemoryWorld()

    @pytest.fixture
    def unreachable_log(self) -> DecisionLog:
        log = InMemoryDecisionLog(list)
        log.reachable = False
        return log


class TestSqlDecisionLog(DecisionLogContract):
    @pytest.fixture
    def world(self, sql: AnySqlWorld) -> DecisionLogWorld:
        return _SqlWorld(sql)

    @pytest.fixture
    def unreachable_log(self, sql: AnySqlWorld) -> DecisionLog:
        sql.lose()
        return SqlDecisionLog(sql.database)
