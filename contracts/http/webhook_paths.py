"""Webhooks: endpoints that events are sent to, and the log of deliveries."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import (
    Schema,
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
_STATES = ("active", "paused", "disabled")
_DELIVERY_STATES = ("waiting", "leased", "delivered", "dead")
_SCALAR: Schema = {"type": ["string", "number", "boolean", "null"]}
_SECRET = text("`whsec_` and base64: what signatures are checked with. Shown this once.")
_TERMS: dict[str, Schema] = {
    "url": text("https, without user and fragment.", minLength=1, maxLength=2000),
    "events": array(
        text(), "Types of events: names, groups such as `key.*`, or `*`.", minItems=1, maxItems=50
    ),
    "filter": {
        "type": "object",
        "description": "Only events in whose data these dotted paths have these values.",
        "additionalProperties": _SCALAR,
        "maxProperties": 10,
    },
    "ordered": boolean("One at a time, in the order of events."),
    "rate_per_s": maybe(number("At most so many attempts per second and process.", maximum=1000)),
    "concurrency": integer("Attempts under way at once, per process.", minimum=1, maximum=32),
    "description": text(maxLength=200),
    "format": one_of(["standard", "slack", "pagerduty"], "How events look there."),
}
_BODY_EXAMPLE = {"url": "https://example.com/hooks/interchange", "events": ["cost.*", "key.*"]}
_ENDPOINT: dict[str, Schema] = {
    "endpoint_id": text(),
    "tenant_id": text(),
    **_TERMS,
    "state": one_of(_STATES, "Events are kept for a paused one, and pass a disabled one by."),
    "reason": text("Why it is disabled; else empty."),
    "failing_since": maybe(_TIME),
    "owner": one_of(["file", "api"], "What the file declares only the file changes."),
    "declared_in": maybe(text("File and line.")),
    "created_at": maybe(_TIME),
    "updated_at": maybe(_TIME),
}
_DELIVERY: dict[str, Schema] = {
    "delivery_id": text(),
    "endpoint_id": text(),
    "event_type": text(),
    "state": one_of(_DELIVERY_STATES, "`leased`: under way now. `dead`: not tried again by itself."),
    "attempts": integer("Since it began, or was sent again by hand.", minimum=0),
    "outcome": maybe(
        text(
            "Of the last attempt: delivered, http, redirect, gone, timeout, dns, tls, connect, broken, "
            "egress, too_large, expired."
        )
    ),
    "status": maybe(integer("HTTP status of the last answer.")),
    "event_at": _TIME,
    "next_attempt_at": maybe(_TIME),
    "settled_at": maybe(_TIME),
    "seq": integer("Its event's place; for `before`."),
}

WEBHOOK_SCHEMAS: dict[str, Schema] = {
    "WebhookBody": closed(
        obj(
            {**_TERMS, "routing_key": text("PagerDuty's; kept in the vault, never shown.", maxLength=100)},
            optional=[*(name for name in _TERMS if name != "url"), "routing_key"],
            example=_BODY_EXAMPLE,
        )
    ),
    "Webhook": obj(_ENDPOINT),
    "WebhookWithSecret": obj({**_ENDPOINT, "secret": _SECRET}),
    "Webhooks": obj({"webhooks": array(ref("Webhook"), "Those of the file first, then by age.")}),
    "WebhookRemoved": obj({"endpoint_id": text(), "removed": boolean()}),
    "WebhookRotation": closed(
        obj(
            {
                "overlap_s": maybe(
                    number("How long the secret before signs too; null: a day.", minimum=0, maximum=604_800)
                )
            },
            optional=["overlap_s"],
            example={"overlap_s": 3600},
        )
    ),
    "WebhookRotated": obj({"endpoint_id": text(), "secret": _SECRET, "overlap_s": number()}),
    "WebhookTested": obj({"endpoint_id": text(), "event_id": text("Its `webhook-id`.")}),
    "WebhookReplay": closed(
        obj(
            {
                "since": text("RFC 3339 with its offset."),
                "until": maybe(text("The same, not included; null: now.")),
                "dead_only": boolean("Only what is a dead letter now."),
            },
            optional=["until", "dead_only"],
            example={"since": "2026-03-01T00:00:00Z"},
        )
    ),
    "WebhookReplayed": obj(
        {
            "deliveries": integer("That are due now.", minimum=0),
            "more_since": maybe(text("Not everything was looked at: go on from here.")),
        }
    ),
    "WebhookDelivery": obj(_DELIVERY),
    "WebhookDeliveries": obj(
        {
            "deliveries": array(ref("WebhookDelivery"), "Newest first."),
            "next_before": maybe(integer("There may be more: ask again with `before`.")),
        }
    ),
    "WebhookAttempt": obj(
        {
            "at": _TIME,
            "duration_ms": integer(minimum=0),
            "outcome": text(),
            "status": maybe(integer()),
            "detail": text("The begin of the answer's body, or what went wrong; at most 1,024 characters."),
        }
    ),
    "WebhookDeliveryInFull": obj(
        {
            **_DELIVERY,
            "event_id": maybe(text("The `webhook-id`; null: the event is not kept any more.")),
            "data": maybe({"type": "object"}),
            "log": array(ref("WebhookAttempt"), "In order."),
        }
    ),
}

_ID = path_parameter("endpoint_id", "As the list shows it.")
_TENANT = query_parameter("tenant_id", "Another tenant's, for keys that manage tenants.", text())
_DELIVERY_ID = path_parameter("delivery_id", "As the list shows it.")
_LIMIT = query_parameter("limit", "At most so many.", integer(minimum=1, maximum=500))
_BEFORE = query_parameter("before", "Only below this `seq`.", integer(minimum=1))
_STATE = query_parameter("state", "Only these.", one_of(_DELIVERY_STATES))
_CHANGES = {409: "There are too many, somebody else changed it meanwhile, or the file owns it."}
_SENDS = {409: "The endpoint is not active, or the event is not kept any more."}


def _conflict(meanings: dict[int, str]) -> dict[str, Any]:
    return errors(("Error",), 409, meanings=meanings)


def _act(name: str, summary: str, answer: str, told: str, **more: Any) -> dict[str, Any]:
    return {
        "post": operation(
            name,
            "Webhooks",
            summary,
            {"200": json_answer(ref(answer), told), **admin_errors(400, 404, 413, 503), **_conflict(_SENDS)},
            parameters=more.pop("parameters", [_ID, _TENANT]),
            **more,
        )
    }


WEBHOOK_PATHS: dict[str, Any] = {
    "/api/v1/webhooks": {
        "get": operation(
            "listWebhooks",
            "Webhooks",
            "Webhook endpoints of the file and of the API",
            {"200": json_answer(ref("Webhooks"), "The tenant's."), **admin_errors(400, 503)},
            parameters=[_TENANT],
        ),
        "post": operation(
            "createWebhook",
            "Webhooks",
            "Have events sent to an address",
            {
                "201": json_answer(ref("WebhookWithSecret"), "With its secret, shown this once."),
                **admin_errors(400, 413, 422, 503),
                **_conflict(_CHANGES),
            },
            parameters=[_TENANT],
            body="WebhookBody",
            description="Events are POSTed as `{id, type, timestamp, tenant_id, data}`, at least once, and "
            "signed as Standard Webhooks asks (`webhook-id`, `webhook-timestamp`, `webhook-signature`). An "
            "answer 2xx within 15 s is a success; 410 disables the endpoint.",
        ),
    },
    "/api/v1/webhooks/dead-letters": {
        "get": operation(
            "listDeadLetters",
            "Webhooks",
            "Deliveries that were given up, of all endpoints",
            {"200": json_answer(ref("WebhookDeliveries"), "The tenant's."), **admin_errors(400, 503)},
            parameters=[_TENANT, _LIMIT, _BEFORE],
        ),
    },
    "/api/v1/webhooks/{endpoint_id}": {
        "get": operation(
            "readWebhook",
            "Webhooks",
            "One webhook endpoint",
            {"200": json_answer(ref("Webhook"), "Now."), **admin_errors(400, 404, 503)},
            parameters=[_ID, _TENANT],
        ),
        "put": operation(
            "putWebhook",
            "Webhooks",
            "Change a webhook endpoint",
            {
                "200": json_answer(ref("Webhook"), "Acts on the next delivery."),
                **admin_errors(400, 404, 413, 422, 503),
                **_conflict(_CHANGES),
            },
            parameters=[_ID, _TENANT],
            body="WebhookBody",
        ),
        "delete": operation(
            "removeWebhook",
            "Webhooks",
            "Remove a webhook endpoint, its secret and its deliveries",
            {
                "200": json_answer(ref("WebhookRemoved"), "Nothing is sent to it any more."),
                **admin_errors(400, 404, 503),
                **_conflict(_CHANGES),
            },
            parameters=[_ID, _TENANT],
        ),
    },
    "/api/v1/webhooks/{endpoint_id}/pause": _act(
        "pauseWebhook", "Keep events for later", "Webhook", "Events are kept for it."
    ),
    "/api/v1/webhooks/{endpoint_id}/resume": _act(
        "resumeWebhook", "Send to it (again)", "Webhook", "What was kept is sent now."
    ),
    "/api/v1/webhooks/{endpoint_id}/rotate-secret": _act(
        "rotateWebhookSecret",
        "The next signing secret",
        "WebhookRotated",
        "Both secrets sign for the overlap.",
        body="WebhookRotation",
    ),
    "/api/v1/webhooks/{endpoint_id}/test": _act(
        "testWebhook", "Send a `webhook.test` event to it alone", "WebhookTested", "It is on its way."
    ),
    "/api/v1/webhooks/{endpoint_id}/replay": _act(
        "replayWebhook",
        "Send events of some time again",
        "WebhookReplayed",
        "They are due now, under the ids they had.",
        body="WebhookReplay",
    ),
    "/api/v1/webhooks/{endpoint_id}/deliveries": {
        "get": operation(
            "listWebhookDeliveries",
            "Webhooks",
            "The log of deliveries to one endpoint",
            {"200": json_answer(ref("WebhookDeliveries"), "Newest first."), **admin_errors(400, 404, 503)},
            parameters=[_ID, _TENANT, _STATE, _LIMIT, _BEFORE],
        ),
    },
    "/api/v1/webhooks/{endpoint_id}/deliveries/{delivery_id}": {
        "get": operation(
            "readWebhookDelivery",
            "Webhooks",
            "One delivery, with its event and its attempts",
            {"200": json_answer(ref("WebhookDeliveryInFull"), "Now."), **admin_errors(400, 404, 503)},
            parameters=[_ID, _DELIVERY_ID, _TENANT],
        ),
    },
    "/api/v1/webhooks/{endpoint_id}/deliveries/{delivery_id}/retry": _act(
        "retryWebhookDelivery",
        "Send one event again",
        "WebhookDelivery",
        "It is due now.",
        parameters=[_ID, _DELIVERY_ID, _TENANT],
    ),
}
