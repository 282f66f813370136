"""The outbox in the database."""

from typing import Final

from sqlalchemy import Connection, delete, select, update

from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.ledger_statements import inserts
from adapters.sql.ledger_tables import outbox
from application.ports.outbox import Outbox, OutboxEvent

DONE_KEPT_US: Final = 30 * 86_400_000_000
"""How long delivered events are kept for people to look at."""
KEYS_PER_STATEMENT: Final = 1000
DROPPED_PER_CALL: Final = 500

_EVENT: Final = [outbox.c[name] for name in OutboxEvent._fields]


def tell(connection: Connection, event: OutboxEvent) -> None:
    """Puts an event into the outbox in the transaction of its cause; one that is there stays as it is."""
    connection.execute(inserts(connection.dialect).outbox, {**event._asdict(), "done_at_us": None})


class SqlOutbox(Outbox):
    """Who writes an event with its cause inserts into the table in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._inserts = inserts(database.dialect)

    async def add(self, event: OutboxEvent) -> bool:
        row = {**event._asdict(), "done_at_us": None}

        def work(connection: Connection) -> bool:
            return int(connection.execute(self._inserts.outbox, row).rowcount) > 0

        try:
            return await self._database.write(work, alone=False)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error

    async def waiting(self, *, limit: int = 100) -> list[OutboxEvent]:
        statement = (
            select(*_EVENT)
            .where(outbox.c.done_at_us.is_(None))
            .order_by(outbox.c.created_at_us, outbox.c.key)
            .limit(limit)
        )
        return await self._database.read(
            lambda connection: [OutboxEvent(*row) for row in connection.execute(statement)]
        )

    async def newest(
        self, tenant_id: str | None, topic: str | None, *, limit: int = 100
    ) -> list[OutboxEvent]:
        statement = select(*_EVENT)
        if tenant_id is not None:
            statement = statement.where(outbox.c.tenant_id == tenant_id)
        if topic is not None:
            statement = statement.where(outbox.c.topic == topic)
        statement = statement.order_by(outbox.c.created_at_us.desc(), outbox.c.key.desc()).limit(limit)
        return await self._database.read(
            lambda connection: [OutboxEvent(*row) for row in connection.execute(statement)]
        )

    async def done(self, keys: list[str], now_us: int) -> None:
        def work(connection: Connection) -> None:
            for start in range(0, len(keys), KEYS_PER_STATEMENT):
                mine = outbox.c.key.in_(sorted(keys)[start : start + KEYS_PER_STATEMENT])
                connection.execute(
                    update(outbox).where(mine, outbox.c.done_at_us.is_(None)).values(done_at_us=now_us)
                )
            old = (
                select(outbox.c.key)
                .where(outbox.c.done_at_us < now_us - DONE_KEPT_US)
                .order_by(outbox.c.key)
                .limit(DROPPED_PER_CALL)
                .with_for_update(skip_locked=True)
            )
            gone = connection.execute(old).scalars().all()
            if gone:
                connection.execute(delete(outbox).where(outbox.c.key.in_(gone)))

        await self._database.write(work, alone=False)
