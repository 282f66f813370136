"""What the guard writes anew is what the database was asked: run both ways on real servers."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from adapters.databases.configuration import read_configuration
from adapters.databases.duckdb import open_engine as open_duckdb
from adapters.databases.sql_guard import SqlGuard
from adapters.databases.sqlite import open_engine as open_sqlite
from application.ports.connector import Surroundings
from application.ports.database_engine import Engine, Limits, Statement
from contracts.ports.database_engine import PEOPLE
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_policy import make_policy
from tests.contract.mariadb_server import mariadb_server
from tests.contract.mysql_world import MySqlWorld
from tests.contract.postgres_network import engine as postgres_engine
from tests.contract.postgres_network import network_postgres
from tests.unit.databases.sql_questions import QUESTIONS

LIMITS = Limits(rows=100, bytes=1024 * 1024, timeout_s=20.0)


async def _nowhere(host: str, port: int) -> Sequence[str]:
    raise AssertionError(f"a file needs no connection to {host}:{port}")


SURROUNDINGS = Surroundings(transport=None, guard=_nowhere, secrets={})  # type: ignore[arg-type]


async def compare(engine: Engine, guard: SqlGuard, texts: Sequence[str]) -> None:
    for text in texts:
        plain = await engine.read(Statement(text, {}), LIMITS)
        guarded = await engine.read(Statement(guard.check(text, 101).text, {}), LIMITS)

        assert [*map(tuple, guarded.rows)] == [*map(tuple, plain.rows)], text
        assert len(guarded.columns) == len(plain.columns), text


@pytest.fixture
async def sqlite_engine(tmp_path: Path) -> AsyncIterator[Engine]:
    with sqlite3.connect(tmp_path / "people.db") as made:
        made.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)")
        made.executemany("INSERT INTO people VALUES (?, ?)", PEOPLE)
    made.close()
    read = read_configuration({"endpoint": f"sqlite://{tmp_path}/people.db"})
    engine = open_sqlite(read, SURROUNDINGS, [tmp_path])
    yield engine
    await engine.aclose()


@pytest.fixture
async def duckdb_engine(tmp_path: Path) -> AsyncIterator[Engine]:
    made = duckdb.connect(str(tmp_path / "people.duckdb"))
    made.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR)")
    made.executemany("INSERT INTO people VALUES (?, ?)", PEOPLE)
    made.close()
    read = read_configuration({"endpoint": f"duckdb://{tmp_path}/people.duckdb"})
    engine = open_duckdb(read, SURROUNDINGS, [tmp_path])
    yield engine
    await engine.aclose()


def guard_for(dialect: SqlDialect, **more: Any) -> SqlGuard:
    return SqlGuard(make_policy(dialect, tables=["people"], **more))


async def test_sqlite_is_asked_the_same(sqlite_engine: Engine) -> None:
    await compare(sqlite_engine, guard_for(SqlDialect.SQLITE), QUESTIONS[SqlDialect.SQLITE])


async def test_duckdb_is_asked_the_same(duckdb_engine: Engine) -> None:
    await compare(duckdb_engine, guard_for(SqlDialect.DUCKDB), QUESTIONS[SqlDialect.DUCKDB])


async def test_postgres_is_asked_the_same() -> None:
    server = await asyncio.to_thread(network_postgres)
    engine = postgres_engine(server, await asyncio.to_thread(server.new_people))
    try:
        await compare(engine, guard_for(SqlDialect.POSTGRES), QUESTIONS[SqlDialect.POSTGRES])
    finally:
        await engine.aclose()


async def test_mariadb_is_asked_the_same() -> None:
    world = MySqlWorld(mariadb_server())
    try:
        await compare(world.subject().engine, guard_for(SqlDialect.MYSQL), QUESTIONS[SqlDialect.MYSQL])
    finally:
        await world.aclose()
