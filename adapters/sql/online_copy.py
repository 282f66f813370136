"""A copy of the embedded database, whole as of one moment, while servers write to it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.sql.database import BUSY_TIMEOUT_S, sqlite_path
from domain.errors import StoreUnavailable


def copy_database(url: str, target: Path) -> None:
    """Writes `target`, which is not there yet, and looks whether the pages in it are sound. Blocks.

    It is one reading transaction: with a write-ahead log no writer waits for it, and it begins again for
    none. The log grows meanwhile by what is written.

    Raises:
        InvalidRequest: not SQLite.
        StoreUnavailable: it cannot be read or written, or is damaged.
    """
    path = Path(sqlite_path(url))
    source = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with (
            closing(sqlite3.connect(source, uri=True, timeout=BUSY_TIMEOUT_S)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
        found = _damage(target)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the database {path} cannot be copied: {error}") from error
    if found != "ok":
        raise StoreUnavailable(f"the database {path} is damaged: {found}; no backup was made of it")


def _damage(path: Path) -> str:
    """The first thing that is wrong with the file; `ok`: nothing."""
    whole = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(whole, uri=True)) as connection:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
