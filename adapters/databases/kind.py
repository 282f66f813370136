"""Which engine serves an endpoint, and making connectors of it.

Drivers and parsers of SQL are imported when somebody uses one: not every installation does.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from adapters.databases.configuration import DatabaseConfiguration, PasswordAuthentication, read_configuration
from adapters.databases.database_file import database_file
from adapters.databases.destination import driver_missing
from application.ports.connector import ConnectorKind, Surroundings
from application.ports.database_engine import Engine
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.sql_dialect import SqlDialect
from domain.errors import InvalidConfiguration
from domain.tenancy.role import OPERATOR_TENANT

if TYPE_CHECKING:
    from adapters.databases.connector import DatabaseConnector

EngineOpener = Callable[[DatabaseConfiguration, Surroundings], Engine]
PASSWORD: Final = "password"  # noqa: S105 - the name of a field


class Served(NamedTuple):
    """`module` has an `open_engine`; `package` is what it imports, `extra` what installs that."""

    module: str
    dialect: SqlDialect
    package: str
    extra: str = ""


SERVED: Final[Mapping[str, Served]] = {
    **dict.fromkeys(
        ("postgresql", "postgres"), Served("adapters.databases.postgres", SqlDialect.POSTGRES, "asyncpg")
    ),
    **dict.fromkeys(
        ("mysql", "mariadb"), Served("adapters.databases.mysql", SqlDialect.MYSQL, "aiomysql", "mysql")
    ),
    "oracle": Served("adapters.databases.oracle", SqlDialect.ORACLE, "oracledb", "oracle"),
    **dict.fromkeys(
        ("mssql", "sqlserver"), Served("adapters.databases.mssql", SqlDialect.TSQL, "mssql_python", "mssql")
    ),
    "sqlite": Served("adapters.databases.sqlite", SqlDialect.SQLITE, "sqlite3"),
    "duckdb": Served("adapters.databases.duckdb", SqlDialect.DUCKDB, "duckdb", "duckdb"),
}


OF_FILES: Final = frozenset({SqlDialect.SQLITE, SqlDialect.DUCKDB})


class DatabaseKind(ConnectorKind):
    """Integrations of type `database`. `openers` stand in for an engine's own `open_engine`, by dialect;
    `folders` gives those the operator opened to integrations, as they are now."""

    kind = IntegrationKind.DATABASE
    schemes = frozenset(SERVED)

    def __init__(
        self,
        openers: Mapping[SqlDialect, EngineOpener] | None = None,
        folders: Callable[[], Sequence[Path]] = lambda: (),
    ) -> None:
        self._openers = dict(openers or {})
        self._folders = folders

    def validate(self, configuration: Mapping[str, Any]) -> None:
        from adapters.databases.connector import guard_of, prepared_queries

        read = read_configuration(configuration)
        served = _served(read)
        if find_spec(served.package) is None:
            raise driver_missing(served.package, served.extra)
        if served.dialect in OF_FILES:
            database_file(read, self._folders())
        prepared_queries(read, served.dialect)
        guard_of(read, served.dialect)

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        given = configuration.get("authentication")
        kind = given.get("type") if isinstance(given, Mapping) else None
        return frozenset({PASSWORD}) if kind == PASSWORD else frozenset()

    def modules(self, configuration: Mapping[str, Any]) -> Sequence[str]:
        served = SERVED.get(str(configuration.get("endpoint", "")).partition("://")[0].lower())
        return () if served is None else ("adapters.databases.connector", served.module, served.package)

    def open(self, integration: Integration, surroundings: Surroundings) -> "DatabaseConnector":
        from adapters.databases.connector import DatabaseConnector

        read = read_configuration(integration.configuration)
        served = _served(read)
        if read.tls.ca_file is not None and not integration.declared:
            raise InvalidConfiguration(
                "tls.ca_file is a file of the server, which only integrations of its configuration file may "
                "name; use tls.ca_pem",
                param="tls.ca_file",
            )
        if isinstance(read.authentication, PasswordAuthentication) and PASSWORD not in surroundings.secrets:
            raise InvalidConfiguration("authentication.password is missing", param="authentication.password")
        opener = self._openers.get(served.dialect)
        if opener is not None:
            return DatabaseConnector(read, opener(read, surroundings))
        module = import_module(served.module)
        if served.dialect not in OF_FILES:
            return DatabaseConnector(read, module.open_engine(read, surroundings))
        _require_operator(integration)
        return DatabaseConnector(read, module.open_engine(read, surroundings, self._folders()))


def _require_operator(integration: Integration) -> None:
    """Files of the machine are for the operator's tenant, and for what the configuration file declares."""
    if integration.tenant_id != OPERATOR_TENANT and not integration.declared:
        raise InvalidConfiguration(
            "endpoint: a file of the machine belongs to whoever runs this installation; its configuration "
            "file may declare an integration with it for you",
            param="endpoint",
        )


def _served(configuration: DatabaseConfiguration) -> Served:
    scheme = configuration.place.scheme
    found = SERVED.get(scheme)
    if found is None:
        raise InvalidConfiguration(
            f"endpoint has the scheme {scheme[:40]!r}; databases are {', '.join(sorted(SERVED))}",
            param="endpoint",
        )
    return found
