"""Brings a database to the shipped schema."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from adapters.sql.database import BUSY_TIMEOUT_S, open_engine, sqlite_path
from adapters.sql.schema import SCHEMA_HEAD
from domain.errors import StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> bool:
    """Whether the database had to be changed; it is made when missing. Blocks; call before serving.

    Safe to call from several processes at once: one migrates, the others wait for it.

    Raises:
        InvalidRequest: a URL it cannot serve.
        StoreUnavailable: not readable, not writable, or made by a newer version of Interchange.
    """
    path = Path(sqlite_path(url))
    try:
        if _revision(path) == SCHEMA_HEAD:
            return False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            if _revision(path) == SCHEMA_HEAD:
                return False
            if not path.exists():
                # SQLite gives the files beside it the same mode; nobody else is to read what is kept.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            _migrate(url)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the database {path} cannot be opened: {error}") from error
    return True


def _revision(path: Path) -> str | None:
    if not path.exists():
        return None
    with closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S)
    ) as connection:
        known = connection.execute(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
        ).fetchone()
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    return None if row is None else str(row[0])


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.upgrade-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrate(url: str) -> None:
    # Alembic costs a third of a second to import, and most starts do not need it.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = open_engine(url)
    try:
        with engine.connect() as connection, connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailable(
            f"the database was made by another version of Interchange, or a migration is missing: {error}"
        ) from error
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database cannot be upgraded: {error}") from error
    finally:
        engine.dispose()
