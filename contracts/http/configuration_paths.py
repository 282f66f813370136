"""Single requests, the configuration in force, and routes that are made through the API."""

from typing import Any, get_args, get_type_hints

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, integer, maybe, number, obj, one_of, ref, text
from domain.analytics.event import AttemptEvent, RequestEvent

_TIME = text("RFC 3339, UTC.", format="date-time")
_USD = maybe(text("USD as decimal text, exact; null: unknown.", pattern=r"^-?\d+(\.\d+)?$"))
_TOLD = {
    "tenant_id": "Whose request it was.",
    "outcome": "`ok`, `error`, `cut`, `cancelled` or `refused`.",
    "provider": "Who answered; empty when nobody did.",
    "upstream_us": "Time spent waiting for providers.",
    "cost_nano_usd": "Null: unknown.",
    "metadata": "The caller's `x-interchange-metadata`.",
    "affinity": "What the warm prompt cache did to the choice: `kept`, `moved`, `new`, or empty.",
    "reason": "One line for people: why this target answered.",
    "credential": "Id of the provider key that was used.",
    "billed_as": "Which prices applied; empty: the usual ones.",
    "cache": "What the answer cache did: `off`, `bypass`, `miss`, `observe` or `hit-…`.",
    "saved_nano_usd": "What an earlier or shared answer had cost, so what this one did not; null: unknown.",
    "cache_similarity": "Cosine of the question to the one answered before; null: not compared.",
    "prompt_cache_saved_nano_usd": "What the provider's prompt cache saved, less the surcharge for writing "
    "it; null: unknown.",
    "units": "What was counted beside tokens, such as `images:1024x1024=2`; empty: nothing.",
}


def _fields(event: type[Any], *left_out: str) -> dict[str, Schema]:
    """One property per field of a wide event."""
    kinds = {str: text, int: integer, bool: boolean, float: number}
    fields: dict[str, Schema] = {}
    for name, hint in get_type_hints(event).items():
        if name in left_out:
            continue
        choices = get_args(hint) or (hint,)
        schema = kinds[choices[0]](_TOLD.get(name, ""))
        fields[name] = maybe(schema) if type(None) in choices else schema
    return fields


_REQUEST = {
    **_fields(RequestEvent, "attempts", "started_at_us"),
    "started_at": _TIME,
    "finished_at": _TIME,
    "cost_usd": _USD,
    "saved_usd": _USD,
}
_ROUTE_BODY = {
    "type": "object",
    "description": "As in the file's `routes` section; `interchange config schema` prints its keys.",
    "properties": {
        "strategy": text(),
        "targets": array(
            {"anyOf": [text("`provider/model`."), {"type": "object", "additionalProperties": True}]},
            minItems=1,
        ),
    },
    "required": ["targets"],
    "additionalProperties": True,
}

CONFIGURATION_SCHEMAS: dict[str, Schema] = {
    "RequestRow": obj(_REQUEST),
    "RequestPage": obj(
        {
            "requests": array(ref("RequestRow"), "The latest end first."),
            "next": maybe(text("For `after`: the page behind this one. Null: there is none.")),
        }
    ),
    "RequestWithAttempts": obj({**_REQUEST, "attempts": array(ref("Attempt"))}),
    "Attempt": obj(
        {
            **_fields(AttemptEvent, "request_id", "started_at_us"),
            "started_at": _TIME,
            "cost_usd": _USD,
            "prompt_cache_saved_usd": _USD,
        }
    ),
    "Configuration": obj(
        {
            "settings": {
                "type": "object",
                "description": "In the file's shape. Secrets are their variable or asterisks.",
                "additionalProperties": True,
            },
            "warnings": array(text()),
            "restart_only": array(text(), "What of the file is only read at the start."),
            "command_line": array(text(), "What the command line said, which wins over the file."),
            "reload": obj(
                {
                    "file": maybe(text("Its name; null: none is used.")),
                    "state": one_of(["in_use", "failed"], "Whether the newest file is what runs."),
                    "reloads": integer(minimum=0),
                    "failures": integer(minimum=0),
                    "problems": array(text(), "Why the newest file is not in use."),
                    "needs_restart": array(text(), "What changed in the file and waits for a restart."),
                }
            ),
        }
    ),
    "RouteBody": {**_ROUTE_BODY, "examples": [{"strategy": "cost", "targets": ["openai/gpt-5-mini"]}]},
    "RouteObject": obj(
        {
            "name": text(),
            "owner": one_of(["file", "api"], "Only the owner may change it."),
            "declared_in": maybe(text("File and line.")),
            "in_use": boolean("At least one of its targets exists now."),
            "updated_at": maybe(_TIME),
            "updated_by": maybe(text("Id of a key.")),
            "route": _ROUTE_BODY,
        }
    ),
    "RouteObjects": obj({"routes": array(ref("RouteObject"), "Those of the file first.")}),
    "RouteRemoved": obj({"name": text(), "removed": boolean()}),
}

_NAME = path_parameter("name", "The name callers ask for as `model`.")
_OWNED = {
    409: "The file owns this route (`owned_by_file`), or there are too many.",
}

CONFIGURATION_PATHS: dict[str, Any] = {
    "/api/v1/requests": {
        "get": operation(
            "listRequests",
            "Usage",
            "Single requests, newest first",
            {"200": json_answer(ref("RequestPage"), "One page."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("tenant_id", "Only this tenant's.", text()),
                query_parameter("key_id", "Only this key's.", text()),
                query_parameter("agent_id", "Only this agent's.", text()),
                query_parameter("session_id", "Only this session's.", text()),
                query_parameter("provider", "Only what this provider answered.", text()),
                query_parameter("model", "Only what this model answered.", text()),
                query_parameter("failed", "Only what did not end `ok`.", one_of(["true", "false"])),
                query_parameter("from", "Requests that ended then or later.", text(format="date-time")),
                query_parameter("to", "Requests that ended before.", text(format="date-time")),
                query_parameter("after", "What an earlier page gave as `next`.", text()),
                query_parameter("limit", "At most so many.", integer(minimum=1, maximum=1000, default=100)),
            ],
        )
    },
    "/api/v1/requests/{request_id}": {
        "get": operation(
            "readRequest",
            "Usage",
            "One request with its attempts",
            {"200": json_answer(ref("RequestWithAttempts"), "As it ended."), **admin_errors(404, 503)},
            parameters=[path_parameter("request_id", "What was answered as `x-request-id`.")],
        )
    },
    "/api/v1/config": {
        "get": operation(
            "readConfiguration",
            "Configuration",
            "The configuration in force",
            {"200": json_answer(ref("Configuration"), "Without secrets."), **admin_errors()},
        )
    },
    "/api/v1/routes": {
        "get": operation(
            "listRoutes",
            "Configuration",
            "Routes of the file and of the API",
            {"200": json_answer(ref("RouteObjects"), "All of them."), **admin_errors(503)},
        )
    },
    "/api/v1/routes/{name}": {
        "get": operation(
            "readRoute",
            "Configuration",
            "One route",
            {"200": json_answer(ref("RouteObject"), "With its owner."), **admin_errors(404, 503)},
            parameters=[_NAME],
        ),
        "put": operation(
            "putRoute",
            "Configuration",
            "Make or replace a route",
            {
                "200": json_answer(ref("RouteObject"), "Replaced."),
                "201": json_answer(ref("RouteObject"), "Made."),
                **admin_errors(400, 404, 413, 503),
                **errors(("Error",), 409, meanings=_OWNED),
            },
            parameters=[_NAME],
            body="RouteBody",
        ),
        "delete": operation(
            "removeRoute",
            "Configuration",
            "Remove a route",
            {
                "200": json_answer(ref("RouteRemoved"), "It is gone."),
                **admin_errors(404, 503),
                **errors(("Error",), 409, meanings=_OWNED),
            },
            parameters=[_NAME],
        ),
    },
}
