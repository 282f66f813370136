"""Looking events up in the database: they are the rows of the outbox that have their place."""

from typing import Any

from sqlalchemy import ColumnElement, Row, or_, select, true

from adapters.sql.database import Database
from adapters.sql.ledger_tables import outbox
from application.ports.event_log import LoggedEvent
from application.ports.event_pages import EventPages, EventQuery
from domain.webhooks.envelope import event_id

_C = outbox.c


class SqlEventPages(EventPages):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: EventQuery) -> list[LoggedEvent]:
        conditions: list[ColumnElement[bool]] = [_C.tenant_id == query.tenant_id, _C.seq.is_not(None)]
        if query.patterns:
            conditions.append(or_(*(_meant(pattern) for pattern in query.patterns)))
        if query.after_seq is not None:
            conditions.append(_C.seq > query.after_seq)
        if query.before_seq is not None:
            conditions.append(_C.seq < query.before_seq)
        if query.from_us is not None:
            conditions.append(_C.created_at_us >= query.from_us)
        if query.to_us is not None:
            conditions.append(_C.created_at_us < query.to_us)
        order = _C.seq.asc() if query.after_seq is not None else _C.seq.desc()
        statement = select(outbox).where(*conditions).order_by(order).limit(query.limit)
        return await self._database.read(
            lambda connection: [_event(row) for row in connection.execute(statement)]
        )


def _meant(pattern: str) -> ColumnElement[bool]:
    if pattern == "*":
        return true()
    if pattern.endswith("*"):
        return _C.topic.startswith(pattern[:-1], autoescape=True)
    return _C.topic == pattern


def _event(row: Row[Any]) -> LoggedEvent:
    return LoggedEvent(
        row.seq, event_id(row.key), row.topic, row.tenant_id, row.payload, row.created_at_us, row.trace
    )
