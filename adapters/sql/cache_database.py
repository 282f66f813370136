"""The embedded profile's file of kept answers: found damaged, missing or of another format, it is made anew.

All processes of a machine share it. Each looks before every transaction whether the file it has open is
still the one in the directory, so that nobody goes on alone with a file that another process replaced.
synchronous=NORMAL and not OFF: after a power cut a prefix of what was committed is there, so never an answer
without the invalidations that were told before it; `make_durable` saves the rest.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from adapters.sql.cache_tables import FORMAT, cache_metadata
from adapters.sql.database import SqlDatabase, unavailable
from adapters.sql.thread import BlockingThread
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

BUSY_TIMEOUT_MS: Final = 200
"""How long another process's transaction is waited for: slow counts as down."""
PAGE_CACHE_KIB: Final = 16 * 1024
WAL_BYTES_KEPT: Final = 64 * 1024 * 1024
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE: Final = 0xFF
Result = TypeVar("Result")
_File = tuple[int, int]


class CacheDatabase(SqlDatabase):
    """Opens, and if need be makes, the file with the first transaction. Close it before the thread."""

    def __init__(self, path: Path, thread: BlockingThread) -> None:
        super().__init__(f"sqlite:///{path}", thread)
        event.listen(self._engine, "connect", _set_up)
        self._path = path
        self._file: _File | None = None

    def _transact(self, work: Callable[[Connection], Result], *, writes: bool) -> Result:
        self._be_ready()
        try:
            return super()._transact(work, writes=writes)
        except StoreUnavailable as error:
            if _is_damage(getattr(error.__cause__, "orig", None)):
                self._throw_away()
            raise

    def _be_ready(self) -> None:
        """Raises StoreUnavailable."""
        if self._file is not None and self._file == _identity(self._path):
            return
        self._engine.dispose()
        with self._preparing():
            found = _format_of(self._path)
            if found != FORMAT:
                # A process of another version that came later needs the file more than this one does: to
                # take it back would make both of them do so for ever.
                if found is not None and self._file is not None:
                    raise StoreUnavailable(f"{self._path.name} is of another version by now")
                _make(self._path)
            self._file = _identity(self._path)

    def _throw_away(self) -> None:
        log.warning("%s is damaged and is made anew", self._path)
        self._engine.dispose()
        with self._preparing():
            if self._file == _identity(self._path):
                _remove(self._path)
        self._file = None

    @contextlib.contextmanager
    def _preparing(self) -> Iterator[None]:
        """One process at a time. Raises StoreUnavailable, at once where another one is at it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.with_name(f"{self._path.name}.lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError as error:
            raise StoreUnavailable(
                f"another process prepares {self._path.name}", retry_after_s=0.1
            ) from error
        except (OSError, sqlite3.Error) as error:
            raise unavailable(error) from error

    async def make_durable(self) -> bool:
        """Whether everything committed so far would now survive a power cut."""
        return await self._thread.call(self._sync)

    def _sync(self) -> bool:
        # What is no longer in this file was synced when it moved into the main one.
        try:
            descriptor = os.open(f"{self._path}-wal", os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


def open_cache_database(path: Path, thread: BlockingThread) -> CacheDatabase:
    """Opens nothing yet. A thread of its own keeps lookups from waiting behind the ledger's writes."""
    return CacheDatabase(path, thread)


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")
        cursor.execute(f"PRAGMA journal_size_limit={WAL_BYTES_KEPT}")
    finally:
        cursor.close()


def _identity(path: Path) -> _File | None:
    """Which file it is. A file that somebody has open keeps its number for itself."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _format_of(path: Path) -> int | None:
    """The format of a whole file; None: there is none, it was never finished, or it cannot be read as one."""
    if not path.exists():
        return None
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
        try:
            return int(connection.execute("PRAGMA user_version").fetchone()[0]) or None
        except sqlite3.DatabaseError as error:
            if _is_damage(error):
                return None
            raise


def _make(path: Path) -> None:
    _remove(path)
    # SQLite gives the files beside it the same mode; nobody else is to read what was asked and answered.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_MS / 1000)) as connection:
        # Before anything else is in the file: space that is given up can then leave it bit by bit.
        connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
        connection.execute("PRAGMA journal_mode=WAL")
        for table in cache_metadata.sorted_tables:
            connection.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
            for index in table.indexes:
                connection.execute(str(CreateIndex(index).compile(dialect=sqlite.dialect())))
        # Last, so that a file that was never finished is of no format.
        connection.execute(f"PRAGMA user_version={FORMAT}")
        connection.commit()


def _remove(path: Path) -> None:
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _is_damage(error: object) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & _PRIMARY_CODE in _DAMAGE
