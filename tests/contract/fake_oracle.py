"""Stands in for the module oracledb, as strictly as its documentation says: names of arguments, order of
transactions, what is refused and how, one call at a time. Errors are the driver's own."""

import asyncio
import contextlib
import importlib
import inspect
import itertools
import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import oracledb

from domain.connectors.sql_dialect import SqlDialect
from tests.contract.fake_sql import FakeServer, FakeSession, with_question_marks

SLOW = "SELECT COUNT(*) FROM all_objects a, all_objects b, all_objects c, all_objects d"
SERIES = re.compile(r"SELECT (?P<what>.+) FROM dual CONNECT BY level <= (?P<count>\d+)")
PLAN = ["Plan hash value: 1", "| 0 | SELECT STATEMENT |"]
_ERRORS = importlib.import_module("oracledb.errors")  # the package hides it behind its exceptions
_CONNECT_OPTIONS = frozenset(inspect.signature(oracledb.connect_async).parameters)
_CHANGING = re.compile(r"\s*(INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)
_DEFINING = re.compile(r"\s*(CREATE|DROP|ALTER TABLE|GRANT|TRUNCATE)\b", re.IGNORECASE)


def oracle_error(message: str, code: int = 0) -> oracledb.DatabaseError:
    """As the driver makes it."""
    made = _ERRORS._Error(message, code=code)
    error: oracledb.DatabaseError = made.exc_type(made)
    return error


class FakeType(NamedTuple):
    name: str


class FakeOracle:
    """The module, in front of one server."""

    Error = oracledb.Error

    def __init__(
        self, server: FakeServer, password: str, privileges: Sequence[str] = ("CREATE SESSION",)
    ) -> None:
        self.server, self.password, self.privileges = server, password, privileges
        self.options: list[dict[str, Any]] = []

    async def connect_async(self, **options: Any) -> "FakeConnection":
        assert options.keys() <= _CONNECT_OPTIONS, options.keys() - _CONNECT_OPTIONS
        self.options.append(options)
        await asyncio.sleep(0)
        if options["port"] == 1:
            raise oracle_error("DPY-6005: cannot connect to database (CONNECTION_ID=x).\nConnection refused")
        if options["password"] != self.password:
            raise oracle_error("ORA-01017: invalid credential or not authorized; logon denied", 1017)
        return FakeConnection(self)


class FakeConnection:
    def __init__(self, module: FakeOracle) -> None:
        self.module, self.call_timeout, self.version = module, 0, "23.6.0.24.10"
        self._session: FakeSession | None = FakeSession(module.server)
        self._working = self._in_transaction = self.read_only = False

    def cursor(self) -> "FakeCursor":
        self.session()
        return FakeCursor(self)

    async def commit(self) -> None:
        with self.working() as session:
            session.end(commit=True)
            self._in_transaction = self.read_only = False

    async def rollback(self) -> None:
        with self.working() as session:
            session.end(commit=False)
            self._in_transaction = self.read_only = False

    def cancel(self) -> None:
        self.session().stop()

    async def close(self) -> None:
        with self.working() as session:
            session.end(commit=False)
            session.close()
            self._session = None

    def terminate(self) -> None:
        if self._session is not None:
            self._session.lose()
            self._session.close()
            self._session = None

    def session(self) -> FakeSession:
        if self._session is None:
            raise oracle_error("DPY-1001: not connected to database")
        if self._session.lost:
            raise oracle_error("DPY-4011: the database or network closed the connection")
        return self._session

    @contextlib.contextmanager
    def working(self) -> Iterator[FakeSession]:
        assert not self._working, "one call at a time"
        self._working = True
        try:
            yield self.session()
        finally:
            self._working = False

    def begin(self, session: FakeSession, *, read_only: bool) -> None:
        if read_only and self._in_transaction:
            raise oracle_error("ORA-01453: SET TRANSACTION must be first statement of transaction", 1453)
        session.begin(read_only=read_only)
        self._in_transaction, self.read_only = True, self.read_only or read_only


class FakeCursor:
    def __init__(self, connection: FakeConnection) -> None:
        self.arraysize, self.rowcount = 100, 0
        self.description: list[tuple[Any, ...]] | None = None
        self._connection = connection
        self._rows: Iterator[tuple[Any, ...]] = iter(())

    async def execute(
        self,
        statement: str,
        parameters: list[Any] | None = None,
        *,
        fetch_lobs: bool | None = None,
        fetch_decimals: bool | None = None,
    ) -> None:
        with self._connection.working() as session:
            await asyncio.sleep(0)
            for value in parameters or []:
                assert not isinstance(value, bool | list | dict), value
            if statement == SLOW:
                await self._wait(session)
            self._answer(session, statement, parameters or [])

    async def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        with self._connection.working():
            await asyncio.sleep(0)
            return list(itertools.islice(self._rows, size))

    def _answer(self, session: FakeSession, text: str, values: list[Any]) -> None:
        connection = self._connection
        if text == "SET TRANSACTION READ ONLY":
            connection.begin(session, read_only=True)
        elif text.startswith(("ALTER SESSION SET TIME_ZONE", "BEGIN DBMS_SESSION.RESET_PACKAGE")):
            session.server.said.append(text)
        elif (known := self._known(text, values)) is not None:
            names, rows = known
            self._shows(names, rows)
        else:
            self._run(session, text, values)

    def _run(self, session: FakeSession, text: str, values: list[Any]) -> None:
        connection = self._connection
        if ";" in re.sub(r"'[^']*'", "", text):
            raise oracle_error("ORA-00933: SQL command not properly ended", 933)
        if _DEFINING.match(text):
            # As the real one: it commits first, so a read-only transaction stops nothing of the kind.
            session.end(commit=True)
        elif _CHANGING.match(text) and connection.read_only:
            raise oracle_error(
                "ORA-01456: may not perform insert, delete, update operation inside a READ ONLY transaction",
                1456,
            )
        try:
            found = session.run(with_question_marks(text, SqlDialect.ORACLE), values)
        except sqlite3.Error as error:
            raise oracle_error(f"ORA-00904: {error}", 904) from None
        self.rowcount = found.rowcount
        if found.description is not None:
            self._shows([column[0].upper() for column in found.description], found)

    def _shows(self, names: Sequence[str], rows: Any) -> None:
        # The driver calls its types DB_TYPE_…, as objects with a name.
        self.description = [(name, FakeType("DB_TYPE_VARCHAR"), 10, 10, None, None, True) for name in names]
        self._rows = iter([tuple(row) for row in rows])

    def _known(self, text: str, values: list[Any]) -> tuple[Sequence[str], Sequence[Sequence[Any]]] | None:
        """What SQLite does not know: the catalogue, and plans."""
        if text.startswith("EXPLAIN PLAN"):
            assert not self._connection.read_only, "it writes into a table"
            if not re.search(r" FOR (SELECT|WITH|INSERT|UPDATE|DELETE)", text):
                raise oracle_error("ORA-00905: missing keyword", 905)
            return (), ()
        if "DBMS_XPLAN" in text:
            return ["PLAN_TABLE_OUTPUT"], [(line,) for line in PLAN]
        if text.startswith("SELECT USER"):
            return ["USER", "DB"], [("AGENT", "SHOP")]
        if "session_privs" in text:
            return ["PRIVILEGE"], [(name,) for name in self._connection.module.privileges]
        if "session_roles" in text or "all_directories" in text:
            return ["NAME"], []
        if "FROM all_tab_columns" in text:
            columns = (
                ("ID", "NUMBER", 22, 10, 0, "N", None, 1),
                ("NAME", "VARCHAR2", 200, None, None, "Y", None, 0),
            )
            return ["X"] * 10, [("AGENT", "PEOPLE", *column) for column in columns]
        if "FROM all_objects o" in text:
            return ["X"] * 5, [("AGENT", "PEOPLE", "TABLE", 3, None)][: values[-1]]
        return None

    async def _wait(self, session: FakeSession) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stop() -> None:
            loop.call_soon_threadsafe(stopped.set)

        session.on_stop = stop
        session.server.running += 1
        try:
            async with asyncio.timeout((self._connection.call_timeout or 60_000) / 1000):
                await stopped.wait()
        except TimeoutError:
            raise oracle_error(
                f"DPY-4024: call timeout of {self._connection.call_timeout} ms exceeded"
            ) from None
        finally:
            session.server.running -= 1
        if session.lost:
            raise oracle_error("DPY-4011: the database or network closed the connection")
        raise oracle_error("ORA-01013: user requested cancel of current operation", 1013)
