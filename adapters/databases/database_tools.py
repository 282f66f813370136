"""The tools of a database: one per query template, and those every database has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.databases.configuration import DatabaseConfiguration, LimitsSection, QuerySection
from adapters.databases.row_formats import FORMATS
from domain.connectors.terms import cost_of
from domain.connectors.tool import TOOL_SHAPE, Tool
from domain.errors import InvalidConfiguration

LIST_TABLES: Final = "list_tables"
DESCRIBE_TABLE: Final = "describe_table"
QUERY: Final = "query"
EXPLAIN: Final = "explain"
OWN_TOOLS: Final = frozenset({LIST_TABLES, DESCRIBE_TABLE, QUERY, EXPLAIN})
AS: Final = "as"
_AS_SCHEMA: Final = {
    "enum": ["arrays", "objects"],
    "default": "arrays",
    "description": "Rows as lists of values, or as objects with the columns' names.",
}
_COLUMNS: Final = {
    "type": "array",
    "items": {"type": "object", "properties": {"name": {"type": "string"}, "type": {"type": "string"}}},
}
_ROWS: Final = {
    "type": "object",
    "required": ["columns", "rows", "row_count", "truncated"],
    "properties": {
        "columns": _COLUMNS,
        "rows": {"type": "array", "items": {"type": ["array", "object"]}},
        "row_count": {"type": "integer"},
        "truncated": {
            "type": "boolean",
            "description": "Whether there is more than the limit of rows or bytes let through.",
        },
    },
}
_RESULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "rows": _ROWS,
    "row": {"type": "object", "properties": {"row": {"type": ["object", "null"]}, "columns": _COLUMNS}},
    "value": {"type": "object", "properties": {"value": {}}},
    "affected": {
        "type": "object",
        "required": ["rows_affected"],
        "properties": {"rows_affected": {"type": "integer"}, "returned": _ROWS},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A template ready to be run. `defaults` stand in for what callers leave out."""

    name: str
    section: QuerySection
    limits: LimitsSection
    tool: Tool
    defaults: Mapping[str, Any]

    @property
    def sql(self) -> str:
        return self.section.sql

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What goes where its placeholders are."""
        return {name: parameters.get(name, default) for name, default in self.defaults.items()}


def query_of(name: str, section: QuerySection, general: LimitsSection) -> Query:
    """Raises InvalidConfiguration."""
    path = f"queries.{name}"
    if not TOOL_SHAPE.fullmatch(name):
        raise InvalidConfiguration(
            f"{path}: a name is 1-64 of a-z, A-Z, 0-9, '_' and '-', and starts with a letter", param=path
        )
    if name in OWN_TOOLS:
        raise InvalidConfiguration(f"{path}: {name} is a tool that every database has", param=path)
    if section.returns == "affected" and section.read_only:
        raise InvalidConfiguration(
            f"{path}.returns is affected, but what is read_only changes nothing: set read_only to false",
            param=f"{path}.returns",
        )
    if section.cache_ttl_s is not None and not section.read_only:
        raise InvalidConfiguration(
            f"{path}.cache_ttl_s: only what is read_only is given again", param=f"{path}.cache_ttl_s"
        )
    limits = general.model_copy(update=section.limits.model_dump(exclude_none=True))
    return Query(
        name=name,
        section=section,
        limits=limits,
        tool=_query_tool(name, section, limits, path),
        defaults={each: schema.get("default") for each, schema in section.parameters.items()},
    )


def _query_tool(name: str, section: QuerySection, limits: LimitsSection, path: str) -> Tool:
    rows = section.returns == "rows"
    cost = section.cost_usd_per_call
    return Tool(
        name=name,
        description=section.description or f"Runs the query {name}.",
        parameters=_parameters(section, path, rows=rows),
        result=_RESULTS[section.returns],
        examples=tuple(section.examples),
        read_only=section.read_only,
        idempotent=section.idempotent or section.read_only,
        destructive=section.destructive,
        cost_nano_usd=None if cost is None else cost_of(cost, f"{path}.cost_usd_per_call"),
        cache_ttl_s=section.cache_ttl_s,
        timeout_s=limits.timeout_s,
        streams=frozenset(FORMATS) if rows and section.read_only else frozenset(),
    )


def _parameters(section: QuerySection, path: str, *, rows: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required = []
    for name, schema in section.parameters.items():
        own = dict(schema)
        wanted = own.pop("required", "default" not in own)
        if not isinstance(wanted, bool):
            raise InvalidConfiguration(
                f"{path}.parameters.{name}.required must be true or false",
                param=f"{path}.parameters.{name}.required",
            )
        if wanted:
            required.append(name)
        properties[name] = own
    if rows:
        if AS in properties:
            raise InvalidConfiguration(
                f"{path}.parameters.{AS} is taken: it says how rows are shown", param=f"{path}.parameters"
            )
        properties[AS] = dict(_AS_SCHEMA)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def own_tools(configuration: DatabaseConfiguration, queries: Mapping[str, Query]) -> list[Tool]:
    """Those that `introspection`, `free_sql` and `explain` switch on."""
    tools = []
    if configuration.introspection:
        tools += [_list_tables(), _describe_table()]
    if configuration.free_sql.enabled:
        tools.append(_free_query(configuration))
    if configuration.explain and (configuration.free_sql.enabled or queries):
        tools.append(_explain(configuration, queries))
    return tools


def _list_tables() -> Tool:
    return Tool(
        name=LIST_TABLES,
        description="The tables and views there are, with what their owners say of them.",
        parameters={
            "type": "object",
            "properties": {
                "schema": {"type": "string", "maxLength": 200},
                "search": {
                    "type": "string",
                    "maxLength": 200,
                    "description": "Part of a name, whatever its case.",
                },
            },
            "additionalProperties": False,
        },
        result={
            "type": "object",
            "properties": {"tables": {"type": "array"}, "truncated": {"type": "boolean"}},
        },
        examples=({}, {"search": "order"}),
        read_only=True,
        idempotent=True,
    )


def _describe_table() -> Tool:
    return Tool(
        name=DESCRIBE_TABLE,
        description="The columns of a table or view: names, types, keys, whether they can be null.",
        parameters={
            "type": "object",
            "properties": {
                "table": {
                    "type": "string",
                    "maxLength": 400,
                    "description": "`table` or `schema.table`, as list_tables shows it.",
                }
            },
            "required": ["table"],
            "additionalProperties": False,
        },
        result={"type": "object", "properties": {"columns": {"type": "array"}}},
        examples=({"table": "public.orders"},),
        read_only=True,
        idempotent=True,
    )


def _free_query(configuration: DatabaseConfiguration) -> Tool:
    free, limits = configuration.free_sql, configuration.limits
    tables = f" Only of: {', '.join(free.tables[:50])}." if free.tables is not None else ""
    verbs = "SELECT, INSERT, UPDATE or DELETE" if free.write else "SELECT only"
    return Tool(
        name=QUERY,
        description=(f"Runs one SQL statement: {verbs}.{tables} At most {limits.rows} rows come back.")[
            :2000
        ],
        parameters={
            "type": "object",
            "properties": {
                "sql": {"type": "string", "minLength": 1, "maxLength": 65_536},
                "limit": {"type": "integer", "minimum": 1, "maximum": limits.rows},
                AS: dict(_AS_SCHEMA),
            },
            "required": ["sql"],
            "additionalProperties": False,
        },
        result={"anyOf": [_ROWS, _RESULTS["affected"]]} if free.write else _ROWS,
        examples=({"sql": "SELECT 1 AS one"},),
        read_only=not free.write,
        idempotent=not free.write,
        destructive=free.write,
        timeout_s=limits.timeout_s,
        streams=frozenset() if free.write else frozenset(FORMATS),
    )


def _explain(configuration: DatabaseConfiguration, queries: Mapping[str, Query]) -> Tool:
    properties: dict[str, Any] = {}
    choices = []
    if queries:
        properties["query"] = {"enum": sorted(queries), "description": "One of the queries by its name."}
        properties["parameters"] = {"type": "object", "description": "As that query takes them."}
        choices.append({"required": ["query"]})
    if configuration.free_sql.enabled:
        properties["sql"] = {"type": "string", "minLength": 1, "maxLength": 65_536}
        choices.append({"required": ["sql"]})
    return Tool(
        name=EXPLAIN,
        description="How the database would run a query, and what it expects that to cost. Runs nothing.",
        parameters={
            "type": "object",
            "properties": properties,
            "oneOf": choices,
            "additionalProperties": False,
        },
        result={
            "type": "object",
            "properties": {"format": {"enum": ["json", "text"]}, "plan": {}},
        },
        read_only=True,
        idempotent=True,
        timeout_s=configuration.limits.timeout_s,
    )
