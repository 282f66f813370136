"""Rate limits and quotas: how many requests and tokens are let through, of whom, in which time."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, closed, integer, maybe, obj, one_of, ref, text

DIMENSIONS = (
    "tenant", "team", "project", "key", "user", "agent", "session", "workflow", "model", "route",
    "organisation",
)  # fmt: skip
PERIODS = ("second", "minute", "hour", "day", "week", "month")
_AMOUNT_MAX = 1_000_000_000
_TIME = text("RFC 3339, UTC.", format="date-time")
_SCOPE: Schema = {
    "type": "object",
    "description": "Whose requests count: each dimension with one value, or `*` for a limit of its own for "
    "every value. All of them must hold. A key is named by its id, a model as `model` or `provider/model`.",
    "properties": {name: text(minLength=1, maxLength=256) for name in DIMENSIONS},
    "additionalProperties": False,
    "minProperties": 1,
}


def _amount(description: str) -> Schema:
    return maybe(integer(description, minimum=1, maximum=_AMOUNT_MAX))


_TERMS: dict[str, Schema] = {
    "per": one_of(PERIODS, "`week` and `month` only with `calendar`, `second` and `minute` only without."),
    "requests": _amount("Requests per period. One of `requests` and `tokens` is needed."),
    "tokens": _amount("Input and output tokens per period."),
    "burst": _amount("Requests that may come at once; null: one period's. At most ten periods'."),
    "burst_tokens": _amount("The same of tokens."),
    "calendar": boolean("A quota: at most the amount in each period of the calendar."),
    "time_zone": text("IANA name; says when a calendar period begins. Only with `calendar`.", maxLength=64),
}
_NAME = text("Unique within the tenant.", minLength=1, maxLength=100)
_OPTIONAL = ("requests", "tokens", "burst", "burst_tokens", "calendar", "time_zone")
_BODY_EXAMPLE = {
    "name": "each key",
    "scope": {"tenant": "default", "key": "*"},
    "per": "minute",
    "requests": 600,
    "tokens": 100_000,
    "burst": 100,
}
_OBJECT_EXAMPLE = {
    "limit_id": "lim_0000019b6c3f2a00d4e1f20a7b3c",
    "tenant_id": "default",
    "owner": "api",
    "declared_in": None,
    **_BODY_EXAMPLE,
    "burst_tokens": None,
    "calendar": False,
    "time_zone": "UTC",
    "created_at": "2026-03-01T12:00:00+00:00",
    "updated_at": "2026-03-01T12:00:00+00:00",
}
_LIMIT: dict[str, Schema] = {
    "limit_id": text("`file:` and its name, when the file declares it."),
    "name": text(),
    "tenant_id": text("Whose it is; only they change it."),
    "owner": one_of(["file", "api"], "What the file declares only the file changes."),
    "declared_in": maybe(text("File and line.")),
    "scope": {"type": "object", "additionalProperties": text()},
    "per": one_of(PERIODS),
    "requests": maybe(integer()),
    "tokens": maybe(integer()),
    "burst": maybe(integer()),
    "burst_tokens": maybe(integer()),
    "calendar": boolean(),
    "time_zone": text(),
    "created_at": maybe(_TIME),
    "updated_at": maybe(_TIME),
}

LIMIT_SCHEMAS: dict[str, Schema] = {
    "LimitBody": closed(
        obj({"name": _NAME, "scope": _SCOPE, **_TERMS}, optional=_OPTIONAL, example=_BODY_EXAMPLE)
    ),
    "Limit": obj(_LIMIT, example=_OBJECT_EXAMPLE),
    "Limits": obj({"limits": array(ref("Limit"), "Those of the file first, then by age.")}),
    "LimitRemoved": obj({"limit_id": text(), "removed": boolean()}),
    "LimitStanding": obj(
        {
            "limit_id": text(),
            "name": text(),
            "scope": text("Such as `tenant=default, key=*`."),
            "subject": text("Such as `key=ab12cd34ef56`; empty where the scope names every value."),
            "counts": one_of(["requests", "tokens"]),
            "amount": integer(minimum=1),
            "per": one_of(PERIODS),
            "calendar": boolean(),
            "remaining": integer("As far as this instance knows.", minimum=0),
            "reset_s": integer("Seconds until all of it is there again.", minimum=0),
        }
    ),
    "LimitAndStandings": obj(
        {
            **_LIMIT,
            "accounts": array(ref("LimitStanding"), "Who met it lately on this instance, at most 100."),
        }
    ),
}

_ID = path_parameter("limit_id", "As the list shows it.")
_TENANT = query_parameter("tenant_id", "Only this tenant's; others' need `tenants.manage`.", text())
_NO_CHANGE = {
    409: "The name is taken, there are too many, or the file owns this limit (`owned_by_file`).",
}

LIMIT_PATHS: dict[str, Any] = {
    "/api/v1/limits": {
        "get": operation(
            "listLimits",
            "Limits",
            "Rate limits of the file and of the API",
            {"200": json_answer(ref("Limits"), "Those the caller may see."), **admin_errors(400, 503)},
            parameters=[_TENANT],
        ),
        "post": operation(
            "createLimit",
            "Limits",
            "Make a rate limit",
            {
                "201": json_answer(ref("Limit"), "In force here, and within a second on every instance."),
                **admin_errors(400, 413, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            body="LimitBody",
        ),
    },
    "/api/v1/limits/{limit_id}": {
        "get": operation(
            "readLimit",
            "Limits",
            "One rate limit, and how those stand who met it",
            {"200": json_answer(ref("LimitAndStandings"), "Now."), **admin_errors(404, 503)},
            parameters=[_ID],
        ),
        "put": operation(
            "putLimit",
            "Limits",
            "Change a rate limit",
            {
                "200": json_answer(ref("Limit"), "Acts on the next request."),
                **admin_errors(400, 404, 413, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            parameters=[_ID],
            body="LimitBody",
            description="What was used of a quota stays used, another rate begins anew. The scope cannot "
            "change: make another limit.",
        ),
        "delete": operation(
            "removeLimit",
            "Limits",
            "Remove a rate limit",
            {
                "200": json_answer(ref("LimitRemoved"), "It holds nobody any more."),
                **admin_errors(404, 503),
                **errors(("Error",), 409, meanings=_NO_CHANGE),
            },
            parameters=[_ID],
        ),
    },
}

LIMIT_HEADERS: dict[str, dict[str, Any]] = {
    **{
        f"x-ratelimit-{what}-{meter}": {
            "description": f"Of the tightest limit on {meter}: {told} Anthropic's callers get "
            f"`anthropic-ratelimit-{meter}-{what}` instead.",
            "schema": schema,
        }
        for meter in ("requests", "tokens")
        for what, told, schema in (
            ("limit", "the amount per period.", integer(minimum=1)),
            ("remaining", "what is left, as far as this instance knows.", integer(minimum=0)),
            ("reset", "when all of it is there again, such as `1.5s`; RFC 3339 for Anthropic's.", text()),
        )
    },
    "ratelimit-policy": {
        "description": "Every limit that concerns the request: name, amount (`q`), seconds (`w`), what is "
        "counted (`qu`).",
        "schema": text(),
    },
    "ratelimit": {
        "description": "The tightest of them: what is left (`r`), seconds until all is there again (`t`).",
        "schema": text(),
    },
}
