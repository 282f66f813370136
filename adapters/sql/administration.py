"""What an operator does to a database from the command line. Blocks."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from adapters.sql.audit_protection import writer_role
from adapters.sql.database import open_engine, sqlite_path, unavailable
from adapters.sql.partitions import PARTITIONED, drop_expired, ensure_partitions, partitions_of, trim_default
from adapters.sql.postgres_url import is_postgres
from adapters.sql.row_security import exempt
from adapters.sql.schema import SCHEMA_HEAD
from adapters.sql.upgrade import current, downgrade, upgrade
from domain.errors import InvalidRequest

Result = TypeVar("Result")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS_PER_ROUND = 10_000


class DatabaseAdministration:
    """One database by its URL. Every method raises InvalidRequest for a URL that cannot be served, and
    StoreUnavailable when the database cannot be used."""

    newest_revision = SCHEMA_HEAD

    def __init__(self, url: str) -> None:
        self._url = url
        self.is_postgres = is_postgres(url)

    @property
    def place(self) -> str:
        """Where it is, without user and password."""
        if not self.is_postgres:
            return sqlite_path(self._url)
        parts = urlsplit(self._url)
        host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
        return f"{host}{parts.path}"

    def revision(self) -> str | None:
        """None: nothing was made in it yet."""
        return current(self._url)

    def upgrade(self) -> bool:
        """Whether there was anything to do."""
        return upgrade(self._url)

    def downgrade(self, revision: str) -> bool:
        """Whether there was anything to do. What newer tables held is gone."""
        return downgrade(self._url, revision)

    def audit_role(self, member: str | None) -> list[str]:
        """The role that may only add to the audit trail is made, and given to `member`. What was executed."""
        if not self.is_postgres:
            raise InvalidRequest("SQLite has no roles: its file's mode says who may write")
        statements = list(writer_role(member))

        def work(connection: Connection) -> None:
            for statement in statements:
                connection.execute(text(statement))

        self._ask(work)
        return statements

    def facts(self) -> dict[str, Any]:
        """Version, size and room for connections."""
        return self._ask(_postgres_facts) if self.is_postgres else self._sqlite_facts()

    def partitions(self) -> list[dict[str, Any]]:
        """Every part of every table that has parts."""

        def look(connection: Connection) -> list[dict[str, Any]]:
            parts = (part for table in PARTITIONED for part in partitions_of(connection, table.name))
            return [
                {
                    "table": part.table,
                    "name": part.name,
                    "from": _day(part.from_us),
                    "to": _day(part.to_us),
                    "rows_about": part.rows_about,
                    "size_bytes": part.size_bytes,
                }
                for part in parts
            ]

        return self._ask(look) if self.is_postgres else []

    def tidy(self, now: datetime, retention_days: int | None) -> list[str]:
        """Makes parts for the months to come and drops those that are too old. Nothing on SQLite."""
        if not self.is_postgres:
            return []
        changed = self._ask(lambda connection: ensure_partitions(connection, now))
        if retention_days is not None:
            before_us = (now - timedelta(days=retention_days) - _EPOCH) // timedelta(microseconds=1)
            changed += self._ask(lambda connection: drop_expired(connection, before_us))
            while self._ask(lambda connection: trim_default(connection, before_us, ROWS_PER_ROUND)):
                pass
        return changed

    def _ask(self, work: Callable[[Connection], Result]) -> Result:
        # The driver is loaded only where it is used.
        from adapters.sql.postgres_upgrade import ask

        return ask(self._url, work)

    def _sqlite_facts(self) -> dict[str, Any]:
        path = Path(self.place)
        if not path.exists():
            return {"database": "SQLite", "size_bytes": 0}
        engine = open_engine(self._url)
        try:
            with engine.connect() as connection:
                version = connection.execute(text("SELECT sqlite_version()")).scalar_one()
                sound = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise unavailable(error) from error
        finally:
            engine.dispose()
        return {"database": f"SQLite {version}", "size_bytes": path.stat().st_size, "quick_check": sound}


def _postgres_facts(connection: Connection) -> dict[str, Any]:
    row = connection.execute(
        text(
            "SELECT current_setting('server_version') AS version,"
            " pg_database_size(current_database()) AS size,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,"
            " current_setting('max_connections')::int AS connections_max,"
            " current_setting('fsync') AS fsync, pg_is_in_recovery() AS standby"
        )
    ).one()
    return {
        "database": f"PostgreSQL {row.version}",
        "size_bytes": int(row.size),
        "connections": int(row.connections),
        "connections_max": int(row.connections_max),
        "fsync": row.fsync,
        "standby": bool(row.standby),
        "row_security": "not in force" if exempt(connection) else "in force",
    }


def _day(us: int | None) -> str | None:
    return None if us is None else f"{_EPOCH + timedelta(microseconds=us):%Y-%m-%d}"
