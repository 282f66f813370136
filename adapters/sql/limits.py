"""Rate limits made through the API, in the database."""

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from adapters.sql.database import Database
from adapters.sql.limit_tables import rate_limit_generation, rate_limits
from application.ports.limits import LimitStore, StoredLimit
from domain.errors import Conflict


class SqlLimitStore(LimitStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[StoredLimit]:
        statement = select(*(rate_limits.c[name] for name in StoredLimit._fields)).order_by(
            rate_limits.c.limit_id
        )
        return await self._database.read(
            lambda connection: [StoredLimit(*row) for row in connection.execute(statement)]
        )

    async def put(self, limit: StoredLimit) -> bool:
        columns = rate_limits.c

        def work(connection: Connection) -> bool:
            known = connection.execute(
                select(columns.tenant_id).where(columns.limit_id == limit.limit_id)
            ).scalar_one_or_none()
            if known not in (None, limit.tenant_id):
                raise Conflict(f"the id {limit.limit_id} is taken", param="limit_id")
            namesake = select(columns.limit_id).where(
                columns.tenant_id == limit.tenant_id,
                columns.name == limit.name,
                columns.limit_id != limit.limit_id,
            )
            if connection.execute(namesake).first() is not None:
                raise _taken(limit)
            if known is None:
                connection.execute(insert(rate_limits).values(**limit._asdict()))
            else:
                connection.execute(
                    update(rate_limits).where(columns.limit_id == limit.limit_id).values(**limit._asdict())
                )
            _count_up(connection)
            return known is None

        try:
            return await self._database.write(work)
        except IntegrityError as error:
            raise _taken(limit) from error

    async def delete(self, tenant_id: str, limit_id: str) -> bool:
        def work(connection: Connection) -> bool:
            mine = (rate_limits.c.tenant_id == tenant_id, rate_limits.c.limit_id == limit_id)
            gone = connection.execute(delete(rate_limits).where(*mine)).rowcount > 0
            if gone:
                _count_up(connection)
            return gone

        return await self._database.write(work)

    async def generation(self) -> int:
        return await self._database.read(
            lambda connection: int(
                connection.execute(select(rate_limit_generation.c.generation)).scalar_one()
            )
        )


def _taken(limit: StoredLimit) -> Conflict:
    return Conflict(f"another limit is called {limit.name!r}", param="name")


def _count_up(connection: Connection) -> None:
    connection.execute(
        update(rate_limit_generation).values(generation=rate_limit_generation.c.generation + 1)
    )
