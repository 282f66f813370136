"""Stands in for the module mssql_python, as strictly as its documentation says: connection keywords, one
thread per connection but for cancelling, batches of several statements, and its own errors."""

import contextlib
import re
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import mssql_python
from mssql_python.connection_string_parser import _ConnectionStringParser

from tests.contract.fake_sql import FakeServer, FakeSession

SLOW = "SELECT COUNT_BIG(*) FROM sys.all_objects a CROSS JOIN sys.all_objects b CROSS JOIN sys.all_objects c"
SERIES = re.compile(r"SELECT (?P<what>.+) FROM GENERATE_SERIES\(1, (?P<count>\d+)\)")
_SETTINGS = re.compile(
    r"SET LOCK_TIMEOUT \d+; SET ROWCOUNT \d+; SET TEXTSIZE \d+; SET XACT_ABORT ON; "
    r"SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET DATEFORMAT ymd; SET QUOTED_IDENTIFIER ON"
)
_PLAIN = (str, int, float, bytes, Decimal, datetime, type(None))


class FakeMsSql:
    """The module, in front of one server."""

    Error = mssql_python.Error

    def __init__(
        self,
        server: FakeServer,
        password: str,
        permissions: Sequence[str] = ("CONNECT SQL", "VIEW ANY DATABASE"),
    ) -> None:
        self.server, self.password, self.permissions = server, password, permissions
        self.options: list[dict[str, str]] = []
        self.pooled = True

    def pooling(self, max_size: int = 100, idle_timeout: int = 600, enabled: bool = True) -> None:
        self.pooled = enabled

    def connect(
        self, connection_str: str, autocommit: bool = False, timeout: int = 0, **options: str
    ) -> "FakeConnection":
        assert not self.pooled, "it would hand one user's connection to another"
        assert not autocommit and isinstance(timeout, int) and timeout > 0
        for name, value in options.items():
            assert _ConnectionStringParser.normalize_key(name) is not None, name
            assert isinstance(value, str), name
        self.options.append(options)
        if options["Server"].endswith(",1"):
            raise mssql_python.OperationalError(
                "Client unable to establish connection", "TCP Provider: Error code 0x2749"
            )
        if options["PWD"] != self.password:
            raise mssql_python.OperationalError(
                "Invalid authorization specification", "[Microsoft][SQL Server]Login failed for user 'agent'."
            )
        return FakeConnection(self)


class FakeConnection:
    def __init__(self, module: FakeMsSql) -> None:
        self.module, self.showplan = module, False
        self.timeout = 0
        self._thread = threading.get_ident()
        self._session: FakeSession | None = FakeSession(module.server)

    def cursor(self) -> "FakeCursor":
        self.session()
        return FakeCursor(self, self.timeout)

    def commit(self) -> None:
        self.session().end(commit=True)

    def rollback(self) -> None:
        self.session().end(commit=False)

    def close(self) -> None:
        assert threading.get_ident() == self._thread, "connections belong to their threads"
        session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(sqlite3.Error):
                session.end(commit=False)
            session.close()

    def session(self) -> FakeSession:
        assert threading.get_ident() == self._thread, "connections belong to their threads"
        if self._session is None:
            raise mssql_python.InterfaceError("Cannot use closed connection", "Connection is closed")
        if self._session.lost:
            raise mssql_python.OperationalError("Communication link failure", "TCP Provider: Error code 0x68")
        return self._session


class _Handle:
    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel


class FakeCursor:
    def __init__(self, connection: FakeConnection, timeout: int) -> None:
        self.rowcount = -1
        self.description: list[tuple[Any, ...]] | None = None
        self._connection, self._timeout = connection, timeout
        self._rows: Iterator[Sequence[Any]] = iter(())
        self.hstmt = _Handle(connection.session().stop)

    def execute(self, operation: str, *parameters: Any) -> "FakeCursor":
        session = self._connection.session()
        values = parameters[0] if parameters and isinstance(parameters[0], tuple) else parameters
        for value in values:
            assert isinstance(value, _PLAIN), value
        if operation == SLOW and not self._connection.showplan:
            self._wait(session)
        if (known := self._known(operation, values)) is not None:
            self._shows(*known)
        else:
            self._run(session, operation, values)
        return self

    def fetchmany(self, size: int) -> list[Any]:
        session = self._connection.session()
        assert session is not None
        return list(islice(self._rows, size))

    def close(self) -> None:
        self._rows = iter(())

    def _run(self, session: FakeSession, text: str, values: Sequence[Any]) -> None:
        # As the real one: several statements in one batch, which need not even a `;` between them.
        statements = re.split(r";(?=(?:[^']*'[^']*')*[^']*$)", text) if not values else [text]
        for statement in filter(str.strip, statements):
            try:
                found = session.run(statement, values)
            except sqlite3.Error as error:
                raise mssql_python.ProgrammingError(
                    "Column not found", f"[Microsoft][SQL Server]Invalid column name: {error}"
                ) from None
        self.rowcount = found.rowcount
        if found.description is not None:
            # A column of any size has none to tell.
            self._shows([column[0] for column in found.description], found, 0 if "(max)" in text else 200)

    def _shows(self, names: Sequence[str], rows: Any, size: int = 200) -> None:
        self.description = [(name, str, None, size, size, 0, True) for name in names] or None
        self._rows = iter(rows)

    def _known(self, text: str, values: Sequence[Any]) -> tuple[Sequence[str], Any] | None:
        """What SQLite does not know: settings, the catalogue, and plans."""
        if _SETTINGS.fullmatch(text):
            self._connection.module.server.said.append(text)
            return (), ()
        if text == "SET SHOWPLAN_XML ON":
            self._connection.showplan = True
            return (), ()
        if self._connection.showplan:
            assert not values, "a plan takes variables"
            return ["Microsoft SQL Server 2005 XML Showplan"], [(f"<ShowPlanXML>{text}</ShowPlanXML>",)]
        if "SERVERPROPERTY" in text:
            return ["a", "b", "c"], [("16.0.4135.4", "agent", "shop")]
        if "fn_my_permissions(NULL, 'SERVER')" in text:
            return ["name"], [(name,) for name in self._connection.module.permissions]
        if "fn_my_permissions(NULL, 'DATABASE')" in text:
            return ["name"], [("CONNECT",), ("SELECT",), ("VIEW DEFINITION",)]
        if "FROM sys.columns c" in text:
            columns = (
                ("id", "int", 4, 10, 0, False, None, 1),
                ("name", "nvarchar", 400, 0, 0, True, None, 0),
            )
            return ["x"] * 9, [(7, *column) for column in columns]
        if "FROM sys.objects o" in text:
            return ["x"] * 6, [("dbo", "people", "U ", 7, None, 3)]
        if text == "SELECT NEWID()":
            return ["id"], [(uuid.UUID(int=7),)]
        return None

    def _wait(self, session: FakeSession) -> None:
        stopped = threading.Event()
        session.cancelled = False
        session.on_stop = stopped.set
        session.server.running += 1
        try:
            finished = stopped.wait(self._timeout or 60)
        finally:
            session.server.running -= 1
        if session.lost:
            raise mssql_python.OperationalError("Communication link failure", "TCP Provider: Error code 0x68")
        if not finished:
            raise mssql_python.OperationalError(
                "Timeout expired", "[Microsoft][ODBC Driver 18]Query timeout expired"
            )
        raise mssql_python.OperationalError(
            "Operation canceled", "[Microsoft][ODBC Driver 18]Operation canceled"
        )
