"""Names of databases that are their own: catalogues, secrets, statistics. Nobody else's SQL reads them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from domain.connectors.sql_dialect import SqlDialect


class SystemNames(NamedTuple):
    """In lower case. `allowed` are harmless although they look like one; `doubtful` prefixes are also those
    of other people's tables, which may be read where they are listed."""

    schemas: frozenset[str]
    prefixes: tuple[str, ...]
    names: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()
    doubtful: tuple[str, ...] = ()


_SYNONYMS_OF_ORACLE: Final = """
    cat clu cols dict dictionary ind obj plan_table seq syn tab tabs
"""
_OLD_VIEWS_OF_TSQL: Final = """
    sysobjects syscolumns syslogins sysusers sysprocesses sysdatabases syscomments sysindexes sysservers
    sysfiles sysfilegroups syspermissions sysprotects sysmembers systypes sysconfigures syscurconfigs
    sysdepends sysreferences sysforeignkeys sysperfinfo sysmessages sysdevices syslockinfo sysaltfiles
    sysconstraints sysfulltextcatalogs sysindexkeys syslanguages syscharsets syscursors
"""
SYSTEM_NAMES: Final[Mapping[SqlDialect, SystemNames]] = {
    SqlDialect.POSTGRES: SystemNames(frozenset({"pg_catalog", "information_schema", "pg_toast"}), ("pg_",)),
    SqlDialect.MYSQL: SystemNames(
        frozenset({"mysql", "information_schema", "performance_schema", "sys"}), ()
    ),
    SqlDialect.ORACLE: SystemNames(
        frozenset(
            {"sys", "system", "xdb", "ctxsys", "mdsys", "outln", "dbsnmp", "audsys", "lbacsys", "public"}
        ),
        ("dba_", "cdb_", "v$", "gv$", "v_$", "gv_$", "x$"),
        frozenset(_SYNONYMS_OF_ORACLE.split()),
        allowed=frozenset({"dual"}),
        doubtful=("all_", "user_", "role_", "session_"),
    ),
    SqlDialect.TSQL: SystemNames(
        frozenset({"sys", "information_schema", "guest", "master", "msdb", "tempdb", "model"}),
        ("#", "@", "spt_", "sysremote", "sysopen"),
        frozenset(_OLD_VIEWS_OF_TSQL.split()),
    ),
    SqlDialect.SQLITE: SystemNames(
        frozenset({"temp"}), ("sqlite_", "pragma_"), frozenset({"dbstat", "bytecode"})
    ),
    SqlDialect.DUCKDB: SystemNames(
        frozenset({"information_schema", "pg_catalog", "system", "temp"}),
        ("duckdb_", "sqlite_", "pragma_", "pg_"),
    ),
}
