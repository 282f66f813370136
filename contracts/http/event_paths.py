"""Events: looking at them, listening to them, what they say; and verifying webhooks of others."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, query_parameter
from contracts.http.words import (
    Schema,
    anything,
    array,
    boolean,
    closed,
    integer,
    maybe,
    number,
    obj,
    one_of,
    ref,
    text,
)

_TIME = text("RFC 3339, UTC.", format="date-time")
_TYPES = query_parameter(
    "types", "Names of events or groups such as `key.*`, separated by commas; left out: all.", text()
)
_SEQ = "Place of the event in the log; rises, may have gaps."

EVENT_SCHEMAS: dict[str, Schema] = {
    "Event": obj(
        {
            "seq": integer(_SEQ),
            "id": text("The same for the same event, wherever it is told.", pattern="^evt_[0-9a-f]{32}$"),
            "type": text("The event's name; `/api/v1/events/schemas` says what stands in `data`."),
            "timestamp": _TIME,
            "tenant_id": text(),
            "data": {"type": "object"},
        }
    ),
    "Events": obj(
        {
            "events": array(ref("Event"), "The newest first; with `after`, the oldest first."),
            "next": maybe(integer("For `before`, or `after` where that was given; null: that was all.")),
        }
    ),
    "EventSchemas": obj(
        {
            "envelope": {"type": "object", "description": "JSON Schema of what is around every event."},
            "events": {
                "type": "object",
                "description": "By name, the JSON Schema of `data` and an example.",
                "additionalProperties": obj({"schema": {"type": "object"}, "example": {"type": "object"}}),
            },
        }
    ),
    "InboundWebhook": closed(
        obj(
            {
                "source": one_of(
                    ["standard_webhooks", "stripe", "github", "slack"], "Who sends, so how they sign."
                ),
                "credentials": array(
                    text(), "Names of the secrets in the vault; several while one is being replaced."
                ),
                "headers": {
                    "type": "object",
                    "additionalProperties": text(),
                    "description": "As they were received.",
                },
                "body": maybe(text("The body as it was received, if it is text. Either this or the next.")),
                "body_base64": maybe(text("The body's bytes in base64.")),
                "tolerance_s": number("How far its time may be from now.", minimum=1, maximum=3600),
                "check_replay": boolean("Whether a message that came before is refused."),
            },
            optional=["body", "body_base64", "tolerance_s", "check_replay"],
            example={
                "source": "github",
                "credentials": ["github-hook"],
                "headers": {"X-Hub-Signature-256": "sha256=0000"},
                "body": "{}",
            },
        )
    ),
    "InboundVerdict": obj(
        {
            "verified": boolean("Whether it may be acted on."),
            "verdict": one_of(
                ["genuine", "not_genuine", "too_old", "replayed"],
                "`not_genuine` is anything from a missing header to a wrong signature; which is not told.",
            ),
            "message_id": maybe(text("What the source calls it, where that is signed.")),
            "sent_at_s": maybe(integer("UTC epoch seconds; null: the source signs no time.")),
        }
    ),
}

EVENT_PATHS: dict[str, Any] = {
    "/api/v1/events": {
        "get": operation(
            "listEvents",
            "Events",
            "What happened in the tenant of the key",
            {"200": json_answer(ref("Events"), "A page of them."), **admin_errors(400, 503)},
            parameters=[
                _TYPES,
                query_parameter("after", "Only behind this place, the oldest first.", integer()),
                query_parameter("before", "Only before this place.", integer()),
                query_parameter("from", "Not before this moment.", _TIME),
                query_parameter("to", "Before this moment.", _TIME),
                query_parameter("limit", "1 to 1000; 100 if left out.", integer()),
            ],
        )
    },
    "/api/v1/events/stream": {
        "get": operation(
            "streamEvents",
            "Events",
            "Listen to the events of the tenant of the key, as server-sent events",
            {
                "200": {
                    "description": "Frames with `id` (the place), `event` (the name) and `data` (the event, "
                    "as in a webhook). Comments and frames with an `id` alone are signs of life. `end` says "
                    "why the stream ends: come back with `Last-Event-ID`, and nothing is missed.",
                    "content": {"text/event-stream": {"schema": anything("Server-sent events.")}},
                },
                **admin_errors(400, 503),
            },
            parameters=[
                _TYPES,
                query_parameter("after", "Begin behind this place; left out: with what comes.", integer()),
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "description": "As `after`; browsers send it when they come back.",
                    "schema": integer(),
                },
            ],
        )
    },
    "/api/v1/events/schemas": {
        "get": operation(
            "describeEvents",
            "Events",
            "What events there are, and what they say",
            {"200": json_answer(ref("EventSchemas"), "All of them."), **admin_errors(400)},
        )
    },
    "/api/v1/webhooks/verify": {
        "post": operation(
            "verifyWebhook",
            "Events",
            "Whether a webhook that was received from somebody else is genuine, timely and new",
            {
                "200": json_answer(
                    ref("InboundVerdict"), "The verdict; a forgery is no error of the caller."
                ),
                **admin_errors(400, 404, 413, 503),
            },
            body="InboundWebhook",
        )
    },
}
