"""How many rows get into one table at once: multi-row INSERT on SQLite, COPY on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from typing import Any, Final, Protocol

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Dialect,
    Double,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)

from adapters.sql.upserts import insert_into

ROWS_PER_STATEMENT: Final = (128, 16, 1)
"""Rows that go in with one statement, while there are so many: 128 x 68 values stay below SQLite's 32,766."""
ROWS_PER_TURN: Final = 64
"""Rows that are encoded before others in the event loop have their turn: less than a millisecond."""
FEW_ROWS: Final = 32
"""So few that two more statements would cost more than they save."""


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
        one = str(statement.compile(dialect=dialect))
        head, values, tail = one.partition("(" + ", ".join("?" * len(table.columns)) + ")")
        assert values, "the dialect writes placeholders another way"
        self._statements = [(rows, head + ", ".join([values] * rows) + tail) for rows in ROWS_PER_STATEMENT]

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        start = 0
        for size, statement in self._statements:
            while len(rows) - start >= size:
                group = rows[start : start + size]
                connection.exec_driver_sql(statement, tuple(chain.from_iterable(group)))
                start += size


class StagedRows:
    """COPY into a table of the connection's own, then from there: PostgreSQL takes no COPY into a table whose
    policies hold rows apart. A few rows go in with one statement instead. The rows must be new.
    """

    def __init__(self, table: Table) -> None:
        columns = list(table.columns)
        names = ", ".join(f'"{column.name}"' for column in columns)
        arrays = ", ".join(
            f"${place}::{_ARRAYS[type(column.type)]}" for place, column in enumerate(columns, 1)
        )
        into = f"INSERT INTO {table.name} ({names})"
        self._few = f"{into} SELECT * FROM unnest({arrays})"  # noqa: S608
        self._stage = f"incoming_{table.name}"
        self._columns = [column.name for column in columns]
        self._prepare = text(
            f"CREATE TEMP TABLE IF NOT EXISTS {self._stage} ON COMMIT DELETE ROWS "  # noqa: S608
            f"AS SELECT {names} FROM {table.name} WITH NO DATA"
        )
        self._move = text(f"{into} SELECT {names} FROM {self._stage}")  # noqa: S608

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        if len(rows) <= FEW_ROWS:
            connection.exec_driver_sql(self._few, tuple(map(list, zip(*rows, strict=True))))
            return
        connection.execute(self._prepare)
        adapted: Any = connection.connection.dbapi_connection

        async def copy(driver: Any) -> None:
            await driver.copy_records_to_table(self._stage, records=_in_turns(rows), columns=self._columns)

        adapted.run_async(copy)
        connection.execute(self._move)


async def _in_turns(rows: Sequence[tuple[Any, ...]]) -> AsyncIterator[tuple[Any, ...]]:
    for number, row in enumerate(rows, 1):
        yield row
        if not number % ROWS_PER_TURN:
            await asyncio.sleep(0)


_ARRAYS: Final[dict[type[Any], str]] = {
    Text: "text[]",
    BigInteger: "int8[]",
    Integer: "int4[]",
    Boolean: "bool[]",
    Double: "float8[]",
    LargeBinary: "bytea[]",
}


def rows_into(table: Table, dialect: Dialect) -> Rows:
    """The fastest way into this table."""
    return StagedRows(table) if dialect.name == "postgresql" else InsertRows(table, dialect)
