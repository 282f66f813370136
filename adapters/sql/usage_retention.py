"""Parts of the usage tables: made ahead of time, dropped when they are older than what is kept."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select

from adapters.sql.database import Database
from adapters.sql.ledger_tables import budget_entries
from adapters.sql.partitions import drop_expired, ensure_partitions, trim_default
from adapters.sql.schema import finished_us, usage_attempts, usage_requests

ROWS_PER_ROUND: Final = 2000
"""Rows one transaction deletes, so that no writer waits long for it."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UsageRetention:
    """Upkeep of usage rows. Harmless to run from several processes, as often as one likes."""

    def __init__(self, database: Database, *, retention_days: int | None) -> None:
        """`retention_days`: how long single rows are kept; None for ever. Sums by the hour stay."""
        self._database = database
        self._retention_days = retention_days

    async def run(self, now: datetime) -> list[str]:
        """Makes parts for the months to come and removes what is too old. Names of parts made and dropped.

        Raises:
            StoreUnavailable: what was done so far stays done; the rest is for the next time.
        """
        changed = await self._database.write(
            lambda connection: ensure_partitions(connection, now), alone=False
        )
        if self._retention_days is None:
            return changed
        before_us = (now - timedelta(days=self._retention_days) - _EPOCH) // timedelta(microseconds=1)
        gone = await self._database.write(lambda connection: drop_expired(connection, before_us), alone=False)
        while await self._database.write(lambda connection: _delete_some(connection, before_us), alone=False):
            pass
        return [*changed, *gone]


def _delete_some(connection: Connection, before_us: int) -> bool:
    """Rows that are too old and lie in no part that could be dropped. Whether there may be more."""
    if connection.dialect.name == "postgresql":
        return trim_default(connection, before_us, ROWS_PER_ROUND)
    old = select(usage_requests.c.request_id).where(finished_us < before_us).order_by(finished_us)
    ids = list(connection.execute(old.limit(ROWS_PER_ROUND)).scalars())
    if ids:
        theirs = usage_attempts.c.request_id.in_(ids)
        charged = select(usage_attempts.c.attempt_id).where(theirs)
        connection.execute(delete(budget_entries).where(budget_entries.c.attempt_id.in_(charged)))
        connection.execute(delete(usage_attempts).where(theirs))
        connection.execute(delete(usage_requests).where(usage_requests.c.request_id.in_(ids)))
    return len(ids) == ROWS_PER_ROUND
