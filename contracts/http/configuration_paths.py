"""Single requests, the configuration in force, and routes that are made through the API."""

from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, integer, maybe, number, obj, one_of, ref, text
from contracts.wide_event import ATTEMPT_FIELDS, REQUEST_FIELDS, WideField
from domain.analytics.event import AttemptEvent, RequestEvent
from domain.quality.tasks import TASKS

_TIME = text("RFC 3339, UTC.", format="date-time")
_USD = maybe(text("USD as decimal text, exact; null: unknown.", pattern=r"^-?\d+(\.\d+)?$"))


def _fields(event: type[Any], told: Mapping[str, WideField], *left_out: str) -> dict[str, Schema]:
    """One property per field of a wide event, with its unit."""
    kinds = {str: text, int: integer, bool: boolean, float: number}
    fields: dict[str, Schema] = {}
    for name, hint in get_type_hints(event).items():
        if name in left_out:
            continue
        choices = get_args(hint) or (hint,)
        field = told[name]
        schema = kinds[choices[0]](f"{field.meaning} Unit: {field.unit}." if field.unit else field.meaning)
        fields[name] = maybe(schema) if type(None) in choices else schema
    return fields


_REQUEST = {
    **_fields(RequestEvent, REQUEST_FIELDS, "attempts", "started_at_us"),
    "started_at": _TIME,
    "finished_at": _TIME,
    "cost_usd": _USD,
    "saved_usd": _USD,
    "budget_left_usd": _USD,
}
_US = "Unit: microseconds."
_PART = obj(
    {
        "kind": one_of(["stage", "attempt", "mark"], "A mark has no duration."),
        "name": text(
            "`entry`, `admit`, `queue`, `cache`, `plan`, `hold`, `finish`, `first token`, or a target."
        ),
        "start_us": integer(f"From the request's head. {_US}"),
        "duration_us": integer(_US, minimum=0),
        "outcome": text("Of an attempt; empty for others."),
    }
)
_DECISION = obj(
    {
        "route": text("The route it took."),
        "strategy": text("How the route chooses."),
        "candidates": integer("Targets that satisfied every hard demand.", minimum=0),
        "planned": array(text("`provider/model`."), "In the order of the plan, at most 8."),
        "left_out": {
            "type": "object",
            "description": "Why other targets were left out, and how many.",
            "additionalProperties": integer(minimum=0),
        },
        "demands": {
            "type": "object",
            "description": "What the caller demanded.",
            "additionalProperties": text(),
        },
        "affinity": text("What the warm prompt cache did to the choice."),
        "reason": text("One line for people: why this target answered."),
        "fallbacks": integer("Other targets tried or passed over before.", minimum=0),
        "breaker_skips": integer("Targets passed over because a breaker was open.", minimum=0),
    }
)
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
    "RequestWithAttempts": obj(
        {
            **_REQUEST,
            "attempts": array(ref("Attempt")),
            "timeline": array(_PART, "By their start; `queue` lies within `admit`."),
            "decision": _DECISION,
        }
    ),
    "Attempt": obj(
        {
            **_fields(AttemptEvent, ATTEMPT_FIELDS, "request_id", "started_at_us"),
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
            "defaults": {
                "type": "object",
                "description": "The same with what nobody configured; only where it is asked for.",
                "additionalProperties": True,
            },
        },
        optional=["defaults"],
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
                query_parameter("user_id", "Only this user's.", text()),
                query_parameter("trace_id", "Only of this trace.", text()),
                query_parameter("route", "Only what took this route.", text()),
                query_parameter("provider", "Only what this provider answered.", text()),
                query_parameter("model", "Only what this model answered.", text()),
                query_parameter(
                    "outcome", "Only what ended so.", one_of(["ok", "error", "cut", "cancelled", "refused"])
                ),
                query_parameter(
                    "status",
                    "Only what was answered so, as an HTTP status; 499: the caller had left, 0: nobody was.",
                    integer(minimum=0, maximum=599),
                ),
                query_parameter("cache", "Only where the cache did this; `hit`: any hit.", text()),
                query_parameter("task", "Only tasks of this kind.", one_of(list(TASKS))),
                query_parameter(
                    "min_cost_usd", "Only what cost so much, in USD, or more; unknown costs do not.", text()
                ),
                query_parameter(
                    "min_duration_ms", "Only what took so many milliseconds, or more.", integer(minimum=0)
                ),
                query_parameter(
                    "has_fallback",
                    "Whether other targets were tried or passed over before.",
                    one_of(["true", "false"]),
                ),
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
            {"200": json_answer(ref("Configuration"), "Without secrets."), **admin_errors(400)},
            parameters=[
                query_parameter("defaults", "`true` adds what nobody configured.", one_of(["true", "false"]))
            ],
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
