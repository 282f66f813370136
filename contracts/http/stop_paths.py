"""Stopping agents, and letting them go on."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, closed, maybe, number, obj, one_of, ref, text

_TIME = text("RFC 3339, UTC.", format="date-time")
_WHO = {
    "agent_id": "The agent, as callers name it in `x-interchange-agent-id`.",
    "session_id": "The conversation, as in `x-interchange-session-id`.",
    "user_id": "The user, as in `x-interchange-user-id`.",
    "key_id": "An API key, by its id.",
    "workflow_id": "The workflow, as in `x-interchange-workflow-id`.",
    "route": "The route whose models are asked for.",
}

STOP_SCHEMAS: dict[str, Schema] = {
    "NewStop": closed(
        obj(
            {
                **{name: text(what, maxLength=256) for name, what in _WHO.items()},
                "tenant_id": maybe(text("Null or left out: the tenant of the key.")),
                "reason": text("Told to whoever is refused.", maxLength=500),
                "for_s": maybe(
                    number("In seconds; null: until lifted.", exclusiveMinimum=0, maximum=31_622_400)
                ),
                "now": boolean("End their running requests too."),
            },
            optional=[*_WHO, "tenant_id", "reason", "for_s", "now"],
            description="At least one of the first six; a request is refused that agrees with all given.",
            example={"agent_id": "researcher", "reason": "costs too much", "for_s": 3600, "now": True},
        )
    ),
    "Stop": obj(
        {
            "stop_id": text(),
            "tenant_id": text(),
            **{name: maybe(text(what)) for name, what in _WHO.items()},
            "cause": one_of(
                ["operator", "repeated_tool_call", "spend_rate", "steps_without_user"],
                "An operator, or the guard that made it.",
            ),
            "reason": text(),
            "made_by": text("Id of a key, or `guard:` and its name."),
            "created_at": _TIME,
            "expires_at": maybe({**_TIME, "description": "Null: in force until lifted."}),
            "now": boolean("Whether running requests were ended too."),
            "lifted_at": maybe(_TIME),
            "lifted_by": maybe(text("Id of a key.")),
        }
    ),
    "Stops": obj({"stops": array(ref("Stop"), "The newest first.")}),
}

STOP_PATHS: dict[str, Any] = {
    "/api/v1/stops": {
        "get": operation(
            "listStops",
            "Agents",
            "Who is stopped",
            {"200": json_answer(ref("Stops"), "Those in force."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("tenant_id", "Only this tenant's.", text()),
                query_parameter("ended", "Those that ended within a week too.", one_of(["true", "false"])),
            ],
        ),
        "post": operation(
            "makeStop",
            "Agents",
            "Refuse the requests of an agent, a session, a user, a key, a workflow or a route",
            {
                "201": json_answer(ref("Stop"), "In force here at once, everywhere within a second."),
                **admin_errors(400, 413, 503),
                **errors(("Error",), 409, meanings={409: "Too many stops are in force in this tenant."}),
            },
            body="NewStop",
        ),
    },
    "/api/v1/stops/{stop_id}": {
        "delete": operation(
            "liftStop",
            "Agents",
            "Let them go on",
            {
                "200": json_answer(ref("Stop"), "Lifted; lifting it again is no error."),
                **admin_errors(404, 503),
            },
            parameters=[path_parameter("stop_id", "As the refusal and the list say.")],
        )
    },
}
