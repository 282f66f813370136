"""The engines of SQLite and DuckDB: the same promises as of any other database."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.databases.configuration import DatabaseConfiguration, read_configuration
from adapters.databases.database_file import FileSession
from adapters.databases.duckdb import DuckDbEngine
from adapters.databases.duckdb import open_engine as open_duckdb
from adapters.databases.sqlite import SqliteEngine
from adapters.databases.sqlite import open_engine as open_sqlite
from application.ports.connector import Surroundings
from contracts.ports.database_engine import (
    PEOPLE,
    EngineReadingContract,
    EngineSubject,
    EngineWritingContract,
    Leak,
)
from contracts.ports.database_engine_faults import EngineKnowingContract, EngineStoppingContract

PLACES = 2


def configured(path: Path, scheme: str, **more: Any) -> DatabaseConfiguration:
    return read_configuration(
        {
            "endpoint": f"{scheme}://{path}",
            "pool": {"max": PLACES},
            "queries": {"change": {"sql": "DELETE FROM people", "read_only": False}},
            **more,
        }
    )


async def _nowhere(host: str, port: int) -> tuple[str, ...]:
    raise AssertionError(f"a file needs no connection to {host}:{port}")


SURROUNDINGS = Surroundings(transport=None, guard=_nowhere, secrets={})  # type: ignore[arg-type]


class _Watched:
    """Looks at the threads of an engine: whether their driver is inside a call."""

    def __init__(self, engine: SqliteEngine | DuckDbEngine) -> None:
        self.sessions: list[FileSession] = []
        opening = engine._pool._opener

        async def opened() -> Any:
            session = await opening()
            self.sessions.append(session)
            return session

        engine._pool._opener = opened

    async def running(self) -> int:
        return sum(session.thread.working for session in self.sessions)


@pytest.fixture
async def close() -> AsyncIterator[Callable[[Any], None]]:
    engines: list[Any] = []
    yield engines.append
    for engine in engines:
        await engine.aclose()


class _OnSqlite:
    @pytest.fixture
    def subject(self, tmp_path: Path, close: Callable[[Any], None]) -> EngineSubject:
        path = tmp_path / "people.db"
        with sqlite3.connect(path) as made:
            made.execute("CREATE TABLE people (id INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL)")
            made.executemany("INSERT INTO people VALUES (?, ?)", PEOPLE)
        made.close()
        engine = open_sqlite(configured(path, "sqlite"), SURROUNDINGS, [tmp_path])
        missing = open_sqlite(configured(tmp_path / "none.db", "sqlite"), SURROUNDINGS, [tmp_path])
        close(engine)
        close(missing)
        count = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c{limit}) "
        return EngineSubject(
            engine=engine,
            numbers=lambda rows: count.format(limit=f" LIMIT {rows}") + "SELECT n FROM c",
            wide=lambda rows, size: (
                count.format(limit=f" LIMIT {rows}") + f"SELECT printf('%.{size}c', 'x') AS w FROM c"
            ),
            slow=count.format(limit="") + "SELECT count(*) FROM c",
            running=_Watched(engine).running,
            leaks=(
                Leak("PRAGMA query_only = OFF", "SELECT 1 FROM pragma_query_only"),
                Leak("CREATE TEMP TABLE loot (a)", "SELECT count(*) FROM temp.sqlite_master"),
                Leak("BEGIN", "SELECT 1"),
                Leak(f"ATTACH '{path}' AS again", "SELECT * FROM again.people"),
            ),
            forbidden_reads=(
                "PRAGMA query_only = OFF",
                "PRAGMA writable_schema = ON",
                f"ATTACH '{path}' AS again",
                "BEGIN IMMEDIATE",
                "SELECT load_extension('x')",
                "VACUUM",
                "SELECT * FROM pragma_journal_mode('delete')",
            ),
            unreachable=missing,
        )


class TestReadingFromSqlite(_OnSqlite, EngineReadingContract):
    pass


class TestWritingToSqlite(_OnSqlite, EngineWritingContract):
    pass


class TestStoppingSqlite(_OnSqlite, EngineStoppingContract):
    pass


class TestKnowingSqlite(_OnSqlite, EngineKnowingContract):
    pass


class _OnDuckDb:
    @pytest.fixture
    def subject(self, tmp_path: Path, close: Callable[[Any], None]) -> EngineSubject:
        path = tmp_path / "people.duckdb"
        made = duckdb.connect(str(path))
        made.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL)")
        made.executemany("INSERT INTO people VALUES (?, ?)", PEOPLE)
        made.close()
        engine = open_duckdb(configured(path, "duckdb"), SURROUNDINGS, [tmp_path])
        missing = open_duckdb(configured(tmp_path / "none.duckdb", "duckdb"), SURROUNDINGS, [tmp_path])
        close(engine)
        close(missing)
        return EngineSubject(
            engine=engine,
            numbers=lambda rows: f"SELECT range AS n FROM range({rows})",
            wide=lambda rows, size: f"SELECT repeat('x', {size}) AS w FROM range({rows})",
            slow="SELECT count(*) FROM range(10000000000) a, range(100000) b WHERE a.range % 7 = b.range",
            running=_Watched(engine).running,
            leaks=(
                Leak("SET VARIABLE loot = 1", "SELECT getvariable('loot')"),
                Leak("SET memory_limit = '8GB'", "SELECT current_setting('memory_limit')"),
                Leak("CREATE TEMP TABLE loot (a INTEGER)", "SELECT * FROM loot"),
                Leak("PREPARE loot AS SELECT 1", "SELECT 1"),
                Leak("USE temp", "SELECT current_schema()"),
            ),
            forbidden_reads=(
                "COPY people TO '/tmp/interchange-loot.csv'",
                "ATTACH ':memory:' AS loot",
                "INSTALL httpfs",
                "LOAD httpfs",
                "SET enable_external_access = true",
                "BEGIN",
                "CHECKPOINT",
                "SELECT * FROM read_csv('/etc/passwd')",
                "EXPORT DATABASE '/tmp/interchange-loot'",
                "EXPLAIN ANALYZE DELETE FROM people",
            ),
            unreachable=missing,
        )


class TestReadingFromDuckDb(_OnDuckDb, EngineReadingContract):
    pass


class TestWritingToDuckDb(_OnDuckDb, EngineWritingContract):
    pass


class TestStoppingDuckDb(_OnDuckDb, EngineStoppingContract):
    pass


class TestKnowingDuckDb(_OnDuckDb, EngineKnowingContract):
    pass
