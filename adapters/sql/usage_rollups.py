"""Adding new usage rows to the roll-ups, in the transaction that writes the rows."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Dialect, case, literal_column

from adapters.sql.rollup_tables import usage_rollups
from adapters.sql.upserts import insert_into
from domain.analytics.event import RequestEvent
from domain.analytics.rollup import SUM_MAX, Rollup, RollupSums, group_id, roll_up

_KEY: Final = ("tenant_id", "hour_us", "group_id")


def add_to_rollups(connection: Connection, events: Sequence[RequestEvent]) -> None:
    """Counts these events, which must not have been counted before.

    Rows are summed up before they meet the database, and touched in the order of their primary key, always:
    two processes that add at once wait for each other, but never in a circle.
    """
    if events:
        rows = sorted(map(_row, roll_up(events)), key=itemgetter(*_KEY))
        connection.execute(_upsert(connection.dialect), rows)


def _row(rollup: Rollup) -> dict[str, Any]:
    row: dict[str, Any] = rollup.key._asdict()
    row["group_id"] = group_id(rollup.key)
    for name, amount in zip(RollupSums._fields, rollup.sums, strict=True):
        row[name] = min(max(amount, 0), SUM_MAX)
    return row


def _upsert(dialect: Dialect) -> Any:
    statement = insert_into(dialect, usage_rollups)
    limit: ColumnElement[int] = literal_column(str(SUM_MAX))
    new = statement.excluded
    # A sum that would not fit stops: an absurd number must not hold up every row behind it.
    sums = {
        name: case(
            (usage_rollups.c[name] > limit - new[name], limit), else_=usage_rollups.c[name] + new[name]
        )
        for name in RollupSums._fields
    }
    return statement.on_conflict_do_update(index_elements=list(usage_rollups.primary_key.columns), set_=sums)
