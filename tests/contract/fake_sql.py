"""What the stand-ins for Oracle and SQL Server run statements on: a file of SQLite, with one slow query."""

import re
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contracts.ports.database_engine import PEOPLE
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_tokens import TokenKind, tokens

_REPEATED = re.compile(r"(?:RPAD\('x'|REPLICATE\(CAST\('x' AS varchar\(max\)\)), (\d+)(?:, 'x')?\)")
_SERIES = (
    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT {what} FROM s"
)


class FakeServer:
    """Knows who is connected; `running` is how many slow queries there are."""

    def __init__(self, folder: Path, *, slow: str, series: re.Pattern[str]) -> None:
        """`series` finds `what` and `count` in a query of numbers from nothing."""
        self._path, self.slow, self._series = folder / "people.db", slow, series
        self.running, self.sessions = 0, list[FakeSession]()
        self.said: list[str] = []
        with self.connect() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(200))")
            connection.executemany("INSERT INTO people VALUES (?, ?)", PEOPLE)
        connection.close()

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)

    def lose_all(self) -> None:
        for session in self.sessions:
            session.lose()

    def translated(self, text: str) -> str:
        match = self._series.fullmatch(text.strip())
        if match is None:
            return text
        what = _REPEATED.sub(r"PRINTF('%.\1c', 'x')", match["what"])
        return _SERIES.format(what=what, count=match["count"])


class FakeSession:
    """One connection. `on_stop` is called when it is cancelled or lost."""

    def __init__(self, server: FakeServer) -> None:
        self.server, self.lost, self.cancelled = server, False, False
        self.on_stop: Callable[[], None] = lambda: None
        self._sqlite = server.connect()
        self._cursor: sqlite3.Cursor | None = None
        server.sessions.append(self)

    def begin(self, *, read_only: bool = False) -> None:
        self._sqlite.execute(f"PRAGMA query_only = {1 if read_only else 0}")
        if not self._sqlite.in_transaction:
            self._sqlite.execute("BEGIN")

    def end(self, *, commit: bool) -> None:
        if self._cursor is not None:
            self._cursor.close()
        if self._sqlite.in_transaction:
            self._sqlite.execute("COMMIT" if commit else "ROLLBACK")
        self._sqlite.execute("PRAGMA query_only = 0")

    def run(self, text: str, values: Sequence[Any]) -> sqlite3.Cursor:
        """Raises sqlite3.Error."""
        self.server.said.append(text)
        if not self._sqlite.in_transaction:
            self._sqlite.execute("BEGIN")
        self._cursor = self._sqlite.execute(self.server.translated(text), list(values))
        return self._cursor

    def stop(self) -> None:
        self.cancelled = True
        self.on_stop()

    def lose(self) -> None:
        self.lost = True
        self.on_stop()

    def close(self) -> None:
        if self in self.server.sessions:
            self.server.sessions.remove(self)
            self._sqlite.close()


def with_question_marks(text: str, dialect: SqlDialect) -> str:
    """`:1` as `?`: SQLite takes it for a name."""
    parts: list[str] = []
    for token in tokens(text, dialect):
        if token.kind is TokenKind.NUMBER and parts and parts[-1] == ":":
            parts[-1] = "?"
        else:
            parts.append(token.text)
    return "".join(parts)
