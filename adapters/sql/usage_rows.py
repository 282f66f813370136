"""Writing usage rows in groups."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects.sqlite import insert

from adapters.sql.database import REFUSED_VALUES, SqlDatabase, unavailable
from adapters.sql.event_format import fitting
from adapters.sql.schema import usage_attempts, usage_requests
from domain.analytics.event import RequestEvent

IDS_PER_STATEMENT = 2000
ROWS_PER_STATEMENT = 128
"""Rows that go in with one statement: 128 x 52 values stay below SQLite's 32,766."""


Follower = Callable[[Connection, Sequence[RequestEvent]], None]
"""What happens in the transaction that writes new rows. Synchronous; its failure undoes the group."""


class _Insert:
    """Rows into one table, those that are there already left alone.

    Compiled once and fed with plain tuples. Full statements hold many rows, because Python gives the
    interpreter lock away and takes it back around each one: a statement per row would make the thread that
    serves requests wait for the lock twice per row.
    """

    def __init__(self, table: Table, database: SqlDatabase) -> None:
        statement = insert(table).on_conflict_do_nothing()
        self._one = str(statement.compile(dialect=database.dialect))
        head, values, tail = self._one.partition("(" + ", ".join("?" * len(table.columns)) + ")")
        assert values, "the dialect writes placeholders another way"
        self._many = head + ", ".join([values] * ROWS_PER_STATEMENT) + tail

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Within the caller's transaction. How many of them are new."""
        new = 0
        full = len(rows) - len(rows) % ROWS_PER_STATEMENT
        for start in range(0, full, ROWS_PER_STATEMENT):
            group = rows[start : start + ROWS_PER_STATEMENT]
            new += connection.exec_driver_sql(self._many, tuple(chain.from_iterable(group))).rowcount
        if full < len(rows):
            new += connection.exec_driver_sql(self._one, [tuple(row) for row in rows[full:]]).rowcount
        return new


class SqlUsageWriter:
    """Inserts groups of events with their attempts, each group in one transaction.

    Idempotent by request id and the attempt's number: what is there already stays as it is. `followers` run
    in the same transaction with the events that were not there yet, each exactly once.
    """

    def __init__(self, database: SqlDatabase, followers: Sequence[Follower] = ()) -> None:
        self._database = database
        self._followers = tuple(followers)
        self._requests = _Insert(usage_requests, database)
        self._attempts = _Insert(usage_attempts, database)

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
        if self._followers and events:
            # Nearly always all of them are new, which costs one statement per group to find out.
            known = _known(connection, events)
            events = list({each.request_id: each for each in events if each.request_id not in known}.values())
        self._requests.run(connection, [event[:-1] for event in events])
        self._attempts.run(connection, [attempt for event in events for attempt in event.attempts])
        if events:
            for follow in self._followers:
                follow(connection, events)

    async def make_durable(self) -> bool:
        """Whether all rows inserted so far would survive a power cut. Raises StoreUnavailable."""
        return await self._database.make_durable()


def _known(connection: Connection, events: Sequence[RequestEvent]) -> set[str]:
    """Ids of those that were written before."""
    ids = [event.request_id for event in events]
    known: set[str] = set()
    for start in range(0, len(ids), IDS_PER_STATEMENT):
        column = usage_requests.c.request_id
        found = connection.execute(select(column).where(column.in_(ids[start : start + IDS_PER_STATEMENT])))
        known.update(found.scalars())
    return known
