"""Microsoft SQL Server behind mssql-python, whose calls block: a thread per session, as many as the pool has.

There is no read-only transaction here: reads are looked at word by word (`reading`), always rolled back, and
should run as a user who may only read. A server that routes reads to a replica is followed by the driver to
wherever it leads, which nobody judges: see docs/databases.md.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.destination import (
    Destination,
    TlsMode,
    destination_of,
    driver_missing,
    pool_settings,
)
from adapters.databases.mssql_catalogue import COLUMNS, TABLES, harmful, only_of, tables_of
from adapters.databases.mssql_session import MsSqlSession, refusal
from adapters.databases.own_thread import OwnThread
from adapters.databases.pooled_engine import PooledEngine, take_rows
from adapters.databases.reading import tokens_of
from adapters.databases.sessions import OPEN_S, PoolSettings
from application.ports.connector import Surroundings
from application.ports.database_engine import Limits, Statement, TableInfo
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_tokens import TokenKind
from domain.errors import IntegrationUnavailable, InvalidConfiguration, ToolFailed

PORT: Final = 1433
_OWN: Final = Limits(rows=200_000, bytes=64 * 1024 * 1024, timeout_s=30.0)
_ENCRYPTION: Final = {
    TlsMode.OFF: {"Encrypt": "no"},
    TlsMode.REQUIRE: {"Encrypt": "yes", "TrustServerCertificate": "yes"},
    TlsMode.VERIFY_FULL: {"Encrypt": "yes", "TrustServerCertificate": "no"},
}
_DECLARED: Final = ((bool, "bit"), (int, "bigint"), (float, "float"), (bytes, "varbinary(8000)"))
_VERSION: Final = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), SUSER_SNAME(), DB_NAME()"


class MsSqlEngine(PooledEngine[MsSqlSession]):
    """One server and database as one user. `driver` is the module mssql_python, or what stands in for it."""

    dialect = "tsql"

    def __init__(
        self, destination: Destination, pool: PoolSettings, driver: Any, *, reads_only: bool
    ) -> None:
        """Connects to nothing yet. `reads_only` lets a server send us to a replica. Raises
        InvalidConfiguration."""
        super().__init__(pool)
        if destination.ca_pem:
            raise InvalidConfiguration(
                "tls.ca_pem: the driver for SQL Server trusts what this machine trusts and nothing else",
                param="tls.ca_pem",
            )
        self._destination, self._driver, self._reads_only = destination, driver, reads_only
        # It would keep connections for whoever names the same server and user.
        driver.pooling(enabled=False)

    async def explain(self, statement: Statement, limits: Limits) -> Mapping[str, Any]:
        """As XML. Nothing is run while SHOWPLAN is on."""
        text = _declared(statement)
        async with self._transaction(limits, write=True) as session:
            await session.run_alone("SET SHOWPLAN_XML ON")
            await session.run_alone(text)
            rows = await take_rows(session, limits)
        if not rows.rows:
            raise ToolFailed("the database tells no plan within the limits")
        return {"format": "text", "plan": str(rows.rows[0][0])}

    async def describe(self, schemas: Sequence[str], tables_max: int) -> Sequence[TableInfo]:
        only, names = only_of(schemas)
        found = TABLES.format(only=only, count=int(tables_max))
        tables = await self._asked(found, names, _OWN)
        columns = await self._asked(COLUMNS.format(tables=found), names, _OWN)
        return tables_of(tables, columns)

    async def check(self, *, must_be_harmless: bool) -> Mapping[str, Any]:
        ((version, user, database),) = await self._asked(_VERSION, {}, _OWN)
        if must_be_harmless and (problem := await harmful(self._asked, _OWN)):
            raise InvalidConfiguration(
                f"the database user {user} {problem}: free SQL needs one that may do less",
                param="authentication.username",
            )
        return {"product": "SQL Server", "version": version, "user": user, "database": database}

    async def _open(self) -> MsSqlSession:
        to = self._destination
        refused = IntegrationUnavailable("the name of the database has no address")
        for address in await to.addresses():
            thread = OwnThread("mssql")
            options = self._options(address)
            try:
                connection = await thread.call(partial(self._connected, options))
            except (self._driver.Error, OSError) as error:
                thread.end(_nothing)
                refused = refusal(error, f"{to.host}:{to.port}")
                continue
            except BaseException:
                # The driver may still be connecting: what comes of it is closed when the last one drops it.
                thread.end(_nothing)
                raise
            return MsSqlSession(self._driver, connection, thread)
        raise refused

    def _connected(self, options: Mapping[str, str]) -> Any:
        return self._driver.connect("", autocommit=False, timeout=int(OPEN_S / 2), **options)

    def _options(self, address: str) -> dict[str, str]:
        to = self._destination
        options = {
            "Server": f"tcp:{address},{to.port}",
            "UID": to.username,
            "PWD": to.password_text(),
            "ConnectRetryCount": "0",
            **_ENCRYPTION[to.tls],
        }
        if to.tls is TlsMode.VERIFY_FULL:
            options["HostnameInCertificate"] = to.host
        if to.database:
            options["Database"] = to.database
        if self._reads_only:
            options["ApplicationIntent"] = "ReadOnly"
        return options


def open_engine(configuration: DatabaseConfiguration, surroundings: Surroundings) -> MsSqlEngine:
    """Connects to nothing yet. Raises InvalidConfiguration, also where mssql-python is not installed."""
    try:
        import mssql_python
    except ImportError:
        raise driver_missing("mssql-python", "mssql") from None
    writes = configuration.free_sql.write or not all(q.read_only for q in configuration.queries.values())
    return MsSqlEngine(
        destination_of(configuration, surroundings, port=PORT),
        pool_settings(configuration),
        mssql_python,
        reads_only=not writes,
    )


def _declared(statement: Statement) -> str:
    """One batch with a variable for each value, of a type like it: a plan needs no values."""
    parts: list[str] = []
    names: dict[str, str] = {}
    for token in tokens_of(statement.text, SqlDialect.TSQL, write=False):
        if token.kind is not TokenKind.PLACEHOLDER:
            parts.append(token.text)
            continue
        name = token.text[1:]
        names.setdefault(name, f"@p{len(names)}")
        parts.append(f" {names[name]} ")
    declared = ", ".join(f"{place} {_declared_type(statement.values[name])}" for name, place in names.items())
    return (f"DECLARE {declared}; " if names else "") + "".join(parts)


def _declared_type(value: Any) -> str:
    return next((kind for of, kind in _DECLARED if isinstance(value, of)), "nvarchar(4000)")


def _nothing() -> None:
    """The last thing a thread does that has nothing to close."""
