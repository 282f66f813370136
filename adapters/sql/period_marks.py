"""What is done once for a period, in the database."""

from typing import Final

from sqlalchemy import Connection, delete, func, select

from adapters.sql.database import REFUSED_VALUES, Database, unavailable
from adapters.sql.optimization_tables import period_marks
from adapters.sql.outbox import tell
from adapters.sql.upserts import insert_into
from application.ports.outbox import OutboxEvent
from application.ports.period_marks import KEPT_US, PeriodMarks

_MARK: Final = period_marks.c


class SqlPeriodMarks(PeriodMarks):
    """The first mark and its event are one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def marked(self, tenant_id: str, name: str, start_us: int) -> bool:
        mine = (_MARK.tenant_id == tenant_id, _MARK.name == name, _MARK.start_us == start_us)
        statement = select(_MARK.at_us).where(*mine)
        return await self._database.read(lambda connection: connection.execute(statement).first() is not None)

    async def newest(self, tenant_id: str, name: str) -> int | None:
        mine = (_MARK.tenant_id == tenant_id, _MARK.name == name)
        statement = select(func.max(_MARK.start_us)).where(*mine)
        return await self._database.read(lambda connection: connection.execute(statement).scalar())

    async def mark(
        self, tenant_id: str, name: str, start_us: int, *, at_us: int, event: OutboxEvent | None = None
    ) -> bool:
        first = (
            insert_into(self._database.dialect, period_marks)
            .values(tenant_id=tenant_id, name=name, start_us=start_us, at_us=at_us)
            .on_conflict_do_nothing()
        )
        old = (_MARK.tenant_id == tenant_id, _MARK.name == name, _MARK.start_us < at_us - KEPT_US)

        def work(connection: Connection) -> bool:
            if not connection.execute(first).rowcount > 0:
                return False
            connection.execute(delete(period_marks).where(*old))
            if event is not None:
                tell(connection, event)
            return True

        try:
            return await self._database.write(work)
        except REFUSED_VALUES as error:
            raise unavailable(error) from error
