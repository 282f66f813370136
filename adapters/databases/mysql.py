"""MySQL and MariaDB behind aiomysql.

Reads run in `START TRANSACTION READ ONLY` with the session's own default read-only as well, with the server's
limit of time and of rows. Given back, a session is reset by the protocol (COM_RESET_CONNECTION), which drops
variables, temporary tables and locks. What is left running is ended by KILL through another connection.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.destination import (
    Destination,
    client_tls,
    destination_of,
    driver_missing,
    pool_settings,
)
from adapters.databases.mysql_grants import harmful
from adapters.databases.pooled_engine import PooledEngine
from adapters.databases.sessions import OPEN_S, PoolSettings
from application.ports.connector import Surroundings
from application.ports.database_engine import ColumnInfo, Limits, Statement, TableInfo
from domain.errors import IntegrationUnavailable, InvalidConfiguration, ToolFailed

if TYPE_CHECKING:
    from adapters.databases.mysql_connection import StrictConnection
    from adapters.databases.mysql_session import MySqlSession

PORT: Final = 3306
SCHEMES: Final = frozenset({"mysql", "mariadb"})
_OWN: Final = Limits(rows=200_000, bytes=64 * 1024 * 1024, timeout_s=30.0)
"""Of our own questions about the database."""
_TABLES: Final = """
SELECT table_schema, table_name, table_type, table_comment, table_rows FROM information_schema.tables
WHERE table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')
  AND table_type IN ('BASE TABLE', 'VIEW'){schemas}
ORDER BY table_schema, table_name LIMIT {tables}
"""
_COLUMNS: Final = """
SELECT table_schema, table_name, column_name, column_type, is_nullable, column_key, column_comment
FROM information_schema.columns WHERE (table_schema, table_name) IN ({tables})
ORDER BY table_schema, table_name, ordinal_position
"""


class MySqlEngine(PooledEngine["MySqlSession"]):
    """One server and database as one user."""

    dialect = "mysql"

    def __init__(self, destination: Destination, pool: PoolSettings) -> None:
        """Connects to nothing yet. Raises InvalidConfiguration."""
        super().__init__(pool)
        self._destination = destination
        self._tls = client_tls(destination.tls, destination.ca_pem)

    async def explain(self, statement: Statement, limits: Limits) -> Mapping[str, Any]:
        rows = await self.read(statement._replace(text=f"EXPLAIN FORMAT=JSON {statement.text}"), limits)
        if not rows.rows or rows.truncated:
            raise ToolFailed("the database tells no plan within the limits")
        return {"format": "json", "plan": json.loads(rows.rows[0][0])}

    async def describe(self, schemas: Sequence[str], tables_max: int) -> Sequence[TableInfo]:
        names = {f"s{number}": name for number, name in enumerate(schemas)}
        only = f" AND table_schema IN ({', '.join(f':{name}' for name in names)})" if names else ""
        found = await self._asked(_TABLES.format(schemas=only, tables=int(tables_max)), names, _OWN)
        if not found:
            return ()
        values: dict[str, str] = {}
        places = []
        for number, row in enumerate(found):
            values |= {f"s{number}": row[0], f"t{number}": row[1]}
            places.append(f"(:s{number}, :t{number})")
        columns = await self._asked(_COLUMNS.format(tables=", ".join(places)), values, _OWN)
        return [_table(row, columns) for row in found]

    async def check(self, *, must_be_harmless: bool) -> Mapping[str, Any]:
        async with self._transaction(_OWN, write=False) as session:
            ((version, user, database),) = await session.ask("SELECT VERSION(), CURRENT_USER(), DATABASE()")
            problem = await harmful(session) if must_be_harmless else None
        if problem is not None:
            raise InvalidConfiguration(
                f"the database user {user} {problem}: free SQL needs one that may do less",
                param="authentication.username",
            )
        product = "MariaDB" if session.is_mariadb else "MySQL"
        return {"product": product, "version": version, "user": user, "database": database}

    async def _open(self) -> "MySqlSession":
        from adapters.databases.mysql_session import MySqlSession

        addresses = await self._destination.addresses()
        connection = await self._connected(addresses)
        address = str(connection.host)

        async def again() -> "StrictConnection":
            return await self._connected([address])

        session = MySqlSession(connection, self._destination.database, again)
        try:
            await session.learn()
        except BaseException:
            connection.abort()
            raise
        return session

    async def _connected(self, addresses: Sequence[str]) -> "StrictConnection":
        """The first of the addresses that answers; the reason of the last is told."""
        from pymysql.err import Error

        from adapters.databases.mysql_connection import StrictConnection
        from adapters.databases.mysql_session import BROKEN, refusal

        to, refused = self._destination, IntegrationUnavailable("the name of the database has no address")
        where = f"{to.host}:{to.port}"
        for address in addresses:
            connection = StrictConnection(
                address=address,
                port=to.port,
                name=to.host,
                user=to.username,
                password=to.password_text(),
                database=to.database or None,
                tls=self._tls,
                connect_s=OPEN_S / 2,
            )
            try:
                await connection.open()
            except Error as error:
                refused = refusal(error, where)
            except (OSError, EOFError) as error:
                refused = refusal(Error(0, "the connection broke"), where, error)
            except BROKEN:
                refused = IntegrationUnavailable(f"what answers at {where} does not speak as MySQL does")
            else:
                return connection
        raise refused


def open_engine(configuration: DatabaseConfiguration, surroundings: Surroundings) -> MySqlEngine:
    """Connects to nothing yet. Raises InvalidConfiguration, also where aiomysql is not installed."""
    try:
        import aiomysql  # noqa: F401
    except ImportError:
        raise driver_missing("aiomysql", "mysql") from None
    return MySqlEngine(destination_of(configuration, surroundings, port=PORT), pool_settings(configuration))


def _table(row: Sequence[Any], columns: Sequence[Sequence[Any]]) -> TableInfo:
    schema, name, kind, comment, rows = row
    view = kind == "VIEW"
    return TableInfo(
        schema=schema,
        name=name,
        kind="view" if view else "table",
        columns=[
            ColumnInfo(
                name=column,
                type=type_,
                nullable=nullable == "YES",
                key=key == "PRI",
                comment=said or "",
            )
            for of_schema, of_table, column, type_, nullable, key, said in columns
            if (of_schema, of_table) == (schema, name)
        ],
        comment="" if view else comment or "",
        rows_estimated=None if rows is None else int(rows),
    )
