"""The log of events in the database: the rows of the outbox, in the order of their places."""

from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from adapters.sql.database import Database
from adapters.sql.ledger_tables import outbox
from adapters.sql.webhook_tables import event_position
from application.ports.event_log import EventLog, LoggedEvent
from application.ports.outbox import OutboxEvent
from domain.webhooks.envelope import event_id

_COLUMNS: Final = (
    outbox.c.seq,
    outbox.c.key,
    outbox.c.topic,
    outbox.c.tenant_id,
    outbox.c.payload,
    outbox.c.created_at_us,
    outbox.c.trace,
)
_WAITING: Final = [outbox.c[name] for name in OutboxEvent._fields]
_LOCKED: Final = (
    update(event_position)
    .where(event_position.c.id == 1)
    .values(seq=event_position.c.seq)
    .returning(event_position.c.seq)
)
_PLACED: Final = (
    update(outbox)
    .where(outbox.c.key == bindparam("b_key"))
    .values(seq=bindparam("b_seq"), done_at_us=bindparam("b_now_us"))
)


def give_places(connection: Connection, now_us: int, limit: int) -> list[LoggedEvent]:
    """The oldest events without a place get one each, marked done; in order. Belongs into a transaction that
    may run beside others: whoever else gives out places waits for its end."""
    newest = int(connection.execute(_LOCKED).scalar_one())
    waiting = [
        OutboxEvent(*row)
        for row in connection.execute(
            select(*_WAITING)
            .where(outbox.c.done_at_us.is_(None))
            .order_by(outbox.c.created_at_us, outbox.c.key)
            .limit(limit)
        )
    ]
    if not waiting:
        return []
    placed = [_logged(newest + number, event) for number, event in enumerate(waiting, start=1)]
    connection.execute(
        _PLACED,
        [
            {"b_key": event.key, "b_seq": logged.seq, "b_now_us": now_us}
            for event, logged in zip(waiting, placed, strict=True)
        ],
    )
    connection.execute(
        update(event_position).where(event_position.c.id == 1).values(seq=newest + len(placed))
    )
    return placed


def _logged(seq: int, event: OutboxEvent) -> LoggedEvent:
    return LoggedEvent(
        seq,
        event_id(event.key),
        event.topic,
        event.tenant_id,
        event.payload,
        event.created_at_us,
        event.trace,
    )


class SqlEventLog(EventLog):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, seq: int, tenant_id: str | None = None, *, limit: int = 100) -> list[LoggedEvent]:
        statement = select(*_COLUMNS).where(outbox.c.seq > seq)
        if tenant_id is not None:
            statement = statement.where(outbox.c.tenant_id == tenant_id)
        statement = statement.order_by(outbox.c.seq).limit(limit)

        def work(connection: Connection) -> list[LoggedEvent]:
            return [
                LoggedEvent(row.seq, event_id(row.key), *row[2:]) for row in connection.execute(statement)
            ]

        return await self._database.read(work)

    async def newest_seq(self) -> int:
        statement = select(event_position.c.seq)
        return await self._database.read(
            lambda connection: int(connection.execute(statement).scalar_one_or_none() or 0)
        )

    async def number(self, now_us: int, *, limit: int = 500) -> int:
        return await self._database.write(
            lambda connection: len(give_places(connection, now_us, limit)), alone=False
        )
