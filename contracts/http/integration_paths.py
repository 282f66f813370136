"""Integrations: databases, APIs, storage and MCP servers, and how they are doing."""

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

TYPES = ("llm_provider", "database", "api", "storage", "mcp")
STATES = ("active", "disabled", "maintenance")
HEALTH = ("healthy", "degraded", "unhealthy", "maintenance", "unknown")
_TIME = text("RFC 3339, UTC.", format="date-time")
_ID_TEXT = text("Unique in the tenant.", pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
_CONFIGURATION: Schema = {
    "type": "object",
    "description": "The endpoint's scheme says which connector serves it, and that which further keys there "
    "are. Secrets go into `authentication` and from there into the vault; they never come out.",
    "properties": {
        "endpoint": text("Such as `postgresql://db.example:5432/shop`.", maxLength=2048),
        "authentication": {
            "type": "object",
            "description": '`type` and its fields. `{"credential": name}` in the place of a secret means one '
            "the vault has.",
        },
        "circuit_breaker": {
            "type": "object",
            "description": "`failure_threshold` (5), `recovery_timeout_s` (30) and more.",
        },
        "region": text("Where content that is sent there comes to be."),
        "cost_usd_per_call": number("US dollars.", minimum=0, maximum=1000),
        "cache_ttl_s": number("How long results of what is read-only may be given again.", minimum=0),
        "max_concurrency": integer("Calls at once.", minimum=1, maximum=1000),
    },
    "required": ["endpoint", "authentication"],
}
_MONITORING: Schema = closed(
    obj(
        {
            "enabled": boolean("Whether it is looked at when nobody calls it.", default=True),
            "interval_s": number("Between two looks.", minimum=5, maximum=86_400, default=60),
            "metrics": array(one_of(["availability", "latency", "pool"]), "Unset: all of them."),
        },
        optional=["enabled", "interval_s", "metrics"],
    )
)
_BODY = {"type": one_of(TYPES), "configuration": _CONFIGURATION, "monitoring": _MONITORING}
_EXAMPLE = {
    "type": "database",
    "configuration": {
        "endpoint": "postgresql://db.example:5432/shop",
        "authentication": {"type": "password", "username": "reader", "password": "…"},
    },
    "monitoring": {"enabled": True, "interval_s": 60},
}
_CHECK = obj(
    {
        "checked_at": _TIME,
        "state": one_of(HEALTH[:4]),
        "latency_ms": maybe(number("Null: it did not answer.")),
        "error": maybe(text()),
    }
)
_HEALTH_URL = text("Where its health is told.")

INTEGRATION_SCHEMAS: dict[str, Schema] = {
    "NewIntegration": closed(
        obj(
            {"integration_id": _ID_TEXT, **_BODY},
            optional=["monitoring"],
            example={"integration_id": "warehouse", **_EXAMPLE},
        )
    ),
    "IntegrationBody": closed(obj(_BODY, optional=["monitoring"], example=_EXAMPLE)),
    "MadeIntegration": obj(
        {"integration_id": text(), "status": one_of(STATES), "health_check_url": _HEALTH_URL},
        example={
            "integration_id": "warehouse",
            "status": "active",
            "health_check_url": "/api/v1/integrations/warehouse/health",
        },
    ),
    "Integration": obj(
        {
            "integration_id": text(),
            "tenant_id": text("`*`: the file declares it for every tenant."),
            "type": one_of(TYPES),
            "status": one_of(STATES, "What its owner wants."),
            "health": one_of(HEALTH, "What the last look found."),
            "last_check": maybe(_CHECK),
            "breaker": maybe(
                one_of(
                    ["closed", "open", "half_open"],
                    "Of calls of its tools in this process; null: none are made here.",
                )
            ),
            "configuration": {
                "type": "object",
                "description": "As it was given; secrets stand by the names of their credentials.",
            },
            "monitoring": {"type": "object"},
            "health_check_url": _HEALTH_URL,
            "owner": one_of(["file", "api"], "What the file declares only the file changes."),
            "declared_in": maybe(text("File and line.")),
            "version": integer("Another one after every change."),
            "created_at": maybe(_TIME),
            "updated_at": maybe(_TIME),
            "updated_by": maybe(text("Id of a key.")),
        }
    ),
    "Integrations": obj(
        {
            "integrations": array(ref("Integration"), "By id."),
            "next": maybe(text("What to ask for with `after`; null: that was all.")),
        }
    ),
    "IntegrationRemoved": obj({"integration_id": text(), "removed": boolean()}),
    "IntegrationTest": obj(
        {
            "integration_id": text(),
            "status": one_of(STATES),
            "health": one_of(HEALTH[:4]),
            "checked_at": _TIME,
            "latency_ms": maybe(number()),
            "facts": {"type": "object", "description": "What the other side told, such as its version."},
        }
    ),
    "IntegrationHealth": obj(
        {
            "integration_id": text(),
            "status": one_of(STATES),
            "health": one_of(HEALTH),
            "checked_at": maybe(_TIME),
            "latency_ms": maybe(number()),
            "error": maybe(text()),
            "consecutive_failures": integer(minimum=0),
            "availability": maybe(number("Share of these checks that found it up.", minimum=0, maximum=1)),
            "monitoring": {"type": "object"},
            "checks": array(_CHECK, "The newest first, at most 100; they are kept for 7 days."),
        }
    ),
}

_ID = path_parameter("integration_id", "As the list shows it.")
_TENANT = query_parameter("tenant_id", "Another tenant's, for keys that manage tenants.", text())
_MEANINGS = {
    409: "There is one of this id (`integration_exists`), there are too many, somebody else changed it "
    "meanwhile, or the file owns it (`owned_by_file`).",
    422: "The configuration can never work (`invalid_configuration`); `param` is the path of the field.",
    503: "It could not be reached with this configuration (`integration_unavailable`): nothing was changed. "
    "Or a store is away.",
    500: "A stored secret is not what was stored (`credential_damaged`).",
}
_CHANGED = errors(("Error",), 409, 422, 500, 503, meanings=_MEANINGS)


def _puts(operation_id: str, summary: str, told: str) -> dict[str, Any]:
    return {
        "post": operation(
            operation_id,
            "Integrations",
            summary,
            {
                "200": json_answer(ref("Integration"), told),
                **admin_errors(400, 404, 503),
                **errors(("Error",), 409, meanings=_MEANINGS),
            },
            parameters=[_ID, _TENANT],
        )
    }


INTEGRATION_PATHS: dict[str, Any] = {
    "/api/v1/integrations": {
        "get": operation(
            "listIntegrations",
            "Integrations",
            "Integrations of a tenant",
            {"200": json_answer(ref("Integrations"), "Those the key reaches."), **admin_errors(400, 503)},
            parameters=[
                _TENANT,
                query_parameter("type", "Only of this type.", one_of(TYPES)),
                query_parameter("limit", "At most so many.", integer(minimum=1, maximum=500, default=50)),
                query_parameter("after", "Behind the one with this id.", text(maxLength=200)),
            ],
        ),
        "post": operation(
            "createIntegration",
            "Integrations",
            "Make an integration",
            {
                "201": json_answer(ref("MadeIntegration"), "It was reached, and is in use."),
                **admin_errors(400, 413),
                **_CHANGED,
            },
            parameters=[_TENANT],
            body="NewIntegration",
            description="It is reached once with what was given; where that fails, nothing is kept.",
        ),
    },
    "/api/v1/integrations/{integration_id}": {
        "get": operation(
            "readIntegration",
            "Integrations",
            "One integration",
            {"200": json_answer(ref("Integration"), "Without its secrets."), **admin_errors(400, 404, 503)},
            parameters=[_ID, _TENANT],
        ),
        "put": operation(
            "putIntegration",
            "Integrations",
            "Change an integration",
            {
                "200": json_answer(ref("Integration"), "Acts on the next call."),
                **admin_errors(400, 404, 413),
                **_CHANGED,
            },
            parameters=[_ID, _TENANT],
            body="IntegrationBody",
            description="Secrets that are not sent keep their value, unless the endpoint leads to another "
            "host: then they have to be sent again. The type cannot change.",
        ),
        "delete": operation(
            "removeIntegration",
            "Integrations",
            "Remove an integration",
            {
                "200": json_answer(ref("IntegrationRemoved"), "Its secrets are gone too."),
                **admin_errors(400, 404, 503),
                **errors(("Error",), 409, 500, meanings=_MEANINGS),
            },
            parameters=[_ID, _TENANT],
        ),
    },
    "/api/v1/integrations/{integration_id}/test": {
        "post": operation(
            "testIntegration",
            "Integrations",
            "Reach an integration now",
            {
                "200": json_answer(ref("IntegrationTest"), "It answered."),
                **admin_errors(400, 404),
                **errors(("Error",), 422, 500, 503, meanings=_MEANINGS),
            },
            parameters=[_ID, _TENANT],
        )
    },
    "/api/v1/integrations/{integration_id}/enable": _puts(
        "enableIntegration", "Let an integration be called again", "Calls go through from now on."
    ),
    "/api/v1/integrations/{integration_id}/disable": _puts(
        "disableIntegration", "Refuse calls of an integration", "Calls are refused with 503 from now on."
    ),
    "/api/v1/integrations/{integration_id}/maintenance": _puts(
        "maintainIntegration",
        "Refuse calls of an integration for a while",
        "Calls are refused with 503 and told to try again; nobody looks at its health.",
    ),
    "/api/v1/integrations/{integration_id}/health": {
        "get": operation(
            "readIntegrationHealth",
            "Integrations",
            "How an integration is doing",
            {"200": json_answer(ref("IntegrationHealth"), "Now and before."), **admin_errors(400, 404, 503)},
            parameters=[_ID, _TENANT],
        )
    },
}
