"""What SQL Server says of its tables, and of what a user may do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from application.ports.database_engine import ColumnInfo, Limits, TableInfo

Ask = Callable[[str, Mapping[str, Any], Limits], Awaitable[Sequence[Sequence[Any]]]]

TABLES: Final = """
SELECT TOP ({count}) s.name AS schema_name, o.name AS table_name, o.type AS kind, o.object_id AS object_id,
  CAST(p.value AS nvarchar(4000)) AS comment,
  (SELECT SUM(r.rows) FROM sys.partitions r
   WHERE r.object_id = o.object_id AND r.index_id IN (0, 1)) AS row_count
FROM sys.objects o
JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.extended_properties p
  ON p.class = 1 AND p.major_id = o.object_id AND p.minor_id = 0 AND p.name = 'MS_Description'
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0{only}
ORDER BY s.name, o.name
"""
COLUMNS: Final = """
SELECT c.object_id, c.name, t.name, c.max_length, c.precision, c.scale, c.is_nullable,
  CAST(p.value AS nvarchar(4000)),
  (SELECT COUNT(*) FROM sys.indexes i JOIN sys.index_columns ic
     ON ic.object_id = i.object_id AND ic.index_id = i.index_id
   WHERE i.is_primary_key = 1 AND i.object_id = c.object_id AND ic.column_id = c.column_id)
FROM sys.columns c
JOIN sys.types t ON t.user_type_id = c.user_type_id
JOIN ({tables}) o ON o.object_id = c.object_id
LEFT JOIN sys.extended_properties p
  ON p.class = 1 AND p.major_id = c.object_id AND p.minor_id = c.column_id AND p.name = 'MS_Description'
ORDER BY c.object_id, c.column_id
"""
SERVER_WIDE: Final = "SELECT permission_name FROM fn_my_permissions(NULL, 'SERVER') ORDER BY permission_name"
DATABASE_WIDE: Final = (
    "SELECT permission_name FROM fn_my_permissions(NULL, 'DATABASE') ORDER BY permission_name"
)
HARMLESS_ON_SERVER: Final = frozenset({"CONNECT SQL", "CONNECT ANY DATABASE"})
HARMLESS_IN_DATABASE: Final = frozenset(
    {
        "CONNECT", "SELECT", "INSERT", "UPDATE", "DELETE", "REFERENCES", "EXECUTE", "SHOWPLAN", "UNMASK",
        "CREATE TABLE", "CREATE VIEW", "CREATE TYPE", "CREATE SYNONYM", "CREATE DEFAULT", "CREATE RULE",
        "CREATE FUNCTION", "CREATE PROCEDURE", "CREATE XML SCHEMA COLLECTION",
    }
)  # fmt: skip
"""Beside whatever is called VIEW …; the rest (CONTROL, ALTER ANY …, IMPERSONATE, BULK) is refused."""
_SIZED: Final = frozenset({"varchar", "char", "varbinary", "binary"})
_WIDE: Final = frozenset({"nvarchar", "nchar"})


async def harmful(ask: Ask, limits: Limits) -> str | None:
    """Why its user is no user for free SQL; None: nothing was found."""
    for text, harmless, where in (
        (SERVER_WIDE, HARMLESS_ON_SERVER, "on the server"),
        (DATABASE_WIDE, HARMLESS_IN_DATABASE, "in the database"),
    ):
        for (name,) in await ask(text, {}, limits):
            if name not in harmless and not str(name).startswith("VIEW "):
                return f"has the permission {name} {where}"
    return None


def only_of(schemas: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A condition on schemas and its values."""
    names = {f"s{number}": name for number, name in enumerate(schemas)}
    return (f" AND s.name IN ({', '.join(f':{name}' for name in names)})" if names else ""), names


def tables_of(tables: Sequence[Sequence[Any]], columns: Sequence[Sequence[Any]]) -> Sequence[TableInfo]:
    by_table: dict[Any, list[ColumnInfo]] = {}
    for table, name, kind, length, precision, scale, nullable, comment, key in columns:
        by_table.setdefault(table, []).append(
            ColumnInfo(
                name=name,
                type=_type(kind, length, precision, scale),
                nullable=bool(nullable),
                key=bool(key),
                comment=comment or "",
            )
        )
    return [
        TableInfo(
            schema=schema,
            name=name,
            kind="view" if str(kind).strip() == "V" else "table",
            columns=by_table.get(number, []),
            comment=comment or "",
            rows_estimated=None if rows is None else int(rows),
        )
        for schema, name, kind, number, comment, rows in tables
    ]


def _type(kind: str, length: int, precision: int, scale: int) -> str:
    if kind in _SIZED or kind in _WIDE:
        size = "max" if length < 0 else length // 2 if kind in _WIDE else length
        return f"{kind}({size})"
    return f"{kind}({precision},{scale})" if kind in ("decimal", "numeric") else str(kind)
