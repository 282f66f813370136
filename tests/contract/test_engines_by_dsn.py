"""Engines against servers that somebody has: `MYSQL_DSN`, `ORACLE_DSN`, `MSSQL_DSN`. Skipped without.

Each is `scheme://user:password@host:port/database`, of a user who may make a table `people` there; it is
dropped and made anew for every test. `?tls=require` or `?tls=verify-full` turns TLS on. To count what runs,
the user sees its own sessions (on Oracle: may select from `v$session`).
"""

import os
from collections.abc import AsyncIterator, Callable
from importlib import import_module
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from adapters.databases.configuration import read_configuration
from adapters.databases.kind import SERVED
from application.ports.connector import Surroundings
from application.ports.database_engine import Engine, Statement
from contracts.ports.database_engine import (
    PEOPLE,
    PLENTY,
    EngineReadingContract,
    EngineSubject,
    EngineWritingContract,
    Leak,
)
from contracts.ports.database_engine_faults import EngineKnowingContract, EngineStoppingContract
from domain.errors import InterchangeError
from domain.vault.secret import SecretBytes
from tests.contract import fake_mssql, fake_oracle, mysql_world, test_mssql_engine, test_oracle_engine
from tests.contract.mysql_world import WRONG, AnyAddress


class Kind(NamedTuple):
    """What one kind of server is asked with, in its own SQL."""

    create: str
    numbers: Callable[[int], str]
    wide: Callable[[int, int], str]
    slow: str
    running: str
    forbidden: tuple[str, ...]
    leaks: tuple[Leak, ...] = ()


KINDS: Final = {
    "MYSQL_DSN": Kind(
        create="CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(200)) CHARACTER SET utf8mb4",
        numbers=mysql_world.numbers,
        wide=lambda rows, size: f"SELECT REPEAT('x', {size}) FROM ({mysql_world.numbers(rows)}) r",
        slow=mysql_world.SLOW,
        running=f"SELECT COUNT(*) FROM information_schema.processlist WHERE info = '{mysql_world.SLOW}'",
        forbidden=mysql_world.FORBIDDEN,
        leaks=mysql_world.LEAKS,
    ),
    "ORACLE_DSN": Kind(
        create="CREATE TABLE people (id NUMBER(9) PRIMARY KEY, name NVARCHAR2(200))",
        numbers=lambda count: f"SELECT level AS n FROM dual CONNECT BY level <= {count}",
        wide=lambda rows, size: (
            f"SELECT RPAD(TO_CLOB('x'), {size}, 'x') FROM dual CONNECT BY level <= {rows}"
        ),
        slow=fake_oracle.SLOW,
        running="SELECT COUNT(*) FROM v$session WHERE status = 'ACTIVE' AND username = USER "
        "AND sid <> SYS_CONTEXT('USERENV', 'SID')",
        forbidden=test_oracle_engine.FORBIDDEN,
    ),
    "MSSQL_DSN": Kind(
        create="CREATE TABLE people (id int PRIMARY KEY, name nvarchar(200))",
        numbers=lambda count: (
            f"SELECT TOP ({count}) ROW_NUMBER() OVER (ORDER BY (SELECT 1)) AS n FROM sys.all_columns a "
            "CROSS JOIN sys.all_columns b"
        ),
        wide=lambda rows, size: (
            f"SELECT TOP ({rows}) REPLICATE(CAST('x' AS varchar(max)), {size}) AS w FROM sys.all_columns"
        ),
        slow=f"{fake_mssql.SLOW} CROSS JOIN sys.all_columns d CROSS JOIN sys.all_columns e",
        running="SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id <> @@SPID "
        "AND status IN ('running', 'suspended', 'runnable') AND command LIKE 'SELECT%'",
        forbidden=test_mssql_engine.FORBIDDEN,
    ),
}


class World:
    def __init__(self, variable: str) -> None:
        dsn = os.environ.get(variable)
        if not dsn:
            pytest.skip(f"{variable} names no server")
        self.kind, self._parts = KINDS[variable], urlsplit(dsn)
        self.engines: list[Engine] = []
        self.own = self.engine()

    def engine(self, *, port: int | None = None, password: str | None = None) -> Engine:
        parts = self._parts
        wanted = parse_qs(parts.query).get("tls", ["disable"])[0]
        configuration = read_configuration(
            {
                "endpoint": f"{parts.scheme}://{parts.hostname}:{port or parts.port}{parts.path}",
                "authentication": {"type": "password", "username": unquote(parts.username or "")},
                "tls": {"mode": wanted},
                "pool": {"max": 2},
                "queries": {"w": {"sql": "DELETE FROM people", "read_only": False}},
            }
        )
        given = (password or unquote(parts.password or "")).encode()
        nothing: Any = None
        surroundings = Surroundings(
            nothing, AnyAddress(str(parts.hostname)), {"password": SecretBytes(given)}
        )
        made: Engine = import_module(SERVED[parts.scheme].module).open_engine(configuration, surroundings)
        self.engines.append(made)
        return made

    async def fill(self) -> None:
        try:
            await self.own.write(Statement("DROP TABLE people", {}), PLENTY)
        except InterchangeError:
            pass
        await self.own.write(Statement(self.kind.create, {}), PLENTY)
        for number, name in PEOPLE:
            values = {"id": number, "name": name}
            await self.own.write(
                Statement("INSERT INTO people (id, name) VALUES (:id, :name)", values), PLENTY
            )

    async def running(self) -> int:
        return int((await self.own.read(Statement(self.kind.running, {}), PLENTY)).rows[0][0])

    def subject(self) -> EngineSubject:
        return EngineSubject(
            engine=self.engine(),
            numbers=self.kind.numbers,
            wide=self.kind.wide,
            slow=self.kind.slow,
            running=self.running,
            leaks=self.kind.leaks,
            forbidden_reads=self.kind.forbidden,
            unreachable=self.engine(port=1),
            wrong_password=self.engine(password=WRONG),
            secret=WRONG,
        )

    async def aclose(self) -> None:
        for engine in self.engines:
            await engine.aclose()


@pytest.fixture(params=sorted(KINDS))
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made = World(request.param)
    await made.fill()
    yield made
    await made.aclose()


class _ByDsn:
    @pytest.fixture
    def subject(self, world: World) -> EngineSubject:
        return world.subject()


class TestReadingByDsn(_ByDsn, EngineReadingContract):
    pass


class TestWritingByDsn(_ByDsn, EngineWritingContract):
    pass


class TestStoppingByDsn(_ByDsn, EngineStoppingContract):
    pass


class TestKnowingByDsn(_ByDsn, EngineKnowingContract):
    pass
