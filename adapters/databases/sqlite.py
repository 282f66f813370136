"""SQLite: files of this machine, each session with a thread of its own.

Reads use a connection that is opened read-only (`mode=ro`, `query_only`), writes another one. On both, SQLite
asks us about everything a statement does, and hears that it may read and, to write, change rows: no ATTACH,
no PRAGMA, no tables made or dropped, no extensions.
"""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.database_file import DatabaseFile, FileSession, database_file, file_pool
from adapters.databases.own_thread import OwnThread
from adapters.databases.pooled_engine import PooledEngine
from adapters.databases.sessions import PoolSettings, SessionLost
from application.ports.connector import Surroundings
from application.ports.database_engine import ColumnInfo, Limits, Statement, TableInfo
from domain.connectors.sql_dialect import SqlDialect
from domain.errors import IntegrationUnavailable, ToolFailed, ToolRefused

SCHEMES: Final = frozenset({"sqlite"})
VALUE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of one value or row, inside SQLite too: what `||` in a loop would make of memory."""
LOCK_WAIT_S: Final = 2.0
_STEPS_BETWEEN_LOOKS: Final = 5000
_OWN: Final = Limits(rows=200_000, bytes=64 * 1024 * 1024, timeout_s=15.0)
_READING: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_WRITING: Final = _READING | {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_FUNCTIONS_REFUSED: Final = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})
_PERMISSION_CODES: Final = frozenset({sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY})
_BUSY_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FILE_CODES: Final = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR}
)
_TABLES: Final = """
SELECT m.name, m.type, p.name, p.type, p."notnull", p.pk
FROM (
    SELECT name, type FROM sqlite_schema
    WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT :tables
) AS m JOIN pragma_table_info(m.name) AS p ORDER BY m.name, p.cid
"""


class SqliteSession(FileSession):
    dialect = SqlDialect.SQLITE

    def __init__(self, path: Path, thread: OwnThread) -> None:
        super().__init__(thread)
        self._path = path
        self._connections: dict[bool, sqlite3.Connection] = {}
        self._cursor: sqlite3.Cursor | None = None
        self._deadline = 0.0
        self._ours = False

    def do_open(self) -> None:
        """The connection that reads, and that it is a database."""
        self._connection(write=False).execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def _connection(self, *, write: bool) -> sqlite3.Connection:
        found = self._connections.get(write)
        if found is None:
            found = self._connections[write] = self._opened(write=write)
        return found

    def _opened(self, *, write: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.as_uri()}?mode={'rw' if write else 'ro'}",
            uri=True,
            isolation_level=None,
            timeout=LOCK_WAIT_S,
            check_same_thread=False,
            cached_statements=0,  # what we prepared for ourselves is not there for others
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        if not write:
            connection.execute("PRAGMA query_only = ON")
        # These functions are tables that are made when they are first asked, which is not for others to do.
        connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").close()
        allowed = _WRITING if write else _READING
        connection.set_authorizer(lambda *what: self._judged(allowed, *what))
        connection.set_progress_handler(self._should_end, _STEPS_BETWEEN_LOOKS)
        return connection

    def _judged(
        self, allowed: frozenset[int], action: int, first: str | None, second: str | None, *_: Any
    ) -> int:
        if self._ours or action in allowed:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION and (second or first or "").lower() not in _FUNCTIONS_REFUSED:
            return sqlite3.SQLITE_OK
        return sqlite3.SQLITE_DENY

    def _should_end(self) -> bool:
        return self.stopping or time.monotonic() > self._deadline

    def _do_begin(self, limits: Limits, *, write: bool) -> None:
        self._deadline = time.monotonic() + limits.timeout_s
        connection = self._connection(write=write)
        if write:
            self._own(connection, "BEGIN IMMEDIATE")

    def _own(self, connection: sqlite3.Connection, text: str) -> None:
        self._ours = True
        try:
            connection.execute(text)
        finally:
            self._ours = False

    def _do_run(self, text: str, arguments: list[Any]) -> None:
        if self.stopping:
            raise SessionLost("the session is being closed")
        self._cursor = self._connection(write=self._write).execute(text, arguments)
        self.columns = [column[0] for column in self._cursor.description or ()]
        self.types = [""] * len(self.columns)
        self.rows_affected = max(self._cursor.rowcount, 0)

    def do_ask(self, text: str, values: Mapping[str, Any]) -> list[Sequence[Any]]:
        """A question of our own, which may look at the schema. In the thread."""
        self._ours = True
        try:
            return self._connection(write=False).execute(text, dict(values)).fetchall()
        finally:
            self._ours = False

    def _do_fetch(self, rows: int) -> Sequence[Sequence[Any]]:
        found = [] if self._cursor is None else self._cursor.fetchmany(rows)
        if self._cursor is not None and self._write:
            self.rows_affected = max(self._cursor.rowcount, self.rows_affected, 0)
        return found

    def _do_commit(self) -> None:
        self._end_cursor()
        self._own(self._connection(write=True), "COMMIT")

    def _do_renew(self) -> None:
        self._end_cursor()
        self._deadline = time.monotonic() + LOCK_WAIT_S
        for connection in self._connections.values():
            if connection.in_transaction:
                self._own(connection, "ROLLBACK")

    def do_close(self) -> None:
        self._end_cursor()
        while self._connections:
            self._connections.popitem()[1].close()

    def _end_cursor(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def _interrupt(self) -> None:
        for connection in list(self._connections.values()):
            try:
                connection.interrupt()
            except sqlite3.Error:
                continue  # closed in the meantime

    def _bindable(self, value: Any) -> Any:
        if isinstance(value, dict | list | tuple):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise ValueError("is a number of more than 64 bits")
        if isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ValueError("is not Unicode text")
        return value

    def _told(self, error: Exception) -> Exception | None:
        if isinstance(error, UnicodeDecodeError | OverflowError):
            return ToolFailed("a value is not text or number as Python knows them")
        if not isinstance(error, sqlite3.Error | sqlite3.Warning):
            return None
        code = getattr(error, "sqlite_errorcode", 0)
        primary = code & 0xFF
        text = str(error)[:500]
        if primary == sqlite3.SQLITE_INTERRUPT:
            if self.stopping:
                return IntegrationUnavailable("the integration is being closed", retry_after_s=1.0)
            return TimeoutError("it took too long")
        if primary in _PERMISSION_CODES:
            return ToolRefused(f"the statement does what it may not do here: {text}")
        if primary in _BUSY_CODES:
            return IntegrationUnavailable("the database is locked by somebody who writes", retry_after_s=1.0)
        if primary in _FILE_CODES:
            return SessionLost("the file cannot be used as a database")
        return ToolFailed(text)


class SqliteEngine(PooledEngine[SqliteSession]):
    """One file. Belongs to one event loop."""

    dialect = "sqlite"

    def __init__(self, file: DatabaseFile, pool: PoolSettings) -> None:
        """Opens nothing yet."""
        super().__init__(pool)
        self._file = file

    async def _open(self) -> SqliteSession:
        thread = OwnThread("sqlite")
        session: SqliteSession | None = None
        try:
            path = await thread.call(self._file.now)
            session = SqliteSession(path, thread)
            await thread.call(session.do_open)
        except BaseException as error:
            thread.end(_nothing if session is None else session.do_close)
            if not isinstance(error, sqlite3.Error):
                raise
            code = getattr(error, "sqlite_errorname", type(error).__name__)
            raise IntegrationUnavailable(f"the file cannot be opened as a database ({code})") from None
        return session

    async def explain(self, statement: Statement, limits: Limits) -> Mapping[str, Any]:
        rows = await self.read(statement._replace(text=f"EXPLAIN QUERY PLAN {statement.text}"), limits)
        return {"format": "text", "plan": [str(row[3]) for row in rows.rows]}

    async def describe(self, schemas: Sequence[str], tables_max: int) -> Sequence[TableInfo]:
        """There is one schema, `main`."""
        if schemas and "main" not in schemas:
            return ()
        async with self._transaction(_OWN, write=False) as session:
            rows = await session.thread.call(lambda: session.do_ask(_TABLES, {"tables": tables_max}))
        return _tables(rows)

    async def check(self, *, must_be_harmless: bool) -> Mapping[str, Any]:
        """There are no users: `must_be_harmless` asks for nothing more."""
        del must_be_harmless
        async with self._transaction(_OWN, write=False) as session:
            await session.run(Statement("SELECT sqlite_version()", {}))
            rows = await session.fetch(2, 1000)
        return {"version": str(rows[0][0]), "writable": self._file.writable}


def _nothing() -> None:
    """There is nothing to close."""


def _tables(rows: Sequence[Sequence[Any]]) -> list[TableInfo]:
    columns: dict[tuple[str, str], list[ColumnInfo]] = {}
    for table, kind, name, type_, not_null, key in rows:
        info = ColumnInfo(name=name, type=type_ or "any", nullable=not not_null and not key, key=bool(key))
        columns.setdefault((table, kind), []).append(info)
    return [
        TableInfo(schema="main", name=table, kind=kind, columns=found)
        for (table, kind), found in columns.items()
    ]


def open_engine(
    configuration: DatabaseConfiguration, surroundings: Surroundings, folders: Sequence[Path]
) -> SqliteEngine:
    """`folders`: where files may be. Opens nothing yet. Raises InvalidConfiguration."""
    del surroundings
    return SqliteEngine(database_file(configuration, folders), file_pool(configuration))
