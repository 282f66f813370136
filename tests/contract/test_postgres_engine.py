"""Binds the engine of PostgreSQL, on a real server, and what only it promises."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.ports.database_engine import (
    EngineReadingContract,
    EngineSubject,
    EngineWritingContract,
    Leak,
)
from contracts.ports.database_engine_faults import EngineKnowingContract, EngineStoppingContract
from tests.contract.postgres_network import WRONG, NetworkPostgres, engine, network_postgres

SETTING = "SELECT current_setting('{0}', true), current_user, session_user"
LEAKS = (
    Leak(
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        SETTING.format("default_transaction_read_only"),
    ),
    Leak("SELECT set_config('statement_timeout', '0', false)", SETTING.format("statement_timeout")),
    Leak("SELECT set_config('role', 'other', false)", SETTING.format("role")),
    Leak("SELECT set_config('search_path', 'evil', false)", SETTING.format("search_path")),
    Leak("SELECT set_config('my.note', 'x', false)", "SELECT coalesce(current_setting('my.note', true), '')"),
    Leak("SET ROLE other", SETTING.format("role")),
    Leak("SET SESSION AUTHORIZATION other", SETTING.format("role")),
    Leak("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", SETTING.format("transaction_read_only")),
    Leak(
        "SELECT pg_advisory_lock(42)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ),
    Leak("CREATE TEMP TABLE loot AS SELECT 1", "SELECT * FROM loot"),
    Leak("SELECT 1 AS n INTO TEMP loot", "SELECT * FROM loot"),
    Leak("PREPARE loot AS SELECT 1", "SELECT count(*) FROM pg_prepared_statements WHERE name = 'loot'"),
    Leak("LISTEN loot", "SELECT count(*) FROM pg_listening_channels()"),
    Leak("DECLARE loot CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*) FROM pg_cursors WHERE name = 'loot'"),
    Leak("SELECT setseed(0.5)", "SELECT 1"),
)
FORBIDDEN = (
    "SET TRANSACTION READ WRITE",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "BEGIN READ WRITE",
    "START TRANSACTION READ WRITE",
    "SELECT lo_create(0)",
    "SELECT nextval('tickets')",
    "WITH gone AS (DELETE FROM people RETURNING id) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM people",
    "COPY people TO PROGRAM 'cat'",
    "DO $$ BEGIN DELETE FROM people; END $$",
    "LOCK TABLE people IN ACCESS EXCLUSIVE MODE",
    "TRUNCATE people",
    "SAVEPOINT one",
    "SELECT 1; COMMIT; DELETE FROM people",
)


async def made() -> EngineSubject:
    server = await asyncio.to_thread(network_postgres)
    database = await asyncio.to_thread(server.new_people)

    async def lose() -> None:
        await asyncio.to_thread(server.restart)

    return EngineSubject(
        engine=engine(server, database),
        numbers=lambda count: f"SELECT n::int4 AS n FROM generate_series(1, {count}) AS n",
        wide=lambda rows, size: f"SELECT repeat('x', {size}) AS wide FROM generate_series(1, {rows})",
        slow=f"SELECT pg_sleep(40), '{database}' AS slowly",
        running=lambda: server.running(f"''{database}'' AS slowly"),
        leaks=LEAKS,
        forbidden_reads=FORBIDDEN,
        powerful=engine(server, database, username="boss"),
        unreachable=engine(server, database, endpoint=f"postgresql://127.0.0.1:1/{database}"),
        wrong_password=engine(server, database, password=WRONG),
        secret=WRONG,
        lose=lose,
    )


@pytest.fixture
async def subject() -> AsyncIterator[EngineSubject]:
    made_subject = await made()
    yield made_subject
    for one in (
        made_subject.engine,
        made_subject.powerful,
        made_subject.unreachable,
        made_subject.wrong_password,
    ):
        if one is not None:
            await one.aclose()


class TestPostgresReading(EngineReadingContract):
    @pytest.fixture
    def subject(self, subject: EngineSubject) -> EngineSubject:
        return subject


class TestPostgresWriting(EngineWritingContract):
    @pytest.fixture
    def subject(self, subject: EngineSubject) -> EngineSubject:
        return subject


class TestPostgresStopping(EngineStoppingContract):
    @pytest.fixture
    def subject(self, subject: EngineSubject) -> EngineSubject:
        return subject


class TestPostgresKnowing(EngineKnowingContract):
    @pytest.fixture
    def subject(self, subject: EngineSubject) -> EngineSubject:
        return subject


@pytest.fixture
async def server() -> NetworkPostgres:
    return await asyncio.to_thread(network_postgres)
