"""PostgreSQL: asyncpg, read-only transactions, sessions that are given back as they were after login."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.destination import Destination, destination_of, pool_settings
from adapters.databases.pooled_engine import PooledEngine
from adapters.databases.postgres_catalogue import TABLES, WHO, tables_of
from adapters.databases.postgres_connecting import connect, named_context
from adapters.databases.postgres_session import PostgresSession
from adapters.databases.sessions import PoolSettings
from application.ports.connector import Surroundings
from application.ports.database_engine import Limits, Statement, TableInfo
from domain.errors import InvalidConfiguration

PORT: Final = 5432
SCHEMA: Final = "public"
_CATALOGUE: Final = Limits(rows=100_000, bytes=64 * 1024 * 1024, timeout_s=15.0)


class PostgresEngine(PooledEngine[PostgresSession]):
    """Belongs to one event loop. Connects when it is asked something."""

    dialect = "postgres"

    def __init__(self, destination: Destination, pool: PoolSettings, schema: str = SCHEMA) -> None:
        """`schema` is where names without one are looked up, and nowhere else.

        Raises InvalidConfiguration for a certificate authority that is none.
        """
        super().__init__(pool)
        self._destination = destination
        self._schema = schema
        self._context = named_context(destination)

    async def _open(self) -> PostgresSession:
        return PostgresSession(await connect(self._destination, self._context, self._schema))

    async def explain(self, statement: Statement, limits: Limits) -> Mapping[str, Any]:
        """Estimates only: nothing is run, so nothing is measured."""
        asked = Statement(f"EXPLAIN (FORMAT JSON) {statement.text}", statement.values)
        rows = await self.read(asked, limits)
        return {"format": "json", "plan": rows.rows[0][0] if rows.rows else []}

    async def describe(self, schemas: Sequence[str], tables_max: int) -> list[TableInfo]:
        values = {"schemas": list(schemas), "tables_max": tables_max}
        return tables_of(await self._asked(TABLES, values, _CATALOGUE))

    async def check(self, *, must_be_harmless: bool) -> Mapping[str, Any]:
        ((version, username, database, standby, powers),) = await self._asked(WHO, {}, _CATALOGUE)
        if must_be_harmless and powers:
            raise InvalidConfiguration(
                f"authentication.username {username!r} may do what no guard of SQL sees (by: "
                f"{', '.join(powers)[:300]}); free_sql needs a role without such powers",
                param="authentication.username",
            )
        return {"version": version, "user": username, "database": database, "standby": standby}


def open_engine(configuration: DatabaseConfiguration, surroundings: Surroundings) -> PostgresEngine:
    """Connects to nothing yet. Raises InvalidConfiguration."""
    destination = destination_of(configuration, surroundings, port=PORT)
    if not destination.database:
        raise InvalidConfiguration(
            "endpoint names no database: postgresql://host:5432/database", param="endpoint"
        )
    schema = configuration.schemas[0] if configuration.schemas else SCHEMA
    return PostgresEngine(destination, pool_settings(configuration), schema)
