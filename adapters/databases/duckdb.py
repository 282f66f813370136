"""DuckDB: a file opened in this process, each session with a thread of its own.

The database itself is shut in: no files but its own, no extensions, no settings to change, bounded memory
and threads. It is opened read-only unless a tool of the integration writes; reads are read-only transactions
then.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.database_file import DatabaseFile, FileSession, database_file, file_pool
from adapters.databases.destination import driver_missing
from adapters.databases.own_thread import OwnThread
from adapters.databases.pooled_engine import PooledEngine
from adapters.databases.sessions import PoolSettings, SessionLost
from application.ports.connector import Surroundings
from application.ports.database_engine import ColumnInfo, Limits, Statement, TableInfo
from domain.connectors.sql_dialect import SqlDialect
from domain.errors import IntegrationUnavailable, ToolFailed, ToolRefused

SCHEMES: Final = frozenset({"duckdb"})
MEMORY_MAX: Final = "512MB"
"""Of one file, however many sessions; what needs more fails."""
THREADS_MAX: Final = 2
_SETTINGS: Final[Mapping[str, str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
    "memory_limit": MEMORY_MAX,
    "threads": str(THREADS_MAX),
    "lock_configuration": "true",
}
_OWN: Final = Limits(rows=200_000, bytes=64 * 1024 * 1024, timeout_s=15.0)
_READING: Final = frozenset({"SELECT", "EXPLAIN"})
_WRITING: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE_INTO"})
_CHANGING: Final = _WRITING - {"SELECT"}
_TABLES: Final = """
WITH shown AS (
    SELECT table_schema, table_name, table_type FROM information_schema.tables
    WHERE table_catalog = current_database()
        AND (len(:schemas::VARCHAR[]) = 0 OR list_contains(:schemas, table_schema))
    ORDER BY table_schema, table_name LIMIT :tables
), keys AS (
    SELECT schema_name, table_name, unnest(constraint_column_names) AS column_name
    FROM duckdb_constraints()
    WHERE constraint_type = 'PRIMARY KEY' AND database_name = current_database()
)
SELECT s.table_schema, s.table_name, s.table_type, c.column_name, c.data_type, c.is_nullable,
    EXISTS (
        SELECT 1 FROM keys AS k WHERE k.schema_name = s.table_schema AND k.table_name = s.table_name
            AND k.column_name = c.column_name
    )
FROM shown AS s JOIN information_schema.columns AS c
    ON c.table_catalog = current_database() AND c.table_schema = s.table_schema
        AND c.table_name = s.table_name
ORDER BY s.table_schema, s.table_name, c.ordinal_position
"""


class DuckDbSession(FileSession):
    dialect = SqlDialect.DUCKDB

    def __init__(self, thread: OwnThread) -> None:
        super().__init__(thread)
        self._connection: Any = None

    def do_open(self, path: Path, *, writable: bool) -> None:
        import duckdb

        self._connection = duckdb.connect(str(path), read_only=not writable, config=dict(_SETTINGS))

    def _do_begin(self, limits: Limits, *, write: bool) -> None:
        del limits  # the session is interrupted when its time is over
        self._connection.execute(f"BEGIN TRANSACTION {'READ WRITE' if write else 'READ ONLY'}")

    def _do_run(self, text: str, arguments: list[Any]) -> None:
        if self.stopping:
            raise SessionLost("the session is being closed")
        statements = self._connection.extract_statements(text)
        if len(statements) != 1:
            raise ToolRefused("it is not exactly one statement")
        kind = statements[0].type.name
        if kind not in (_WRITING if self._write else _READING):
            raise ToolRefused(f"a statement of kind {kind} may not be run here")
        self._connection.execute(statements[0], arguments)
        description = self._connection.description or ()
        self.columns = [column[0] for column in description]
        self.types = [str(column[1]) for column in description]
        self.rows_affected = 0
        if kind in _CHANGING and self.columns == ["Count"]:
            row = self._connection.fetchone()
            self.columns = self.types = ()
            self.rows_affected = int(row[0]) if row else 0

    def _do_fetch(self, rows: int) -> Sequence[Sequence[Any]]:
        found: list[Sequence[Any]] = self._connection.fetchmany(rows)
        if self._write and self.columns:
            self.rows_affected += len(found)
        return found

    def _do_commit(self) -> None:
        self._connection.execute("COMMIT")

    def _do_renew(self) -> None:
        import duckdb

        try:
            self._connection.execute("ROLLBACK")
        except duckdb.TransactionException:
            return  # it was committed

    def do_close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _interrupt(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.interrupt()

    def _bindable(self, value: Any) -> Any:
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ValueError("is not Unicode text")
        return list(value) if isinstance(value, tuple) else value

    def _told(self, error: Exception) -> Exception | None:
        import duckdb

        if not isinstance(error, duckdb.Error):
            return ToolFailed("a value does not fit") if isinstance(error, OverflowError) else None
        text = (str(error).splitlines() or [""])[0][:500]
        if isinstance(error, duckdb.InterruptException):
            return IntegrationUnavailable("the integration is being closed", retry_after_s=1.0)
        if isinstance(error, duckdb.PermissionException):
            return ToolRefused(f"the statement does what it may not do here: {text}")
        if isinstance(error, duckdb.FatalException | duckdb.InternalException | duckdb.ConnectionException):
            return SessionLost("the database broke; it is opened again")
        if isinstance(error, duckdb.TransactionException) and "conflict" in text.lower():
            return ToolFailed("somebody else changed the same rows; nothing was changed")
        return ToolFailed(text)


class DuckDbEngine(PooledEngine[DuckDbSession]):
    """One file. Belongs to one event loop."""

    dialect = "duckdb"

    def __init__(self, file: DatabaseFile, pool: PoolSettings) -> None:
        """Opens nothing yet. Raises InvalidConfiguration where the driver is missing."""
        try:
            import duckdb  # noqa: F401
        except ImportError:
            raise driver_missing("duckdb", "duckdb") from None
        super().__init__(pool)
        self._file = file

    async def _open(self) -> DuckDbSession:
        import duckdb

        thread = OwnThread("duckdb")
        session = DuckDbSession(thread)
        try:
            path = await thread.call(self._file.now)
            await thread.call(lambda: session.do_open(path, writable=self._file.writable))
        except BaseException as error:
            thread.end(session.do_close)
            if not isinstance(error, duckdb.Error):
                raise
            kind = type(error).__name__
            raise IntegrationUnavailable(
                f"the file cannot be opened as a database ({kind}): it is none, somebody else has it open "
                "for writing, or another integration opens it in another way"
            ) from None
        return session

    async def explain(self, statement: Statement, limits: Limits) -> Mapping[str, Any]:
        rows = await self.read(statement._replace(text=f"EXPLAIN (FORMAT JSON) {statement.text}"), limits)
        if not rows.rows or rows.truncated:
            raise ToolFailed("the database tells no plan within the limits")
        return {"format": "json", "plan": json.loads(rows.rows[0][-1])}

    async def describe(self, schemas: Sequence[str], tables_max: int) -> Sequence[TableInfo]:
        values = {"schemas": list(schemas), "tables": tables_max}
        return _tables(await self._asked(_TABLES, values, _OWN))

    async def check(self, *, must_be_harmless: bool) -> Mapping[str, Any]:
        """There are no users: `must_be_harmless` asks for nothing more."""
        del must_be_harmless
        rows = await self._asked("SELECT version()", {}, _OWN)
        return {"version": str(rows[0][0]), "writable": self._file.writable}


def _tables(rows: Sequence[Sequence[Any]]) -> list[TableInfo]:
    columns: dict[tuple[str, str, str], list[ColumnInfo]] = {}
    for schema, table, kind, name, type_, nullable, key in rows:
        info = ColumnInfo(name=name, type=str(type_), nullable=nullable == "YES", key=bool(key))
        columns.setdefault((schema, table, "view" if kind == "VIEW" else "table"), []).append(info)
    return [
        TableInfo(schema=schema, name=table, kind=kind, columns=found)
        for (schema, table, kind), found in columns.items()
    ]


def open_engine(
    configuration: DatabaseConfiguration, surroundings: Surroundings, folders: Sequence[Path]
) -> DuckDbEngine:
    """`folders`: where files may be. Opens nothing yet. Raises InvalidConfiguration."""
    del surroundings
    return DuckDbEngine(database_file(configuration, folders), file_pool(configuration))
