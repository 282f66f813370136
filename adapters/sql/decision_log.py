"""Recorded decisions, read from usage rows: the few columns that backtests need."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Select, and_, func, select, union_all

from adapters.sql.database import Database
from adapters.sql.quality_tables import feedback, quality_observations
from adapters.sql.schema import usage_requests
from application.ports.decision_log import (
    COUNTED_CACHES,
    COUNTED_OUTCOMES,
    READ_MAX,
    DecisionLog,
    DecisionsWanted,
)
from domain.backtest.record import Record

_R: Final = usage_requests.c
_PLAIN: Final = [name for name in Record._fields if name not in ("first", "score")]


class SqlDecisionLog(DecisionLog):
    """Scores are asked for in a second statement of the same rows: few requests have any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self, wanted: DecisionsWanted, *, limit: int) -> Sequence[Record]:
        chosen = _chosen(wanted, min(limit, READ_MAX))
        statement, scores = _records(chosen), _scores(chosen)

        def work(connection: Any) -> list[Record]:
            scored = {request_id: float(score) for request_id, score in connection.execute(scores)}
            return [_record(row, scored) for row in connection.execute(statement).mappings()]

        return await self._database.read(work)


def _chosen(wanted: DecisionsWanted, limit: int) -> Select[Any]:
    return (
        select(_R.tenant_id, *(_R[name] for name in _PLAIN), _R.planned)
        .where(
            _R.tenant_id == wanted.tenant_id,
            _R.started_at_us >= wanted.from_us,
            _R.started_at_us < wanted.to_us,
            _R.route == wanted.route,
            _R.planned != "",
            _R.outcome.in_(COUNTED_OUTCOMES),
            _R.cache.in_(COUNTED_CACHES),
        )
        .order_by(_R.started_at_us.desc(), _R.request_id.desc())
        .limit(limit)
    )


def _records(chosen: Select[Any]) -> Select[Any]:
    rows = chosen.subquery("chosen")
    return select(rows).order_by(rows.c.started_at_us.desc(), rows.c.request_id.desc())


def _scores(chosen: Select[Any]) -> Select[Any]:
    """The mean score of each of these requests that anybody scored."""
    rows = chosen.cte("chosen")
    said = [
        select(table.c.request_id, table.c.score)
        .join(rows, and_(table.c.tenant_id == rows.c.tenant_id, table.c.request_id == rows.c.request_id))
        .where(table.c.score.is_not(None))
        for table in (feedback, quality_observations)
    ]
    every = union_all(*said).subquery("said")
    return select(every.c.request_id, func.avg(every.c.score)).group_by(every.c.request_id)


def _record(row: Any, scored: dict[str, float]) -> Record:
    values = {name: row[name] for name in _PLAIN}
    first = row["planned"].partition(",")[0]
    return Record(**values, first=first, score=scored.get(row["request_id"]))
