"""An integration with a database: templates, free SQL behind its guard, and a look at what there is.

The engine knows how one kind of database is asked; here is what all have in common. Permissions, caches,
money and records are the caller's.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from adapters.databases.configuration import DatabaseConfiguration, LimitsSection
from adapters.databases.database_tools import (
    AS,
    DESCRIBE_TABLE,
    EXPLAIN,
    LIST_TABLES,
    QUERY,
    Query,
    own_tools,
    query_of,
)
from adapters.databases.row_formats import FORMATS
from adapters.databases.row_stream import RowStream
from adapters.databases.sql_guard import GuardedSql, SqlGuard
from adapters.databases.tables_seen import TablesSeen
from adapters.databases.values import json_row, json_safe, rows_value, unique
from adapters.wire.json_schemas import CompiledParameterSchemas
from application.ports.connector import ByteStream, Connector, ConnectorFigures, ToolOutcome
from application.ports.database_engine import Changed, Engine, Limits, Rows, Statement
from domain.connectors.query_template import check_template
from domain.connectors.sql_dialect import SqlDialect
from domain.connectors.sql_policy import make_policy
from domain.connectors.tool import Tool, ToolCall
from domain.errors import InvalidConfiguration, InvalidParameters, ToolFailed, ToolTimeout


def prepared_queries(configuration: DatabaseConfiguration, dialect: SqlDialect) -> dict[str, Query]:
    """The templates, each checked against its parameters. Raises InvalidConfiguration."""
    schemas = CompiledParameterSchemas()
    found = {}
    for name, section in configuration.queries.items():
        query = query_of(name, section, configuration.limits)
        path = f"queries.{name}"
        if problem := schemas.unusable(query.tool.parameters):
            raise InvalidConfiguration(f"{path}.parameters: {problem}", param=f"{path}.parameters")
        check_template(section.sql, dialect, _own(query), path)
        for number, example in enumerate(section.examples):
            if wrong := schemas.problem(query.tool.parameters, example, f"{path}.examples.{number}"):
                raise InvalidConfiguration(wrong.message, param=wrong.param)
        found[name] = query
    return found


def _own(query: Query) -> dict[str, Mapping[str, Any]]:
    """Schemas of the template's own parameters."""
    properties = query.tool.parameters["properties"]
    return {name: properties[name] for name in query.defaults}


def guard_of(configuration: DatabaseConfiguration, dialect: SqlDialect) -> SqlGuard | None:
    """None: free SQL is off. Raises InvalidConfiguration, also where its parsers are not installed."""
    free = configuration.free_sql
    if not free.enabled:
        return None
    policy = make_policy(
        dialect,
        tables=free.tables,
        functions=free.functions,
        write=free.write,
        default_schema=configuration.schemas[0] if configuration.schemas else None,
    )
    return SqlGuard(policy)


class DatabaseConnector(Connector):
    """Owns its engine. Belongs to one event loop."""

    def __init__(self, configuration: DatabaseConfiguration, engine: Engine) -> None:
        """Raises InvalidConfiguration."""
        dialect = SqlDialect(engine.dialect)
        self._configuration = configuration
        self._engine = engine
        self._queries = prepared_queries(configuration, dialect)
        self._guard = guard_of(configuration, dialect)
        self._schemas = CompiledParameterSchemas()
        self._seen = TablesSeen(engine, configuration)
        self._tools = (
            *(query.tool for query in self._queries.values()),
            *own_tools(configuration, self._queries),
        )

    @property
    def tools(self) -> Sequence[Tool]:
        return self._tools

    async def execute(self, call: ToolCall) -> ToolOutcome:
        try:
            return await self._execute(call)
        except TimeoutError:
            raise ToolTimeout(f"{call.tool.name} took longer than it may and was stopped") from None

    async def _execute(self, call: ToolCall) -> ToolOutcome:
        match call.tool.name:
            case name if name in self._queries:
                return await self._run(self._queries[name], call)
            case tool if tool == QUERY:
                return await self._run_free(call)
            case tool if tool == LIST_TABLES:
                return ToolOutcome(await self._seen.listed(call.parameters))
            case tool if tool == DESCRIBE_TABLE:
                return ToolOutcome(await self._seen.described(str(call.parameters["table"])))
            case tool if tool == EXPLAIN:
                return ToolOutcome(json_safe(await self._explained(call)))
            case other:
                raise InvalidParameters(f"there is no tool {other[:80]!r} here", param="tool_name")

    async def _run(self, query: Query, call: ToolCall) -> ToolOutcome:
        statement = Statement(query.sql, query.values(call.parameters))
        limits = _limits(query.limits, call)
        if query.section.returns in ("row", "value"):
            limits = limits._replace(rows=1)
        if query.section.read_only:
            rows = await self._engine.read(statement, limits)
            return _outcome(query.section.returns, rows, call)
        changed = await self._engine.write(statement, limits)
        return _changed(query.section.returns, changed, call)

    async def _run_free(self, call: ToolCall) -> ToolOutcome:
        limits = _limits(self._configuration.limits, call)
        if (asked := call.parameters.get("limit")) is not None:
            limits = limits._replace(rows=min(int(asked), limits.rows))
        guarded = await self._admitted(call.parameters["sql"], limits.rows + 1)
        statement = Statement(guarded.text, {})
        if guarded.writes:
            return _changed("affected", await self._engine.write(statement, limits), call)
        return _outcome("rows", await self._engine.read(statement, limits), call)

    async def _admitted(self, text: str, rows_max: int) -> GuardedSql:
        """`rows_max`: one more than wanted tells that there is more."""
        if self._guard is None:
            raise InvalidParameters("free SQL is switched off here", param="parameters.sql")
        return await self._guard.admit(text, rows_max)

    async def _explained(self, call: ToolCall) -> Mapping[str, Any]:
        limits = _limits(self._configuration.limits, call)
        if (sql := call.parameters.get("sql")) is not None:
            guarded = await self._admitted(sql, limits.rows + 1)
            return await self._engine.explain(Statement(guarded.text, {}), limits)
        query = self._queries[call.parameters["query"]]
        parameters = call.parameters.get("parameters", {})
        if problem := self._schemas.problem(query.tool.parameters, parameters, "parameters.parameters"):
            raise InvalidParameters(problem.message, param=problem.param)
        return await self._engine.explain(Statement(query.sql, query.values(parameters)), limits)

    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        make = FORMATS.get(content_type)
        if make is None or content_type not in call.tool.streams:
            raise InvalidParameters(
                f"{call.tool.name} is not streamed as {content_type[:80]!r}", param="format"
            )
        rows = make()
        query = self._queries.get(call.tool.name)
        section = self._configuration.limits if query is None else query.limits
        limits = Limits(section.stream_rows, section.stream_bytes, min(section.timeout_s, call.timeout_s))
        if query is not None:
            statement = Statement(query.sql, query.values(call.parameters))
        else:
            # Where a caller says how many rows it wants, those are all; else the limit is ours, and struck.
            rows_max = call.parameters.get("limit", limits.rows + 1)
            guarded = await self._admitted(call.parameters["sql"], int(rows_max))
            statement = Statement(guarded.text, {})
        try:
            return RowStream(await self._engine.open_cursor(statement, limits), rows)
        except TimeoutError:
            raise ToolTimeout(f"{call.tool.name} took longer than it may and was stopped") from None

    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        del body, size_bytes
        raise InvalidParameters(f"{call.tool.name} takes no body", param="body")

    async def check(self) -> Mapping[str, Any]:
        return await self._engine.check(must_be_harmless=self._configuration.free_sql.enabled)

    async def discover(self) -> bool:
        """Tables are looked at anew; tools come from the configuration alone, so they never change."""
        await self._seen.look()
        return False

    def figures(self) -> ConnectorFigures:
        return self._engine.figures()

    async def aclose(self) -> None:
        await self._engine.aclose()


def _limits(section: LimitsSection, call: ToolCall) -> Limits:
    return Limits(section.rows, section.bytes, min(section.timeout_s, call.timeout_s))


def _outcome(returns: str, rows: Rows, call: ToolCall) -> ToolOutcome:
    if returns == "rows":
        value = rows_value(rows, objects=call.parameters.get(AS) == "objects")
        return ToolOutcome(value, rows=len(rows.rows), truncated=rows.truncated)
    if rows.truncated and rows.rows:
        raise ToolFailed(f"{call.tool.name} returns one {returns}, but there is more than one row")
    if rows.truncated:
        raise ToolFailed(f"the row of {call.tool.name} is larger than the limit of bytes")
    first = json_row(rows.rows[0]) if rows.rows else None
    if returns == "value":
        return ToolOutcome({"value": first[0] if first else None}, rows=len(rows.rows))
    names = unique(rows.columns)
    columns = [{"name": name, "type": kind} for name, kind in zip(names, rows.types, strict=True)]
    row = dict(zip(names, first, strict=True)) if first is not None else None
    return ToolOutcome({"row": row, "columns": columns}, rows=len(rows.rows))


def _changed(returns: str, changed: Changed, call: ToolCall) -> ToolOutcome:
    if returns != "affected":
        if changed.returned is None:
            raise ToolFailed(f"{call.tool.name} was done, but it returns no {returns}")
        return _outcome(returns, changed.returned, call)
    value: dict[str, Any] = {"rows_affected": changed.rows_affected}
    if changed.returned is not None:
        value["returned"] = rows_value(changed.returned, objects=call.parameters.get(AS) == "objects")
    return ToolOutcome(value, rows=changed.rows_affected)
