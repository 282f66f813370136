"""What is asked of PostgreSQL about itself. Everything is named with its schema: others may shadow names."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from application.ports.database_engine import ColumnInfo, TableInfo

WHO: Final = """
SELECT pg_catalog.current_setting('server_version') AS version,
       current_user::pg_catalog.text AS username,
       pg_catalog.current_database()::pg_catalog.text AS database,
       pg_catalog.pg_is_in_recovery() AS standby,
       ARRAY(
         SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles r
         WHERE pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')
           AND (r.rolsuper OR r.rolreplication OR r.rolcreaterole OR r.rolname = ANY (ARRAY[
             'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'
           ]::pg_catalog.name[]))
         ORDER BY 1
       ) AS powers
"""
"""`powers`: roles it has or can take that do what no guard of SQL can see, its own name among them."""

TABLES: Final = """
SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text,
       COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), ''), c.reltuples::pg_catalog.int8,
       a.attname::pg_catalog.text, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
       COALESCE(a.attnum = ANY (i.indkey::pg_catalog.int2[]), false),
       COALESCE(pg_catalog.col_description(c.oid, a.attnum), '')
FROM (
  SELECT c.* FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND CASE WHEN pg_catalog.cardinality(:schemas::pg_catalog.text[]) > 0
             THEN n.nspname::pg_catalog.text = ANY (:schemas::pg_catalog.text[])
             ELSE n.nspname !~ '^(pg_|information_schema$)' END
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
    AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
         OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT'))
  ORDER BY n.nspname, c.relname LIMIT :tables_max
) c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
ORDER BY n.nspname, c.relname, a.attnum
"""
_VIEWS: Final = frozenset({"v", "m"})


def tables_of(rows: Sequence[Sequence[Any]]) -> list[TableInfo]:
    """Rows of TABLES as what they describe."""
    found = []
    for (schema, name, kind, comment, estimated), columns in groupby(rows, key=lambda row: tuple(row[:5])):
        found.append(
            TableInfo(
                schema=schema,
                name=name,
                kind="view" if kind in _VIEWS else "table",
                columns=[ColumnInfo(*row[5:]) for row in columns],
                comment=comment,
                rows_estimated=estimated if estimated >= 0 else None,
            )
        )
    return found
