"""Binds the stores of recommendations, and of what is done once for a period."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import select

from adapters.memory.optimizations import InMemoryOptimizations
from adapters.memory.period_marks import InMemoryPeriodMarks
from adapters.sql.ledger_tables import outbox
from adapters.sql.optimizations import SqlOptimizations
from adapters.sql.period_marks import SqlPeriodMarks
from application.ports.optimizations import Optimizations
from application.ports.period_marks import PeriodMarks
from contracts.ports.optimizations import OptimizationsContract
from contracts.ports.period_marks import PeriodMarksContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryOptimizations(OptimizationsContract):
    @pytest.fixture
    def optimizations(self) -> Optimizations:
        return InMemoryOptimizations()

    @pytest.fixture
    def unreachable_optimizations(self) -> Optimizations:
        optimizations = InMemoryOptimizations()
        optimizations.reachable = False
        return optimizations


class TestSqlOptimizations(OptimizationsContract):
    @pytest.fixture
    def optimizations(self, sql: AnySqlWorld) -> Optimizations:
        return SqlOptimizations(sql.database)

    @pytest.fixture
    def unreachable_optimizations(self, sql: AnySqlWorld) -> Optimizations:
        sql.lose()
        return SqlOptimizations(sql.database)


class TestInMemoryPeriodMarks(PeriodMarksContract):
    @pytest.fixture
    def marks(self) -> InMemoryPeriodMarks:
        return InMemoryPeriodMarks()

    @pytest.fixture
    def told(self, marks: InMemoryPeriodMarks) -> Callable[[], Awaitable[list[str]]]:
        async def keys() -> list[str]:
            return [event.key for event in marks.told]

        return keys

    @pytest.fixture
    def unreachable_marks(self) -> PeriodMarks:
        marks = InMemoryPeriodMarks()
        marks.reachable = False
        return marks


class TestSqlPeriodMarks(PeriodMarksContract):
    @pytest.fixture
    def marks(self, sql: AnySqlWorld) -> PeriodMarks:
        return SqlPeriodMarks(sql.database)

    @pytest.fixture
    def told(self, sql: AnySqlWorld) -> Callable[[], Awaitable[list[str]]]:
        statement = select(outbox.c.key)

        async def keys() -> list[str]:
            return await sql.database.read(lambda c: [str(key) for (key,) in c.execute(statement)])

        return keys

    @pytest.fixture
    def unreachable_marks(self, sql: AnySqlWorld) -> PeriodMarks:
        sql.lose()
        return SqlPeriodMarks(sql.database)
