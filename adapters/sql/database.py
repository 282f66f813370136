"""What stores work on, and the embedded one: SQLite in WAL mode behind SQLAlchemy Core, used from one thread.

WAL with synchronous=NORMAL: a commit survives the death of the process; after a power cut the newest
commits may be missing until `make_durable` was called. Statements are dialect-neutral.
"""

import sqlite3
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    IntegrityError,
    InterfaceError,
    ProgrammingError,
    SQLAlchemyError,
)

from adapters.sql.thread import BlockingThread
from domain.errors import InvalidRequest, StoreUnavailable

Result = TypeVar("Result")
BUSY_TIMEOUT_S = 5.0
_WRITES = "interchange_writes"
ALLOWED = "sqlite:///<file> and postgresql://<user>:<password>@<host>/<database>"

REFUSED_VALUES = (
    IntegrityError,
    DataError,
    InterfaceError,
    ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)
"""The database works, but will not take these values; asking again would not help."""


class Database(Protocol):
    """What every store works on: functions of a connection, each run in one transaction.

    A function is synchronous and does nothing but talk to its connection: it may run again from the start
    when another writer came in between. A caller who is cancelled does not stop a function that has begun.
    On PostgreSQL it finds and makes rows of tenants only within `application.reach` of whoever asks for it;
    SQLite has no such wall.
    """

    @property
    def dialect(self) -> Dialect:
        """What the database speaks; `insert_into` and compiled statements need it."""

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns from a consistent view. Raises StoreUnavailable."""

    async def write(self, work: Callable[[Connection], Result], *, alone: bool = True) -> Result:
        """What `work` returns, committed. Raises StoreUnavailable, or one of REFUSED_VALUES.

        As if no other writer were at it. `alone=False` lets others write meanwhile: for work that only adds
        rows and adds to numbers, or that locks what it reads (`SELECT … FOR UPDATE`), in a fixed order.
        """

    async def make_durable(self) -> bool:
        """Whether everything committed so far would now survive a power cut; False: ask again later."""

    async def aclose(self) -> None:
        """Closes every connection. Idempotent."""


def sqlite_path(url: str) -> str:
    """The file behind `sqlite:///relative.db` or `sqlite:////absolute.db`.

    Raises:
        InvalidRequest: not SQLite, or a database that would live only in memory.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InvalidRequest(f"DATABASE_URL is not a URL; allowed: {ALLOWED}", param="DATABASE_URL") from None
    if parsed.get_backend_name() != "sqlite":
        raise InvalidRequest(
            f"DATABASE_URL: {parsed.get_backend_name()} is not supported; allowed: {ALLOWED}",
            param="DATABASE_URL",
        )
    if not parsed.database or parsed.database == ":memory:":
        raise InvalidRequest(
            "DATABASE_URL: a database in memory would be lost with the process; allowed: sqlite:///<file>",
            param="DATABASE_URL",
        )
    return parsed.database


def open_engine(url: str) -> Engine:
    """An engine whose connections are set up for several processes sharing one file.

    Raises InvalidRequest for a URL it cannot serve.
    """
    sqlite_path(url)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says
    cursor = connection.cursor()
    try:
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    # A write transaction takes its lock at once and waits for it; one that starts by reading would be
    # refused without waiting when another process wrote in between.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class SqlDatabase:
    """Runs functions in transactions in the blocking thread. Close it before the thread."""

    def __init__(self, url: str, thread: BlockingThread) -> None:
        """Opens nothing yet. Raises InvalidRequest for a URL it cannot serve."""
        self._engine = open_engine(url)
        self._thread = thread
        self.dialect = self._engine.dialect

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns from a consistent view. Raises StoreUnavailable."""
        return await self._thread.call(lambda: self._transact(work, writes=False))

    async def write(self, work: Callable[[Connection], Result], *, alone: bool = True) -> Result:
        """What `work` returns, committed. Raises StoreUnavailable, or one of REFUSED_VALUES.

        SQLite has one writer at a time, so every writer is alone.
        """
        del alone
        return await self._thread.call(lambda: self._transact(work, writes=True))

    def _transact(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(**{_WRITES: writes})
                with connection.begin():
                    return work(connection)
        except REFUSED_VALUES:
            raise
        except SQLAlchemyError as error:
            raise unavailable(error) from error

    async def make_durable(self) -> bool:
        """Whether everything committed so far would now survive a power cut.

        False: another process is at it, or the database is not reachable; ask again later.
        """
        return await self._thread.call(self._checkpoint)

    def _checkpoint(self) -> bool:
        # A passive checkpoint first syncs the write-ahead log, then copies what no reader still needs.
        try:
            with self._engine.connect() as connection:
                raw: Any = connection.connection.dbapi_connection
                busy, _logged, _copied = raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except (SQLAlchemyError, sqlite3.Error):
            return False
        return not busy

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._thread.call(self._engine.dispose)


def unavailable(error: Exception) -> StoreUnavailable:
    """A driver's error in the words of the ports."""
    cause = getattr(error, "orig", None) or error
    what = ": ".join(filter(None, (type(cause).__name__, str(cause))))
    return StoreUnavailable(f"the database cannot be used: {what}", retry_after_s=1.0)
