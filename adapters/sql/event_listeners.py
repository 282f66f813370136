"""Who listens to events, in the database."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, func, select

from adapters.sql.database import Database
from adapters.sql.event_tables import event_listeners
from adapters.sql.upserts import insert_into
from application.ports.event_listeners import EventListeners, Listening

_C = event_listeners.c


class SqlEventListeners(EventListeners):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, listening: Listening, now_us: int, *, per_tenant_max: int) -> None:
        tenant_id, patterns = listening.tenant_id, " ".join(sorted(set(listening.patterns)))
        mine = and_(_C.tenant_id == tenant_id, _C.patterns == patterns)

        def work(connection: Connection) -> None:
            connection.execute(
                delete(event_listeners).where(_C.tenant_id == tenant_id, _C.until_us <= now_us)
            )
            kept = connection.execute(
                select(_C.patterns, _C.until_us)
                .where(_C.tenant_id == tenant_id, _C.patterns != patterns)
                .order_by(_C.until_us.desc(), _C.patterns)
            ).all()
            gone = [row.patterns for row in kept[max(0, per_tenant_max - 1) :]]
            if gone:
                connection.execute(
                    delete(event_listeners).where(_C.tenant_id == tenant_id, _C.patterns.in_(gone))
                )
            known = connection.execute(select(func.max(_C.until_us)).where(mine)).scalar()
            until_us = max(listening.until_us, known or 0)
            statement = insert_into(self._database.dialect, event_listeners).values(
                tenant_id=tenant_id, patterns=patterns, until_us=until_us
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["tenant_id", "patterns"], set_={"until_us": statement.excluded.until_us}
                )
            )

        await self._database.write(work)

    async def all(self, now_us: int) -> Sequence[Listening]:
        statement = select(event_listeners).where(_C.until_us > now_us).order_by(_C.tenant_id, _C.patterns)

        def work(connection: Connection) -> list[Listening]:
            return [
                Listening(row.tenant_id, tuple(row.patterns.split(" ")), row.until_us)
                for row in connection.execute(statement)
            ]

        return await self._database.read(work)
