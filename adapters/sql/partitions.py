"""Tables that PostgreSQL keeps in one part per month, by the time of their rows. SQLite keeps them whole.

A row whose month has no part yet lies in the part `<table>_default`, so that nothing is ever refused; it
moves when its month gets a part. Months, because bills and reports are: a query with a time range opens only
its months, and one without opens few.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection, text

from adapters.sql.audit_protection import protect_from_emptying

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BOUNDS: Final = re.compile(r"FROM \('?(-?\d+)'?\) TO \('?(-?\d+)'?\)")
MONTHS_AHEAD: Final = 3
LOCK_TIMEOUT_MS: Final = 2000
"""How long a change of parts waits for its lock; whoever asks meanwhile waits behind it."""
_MAINTENANCE_LOCK: Final = 0x1C_7061_7274


class PartitionedTable(NamedTuple):
    """`by` holds Unix microseconds. `expires`: its parts go when usage retention says so. `append_only`:
    triggers of the audit trail watch it."""

    name: str
    by: str
    expires: bool
    append_only: bool = False


PARTITIONED: Final = (
    PartitionedTable("usage_requests", "started_at_us", expires=True),
    PartitionedTable("usage_attempts", "started_at_us", expires=True),
    PartitionedTable("budget_entries", "at_us", expires=True),
    PartitionedTable("audit_entries", "written_at_us", expires=False, append_only=True),
    PartitionedTable("recordings", "expires_at_us", expires=False),
)
"""Every table made with `partitioned_table`; parts are made ahead of time for these."""


class Partition(NamedTuple):
    """One part. Times are Unix microseconds, the second one exclusive; None for the default part."""

    table: str
    name: str
    from_us: int | None
    to_us: int | None
    rows_about: int
    size_bytes: int


def partitioned_table(op: Any, name: str, *columns: Any, key: Sequence[str], by: str, **options: Any) -> None:
    """For migrations: a table with primary key `key`, on PostgreSQL partitioned by the column `by`.

    There `by` is part of the key, as it must be. Columns are given without `primary_key`. Add the table to
    PARTITIONED; indexes are made on it as on any other and reach every part.
    """
    if op.get_bind().dialect.name != "postgresql":
        op.create_table(name, *columns, sa.PrimaryKeyConstraint(*key), **options)
        return
    whole_key = key if by in key else (*key, by)
    op.create_table(
        name, *columns, sa.PrimaryKeyConstraint(*whole_key), postgresql_partition_by=f"RANGE ({by})"
    )
    op.execute(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")


def index_online(op: Any, name: str, table: str, columns: str) -> None:
    """For migrations: an index on a partitioned table that serving instances go on writing to.

    PostgreSQL builds none concurrently on the whole: each part gets its own, beside the writers, and then
    they become one. What was interrupted is taken up by running the migration again.
    """
    if op.get_bind().dialect.name != "postgresql":
        op.execute(f"CREATE INDEX {name} ON {table} ({columns})")
        return
    op.execute(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY {table} ({columns})")
    parts = [part.name for part in partitions_of(op.get_bind(), table)]
    with op.get_context().autocommit_block():
        for part in parts:
            # One that was interrupted is there and invalid.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {part}_{name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {part}_{name} ON {part} ({columns})")
    for part in parts:
        op.execute(f"ALTER INDEX {name} ATTACH PARTITION {part}_{name}")


def months(now: datetime, ahead: int) -> list[tuple[int, int]]:
    """From the month before `now` to `ahead` months after: year and month."""
    first = now.year * 12 + now.month - 2
    return [divmod(month, 12) for month in range(first, first + ahead + 2)]


def month_bounds(year: int, month: int) -> tuple[int, int]:
    """First microsecond of a month (counted from 0) and of the one after it."""
    start = datetime(year, month + 1, 1, tzinfo=UTC)
    end = datetime(year + (month == 11), (month + 1) % 12 + 1, 1, tzinfo=UTC)
    return tuple((moment - _EPOCH) // timedelta(microseconds=1) for moment in (start, end))  # type: ignore[return-value]


def ensure_partitions(connection: Connection, now: datetime, ahead: int = MONTHS_AHEAD) -> list[str]:
    """Makes the parts of last month, this one and the next `ahead`. The names of new ones.

    Reads and writes of rows go on meanwhile, except for the moment in which a part is attached. Nothing on
    SQLite, and nothing while another process is at it.
    """
    if not _may_change(connection):
        return []
    made = []
    for table in PARTITIONED:
        there = {part.name for part in partitions_of(connection, table.name)}
        for year, month in months(now, ahead):
            name = f"{table.name}_{year:04d}_{month + 1:02d}"
            if there and name not in there:
                _attach(connection, table, name, *month_bounds(year, month))
                made.append(name)
    return made


def _attach(connection: Connection, table: PartitionedTable, name: str, from_us: int, to_us: int) -> None:
    # ATTACH leaves readers and writers of the table alone; CREATE … PARTITION OF would lock it whole.
    rest = f"{table.name}_default"
    here = f"{table.by} >= {from_us} AND {table.by} < {to_us}"
    connection.execute(
        text(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING DEFAULTS INCLUDING GENERATED)")
    )
    if connection.execute(text(f"SELECT 1 FROM {rest} WHERE {here} LIMIT 1")).first() is not None:  # noqa: S608
        connection.execute(text(f"LOCK TABLE {rest} IN ACCESS EXCLUSIVE MODE"))
        if table.append_only:
            # Rows that move stay in the table; only its owner gets past its triggers, and locks it meanwhile.
            connection.execute(text(f"ALTER TABLE {rest} DISABLE TRIGGER USER"))
        columns = _written_columns(connection, table.name)
        connection.execute(
            text(
                f"WITH moved AS (DELETE FROM {rest} WHERE {here} RETURNING {columns}) "  # noqa: S608
                f"INSERT INTO {name} ({columns}) SELECT {columns} FROM moved"
            )
        )
        if table.append_only:
            connection.execute(text(f"ALTER TABLE {rest} ENABLE TRIGGER USER"))
    connection.execute(
        text(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES FROM ({from_us}) TO ({to_us})")
    )
    if table.append_only:
        connection.execute(text(protect_from_emptying(name)))


def _written_columns(connection: Connection, table: str) -> str:
    """Names of those that are not generated from others."""
    found = connection.execute(
        text(
            "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = to_regclass(:table) "
            "AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum"
        ),
        {"table": table},
    )
    return ", ".join(found.scalars())


def drop_expired(connection: Connection, before_us: int) -> list[str]:
    """Drops parts of expiring tables that end before this time. The names of those that went."""
    if not _may_change(connection):
        return []
    gone = []
    for table in PARTITIONED:
        for part in partitions_of(connection, table.name) if table.expires else ():
            if part.to_us is not None and part.to_us <= before_us:
                _drop(connection, table.name, part.name)
                gone.append(part.name)
    return gone


def drop_part(connection: Connection, table: str, name: str) -> bool:
    """Drops one part. False: another process is changing parts; ask again later."""
    if not _may_change(connection):
        return False
    _drop(connection, table, name)
    return True


def _drop(connection: Connection, table: str, name: str) -> None:
    # DETACH … CONCURRENTLY is not to be had beside a default part; this lock is held for milliseconds,
    # whatever the part's size.
    connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {name}"))
    connection.execute(text(f"DROP TABLE {name}"))


def trim_default(connection: Connection, before_us: int, rows_max: int) -> bool:
    """Deletes old rows of the default parts of expiring tables. Whether there may be more."""
    more = False
    for table in PARTITIONED if connection.dialect.name == "postgresql" else ():
        if table.expires:
            rest = f"{table.name}_default"
            old = f"SELECT ctid FROM {rest} WHERE {table.by} < :before LIMIT :rows_max"  # noqa: S608
            gone = connection.execute(
                text(f"DELETE FROM {rest} WHERE ctid = ANY(ARRAY({old}))"),  # noqa: S608
                {"before": before_us, "rows_max": rows_max},
            )
            more = more or gone.rowcount == rows_max
    return more


def partitions_of(connection: Connection, table: str) -> list[Partition]:
    """The parts of one table, oldest first, the default part last; none where it is whole."""
    if connection.dialect.name != "postgresql":
        return []
    found = connection.execute(
        text(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bound, c.reltuples::bigint AS about,"
            " pg_total_relation_size(c.oid) AS size_bytes FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(:table)"
        ),
        {"table": table},
    )
    parts = []
    for row in found:
        bounds = _BOUNDS.search(row.bound or "")
        from_us, to_us = (int(bounds[1]), int(bounds[2])) if bounds else (None, None)
        parts.append(Partition(table, row.relname, from_us, to_us, max(row.about, 0), row.size_bytes))
    return sorted(parts, key=lambda part: (part.from_us is None, part.from_us or 0))


def _may_change(connection: Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
    return bool(connection.execute(text(f"SELECT pg_try_advisory_xact_lock({_MAINTENANCE_LOCK})")).scalar())
