"""Counting answers by the day, in the transaction that writes their usage rows."""

import hashlib
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Dialect

from adapters.sql.quality_tables import quality_days
from adapters.sql.upserts import insert_into
from domain.analytics.event import RequestEvent
from domain.analytics.rollup import DAY_US
from domain.caching.effect import HITS
from domain.quality.checks import CUT, EMPTY, REFUSAL, TRUNCATED
from domain.quality.tasks import SPOKEN

_KEYS: Final = ("tenant_id", "day", "group_id")
_GROUP: Final = ("provider", "model", "task", "route")
SUMS: Final = tuple(column.name for column in quality_days.columns if column.name not in {*_KEYS, *_GROUP})
_COLUMNS: Final = (*_KEYS, *_GROUP, *SUMS)
_FLAGS: Final = {TRUNCATED: 1, REFUSAL: 2, EMPTY: 3, CUT: 4}
"""Places among the sums."""
_FIELDS: Final = itemgetter(
    *map(
        RequestEvent._fields.index,
        ("tenant_id", "provider", "model", "task", "route", "cache", "started_at_us", "duration_us"),
    ),
    RequestEvent._fields.index("cost_nano_usd"),
    RequestEvent._fields.index("checks"),
)


class QualityDays:
    """A follower of `SqlUsageWriter`. Counts what a model answered in words for this very request; rows are
    touched in the order of their keys."""

    def __init__(self, dialect: Dialect) -> None:
        statement = insert_into(dialect, quality_days)
        added = {name: quality_days.c[name] + statement.excluded[name] for name in SUMS}
        self._add = statement.on_conflict_do_update(index_elements=list(_KEYS), set_=added)

    def __call__(self, connection: Connection, events: Sequence[RequestEvent]) -> None:
        rows = counted(events)
        if rows:
            connection.execute(self._add, rows)


def counted(events: Sequence[RequestEvent]) -> list[dict[str, Any]]:
    """Rows of the table, in the order of their keys."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for tenant_id, provider, model, task, route, cache, at_us, duration_us, cost, checks in map(
        _FIELDS, events
    ):
        if not provider or task not in SPOKEN or cache in HITS:
            continue
        key = (tenant_id, at_us // DAY_US, provider, model, task, route)
        found = sums.get(key)
        if found is None:
            found = sums[key] = [0] * len(SUMS)
        found[0] += 1
        found[5] += duration_us
        if cost is None:
            found[7] += 1
        else:
            found[6] += cost
        if checks:
            for name in checks.split(","):
                place = _FLAGS.get(name)
                if place is not None:
                    found[place] += 1
    rows = [
        dict(zip(_COLUMNS, (*key[:2], _group_id(key[2:]), *key[2:], *values), strict=True))
        for key, values in sums.items()
    ]
    return sorted(rows, key=itemgetter(*_KEYS))


def _group_id(names: tuple[str, ...]) -> str:
    """Stands for the names, in 32 hexadecimal digits (128 bits of SHA-256)."""
    text = "\x1f".join(names).encode(errors="surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]
