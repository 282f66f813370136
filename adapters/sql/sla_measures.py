"""What requests add up to for objectives, kept in the transaction that writes their rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Dialect, delete, func, select

from adapters.sql.alert_tables import DURATIONS, NUMBERS, SUMS, sla_measures
from adapters.sql.database import Database
from adapters.sql.upserts import insert_into
from application.ports.alerts import MeasureStore
from domain.analytics.event import RequestEvent
from domain.sla.measure import DAY_US, HOUR_US, MINUTE_US, Measure, Scopes, measured

MINUTES_KEPT_US: Final = 7 * HOUR_US
HOURS_KEPT_US: Final = 36 * DAY_US
MINUTE_S: Final = 60
HOUR_S: Final = 3600
SUM_MAX: Final = 2**53
"""What one addition may bring: an absurd number must not keep rows from being written."""
_T: Final = sla_measures.c


class SlaFollower:
    """Adds new usage rows up, in their transaction: each counts exactly once, whatever instance wrote it."""

    def __init__(self, dialect: Dialect, scopes: Callable[[], Scopes]) -> None:
        """`scopes` says what is measured apart now; asked in the writer's thread."""
        self._scopes = scopes
        self._statement = _upsert(dialect)

    def __call__(self, connection: Connection, events: Sequence[RequestEvent]) -> None:
        if events:
            connection.execute(self._statement, _rows(measured(events, self._scopes())))


class SqlMeasureStore(MeasureStore):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def sums(self, windows: Sequence[tuple[int, int]]) -> list[Mapping[str, Measure]]:
        columns = [func.coalesce(func.sum(_T[name]), 0) for name in SUMS]

        def work(connection: Connection) -> list[Mapping[str, Measure]]:
            found: list[Mapping[str, Measure]] = []
            for since_us, until_us in windows:
                long = until_us - since_us > MINUTES_KEPT_US
                span_s, step_us = (HOUR_S, HOUR_US) if long else (MINUTE_S, MINUTE_US)
                rows = connection.execute(
                    select(_T.scope, *columns)
                    .where(
                        _T.span_s == span_s,
                        _T.start_us >= since_us - since_us % step_us,
                        _T.start_us < until_us,
                    )
                    .group_by(_T.scope)
                )
                found.append({row[0]: _measure([int(number) for number in row[1:]]) for row in rows})
            return found

        return await self._database.read(work)

    async def add(self, measures: Mapping[tuple[int, str], Measure]) -> None:
        if measures:
            statement, rows = _upsert(self._database.dialect), _rows(measures)
            await self._database.write(lambda connection: connection.execute(statement, rows), alone=False)

    async def forget(self, now_us: int) -> int:
        def work(connection: Connection) -> int:
            return sum(
                connection.execute(
                    delete(sla_measures).where(_T.span_s == span_s, _T.start_us < now_us - kept_us)
                ).rowcount
                for span_s, kept_us in ((MINUTE_S, MINUTES_KEPT_US), (HOUR_S, HOURS_KEPT_US))
            )

        return await self._database.write(work, alone=False)


def _measure(numbers: Sequence[int]) -> Measure:
    first, second = len(NUMBERS), len(NUMBERS) + len(DURATIONS)
    return Measure(*numbers[:first], tuple(numbers[first:second]), tuple(numbers[second:]))  # type: ignore[call-arg, arg-type]


def _rows(measures: Mapping[tuple[int, str], Measure]) -> list[dict[str, Any]]:
    """Of minutes and of their hours, in the order of the primary key: who writes at once waits for one
    another, but never in a circle."""
    hours: dict[tuple[int, str], Measure] = {}
    for (start_us, scope), measure in measures.items():
        key = (start_us - start_us % HOUR_US, scope)
        hours[key] = hours[key].plus(measure) if key in hours else measure
    rows = [(MINUTE_S, *key, measure) for key, measure in measures.items()]
    rows += [(HOUR_S, *key, measure) for key, measure in hours.items()]
    rows.sort(key=lambda row: row[:3])
    return [
        {"span_s": span_s, "start_us": start_us, "scope": scope, **_sums(measure)}
        for span_s, start_us, scope, measure in rows
    ]


def _sums(measure: Measure) -> dict[str, int]:
    numbers: list[Any] = [*measure[: len(NUMBERS)], *measure.durations, *measure.overheads]
    return {name: min(number, SUM_MAX) for name, number in zip(SUMS, numbers, strict=True)}


def _upsert(dialect: Dialect) -> Any:
    statement = insert_into(dialect, sla_measures)
    return statement.on_conflict_do_update(
        index_elements=list(sla_measures.primary_key.columns),
        set_={name: _T[name] + statement.excluded[name] for name in SUMS},
    )
