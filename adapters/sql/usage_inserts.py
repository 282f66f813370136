"""How many rows get into one table at once: multi-row INSERT on SQLite, arrays on PostgreSQL."""

from collections.abc import Sequence
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
)

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


class ArrayRows:
    """One array per column: close to COPY, which PostgreSQL refuses where policies hold rows apart. The
    rows must be new.

    A statement holds so few rows that encoding them keeps nobody waiting; the event loop has its turn
    whenever one is sent.
    """

    def __init__(self, table: Table) -> None:
        columns = list(table.columns)
        names = ", ".join(f'"{column.name}"' for column in columns)
        arrays = ", ".join(
            f"${place}::{_ARRAYS[type(column.type)]}" for place, column in enumerate(columns, 1)
        )
        self._statement = f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        for start in range(0, len(rows), ROWS_PER_TURN):
            group = zip(*rows[start : start + ROWS_PER_TURN], strict=True)
            connection.exec_driver_sql(self._statement, tuple(map(list, group)))


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
    return ArrayRows(table) if dialect.name == "postgresql" else InsertRows(table, dialect)
