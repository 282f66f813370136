"""One session with PostgreSQL: a read-only transaction, one prepared statement, a portal read in batches.

A role that may only read can still change its session inside such a transaction (`set_config`, advisory
locks, roles), so what comes after it gets the session only as it was after login.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from adapters.databases.postgres_connecting import FETCH_BYTES_MAX, MeteredConnection
from adapters.databases.postgres_values import bindable, plain_row
from adapters.databases.sessions import Session, SessionLost
from application.ports.database_engine import Limits, Statement
from domain.connectors.query_template import ParameterStyle, bind
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_tokens import SqlUnreadable
from domain.errors import InvalidParameters, ToolFailed, ToolRefused

STATEMENTS_MAX: Final = 64
"""Prepared ones that a session remembers."""
FIRST_ROWS: Final = 16
"""Fetched before anything is known about how large rows are."""
GROWTH: Final = 8
LOCK_TIMEOUT_S: Final = 5.0
CLOSE_S: Final = 3.0
_AS_NEW: Final = (
    "ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; "
    "SET SESSION AUTHORIZATION DEFAULT; RESET ALL; DISCARD TEMP; DISCARD SEQUENCES"
)
"""As DISCARD ALL, but that prepared statements stay; nobody but this module makes any."""
_CHANGING: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "SELECT"})
"""What leaves nothing in a session that `_AS_NEW` would not undo."""
_POSITION: Final = re.compile(r"\$(\d{1,3})")
_STALE: Final = (
    asyncpg.InvalidCachedStatementError,
    asyncpg.ProtocolViolationError,
    asyncpg.InvalidBinaryRepresentationError,
)
"""What the server says to values bound to a statement that it read anew with other types."""
_NOT_ENCODED: Final = "invalid input for query argument"
"""How the driver begins when it cannot encode a value, whatever class its error has."""
_FAILURES: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""The third is what the driver says of itself when a connection is closed under a running statement."""
_GONE: Final = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "53300"})


class PostgresSession(Session):
    def __init__(self, connection: MeteredConnection) -> None:
        self._connection = connection
        self._known: OrderedDict[str, Any] = OrderedDict()
        self._begin = ""
        self._write = False
        self._spoiled = False
        self._cursor: Any = None
        self._rows: list[list[Any]] | None = None
        self._batch_rows = FIRST_ROWS
        self.columns: Sequence[str] = ()
        self.types: Sequence[str] = ()
        self.rows_affected = 0
        self.running = False

    async def begin(self, limits: Limits, *, write: bool) -> None:
        limit_ms = max(int(limits.timeout_s * 1000), 1)
        self._write = write
        self._begin = (
            f"BEGIN {'READ WRITE' if write else 'READ ONLY'}; "
            f"SET LOCAL statement_timeout = {limit_ms}; "
            f"SET LOCAL lock_timeout = {min(limit_ms, int(LOCK_TIMEOUT_S * 1000))}; "
            f"SET LOCAL idle_in_transaction_session_timeout = {limit_ms + 1000}"
        )
        async with self._asking():
            await self._connection.execute(self._begin)

    async def run(self, statement: Statement) -> None:
        try:
            bound = bind(statement.text, SqlDialect.POSTGRES, ParameterStyle.NUMBERED)
        except SqlUnreadable as error:
            raise ToolRefused(f"the statement cannot be read: {error}") from None
        known = bound.text in self._known
        try:
            await self._run(bound.text, bound.names, statement.values)
        except _STALE as error:
            if not known:
                raise self._told(error, bound.names) from None
            # A table is not any more what it was when the statement was prepared; nothing was run.
            self._known.clear()
            async with self._asking():
                await self._connection.execute(f"ROLLBACK; {self._begin}")
            try:
                await self._run(bound.text, bound.names, statement.values)
            except _STALE as again:
                raise self._told(again, bound.names) from None

    async def _run(self, text: str, names: Sequence[str], values: Mapping[str, Any]) -> None:
        async with self._asking(names, stale=_STALE):
            prepared = await self._prepared(text)
            attributes = prepared.get_attributes()
            if not attributes and not self._write:
                raise ToolRefused("it is no query: only what returns rows can be read")
            self.columns = [attribute.name for attribute in attributes]
            self.types = [attribute.type.name for attribute in attributes]
            arguments = self._arguments(prepared, names, values)
            self._connection.meter.refill()
            if not self._write:
                self._cursor, self._rows = await prepared.cursor(*arguments), None
                return
            self._rows = [plain_row(record) for record in await prepared.fetch(*arguments)]
        tag, _, count = (prepared.get_statusmsg() or "").partition(" ")
        self._spoiled = self._spoiled or tag not in _CHANGING
        self.rows_affected = int(count.split()[-1]) if count.split() and count.split()[-1].isdigit() else 0

    async def _prepared(self, text: str) -> Any:
        found = self._known.get(text)
        if found is None:
            found = self._known[text] = await self._connection.prepare(text)
            while len(self._known) > STATEMENTS_MAX:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(text)
        return found

    @staticmethod
    def _arguments(prepared: Any, names: Sequence[str], values: Mapping[str, Any]) -> list[Any]:
        arguments = []
        for name, kind in zip(names, prepared.get_parameters(), strict=True):
            try:
                arguments.append(bindable(values[name], kind.name, kind.kind))
            except ValueError as error:
                param = f"parameters.{name}"
                raise InvalidParameters(f"{param} {error} for type {kind.name}", param=param) from None
        return arguments

    async def fetch(self, rows: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        if self._rows is not None:
            taken, self._rows = self._rows[:rows], self._rows[rows:]
            return taken
        meter = self._connection.meter
        asked = min(rows, self._batch_rows)
        async with self._asking():
            meter.refill()
            records = await self._cursor.fetch(asked)
        if records:
            each = max((FETCH_BYTES_MAX - meter.left_bytes) // len(records), 1)
            self._batch_rows = max(min(self._batch_rows * GROWTH, size_bytes // each), 1)
        return [plain_row(record) for record in records]

    async def commit(self) -> None:
        try:
            async with self._asking():
                await self._connection.execute("COMMIT")
        except SessionLost:
            raise SessionLost("the connection was lost at the end: whether it was done is unknown") from None

    async def renew(self) -> None:
        """Raises SessionLost also where a statement may have left what cannot be undone."""
        self._cursor = self._rows = None
        self._batch_rows = FIRST_ROWS
        if self._spoiled:
            raise SessionLost("the session was changed")
        self._connection.meter.refill()
        async with self._asking():
            await self._connection.execute(_AS_NEW)

    async def stop(self) -> None:
        """The driver asks the server, over a connection of its own, to cancel what runs here."""
        await self.close()

    async def close(self) -> None:
        self._cursor = self._rows = None
        self._known.clear()
        try:
            await self._connection.close(timeout=CLOSE_S)
        except _FAILURES:
            self._connection.terminate()
        except BaseException:
            self._connection.terminate()
            raise

    @asynccontextmanager
    async def _asking(
        self, names: Sequence[str] = (), stale: tuple[type[Exception], ...] = ()
    ) -> AsyncIterator[None]:
        """`running` stays set where nobody waited for the answer. Errors in `stale` are let through."""
        self.running = True
        try:
            yield
        except (asyncio.CancelledError, TimeoutError):
            raise
        except (ToolRefused, InvalidParameters):
            self.running = False
            raise
        except _FAILURES as error:
            self.running = False
            if isinstance(error, stale) and not self._connection.is_closed():
                raise
            raise self._told(error, names) from None
        self.running = False

    def _told(self, error: Exception, names: Sequence[str]) -> Exception:
        if self._connection.meter.exceeded:
            return ToolFailed(f"a row, or {FIRST_ROWS} of them, has more than {FETCH_BYTES_MAX} bytes")
        return told(error, names, lost=self._connection.is_closed())


def told(error: Exception, names: Sequence[str] = (), *, lost: bool = False) -> Exception:
    """An error of the driver in the words of `Engine`; of the server's only its first line."""
    state = getattr(error, "sqlstate", None) or ""
    text = str(error.args[0] if error.args else "")[:500]
    if text.startswith(_NOT_ENCODED):
        found = _POSITION.search(text)
        position = int(found[1]) - 1 if found else -1
        param = f"parameters.{names[position]}" if 0 <= position < len(names) else "parameters"
        reason = text.rpartition("(")[2].removesuffix(")") if "(" in text else "it does not fit its type"
        return InvalidParameters(f"{param}: {reason[:200]}", param=param)
    if isinstance(error, asyncpg.QueryCanceledError) and "timeout" in text:
        return TimeoutError("the server stopped it: it took too long")
    if lost or not state or state in _GONE or state.startswith("08") or isinstance(error, OSError):
        return SessionLost(f"the database ended the connection{f' ({state})' if state else ''}")
    return ToolFailed(f"{text} (SQLSTATE {state})", details={"sqlstate": state})
