"""Brings a database to the shipped schema, or back to an older one."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection

from adapters.sql.database import BUSY_TIMEOUT_S, open_engine, sqlite_path
from adapters.sql.postgres_url import is_postgres
from adapters.sql.schema import SCHEMA_HEAD
from domain.errors import InvalidRequest, StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> bool:
    """Whether the database had to be changed; a SQLite file is made when missing. Blocks.

    Safe to call from several processes and machines at once: one migrates, the others wait for it.

    Raises:
        InvalidRequest: a URL it cannot serve.
        StoreUnavailable: not readable, not writable, or made by a newer version of Interchange.
    """
    return _change(url, "head")


def downgrade(url: str, revision: str) -> bool:
    """Back to an older revision (`0007`), or to nothing (`base`); what newer tables held is gone.

    Raises as `upgrade` does; InvalidRequest also for a revision there is not.
    """
    if revision != "base" and not any(
        file.name.startswith(f"{revision}_") for file in (MIGRATIONS / "versions").glob("*.py")
    ):
        raise InvalidRequest(f"there is no revision {revision!r}; revisions are 0001 to {SCHEMA_HEAD}")
    return _change(url, revision, backwards=True)


def current(url: str) -> str | None:
    """The database's revision; None when it is empty. Raises as `upgrade` does."""
    if is_postgres(url):
        from adapters.sql.postgres_upgrade import revision_of

        return revision_of(url)
    path = Path(sqlite_path(url))
    try:
        return _revision(path)
    except (OSError, sqlite3.Error) as error:
        raise _not_opened(path, error) from error


def _change(url: str, target: str, *, backwards: bool = False) -> bool:
    goal = SCHEMA_HEAD if target == "head" else None if target == "base" else target
    if is_postgres(url):
        # The driver is loaded only where it is used.
        from adapters.sql.postgres_upgrade import change_alone

        return change_alone(url, goal, migration(target, backwards=backwards))
    path = Path(sqlite_path(url))
    try:
        if _revision(path) == goal:
            return False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path):
            if _revision(path) == goal:
                return False
            if not path.exists():
                # SQLite gives the files beside it the same mode; nobody else is to read what is kept.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            _migrate_sqlite(url, migration(target, backwards=backwards))
    except (OSError, sqlite3.Error) as error:
        raise _not_opened(path, error) from error
    return True


def _not_opened(path: Path, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the database {path} cannot be opened: {error}")


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


def _migrate_sqlite(url: str, migrate: Callable[[Connection], None]) -> None:
    engine = open_engine(url)
    try:
        with engine.connect() as connection, connection.begin():
            migrate(connection)
    finally:
        engine.dispose()


def migration(target: str, *, backwards: bool) -> Callable[[Connection], None]:
    """What Alembic does over a connection. Raises StoreUnavailable when it cannot."""

    def migrate(connection: Connection) -> None:
        # Alembic costs a third of a second to import, and most starts do not need it.
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError
        from sqlalchemy.exc import SQLAlchemyError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            (command.downgrade if backwards else command.upgrade)(config, target)
        except CommandError as error:
            raise StoreUnavailable(
                "the database was made by a newer version of Interchange, or a migration is missing: "
                f"{error}; start that version, or go back with its `interchange db downgrade`"
            ) from error
        except SQLAlchemyError as error:
            raise StoreUnavailable(f"the database cannot be upgraded: {error}") from error

    return migrate
