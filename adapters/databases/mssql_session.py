"""A session of SQL Server through mssql-python, which blocks: in a thread of its own.

SQL Server has no read-only transaction. What reads is looked at word by word, runs in a transaction that is
always rolled back, and cannot change its session then; what wrote or planned may have, and is closed.
"""

import asyncio
import decimal
import logging
import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar

from adapters.databases.own_thread import OwnThread
from adapters.databases.pooled_engine import value_bytes
from adapters.databases.reading import tokens_of
from adapters.databases.sessions import Session, SessionLost
from application.ports.database_engine import Limits, Statement
from domain.connectors.query_template import ParameterStyle, bind
from domain.connectors.sql_dialect import SqlDialect
from domain.errors import IntegrationUnavailable, InvalidParameters, ToolFailed

log = logging.getLogger("interchange")

FETCHED_AT_ONCE: Final = 100
_SIZED_MAX: Final = 8000
_ROWCOUNT_MAX: Final = 2**31 - 1
_TIMED_OUT: Final = ("timeout expired", "lock request time out", "operation canceled", "operation cancelled")
_LOST: Final = (
    "communication link failure",
    "connection not open",
    "connection is closed",
    "connection is broken",
    "connection failure",
    "tcp provider",
    "cannot continue the execution because the session is in the kill state",
    "shutdown is in progress",
)
_NOT_LOADED: Final = "failed to load the driver"
_CREDENTIAL: Final = ("login failed", "cannot open database", "is not able to access the database")
_TYPES: Final = {
    "str": "nvarchar",
    "int": "bigint",
    "float": "float",
    "bool": "bit",
    "Decimal": "decimal",
    "bytes": "varbinary",
    "date": "date",
    "time": "time",
    "datetime": "datetime2",
    "UUID": "uniqueidentifier",
}
"""The driver tells Python's types; these are the widest of each."""

T = TypeVar("T")


class MsSqlSession(Session):
    """`connection` was opened in `thread`, without autocommit. `driver` is the module, or stands for it."""

    def __init__(self, driver: Any, connection: Any, thread: OwnThread) -> None:
        self.columns: Sequence[str] = ()
        self.types: Sequence[str] = ()
        self.rows_affected = 0
        self.running = False
        self._driver, self._connection, self._thread = driver, connection, thread
        self._cursor: Any = None
        self._writes = self._spoiled = self._stopped = False
        self._at_once = 1

    async def begin(self, limits: Limits, *, write: bool) -> None:
        self._writes = write
        self._spoiled = self._spoiled or write
        milliseconds = min(max(int(limits.timeout_s * 1000), 1), _ROWCOUNT_MAX)
        rows = 0 if write else min(limits.rows + 1, _ROWCOUNT_MAX)
        # A value that the server cuts there is larger than the whole result may be, so it is never passed on.
        text = min(2 * limits.bytes + 65_536, _ROWCOUNT_MAX)
        settings = (
            f"SET LOCK_TIMEOUT {milliseconds}; SET ROWCOUNT {rows}; SET TEXTSIZE {text}; SET XACT_ABORT ON; "
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET DATEFORMAT ymd; SET QUOTED_IDENTIFIER ON"
        )

        def work() -> None:
            self._connection.timeout = max(math.ceil(limits.timeout_s), 1)
            self._connection.cursor().execute(settings).close()

        await self._do(work)

    async def run(self, statement: Statement) -> None:
        tokens_of(statement.text, SqlDialect.TSQL, write=self._writes)
        bound = bind(statement.text, SqlDialect.TSQL, ParameterStyle.QUESTION)
        values = [_bindable(statement.values[name], name) for name in bound.names]
        await self._execute(bound.text, values)

    async def run_alone(self, text: str) -> None:
        """A batch as it is, without values: what has to stand alone."""
        await self._execute(text, [])

    async def _execute(self, text: str, values: list[Any]) -> None:
        def work() -> Any:
            self._cursor = cursor = self._connection.cursor()
            if values:
                cursor.execute(text, tuple(values))
            else:
                cursor.execute(text)
            return cursor

        cursor = await self._do(work, runs_on=True)
        described = cursor.description or ()
        self.columns = tuple(str(column[0] or "") for column in described)
        self.types = tuple(_TYPES.get(getattr(column[1], "__name__", ""), "unknown") for column in described)
        # A column of any size is fetched row by row: each may have as much as TEXTSIZE lets through.
        sized = all(0 < (column[3] or 0) <= _SIZED_MAX for column in described)
        self._at_once = FETCHED_AT_ONCE if sized else 1
        self.rows_affected = 0 if described else max(int(cursor.rowcount or 0), 0)
        self.running = bool(described)

    async def fetch(self, rows: int, size_bytes: int) -> Sequence[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        size = 0
        while self.columns and self.running and len(found) < rows and size < size_bytes:
            wanted = min(self._at_once, rows - len(found))
            batch = await self._do(partial(self._cursor.fetchmany, wanted), runs_on=True)
            if not batch:
                self.running = False
                break
            for row in batch:
                whole = [str(value) if isinstance(value, uuid.UUID) else value for value in row]
                found.append(whole)
                size += sum(map(value_bytes, whole))
        return found

    async def commit(self) -> None:
        await self._do(self._connection.commit)

    async def renew(self) -> None:
        if self._spoiled:
            raise SessionLost("it wrote")

        def work() -> None:
            if self._cursor is not None:
                self._cursor.close()
            self._connection.rollback()

        await self._do(work)

    async def stop(self) -> None:
        """ODBC allows to cancel from another thread; the call that waits there then ends."""
        self._stopped = True
        if self._thread.working:
            cancel = cancelling(self._cursor)
            if cancel is None:
                log.warning("the driver for SQL Server cannot cancel; a query runs on until its time is over")
            else:
                await asyncio.to_thread(cancel)

    async def close(self) -> None:
        """Closing rolls back. It waits for its turn in the thread, and nobody waits for it."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        driver_error = self._driver.Error

        def work() -> None:
            try:
                connection.close()
            except (driver_error, RuntimeError) as error:
                log.info("a connection to SQL Server did not close well: %s", type(error).__name__)

        self._thread.end(work)

    async def _do(self, work: Callable[[], T], *, runs_on: bool = False) -> T:
        """`runs_on`: what follows on this statement; else nothing runs once it is done."""
        self.running = True
        with self._translated():
            result = await self._thread.call(work)
        if not runs_on:
            self.running = False
        return result

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises ToolFailed, SessionLost, TimeoutError."""
        try:
            yield
        except self._driver.Error as error:
            words = told(error).lower()
            if self._stopped or any(sign in words for sign in _LOST):
                raise SessionLost("the database ended the connection") from None
            # The statement is over on the server, so its session can be used on.
            self.running = False
            if any(sign in words for sign in _TIMED_OUT):
                raise TimeoutError from None
            raise ToolFailed(told(error)) from None
        except RuntimeError as error:
            raise SessionLost("the connection to the database is closed") from error
        except (TypeError, ValueError, OverflowError):
            self.running = False
            raise ToolFailed("a value is none the database can take, or its answer cannot be read") from None


def cancelling(cursor: Any) -> Callable[[], object] | None:
    """What ends the statement of a cursor from another thread. Newer drivers may offer it by name."""
    found = getattr(cursor, "cancel", None) or getattr(getattr(cursor, "hstmt", None), "_cancel", None)
    return found if callable(found) else None


def told(error: BaseException) -> str:
    """What the driver says of the SQLSTATE, and the server's own words."""
    kind = str(getattr(error, "driver_error", "") or "")
    words = str(getattr(error, "ddbc_error", "") or "")
    text = words.removeprefix("[Microsoft]").removeprefix("[SQL Server]").strip()
    return ": ".join(part for part in (kind, text) if part)[:2000] or "the database refused it"


def refusal(error: BaseException, where: str) -> IntegrationUnavailable:
    """Why we were not let in. The driver's messages hold no password."""
    words = told(error)
    if any(sign in words.lower() for sign in _CREDENTIAL):
        return IntegrationUnavailable(f"the database at {where} refuses our credential: {words}")
    if _NOT_LOADED in words.lower():
        return IntegrationUnavailable(
            f"nobody was asked: the driver of SQL Server does not load here: {words}"
        )
    return IntegrationUnavailable(f"the database at {where} cannot be reached: {words}", retry_after_s=1.0)


def _bindable(value: Any, name: str) -> Any:
    plain = isinstance(value, str | int | float | bytes | decimal.Decimal) or hasattr(value, "isoformat")
    if value is None or plain:
        return value
    raise InvalidParameters(
        f"{name} is a list or an object, which SQL Server has no values for", param=f"parameters.{name}"
    )
