"""Routes made through the API, in the database."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from adapters.sql.database import Database
from adapters.sql.route_tables import api_routes, route_generation
from application.ports.routes import RouteStore, StoredRoute
from domain.errors import Conflict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqlRouteStore(RouteStore):
    """Every change counts the generation up in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, route: StoredRoute, *, routes_max: int) -> bool:
        values = {
            "body": route.body,
            "updated_at_us": (route.updated_at - _EPOCH) // _MICROSECOND,
            "updated_by": route.updated_by,
        }

        def work(connection: Connection) -> bool:
            mine = api_routes.c.name == route.name
            replaced = connection.execute(update(api_routes).where(mine).values(**values)).rowcount > 0
            if not replaced:
                kept = connection.execute(select(func.count()).select_from(api_routes)).scalar_one()
                if kept >= routes_max:
                    raise Conflict(f"{routes_max} routes were made through the API; no more are kept")
                connection.execute(insert(api_routes).values(name=route.name, **values))
            _count_up(connection)
            return not replaced

        return await self._database.write(work)

    async def remove(self, name: str) -> bool:
        def work(connection: Connection) -> bool:
            removed = connection.execute(delete(api_routes).where(api_routes.c.name == name)).rowcount > 0
            if removed:
                _count_up(connection)
            return removed

        return await self._database.write(work)

    async def all(self) -> list[StoredRoute]:
        def work(connection: Connection) -> list[StoredRoute]:
            rows = connection.execute(select(api_routes).order_by(api_routes.c.name))
            return [
                StoredRoute(
                    row.name,
                    row.body,
                    _EPOCH + timedelta(microseconds=row.updated_at_us),
                    row.updated_by,
                )
                for row in rows
            ]

        return await self._database.read(work)

    async def generation(self) -> int:
        def work(connection: Connection) -> int:
            return int(connection.execute(select(route_generation.c.generation)).scalar_one())

        return await self._database.read(work)


def _count_up(connection: Connection) -> None:
    connection.execute(update(route_generation).values(generation=route_generation.c.generation + 1))
