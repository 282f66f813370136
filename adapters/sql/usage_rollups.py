"""Adding new usage rows to the roll-ups, in the transaction that writes the rows."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Dialect, case, literal_column

from adapters.sql.rollup_tables import usage_rollups
from adapters.sql.upserts import insert_into
from domain.analytics.event import RequestEvent
from domain.analytics.rollup import SIGNED_SUMS, SUM_MAX, Rollup, RollupSums, group_id, roll_up

ROWS_PER_STATEMENT: Final = 64
"""Rows that are added with one statement where the driver does not send many at once by itself."""
_COLUMNS: Final = list(usage_rollups.columns)
_LEAST: Final = [1 - SUM_MAX if name in SIGNED_SUMS else 0 for name in RollupSums._fields]
"""The smallest amount that is added: the distance from the largest sum to it still is a number of 64 bits."""
_ADDS: Final[dict[str, "_Add"]] = {}


def add_to_rollups(connection: Connection, events: Sequence[RequestEvent]) -> None:
    """Counts these events, which must not have been counted before.

    Rows are summed up before they meet the database, and touched in the order of their primary key, always:
    two processes that add at once wait for each other, but never in a circle.
    """
    if not events:
        return
    dialect = connection.dialect
    add = _ADDS.get(dialect.name)
    if add is None:
        add = _ADDS[dialect.name] = _Add(dialect)
    # The first three columns are the primary key.
    add.run(connection, sorted(map(_row, roll_up(events))))


def _row(rollup: Rollup) -> tuple[Any, ...]:
    key, sums = rollup
    return (
        key.tenant_id,
        key.hour_us,
        group_id(key),
        *key[2:],
        *(min(max(amount, least), SUM_MAX) for amount, least in zip(sums, _LEAST, strict=True)),
    )


class _Add:
    """Compiled once and fed with plain tuples, many rows to a statement: see `usage_inserts`."""

    def __init__(self, dialect: Dialect) -> None:
        self._one = str(_upsert(dialect).compile(dialect=dialect))
        head, values, tail = self._one.partition("(" + ", ".join("?" * len(_COLUMNS)) + ")")
        self._many = head + ", ".join([values] * ROWS_PER_STATEMENT) + tail if values else None

    def run(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        full = 0
        if self._many is not None:
            full = len(rows) - len(rows) % ROWS_PER_STATEMENT
            for start in range(0, full, ROWS_PER_STATEMENT):
                group = rows[start : start + ROWS_PER_STATEMENT]
                connection.exec_driver_sql(self._many, tuple(chain.from_iterable(group)))
        if full < len(rows):
            connection.exec_driver_sql(self._one, rows[full:])


def _upsert(dialect: Dialect) -> Any:
    statement = insert_into(dialect, usage_rollups)
    limit: ColumnElement[int] = literal_column(str(SUM_MAX))
    new = statement.excluded
    # A sum that would not fit stops: an absurd number must not hold up every row behind it.
    sums = {
        name: case(
            (usage_rollups.c[name] > limit - new[name], limit),
            *(((usage_rollups.c[name] < -limit - new[name], -limit),) if name in SIGNED_SUMS else ()),
            else_=usage_rollups.c[name] + new[name],
        )
        for name in RollupSums._fields
    }
    return statement.on_conflict_do_update(index_elements=list(usage_rollups.primary_key.columns), set_=sums)
