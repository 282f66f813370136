"""Tools of integrations: which there are, and running one."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation
from contracts.http.words import Schema, array, boolean, closed, integer, maybe, number, obj, ref, text

_ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}

TOOL_SCHEMAS: dict[str, Schema] = {
    "Tool": obj(
        {
            "integration_id": text(),
            "tool_name": text(),
            "description": text("For people and models."),
            "parameters": {**_ANY_OBJECT, "description": "JSON Schema of the parameters."},
            "result": {**_ANY_OBJECT, "description": "JSON Schema of the result."},
            "examples": array(_ANY_OBJECT, "Parameters that would be accepted."),
            "read_only": boolean("Whether it changes nothing outside."),
            "idempotent": boolean("Whether doing it twice is as good as once."),
            "destructive": boolean("Whether it may remove or overwrite what was there."),
            "takes_body": boolean("Whether it wants bytes beside its parameters."),
            "streams": array(text(), "Media types its result can be streamed in."),
        }
    ),
    "Tools": obj(
        {
            "tools": array(ref("Tool"), "By integration and name."),
            "unavailable": array(
                obj({"integration_id": text(), "reason": text()}), "Integrations that cannot say theirs."
            ),
        }
    ),
    "ToolExecution": closed(
        obj(
            {
                "tool_name": text(maxLength=64),
                "integration_id": text(maxLength=63),
                "parameters": {**_ANY_OBJECT, "description": "As the tool's schema wants them."},
                "timeout_seconds": number("How long the caller waits for all of it.", default=30),
                "format": text("Streams the result in this media type, which the tool must offer."),
            },
            optional=["parameters", "timeout_seconds", "format"],
            example={
                "tool_name": "open_orders",
                "integration_id": "shop",
                "parameters": {"customer": 42},
                "timeout_seconds": 10,
            },
        )
    ),
    "JsonRpc": {
        "type": "object",
        "description": "A message of JSON-RPC 2.0, as the Model Context Protocol defines it.",
        "required": ["jsonrpc"],
        "properties": {"jsonrpc": {"type": "string", "enum": ["2.0"]}},
        "additionalProperties": True,
        "examples": [{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}],
    },
    "ToolResult": obj(
        {
            "result": {**_ANY_OBJECT, "description": "What the tool says."},
            "execution_time_ms": integer(),
            "cost": maybe(number("US dollars.")),
            "cached": boolean("Whether an earlier result was given again."),
        }
    ),
}


def _named(name: str, what: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": what, "schema": {"type": "string"}}


def _refused(meaning: str) -> dict[str, Any]:
    """In the words of the protocol, or in ours where it did not get as far."""
    schema = {"anyOf": [ref("JsonRpc"), ref("Error")]}
    return {"description": meaning, "content": {"application/json": {"schema": schema}}}


TOOL_PATHS: dict[str, Any] = {
    "/api/v1/tools": {
        "get": operation(
            "listTools",
            "Tools",
            "The tools this key can use",
            {
                "200": json_answer(ref("Tools"), "What its integrations can do."),
                **admin_errors(400, 404),
            },
            parameters=[
                {
                    "name": "integration_id",
                    "in": "query",
                    "description": "Only of this one.",
                    "schema": {"type": "string"},
                }
            ],
        )
    },
    "/api/v1/tools/{integration_id}/{tool_name}": {
        "get": operation(
            "showTool",
            "Tools",
            "One tool",
            {"200": json_answer(ref("Tool"), "How to call it."), **admin_errors(404, 503)},
            parameters=[_named("integration_id", "Its integration."), _named("tool_name", "Its name.")],
        )
    },
    "/api/v1/tools/execute": {
        "post": operation(
            "executeTool",
            "Tools",
            "Run a tool",
            {
                "200": {
                    **json_answer(ref("ToolResult"), "It was done."),
                },
                **admin_errors(400, 402, 404, 408, 409, 413, 422, 429, 502, 503, 504),
            },
            body="ToolExecution",
            description="The call keeps to the budgets, rate limits, privacy policies and residency of its "
            "caller, as calls of models do. With an `idempotency-key` a repeat gets the first answer.",
        )
    },
    "/mcp": {
        "post": {
            **operation(
                "mcp",
                "Tools",
                "The same tools over MCP",
                {
                    "200": json_answer(ref("JsonRpc"), "The answer to a request of the protocol."),
                    "202": {"description": "A notification was taken."},
                    **admin_errors(413, 503),
                    "400": _refused("It is no message of the protocol, or not of a version known here."),
                    "404": _refused("There is no such method."),
                    "406": _refused("`accept` has to name `application/json` and `text/event-stream`."),
                },
                body="JsonRpc",
                description="Streamable HTTP without sessions; protocol versions 2024-11-05 to 2026-07-28: "
                "`initialize` or `server/discover`, `tools/list`, `tools/call`, `ping`. A tool is named "
                "`integration.tool`.",
            ),
        }
    },
}
