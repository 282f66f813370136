"""What Oracle says of its tables, and of what a user may do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from application.ports.database_engine import ColumnInfo, Limits, TableInfo

Ask = Callable[[str, Mapping[str, Any], Limits], Awaitable[Sequence[Sequence[Any]]]]

TABLES: Final = """
SELECT o.owner, o.object_name, o.object_type, t.num_rows, c.comments
FROM all_objects o
LEFT JOIN all_tables t ON t.owner = o.owner AND t.table_name = o.object_name
LEFT JOIN all_tab_comments c ON c.owner = o.owner AND c.table_name = o.object_name
WHERE o.object_type IN ('TABLE', 'VIEW') AND o.secondary = 'N' AND o.owner IN
  (SELECT u.username FROM all_users u WHERE u.oracle_maintained = 'N'){only}
ORDER BY o.owner, o.object_name FETCH FIRST :tables ROWS ONLY
"""
COLUMNS: Final = """
SELECT c.owner, c.table_name, c.column_name, c.data_type, c.data_length, c.data_precision, c.data_scale,
  c.nullable, n.comments,
  (SELECT COUNT(*) FROM all_constraints k JOIN all_cons_columns kc
     ON kc.owner = k.owner AND kc.constraint_name = k.constraint_name
   WHERE k.constraint_type = 'P' AND k.owner = c.owner AND k.table_name = c.table_name
     AND kc.column_name = c.column_name)
FROM all_tab_columns c
JOIN ({tables}) t ON t.owner = c.owner AND t.object_name = c.table_name
LEFT JOIN all_col_comments n
  ON n.owner = c.owner AND n.table_name = c.table_name AND n.column_name = c.column_name
ORDER BY c.owner, c.table_name, c.column_id
"""
HARMLESS: Final = frozenset(
    {
        "CREATE SESSION", "ALTER SESSION", "SET CONTAINER", "UNLIMITED TABLESPACE", "SELECT ANY TABLE",
        "READ ANY TABLE", "CREATE TABLE", "CREATE VIEW", "CREATE SEQUENCE", "CREATE SYNONYM", "CREATE TYPE",
        "CREATE CLUSTER", "CREATE PROCEDURE", "CREATE TRIGGER", "CREATE OPERATOR", "CREATE INDEXTYPE",
        "CREATE MATERIALIZED VIEW", "CREATE DIMENSION", "CREATE ANALYTIC VIEW", "CREATE HIERARCHY",
        "CREATE ATTRIBUTE DIMENSION", "CREATE DOMAIN", "CREATE PROPERTY GRAPH", "CREATE MLE",
        "EXECUTE DYNAMIC MLE",
    }
)  # fmt: skip
"""System privileges that stay within tables and the user's own schema; whatever else there is is refused."""
_ROLES: Final = (
    "SELECT role FROM session_roles WHERE role LIKE '%CATALOG_ROLE' OR role LIKE '%_FULL_DATABASE'"
)
_SIZED: Final = frozenset({"VARCHAR2", "NVARCHAR2", "CHAR", "NCHAR", "RAW"})


async def harmful(ask: Ask, limits: Limits) -> str | None:
    """Why its user is no user for free SQL; None: nothing was found."""
    for (privilege,) in await ask("SELECT privilege FROM session_privs ORDER BY privilege", {}, limits):
        if privilege not in HARMLESS:
            return f"has the privilege {privilege}"
    for (role,) in await ask(_ROLES, {}, limits):
        return f"has the role {role}"
    for (directory,) in await ask("SELECT directory_name FROM all_directories", {}, limits):
        return f"may use files of the server (directory {directory})"
    return None


def only_of(schemas: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A condition on owners and its values. Names count as written, or in upper case."""
    names = {f"s{number}": name for number, name in enumerate(schemas)}
    if not names:
        return "", {}
    places = ", ".join(f":{name}, UPPER(:{name})" for name in names)
    return f" AND o.owner IN ({places})", names


def tables_of(tables: Sequence[Sequence[Any]], columns: Sequence[Sequence[Any]]) -> Sequence[TableInfo]:
    by_table: dict[tuple[str, str], list[ColumnInfo]] = {}
    for owner, table, name, kind, length, precision, scale, nullable, comment, key in columns:
        by_table.setdefault((owner, table), []).append(
            ColumnInfo(
                name=name,
                type=_type(kind, length, precision, scale),
                nullable=nullable == "Y",
                key=bool(key),
                comment=comment or "",
            )
        )
    return [
        TableInfo(
            schema=owner,
            name=name,
            kind="view" if kind == "VIEW" else "table",
            columns=by_table.get((owner, name), []),
            comment=comment or "",
            rows_estimated=None if rows is None else int(rows),
        )
        for owner, name, kind, rows, comment in tables
    ]


def _type(kind: str, length: Any, precision: Any, scale: Any) -> str:
    if kind in _SIZED:
        return f"{kind}({length})"
    if kind == "NUMBER" and precision is not None:
        return f"NUMBER({precision},{scale})" if scale else f"NUMBER({precision})"
    return str(kind)
