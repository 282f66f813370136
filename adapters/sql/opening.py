"""The one place that chooses between SQLite and PostgreSQL."""

from adapters.sql.database import Database, SqlDatabase
from adapters.sql.postgres_url import is_postgres
from adapters.sql.thread import BlockingThread

REPORT_TIMEOUT_S = 60.0
"""Reports read many rows."""


def open_database(
    url: str, thread: BlockingThread, *, connections_max: int, timeout_s: float | None = None
) -> Database:
    """Connects to nothing yet. Close it before the thread, which PostgreSQL leaves idle.

    `connections_max` and `timeout_s` (of a whole transaction) are PostgreSQL's; SQLite has one connection and
    takes the time it needs.

    Raises:
        InvalidRequest: a URL it cannot serve.
    """
    if not is_postgres(url):
        return SqlDatabase(url, thread)
    # The driver is loaded only where it is used.
    from adapters.sql.postgres import TIMEOUT_S, PostgresDatabase

    return PostgresDatabase(url, connections_max=connections_max, timeout_s=timeout_s or TIMEOUT_S)
