"""Oracle Database behind oracledb in thin mode: no client libraries of Oracle.

Reads run in `SET TRANSACTION READ ONLY`. A session that read is rolled back and its packages are reset; one
that wrote, or planned, is closed. The driver follows a listener's redirect to wherever it leads, which nobody
judges: see docs/databases.md.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.databases.configuration import DatabaseConfiguration
from adapters.databases.destination import (
    Destination,
    TlsMode,
    destination_of,
    driver_missing,
    pool_settings,
)
from adapters.databases.named_tls import NamedContext
from adapters.databases.oracle_catalogue import COLUMNS, TABLES, harmful, only_of, tables_of
from adapters.databases.oracle_session import OracleSession, refusal
from adapters.databases.pooled_engine import PooledEngine, take_rows
from adapters.databases.reading import tokens_of
from adapters.databases.sessions import OPEN_S, PoolSettings
from application.ports.connector import Surroundings
from application.ports.database_engine import Limits, Statement, TableInfo
from domain.connectors.sql_dialect import SqlDialect
from domain.errors import IntegrationUnavailable, InvalidConfiguration

PORT: Final = 1521
TLS_PORT: Final = 2484
_SERVICE: Final = re.compile(r"[A-Za-z0-9_.$#-]{1,250}")
"""It becomes part of a description with brackets, which must not be written by others."""
_OWN: Final = Limits(rows=200_000, bytes=64 * 1024 * 1024, timeout_s=30.0)
_PLAN: Final = "SELECT plan_table_output FROM TABLE(DBMS_XPLAN.DISPLAY(NULL, :id, 'TYPICAL'))"
_PLAN_ID: Final = "interchange"


class OracleEngine(PooledEngine[OracleSession]):
    """One service as one user. `driver` is the module oracledb, or what stands in for it."""

    dialect = "oracle"

    def __init__(self, destination: Destination, pool: PoolSettings, driver: Any) -> None:
        """Connects to nothing yet. Raises InvalidConfiguration."""
        super().__init__(pool)
        if not _SERVICE.fullmatch(destination.database):
            raise InvalidConfiguration(
                "endpoint names no service: oracle://host:1521/service", param="endpoint"
            )
        self._destination, self._driver = destination, driver
        self._tls = _context(destination)

    async def explain(self, statement: Statement, limits: Limits) -> Mapping[str, Any]:
        """The plan is noted in a table of the session's own, so not in a read-only transaction."""
        tokens_of(statement.text, SqlDialect.ORACLE, write=False)
        planned = f"EXPLAIN PLAN SET STATEMENT_ID = '{_PLAN_ID}' FOR {statement.text}"
        async with self._transaction(limits, write=True) as session:
            await session.run(Statement(planned, statement.values))
            await session.run(Statement(_PLAN, {"id": _PLAN_ID}))
            rows = await take_rows(session, limits)
        return {"format": "text", "plan": "\n".join(str(row[0]) for row in rows.rows)}

    async def describe(self, schemas: Sequence[str], tables_max: int) -> Sequence[TableInfo]:
        only, names = only_of(schemas)
        values = {**names, "tables": int(tables_max)}
        tables = await self._asked(TABLES.format(only=only), values, _OWN)
        columns = await self._asked(COLUMNS.format(tables=TABLES.format(only=only)), values, _OWN)
        return tables_of(tables, columns)

    async def check(self, *, must_be_harmless: bool) -> Mapping[str, Any]:
        rows = await self._asked("SELECT USER, SYS_CONTEXT('USERENV', 'DB_NAME') FROM dual", {}, _OWN)
        user, database = rows[0]
        if must_be_harmless and (problem := await harmful(self._asked, _OWN)):
            raise InvalidConfiguration(
                f"the database user {user} {problem}: free SQL needs one that may do less",
                param="authentication.username",
            )
        async with self._transaction(_OWN, write=False) as session:
            version = session.version
        return {"product": "Oracle Database", "version": version, "user": user, "database": database}

    async def _open(self) -> OracleSession:
        to = self._destination
        where = f"{to.host}:{to.port}"
        refused = IntegrationUnavailable("the name of the database has no address")
        for address in await to.addresses():
            try:
                connection = await self._driver.connect_async(**self._options(address))
            except self._driver.Error as error:
                refused = refusal(error, where)
                continue
            except ssl.SSLError as error:
                reason = getattr(error, "verify_message", "") or error.reason or "the handshake failed"
                refused = IntegrationUnavailable(f"no TLS with the database at {where}: {reason}")
                continue
            except (OSError, EOFError) as error:
                refused = refusal(error, where)
                continue
            session = OracleSession(self._driver, connection)
            try:
                await session.learn()
            except BaseException:
                connection.terminate()
                raise
            return session
        raise refused

    def _options(self, address: str) -> dict[str, Any]:
        to = self._destination
        return {
            "user": to.username,
            "password": to.password_text(),
            "host": address,
            "port": to.port,
            "service_name": to.database,
            "protocol": "tcp" if self._tls is None else "tcps",
            "ssl_context": self._tls,
            # It would compare the certificate with the address; the context checks the name.
            "ssl_server_dn_match": False,
            "tcp_connect_timeout": OPEN_S / 2,
            "retry_count": 0,
            # Otherwise it tells the server who runs this process, and where.
            "program": "interchange",
            "machine": "interchange",
            "osuser": "interchange",
            "terminal": "interchange",
        }


def open_engine(configuration: DatabaseConfiguration, surroundings: Surroundings) -> OracleEngine:
    """Connects to nothing yet. Raises InvalidConfiguration, also where oracledb is not installed."""
    try:
        import oracledb
    except ImportError:
        raise driver_missing("oracledb", "oracle") from None
    port = TLS_PORT if configuration.tls.mode in ("require", "verify-full") else PORT
    return OracleEngine(
        destination_of(configuration, surroundings, port=port), pool_settings(configuration), oracledb
    )


def _context(destination: Destination) -> ssl.SSLContext | None:
    if destination.tls is TlsMode.OFF:
        return None
    try:
        return NamedContext.of(
            destination.host, destination.ca_pem, verify=destination.tls is TlsMode.VERIFY_FULL
        )
    except ssl.SSLError:
        raise InvalidConfiguration(
            "tls: the authority is not a certificate in PEM", param="tls.ca_pem"
        ) from None
