"""Writing usage rows in groups."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.sqlite import insert

from adapters.sql.database import REFUSED_VALUES, SqlDatabase, unavailable
from adapters.sql.event_format import fitting
from adapters.sql.schema import usage_attempts, usage_requests
from domain.analytics.event import RequestEvent


class SqlUsageWriter:
    """Inserts groups of events with their attempts, each group in one transaction.

    Idempotent by request id and attempt id: what is there already stays as it is.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database
        self._insert_request = self._statement(usage_requests)
        self._insert_attempt = self._statement(usage_attempts)

    def _statement(self, table: Table) -> str:
        # Compiled once and fed with plain tuples, which is several times faster than building each row.
        statement = insert(table).on_conflict_do_nothing()
        return str(statement.compile(dialect=self._database.dialect))

    async def insert(self, events: list[RequestEvent]) -> None:
        """All of them are committed when this returns. Raises StoreUnavailable; then none is."""
        try:
            await self._database.write(lambda connection: self._insert(connection, events))
            return
        except REFUSED_VALUES:
            # One value no column can hold must not hold up every other row.
            fitted = [fitting(event) for event in events]
        try:
            await self._database.write(lambda connection: self._insert(connection, fitted))
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    def _insert(self, connection: Connection, events: list[RequestEvent]) -> None:
        requests = [event[:-1] for event in events]
        attempts = [tuple(attempt) for event in events for attempt in event.attempts]
        if requests:
            connection.exec_driver_sql(self._insert_request, requests)
        if attempts:
            connection.exec_driver_sql(self._insert_attempt, attempts)

    async def make_durable(self) -> bool:
        """Whether all rows inserted so far would survive a power cut. Raises StoreUnavailable."""
        return await self._database.make_durable()
