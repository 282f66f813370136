"""Binds the stores of experiments, and what tells of their arms."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from adapters.memory.experiments import InMemoryExperimentFigures, InMemoryExperimentStore
from adapters.sql.experiments import SqlExperimentFigures, SqlExperimentStore, _requests
from adapters.sql.outbox import SqlOutbox
from adapters.sql.quality import SqlQualityStore
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.experiments import ExperimentFigures, ExperimentStore
from contracts.ports.experiments import (
    BY_USER,
    ExperimentFiguresContract,
    ExperimentStoreContract,
    FiguresWorld,
)
from contracts.ports.quality import feedback
from domain.analytics.event import RequestEvent
from domain.quality.feedback import verdict_of
from tests.contract.sql_world import AnySqlWorld

Told = Callable[[], Awaitable[Sequence[str]]]


class TestInMemoryExperimentStore(ExperimentStoreContract):
    @pytest.fixture
    def store(self) -> ExperimentStore:
        return InMemoryExperimentStore()

    @pytest.fixture
    def told(self, store: ExperimentStore) -> Told:
        assert isinstance(store, InMemoryExperimentStore)
        kept = store

        async def keys() -> Sequence[str]:
            return [event.key for event in kept.events]

        return keys

    @pytest.fixture
    def unreachable_store(self) -> ExperimentStore:
        store = InMemoryExperimentStore()
        store.reachable = False
        return store


class TestSqlExperimentStore(ExperimentStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> ExperimentStore:
        return SqlExperimentStore(sql.database)

    @pytest.fixture
    def told(self, sql: AnySqlWorld) -> Told:
        async def keys() -> Sequence[str]:
            return [event.key for event in await SqlOutbox(sql.database).waiting()]

        return keys

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> ExperimentStore:
        sql.lose()
        return SqlExperimentStore(sql.database)


class _InMemoryWorld:
    def __init__(self) -> None:
        self._events: list[RequestEvent] = []
        self._scores: dict[str, list[float]] = {}
        self.figures = InMemoryExperimentFigures(
            lambda: self._events, lambda event: self._scores.get(event.request_id, [])
        )

    async def record(self, *events: RequestEvent) -> None:
        self._events.extend(events)

    async def score(self, event: RequestEvent, score: float, source: str) -> None:
        self._scores.setdefault(event.request_id, []).append(score)


class _SqlFiguresWorld:
    def __init__(self, sql: AnySqlWorld) -> None:
        self._writer = SqlUsageWriter(sql.database)
        self._quality = SqlQualityStore(sql.database)
        self.figures = SqlExperimentFigures(sql.database)

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


class TestInMemoryExperimentFigures(ExperimentFiguresContract):
    @pytest.fixture
    def world(self) -> FiguresWorld:
        return _InMemoryWorld()

    @pytest.fixture
    def unreachable_figures(self) -> ExperimentFigures:
        figures = InMemoryExperimentFigures(list)
        figures.reachable = False
        return figures


class TestSqlExperimentFigures(ExperimentFiguresContract):
    @pytest.fixture
    def world(self, sql: AnySqlWorld) -> FiguresWorld:
        return _SqlFiguresWorld(sql)

    @pytest.fixture
    def unreachable_figures(self, sql: AnySqlWorld) -> ExperimentFigures:
        sql.lose()
        return SqlExperimentFigures(sql.database)


async def test_figures_are_read_by_the_index_of_requests_in_experiments(sql: AnySqlWorld) -> None:
    """Without it, each look would read all of usage."""
    statement = _requests(BY_USER).compile(
        dialect=sql.database.dialect, compile_kwargs={"literal_binds": True}
    )
    postgres = sql.database.dialect.name == "postgresql"

    def plan(connection: Connection) -> str:
        if postgres:
            # So few rows are quicker to read one after the other.
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        told = connection.execute(text(f"EXPLAIN {'' if postgres else 'QUERY PLAN '}{statement}"))
        return "\n".join(str(row) for row in told)

    found = await sql.database.read(plan)
    # PostgreSQL names the indexes of its parts after their columns.
    assert "experiment_started_at_us_idx" in found if postgres else "ix_usage_requests_experiment" in found
