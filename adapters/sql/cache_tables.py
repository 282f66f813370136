"""The tables of the second tier and of its log: of a database that may be thrown away at any time, so they
have their own metadata, no migrations, and a format instead."""

import contextlib
from collections.abc import Iterator
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from adapters.sql.database import REFUSED_VALUES, unavailable

FORMAT: Final = 1
"""Counted up with every change below: a file of another format is made anew."""

cache_metadata: Final = MetaData()

kept_answers: Final = Table(
    "kept_answers",
    cache_metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("kept_until_us", BigInteger, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Index("kept_answers_by_end", "kept_until_us"),
)

kept_answers_room: Final = Table(
    "kept_answers_room",
    cache_metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("entries", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""One row: what `kept_answers` holds, changed in the same transactions."""

cache_log: Final = Table(
    "cache_log",
    cache_metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

cache_log_state: Final = Table(
    "cache_log_state",
    cache_metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Text, nullable=False),
    Column("tail", BigInteger, nullable=False),
    Column("gone", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""One row: the last number, the last one trimmed, and about what lies between takes. Its lock puts those who
append in a row, so that numbers rise in the order in which they become visible."""

THE_ROW: Final = 1


@contextlib.contextmanager
def nothing_refused() -> Iterator[None]:
    """A cache's caller can do nothing about a value or a table the database does not take: it is a miss.

    Raises StoreUnavailable instead of REFUSED_VALUES.
    """
    try:
        yield
    except REFUSED_VALUES as error:
        raise unavailable(error) from error
