"""Messages that were seen, in the database."""

from sqlalchemy import Connection, delete, func, select

from adapters.sql.database import Database
from adapters.sql.event_tables import seen_messages
from adapters.sql.upserts import insert_into
from application.ports.seen_messages import SeenMessages
from domain.errors import Overloaded

DROPPED_PER_CALL = 500
RETRY_AFTER_S = 60.0
_C = seen_messages.c


class SqlSeenMessages(SeenMessages):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def first(
        self, tenant_id: str, fingerprint: bytes, now_us: int, until_us: int, *, per_tenant_max: int
    ) -> bool:
        def work(connection: Connection) -> bool:
            old = (
                select(_C.fingerprint)
                .where(_C.tenant_id == tenant_id, _C.until_us <= now_us)
                .order_by(_C.until_us, _C.fingerprint)
                .limit(DROPPED_PER_CALL)
                .with_for_update(skip_locked=True)
            )
            gone = connection.execute(old).scalars().all()
            if gone:
                connection.execute(
                    delete(seen_messages).where(_C.tenant_id == tenant_id, _C.fingerprint.in_(gone))
                )
            statement = insert_into(self._database.dialect, seen_messages).values(
                tenant_id=tenant_id, fingerprint=fingerprint, until_us=until_us
            )
            new = connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["tenant_id", "fingerprint"],
                    set_={"until_us": statement.excluded.until_us},
                    where=_C.until_us <= now_us,
                )
            ).rowcount
            if new and _known(connection, tenant_id, per_tenant_max + 1) > per_tenant_max:
                raise Overloaded(
                    f"{per_tenant_max} messages are known as seen in this tenant; no more are taken until "
                    "some are forgotten",
                    retry_after_s=RETRY_AFTER_S,
                )
            return bool(new)

        return await self._database.write(work, alone=False)


def _known(connection: Connection, tenant_id: str, at_most: int) -> int:
    some = select(_C.fingerprint).where(_C.tenant_id == tenant_id).limit(at_most).subquery()
    return int(connection.execute(select(func.count()).select_from(some)).scalar_one())
