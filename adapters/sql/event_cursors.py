"""How far events were passed on, in the database."""

from sqlalchemy import Connection, select, update

from adapters.sql.database import Database
from adapters.sql.event_tables import event_cursors
from adapters.sql.upserts import insert_into
from application.ports.event_cursors import Cursor, EventCursors

_C = event_cursors.c


class SqlEventCursors(EventCursors):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, name: str, holder: str, now_us: int, until_us: int, start_seq: int) -> Cursor | None:
        def work(connection: Connection) -> Cursor | None:
            connection.execute(
                insert_into(self._database.dialect, event_cursors)
                .values(name=name, seq=start_seq, fence=0, holder="", until_us=0)
                .on_conflict_do_nothing()
            )
            row = connection.execute(select(event_cursors).where(_C.name == name).with_for_update()).one()
            if row.holder != holder and row.until_us > now_us:
                return None
            fence = row.fence if row.holder == holder else row.fence + 1
            connection.execute(
                update(event_cursors)
                .where(_C.name == name)
                .values(holder=holder, until_us=until_us, fence=fence)
            )
            return Cursor(row.seq, fence)

        return await self._database.write(work, alone=False)

    async def advance(self, name: str, fence: int, seq: int) -> bool:
        def work(connection: Connection) -> bool:
            row = connection.execute(select(event_cursors).where(_C.name == name).with_for_update()).first()
            if row is None or row.fence != fence:
                return False
            connection.execute(update(event_cursors).where(_C.name == name).values(seq=max(seq, row.seq)))
            return True

        return await self._database.write(work, alone=False)

    async def release(self, name: str, fence: int) -> None:
        def work(connection: Connection) -> None:
            connection.execute(
                update(event_cursors).where(_C.name == name, _C.fence == fence).values(holder="", until_us=0)
            )

        await self._database.write(work, alone=False)
