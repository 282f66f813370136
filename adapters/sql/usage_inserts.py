"""How many rows get into one table at once: multi-row INSERT on SQLite, COPY on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Dialect, Table

from adapters.sql.upserts import insert_into

ROWS_PER_STATEMENT: Final = 128
"""Rows that go in with one statement: 128 x 56 values stay below SQLite's 32,766."""
ROWS_PER_TURN: Final = 64
"""Rows that are encoded before others in the event loop have their turn: less than a millisecond."""


def group_rows_max(dialect: Dialect) -> int:
    """How many requests to write with one transaction.

    PostgreSQL's are encoded and rolled up in the event loop that serves requests: 500 take about 5 ms of it.
    """
    return 500 if dialect.name == "postgresql" else 2000


class Rows(Protocol):
    """Puts rows into its table within the caller's transaction."""

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None: ...


class InsertRows:
    """Rows that are there already are left alone.

    Compiled once and fed with plain tuples. Full statements hold many rows, because Python gives the
    interpreter lock away and takes it back around each one: a statement per row would make the thread that
    serves requests wait for the lock twice per row.
    """

    def __init__(self, table: Table, dialect: Dialect) -> None:
        statement = insert_into(dialect, table).on_conflict_do_nothing()
        self._one = str(statement.compile(dialect=dialect))
        head, values, tail = self._one.partition("(" + ", ".join("?" * len(table.columns)) + ")")
        assert values, "the dialect writes placeholders another way"
        self._many = head + ", ".join([values] * ROWS_PER_STATEMENT) + tail

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        full = len(rows) - len(rows) % ROWS_PER_STATEMENT
        for start in range(0, full, ROWS_PER_STATEMENT):
            group = rows[start : start + ROWS_PER_STATEMENT]
            connection.exec_driver_sql(self._many, tuple(chain.from_iterable(group)))
        if full < len(rows):
            connection.exec_driver_sql(self._one, [tuple(row) for row in rows[full:]])


class CopyRows:
    """COPY: the rows must be new. Something must have been executed in the transaction before: the driver
    begins it with the first statement, and COPY is none for it."""

    def __init__(self, table: Table) -> None:
        self._table = table.name
        self._columns = [column.name for column in table.columns]

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        adapted: Any = connection.connection.dbapi_connection

        async def copy(driver: Any) -> None:
            await driver.copy_records_to_table(self._table, records=_in_turns(rows), columns=self._columns)

        adapted.run_async(copy)


async def _in_turns(rows: Sequence[tuple[Any, ...]]) -> AsyncIterator[tuple[Any, ...]]:
    for number, row in enumerate(rows, 1):
        yield row
        if not number % ROWS_PER_TURN:
            await asyncio.sleep(0)


def rows_into(table: Table, dialect: Dialect) -> Rows:
    """The fastest way into this table."""
    return CopyRows(table) if dialect.name == "postgresql" else InsertRows(table, dialect)
