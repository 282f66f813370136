"""A connector of a database on a real PostgreSQL, and what calls it."""

import json
from collections.abc import Mapping
from typing import Any

from adapters.databases.connector import DatabaseConnector
from adapters.databases.kind import DatabaseKind
from adapters.wire.json_schemas import CompiledParameterSchemas
from application.ports.connector import ToolOutcome
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import ToolCall
from domain.errors import InvalidParameters
from tests.contract.postgres_network import NetworkPostgres, surroundings

QUERIES: Mapping[str, Any] = {
    "person": {
        "description": "One person by number.",
        "sql": "SELECT id, name FROM people WHERE id = :id",
        "parameters": {"id": {"type": "integer"}},
        "returns": "row",
        "examples": [{"id": 1}],
    },
    "people": {
        "sql": "SELECT id, name FROM people WHERE name ILIKE :like AND id = ANY(:ids) ORDER BY id",
        "parameters": {
            "like": {"type": "string", "required": False, "default": "%"},
            "ids": {"type": "array", "items": {"type": "integer"}},
        },
    },
    "how_many": {"sql": "SELECT count(*) FROM people", "returns": "value", "cache_ttl_s": 60},
    "rename": {
        "sql": "UPDATE people SET name = :name WHERE id = :id",
        "parameters": {"id": {"type": "integer"}, "name": {"type": "string"}},
        "returns": "affected",
        "read_only": False,
        "idempotent": True,
    },
    "add": {
        "sql": "INSERT INTO people VALUES (:id, :name) RETURNING id, name",
        "parameters": {"id": {"type": "integer"}, "name": {"type": "string"}},
        "returns": "row",
        "read_only": False,
    },
    "everybody": {"sql": "SELECT id, name FROM people", "returns": "row"},
    "numbers": {
        "sql": "SELECT n::int4 AS n, repeat('x', 100) AS pad FROM generate_series(1, :n) AS n",
        "parameters": {"n": {"type": "integer"}},
        "limits": {"rows": 50, "stream_rows": 200_000},
    },
    "slow": {"sql": "SELECT pg_sleep(30)", "limits": {"timeout_s": 0.3}},
    "echo": {
        "sql": "SELECT :at::timestamptz AS at, :day::date AS day, :cost::numeric AS cost, "
        ":data::jsonb AS data, :raw::bytea AS raw, :long::interval AS long, :flag::bool AS flag",
        "parameters": {
            name: {"required": False} for name in ("at", "day", "cost", "data", "raw", "long", "flag")
        },
        "returns": "row",
    },
    "odd": {
        "sql": "SELECT 'NaN'::numeric AS a, 'infinity'::float8 AS b, 'infinity'::timestamptz AS c, "
        "'4714-11-24 BC'::date AS d, '[1,5)'::int4range AS e, '192.168.0.1/24'::inet AS f, "
        "ROW(1, now() - now(), 'x') AS g, ARRAY[1, NULL] AS h, B'101' AS i, 1 AS id, 2 AS id, "
        "'12:13:14.5+02'::timetz AS t, 9007199254740993::int8 AS big, '1e-20'::numeric AS tiny, "
        "'{\"a\": [1, 1e400]}'::json AS far, '2 years 3 days 04:05:06.7'::interval AS long, "
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid AS u, point(1,2) AS p, "
        "'10001-01-01'::timestamp AS late",
        "returns": "row",
    },
}


class Database:
    """A connector and what calls it."""

    def __init__(self, server: NetworkPostgres, name: str, **more: Any) -> None:
        said: dict[str, Any] = {
            "endpoint": f"postgresql://127.0.0.1:{server.port}/{name}",
            "authentication": {"type": "password", "username": more.pop("username", "agent")},
            "pool": {"max": 2},
            "queries": QUERIES,
        } | more
        self.server, self.name = server, name
        kind = DatabaseKind()
        kind.validate(said)
        integration = Integration(
            tenant_id="acme", integration_id="crm", kind=IntegrationKind.DATABASE, configuration=said
        )
        self.connector: DatabaseConnector = kind.open(integration, surroundings())

    def call(self, tool: str, parameters: Mapping[str, Any], timeout_s: float = 10.0) -> ToolCall:
        found = next(each for each in self.connector.tools if each.name == tool)
        problem = CompiledParameterSchemas().problem(found.parameters, parameters)
        if problem is not None:
            raise InvalidParameters(problem.message, param=problem.param)
        return ToolCall(
            tenant_id="acme",
            integration_id="crm",
            tool=found,
            parameters=parameters,
            timeout_s=timeout_s,
            request_id="req_1",
        )

    async def ask(self, tool: str, **parameters: Any) -> Any:
        outcome: ToolOutcome = await self.connector.execute(self.call(tool, parameters))
        return json.loads(json.dumps(outcome.value, allow_nan=False))

    async def streamed(self, tool: str, content_type: str, **parameters: Any) -> bytes:
        stream = await self.connector.stream(self.call(tool, parameters), content_type)
        parts = []
        try:
            while part := await stream.next_chunk():
                parts.append(part)
        finally:
            await stream.aclose()
        return b"".join(parts)
