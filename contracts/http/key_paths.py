"""Callers' keys: making, looking at, changing, rotating and revoking them."""

from typing import Any

from contracts.http.admin_schemas import PAYERS
from contracts.http.budget_paths import KEY_BUDGET
from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, closed, integer, maybe, obj, one_of, ref, text
from domain.tenancy.key_rotation import OVERLAP_DEFAULT_S, OVERLAP_MAX_S
from domain.tenancy.key_rules import ENVIRONMENTS

_TIME = text("RFC 3339, UTC.", format="date-time")
_KEY = path_parameter("key_id", "The public part of the key.")
_ROLE = text("A built-in role or one of the tenant's own.")
_NETWORK = text("An address or a network, such as `203.0.113.0/24`.")
_CONFLICT = {409: "Revoked, expired, two secrets already, or changed by somebody else at the same time."}
_BOUND: dict[str, Schema] = {
    "scopes": maybe(array(text(), "Narrows what the role may do; null: all of it.", minItems=1)),
    "allowed_models": maybe(
        array(text(), "Routes, `provider/model`, or `provider/*`; null: all.", minItems=1)
    ),
    "networks": array(_NETWORK, "Where it may be used from; none: anywhere.", maxItems=256),
    "assertable": maybe(
        array(
            text(),
            "Users and agents it may name, as `user:alice` or `agent:crawler-*`. One that may name a single "
            "user calls for that user when it names none. Null: any.",
            maxItems=1000,
        )
    ),
    "integrations": maybe(array(text(), "Integrations it may reach; null: all.", maxItems=1000)),
    "managed_budgets": maybe(
        array(text(), "Budgets it may change, by id or name; null: all its role lets it.", maxItems=1000)
    ),
}
"""What a key is bound to; names may end with `*`."""

KEY_SCHEMAS: dict[str, Schema] = {
    "NewKey": closed(
        obj(
            {
                "tenant_id": text(minLength=1),
                "name": text("For people.", minLength=1),
                "role": _ROLE,
                "expires_at": maybe(_TIME),
                "budget": maybe(KEY_BUDGET),
                "env": one_of(ENVIRONMENTS, "Shown in the key's text, for people and scanners."),
                **PAYERS,
                **_BOUND,
            },
            optional=["expires_at", "budget", "env", *PAYERS, *_BOUND],
            example={
                "tenant_id": "default",
                "name": "support agents",
                "role": "agent",
                "allowed_models": ["assistant"],
                "networks": ["203.0.113.0/24"],
                "assertable": ["agent:support-*"],
                "team": "support",
                "cost_center": "CC-1042",
            },
        )
    ),
    "KeyChange": closed(
        obj(
            {
                "name": text("For people.", minLength=1),
                "role": _ROLE,
                "expires_at": maybe(_TIME),
                **PAYERS,
                **_BOUND,
                "networks": maybe(_BOUND["networks"]),
            },
            optional=["name", "role", "expires_at", *PAYERS, *_BOUND],
            description="What is left out stays as it is; null takes a limit away.",
            example={"expires_at": "2030-01-31T12:00:00Z", "assertable": ["user:alice"]},
        )
    ),
    "KeyRotation": closed(
        obj(
            {
                "overlap_seconds": integer(
                    "How long the old secret works beside the new one; 0 ends it at once.",
                    minimum=0,
                    maximum=OVERLAP_MAX_S,
                    default=OVERLAP_DEFAULT_S,
                )
            },
            optional=["overlap_seconds"],
            example={"overlap_seconds": 3600},
        )
    ),
    "CreatedKey": obj(
        {
            "key_id": text(),
            "key": text("The secret. Shown this once."),
            "budget_id": text("Of the budget that was made with it."),
        },
        optional=["budget_id"],
    ),
    "RotatedKey": obj(
        {
            "key_id": text("The same as before."),
            "key": text("The new secret. Shown this once."),
            "old_secret_until": maybe({**_TIME, "description": "Null: it has ended."}),
        }
    ),
    "Key": obj(
        {
            "key_id": text(),
            "tenant_id": text(),
            "name": text(),
            "role": text(),
            "env": text(),
            "state": one_of(["live", "expired", "revoked"]),
            **_BOUND,
            "created_at": _TIME,
            "created_by": text("Id of the key that made it, or `local`."),
            "expires_at": maybe(_TIME),
            "rotated_at": maybe(_TIME),
            "old_secret_until": maybe({**_TIME, "description": "While two secrets work; null: one does."}),
            "last_used_at": maybe({**_TIME, "description": "Give or take a minute; null: never."}),
            "revoked_at": maybe(_TIME),
            "revoked_by": text("Id of a key, or `local`."),
            "revoked_reason": text(),
            "imported": boolean("Made by another gateway; its text is that one's."),
            "note": text("For people: where it came from."),
            **PAYERS,
        }
    ),
    "KeyPage": obj(
        {
            "keys": array(ref("Key"), "The oldest first."),
            "next_cursor": maybe(text("Asks for the next page; null: this is the last.")),
        }
    ),
}

KEY_PATHS: dict[str, Any] = {
    "/api/v1/keys": {
        "get": operation(
            "listKeys",
            "Keys",
            "Keys of one tenant, or of all this key may manage",
            {"200": json_answer(ref("KeyPage"), "Without their secrets."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("tenant_id", "Only this tenant's.", text()),
                query_parameter("role", "Only of this role.", text()),
                query_parameter("state", "Only in this state.", one_of(["live", "expired", "revoked"])),
                query_parameter("name", "Part of the name, in any case.", text()),
                query_parameter("limit", "Keys of a page.", integer(minimum=1, maximum=1000, default=100)),
                query_parameter("cursor", "The `next_cursor` of the page before.", text()),
            ],
        ),
        "post": operation(
            "createKey",
            "Keys",
            "Make a key",
            {
                "201": json_answer(ref("CreatedKey"), "The only time the secret is shown."),
                **admin_errors(400, 413, 503),
                **errors(("Error",), 409, meanings={409: "The budget's name is taken."}),
            },
            body="NewKey",
            description="A key holds nothing that the key which makes it does not hold; its limits are "
            "passed on where the new one names none.",
        ),
    },
    "/api/v1/keys/{key_id}": {
        "get": operation(
            "readKey",
            "Keys",
            "One key, with its last use",
            {"200": json_answer(ref("Key"), "Without its secret."), **admin_errors(404, 503)},
            parameters=[_KEY],
        ),
        "put": operation(
            "changeKey",
            "Keys",
            "Change what a key may do",
            {
                "200": json_answer(ref("Key"), "As it now is, everywhere within a second."),
                **admin_errors(400, 404, 413, 503),
                **errors(("Error",), 409, meanings=_CONFLICT),
            },
            parameters=[_KEY],
            body="KeyChange",
        ),
        "delete": operation(
            "revokeKey",
            "Keys",
            "Revoke a key for good, with all its secrets and what runs for it",
            {"200": json_answer(ref("Key"), "As it now is."), **admin_errors(400, 404, 503)},
            parameters=[_KEY, query_parameter("reason", "Kept with the key.", text(maxLength=500))],
        ),
    },
    "/api/v1/keys/{key_id}/rotate": {
        "post": operation(
            "rotateKey",
            "Keys",
            "Give a key another secret; the old one works on for a while",
            {
                "200": json_answer(ref("RotatedKey"), "The only time the new secret is shown."),
                **admin_errors(400, 404, 413, 503),
                **errors(("Error",), 409, meanings=_CONFLICT),
            },
            parameters=[_KEY],
            body="KeyRotation",
        )
    },
}
