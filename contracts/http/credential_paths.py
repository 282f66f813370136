"""Credentials that are kept sealed, and the keys around them."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, closed, integer, maybe, obj, one_of, ref, text

_TIME = text("RFC 3339, UTC.", format="date-time")
_NAME = r"^[a-z0-9][a-z0-9._-]{0,62}$"
_VALUE = text("Goes in and never comes out: at most 64 KiB.", minLength=1, maxLength=65_536, writeOnly=True)
_TENANT = query_parameter("tenant_id", "Another tenant's, for keys that manage tenants.", text())
_ID = path_parameter("credential_id", "As the list says.")
_VAULT = errors(
    ("Error",),
    409,
    500,
    meanings={
        409: "The name is taken, there is no room, the configuration uses it, or somebody changed it "
        "meanwhile.",
        500: "What is stored is not what was stored (`credential_damaged`).",
    },
)

CREDENTIAL_SCHEMAS: dict[str, Schema] = {
    "NewCredential": closed(
        obj(
            {
                "name": text("Unique in the tenant.", pattern=_NAME),
                "value": _VALUE,
                "integration": text("What it is for.", pattern=_NAME),
                "field": text("Which of its secrets it is.", pattern=_NAME),
                "tenant_id": maybe(text("Null or left out: the tenant of the key.")),
            },
            optional=["integration", "field", "tenant_id"],
            example={"name": "openai", "value": "sk-…"},
        )
    ),
    "NewCredentialValue": closed(obj({"value": _VALUE}, example={"value": "sk-…"})),
    "Credential": obj(
        {
            "credential_id": text(),
            "tenant_id": text(),
            "name": text(),
            "integration": text(),
            "field": text(),
            "version": integer("Counts up with every new value.", minimum=1),
            "key_id": text("The master key it is under."),
            "sealed_at": {**_TIME, "description": "When its data key was made."},
            "created_at": _TIME,
            "updated_at": _TIME,
            "updated_by": text("Id of a key."),
        },
        description="Everything about a credential but its value.",
    ),
    "Credentials": obj({"credentials": array(ref("Credential"), "By name.")}),
    "NewRotation": closed(
        obj(
            {"kind": one_of(["master", "data"], "Whether master keys turn, or data keys only.")},
            optional=["kind"],
            example={"kind": "master"},
        )
    ),
    "Rotation": obj(
        {
            "rotation_id": text(),
            "kind": one_of(["master", "data"]),
            "started_at": _TIME,
            "started_by": text("Id of a key, or `schedule`."),
            "total": integer("Credentials when it began, of all tenants.", minimum=0),
            "done": integer("Of those, under the newest key.", minimum=0),
            "failed": integer("Of those, what did not open; left as it is.", minimum=0),
            "finished_at": maybe(_TIME),
        }
    ),
    "VaultKeys": obj(
        {
            "rotation": maybe(ref("Rotation")),
            "makes_keys": boolean("Whether a rotation makes a new master key itself."),
            "keys": array(
                obj(
                    {
                        "key_id": text(),
                        "made_at": maybe(_TIME),
                        "primary": boolean("Whether it seals; the others only open."),
                        "here": boolean("Whether this process has it."),
                        "credentials": integer("How many are under it, of all tenants.", minimum=0),
                    }
                ),
                "The one that seals is first.",
            ),
        }
    ),
}

CREDENTIAL_PATHS: dict[str, Any] = {
    "/api/v1/credentials": {
        "get": operation(
            "listCredentials",
            "Credentials",
            "Which credentials are kept",
            {"200": json_answer(ref("Credentials"), "Without their values."), **admin_errors(400, 503)},
            parameters=[_TENANT],
        ),
        "post": operation(
            "createCredential",
            "Credentials",
            "Keep a credential",
            {
                "201": json_answer(ref("Credential"), "Sealed under a key of its own."),
                **admin_errors(400, 413, 503),
                **_VAULT,
            },
            body="NewCredential",
        ),
    },
    "/api/v1/credentials/{credential_id}": {
        "get": operation(
            "getCredential",
            "Credentials",
            "One credential, without its value",
            {"200": json_answer(ref("Credential"), "As it is."), **admin_errors(400, 404, 503)},
            parameters=[_ID, _TENANT],
        ),
        "put": operation(
            "replaceCredential",
            "Credentials",
            "Put a new value in its place",
            {
                "200": json_answer(ref("Credential"), "In use everywhere within a second."),
                **admin_errors(400, 404, 413, 503),
                **_VAULT,
            },
            parameters=[_ID, _TENANT],
            body="NewCredentialValue",
        ),
        "delete": operation(
            "deleteCredential",
            "Credentials",
            "Take a credential out for good",
            {"200": json_answer(ref("Credential"), "What it was."), **admin_errors(400, 404, 503), **_VAULT},
            parameters=[_ID, _TENANT],
        ),
    },
    "/api/v1/credentials/rotation": {
        "get": operation(
            "getVaultKeys",
            "Credentials",
            "The master keys by name, and how the newest rotation stands",
            {"200": json_answer(ref("VaultKeys"), "For the whole installation."), **admin_errors(400, 503)},
        ),
        "post": operation(
            "rotateVault",
            "Credentials",
            "Turn the keys, beside requests",
            {
                "201": json_answer(ref("Rotation"), "Begun; ask how it stands."),
                **admin_errors(400, 413, 503),
                **errors(("Error",), 409, meanings={409: "One is under way already."}),
            },
            body="NewRotation",
        ),
    },
}
