"""What tables there are, looked at now and then, and shown as far as they may be."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.databases.configuration import DatabaseConfiguration
from application.ports.database_engine import Engine, TableInfo
from domain.errors import InvalidParameters

TABLES_MAX: Final = 5000
SHOWN_MAX: Final = 1000
FRESH_S: Final = 30.0


class TablesSeen:
    """Belongs to one event loop. Of `free_sql.tables`, where there is such a list, and no others."""

    def __init__(self, engine: Engine, configuration: DatabaseConfiguration) -> None:
        self._engine = engine
        self._schemas = tuple(configuration.schemas)
        free = configuration.free_sql
        listed = free.tables if free.enabled else None
        self._only = None if listed is None else {_folded(name) for name in listed}
        self._tables: Sequence[TableInfo] = ()
        self._looked_at_s: float | None = None
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Raises as `Engine.describe`."""
        found = await self._engine.describe(self._schemas, TABLES_MAX)
        self._tables = [table for table in found if self._shown(table)]
        self._looked_at_s = asyncio.get_running_loop().time()

    async def listed(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The result of `list_tables`."""
        schema, search = asked.get("schema"), str(asked.get("search", "")).lower()
        found = [
            table
            for table in await self._fresh()
            if schema in (None, table.schema) and search in table.name.lower()
        ]
        shown = [
            {
                "schema": table.schema,
                "name": table.name,
                "kind": table.kind,
                "comment": table.comment,
                "rows_estimated": table.rows_estimated,
                "columns": len(table.columns),
            }
            for table in found[:SHOWN_MAX]
        ]
        return {"tables": shown, "truncated": len(found) > SHOWN_MAX}

    async def described(self, name: str) -> dict[str, Any]:
        """The result of `describe_table`. Raises InvalidParameters for what is not there."""
        wanted = _folded(name)
        tables = await self._fresh()
        found = [table for table in tables if f"{table.schema}.{table.name}".lower() == wanted]
        found = found or [table for table in tables if table.name.lower() == wanted]
        if not found:
            near = ", ".join(sorted(table.name for table in tables if wanted[:3] in table.name.lower())[:10])
            raise InvalidParameters(
                f"there is no table {name[:200]!r} that may be seen{f'; similar: {near}' if near else ''}",
                param="parameters.table",
            )
        if len(found) > 1:
            schemas = ", ".join(sorted(table.schema for table in found)[:10])
            raise InvalidParameters(
                f"{name[:200]!r} is in several schemas ({schemas}): say `schema.table`",
                param="parameters.table",
            )
        (table,) = found
        return {
            "schema": table.schema,
            "name": table.name,
            "kind": table.kind,
            "comment": table.comment,
            "rows_estimated": table.rows_estimated,
            "columns": [column._asdict() for column in table.columns],
        }

    async def _fresh(self) -> Sequence[TableInfo]:
        async with self._looking:  # whoever comes while somebody looks gets what they see
            now = asyncio.get_running_loop().time()
            if self._looked_at_s is None or now - self._looked_at_s >= FRESH_S:
                await self.look()
        return self._tables

    def _shown(self, table: TableInfo) -> bool:
        if self._only is None:
            return True
        return bool(self._only & {table.name.lower(), f"{table.schema}.{table.name}".lower()})


def _folded(name: str) -> str:
    return name.replace('"', "").replace("`", "").replace("[", "").replace("]", "").strip().lower()
