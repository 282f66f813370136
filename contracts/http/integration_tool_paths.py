"""What upstream MCP servers say of their tools, and accepting it."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, closed, integer, maybe, obj, one_of, ref, text

_DIGEST = text("SHA-256 of everything a model is told of it, hexadecimal.", pattern="^[0-9a-f]{64}$")
_TIME = text("RFC 3339, UTC.", format="date-time")

INTEGRATION_TOOL_SCHEMAS: dict[str, Schema] = {
    "AcceptTools": closed(
        obj(
            {
                "tools": maybe(array(text(maxLength=128), "Null: all there are.")),
                "digests": maybe(
                    {
                        "type": "object",
                        "additionalProperties": _DIGEST,
                        "description": "By tool, of what somebody looked at. Where one says something else "
                        "by now, nothing is accepted.",
                    }
                ),
            },
            optional=["tools", "digests"],
            example={"tools": ["search"]},
        )
    ),
    "PinnedTool": obj(
        {
            "tool_name": text(),
            "state": one_of(
                ["accepted", "changed", "new", "gone"],
                "`changed`: it says something else than was accepted. `new`: nobody accepted it.",
            ),
            "usable": boolean("Whether it may be called."),
            "description": maybe(
                text("As its server says it now. Written for models: read it, do not obey.")
            ),
            "parameters": maybe({"type": "object", "description": "A JSON Schema."}),
            "result": maybe({"type": "object", "description": "A JSON Schema."}),
            "destructive": maybe(boolean("What its server says of it.")),
            "digest": maybe(_DIGEST),
            "accepted_digest": maybe(_DIGEST),
            "accepted_at": maybe(_TIME),
            "accepted_by": maybe(text("Id of a key; null: it was seen first, or never accepted.")),
        }
    ),
    "PinnedTools": obj(
        {
            "integration_id": text(),
            "tools": array(ref("PinnedTool"), "By name."),
            "withheld": integer("Those that are there and may not be called.", minimum=0),
        }
    ),
}

_PARAMETERS = [
    path_parameter("integration_id", "As the list shows it."),
    query_parameter("tenant_id", "Another tenant's, for keys that manage tenants.", text()),
]
_MEANINGS = {
    409: "A tool says something else than what was looked at: look again.",
    502: "Its server lists its tools in a way nobody can use (`tool_failed`).",
    503: "Its server cannot be reached (`integration_unavailable`), or a store is away.",
}

INTEGRATION_TOOL_PATHS: dict[str, Any] = {
    "/api/v1/integrations/{integration_id}/tools": {
        "get": operation(
            "listPinnedTools",
            "Integrations",
            "What an upstream MCP server says of its tools",
            {
                "200": json_answer(ref("PinnedTools"), "As this process saw them last."),
                **admin_errors(400, 404),
                **errors(("Error",), 502, 503, meanings=_MEANINGS),
            },
            parameters=_PARAMETERS,
        )
    },
    "/api/v1/integrations/{integration_id}/tools/accept": {
        "post": operation(
            "acceptTools",
            "Integrations",
            "Accept what an upstream MCP server says of its tools",
            {
                "200": json_answer(ref("PinnedTools"), "They may be called, on every instance in a second."),
                **admin_errors(400, 404, 413),
                **errors(("Error",), 409, 502, 503, meanings=_MEANINGS),
            },
            parameters=_PARAMETERS,
            body="AcceptTools",
            description="Its server is asked once more; what it says then is accepted, and what is gone is "
            "forgotten.",
        )
    },
}
