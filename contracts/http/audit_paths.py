"""The audit trail."""

from typing import Any

from contracts.http.error_answers import admin_errors, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, integer, maybe, obj, one_of, ref, text

_TIME = text("RFC 3339, UTC.", format="date-time")
_HASH = text("SHA-256, hexadecimal.", pattern="^[0-9a-f]{64}$")
_PATH = array(text("Base64."), "Hashes from the leaf to the root, as RFC 6962 orders them.")
_KINDS = ["act", "read", "access", "denied"]

AUDIT_SCHEMAS: dict[str, Schema] = {
    "AuditEntry": obj(
        {
            "id": text("Tenant and place in its chain."),
            "tenant_id": text(),
            "seq": integer("Counted from 1 within the tenant, without gaps.", minimum=1),
            "at": text("RFC 3339, UTC: when it happened."),
            "kind": one_of(
                _KINDS,
                "A change, a view of what is stored, a request to a model, or refusals of one minute.",
            ),
            "action": text("As `keys.create` or `llm.chat`."),
            "outcome": text(
                "`begun`, `done`, `failed`, `unknown`, an error's code, or what became of the request."
            ),
            "ended": maybe(
                text("Of an act that was begun: what came of it; `unknown` when nobody saw its end.")
            ),
            "actor": obj(
                {
                    "kind": text("`key`, `token`, `session`, `local`, `nobody` or `several`."),
                    "id": maybe(text()),
                    "name": maybe(text()),
                    "role": maybe(text()),
                    "address": maybe(text("Where the caller called from.")),
                }
            ),
            "subject": maybe(text("What it was done to.")),
            "request_id": maybe(text()),
            "refers_to": maybe(text("Of an outcome: the entry that says it was begun.")),
            "details": {"type": "object", "description": "Names, numbers and digests; never a secret."},
            "details_text": text("The same as it was written; this is what the hash covers."),
            "at_us": integer("When it happened, UTC epoch microseconds."),
            "written_at_us": integer("When it was written, UTC epoch microseconds."),
            "hash": _HASH,
        }
    ),
    "AuditEntries": obj(
        {
            "entries": array(ref("AuditEntry"), "The newest first."),
            "next": maybe(text("Ask with `before` for the next page; null: this is the last one.")),
        }
    ),
    "AuditCheckpoint": obj(
        {
            "size": integer("How many entries it covers.", minimum=0),
            "made_at": _TIME,
            "note": text("The signed text, in the form of C2SP `tlog-checkpoint`."),
        }
    ),
    "AuditCheckpoints": obj(
        {
            "key": text("The public key of this instance, as a C2SP verifier key."),
            "checkpoints": array(ref("AuditCheckpoint"), "The newest first."),
            "consistency": obj(
                {
                    "from_size": integer("As asked.", minimum=1),
                    "to_size": integer("Of the newest checkpoint.", minimum=1),
                    "path": _PATH,
                },
                description="Only when `from_size` is given: that the newest log only added to that one.",
            ),
        },
        optional=["consistency"],
    ),
    "AuditProof": obj(
        {
            "entry": ref("AuditEntry"),
            "previous_hash": maybe({**_HASH, "description": "Of the entry before it in its chain."}),
            "leaf": integer("Its number in the log, from 0.", minimum=0),
            "path": _PATH,
            "checkpoint": ref("AuditCheckpoint"),
            "key": text("What checks the checkpoint's signature, when this instance made it."),
        }
    ),
}

_FILTERS = {
    "actor": "Id or name of who did it.",
    "action": "As `keys.create`.",
    "subject": "Exactly this one.",
    "outcome": "Exactly this one.",
    "request_id": "What belongs to this request.",
}
_LIMIT = query_parameter("limit", "At most so many.", integer("", minimum=1, maximum=1000))

AUDIT_PATHS: dict[str, Any] = {
    "/api/v1/audit": {
        "get": operation(
            "listAuditEntries",
            "Audit",
            "Who did what",
            {"200": json_answer(ref("AuditEntries"), "The newest first."), **admin_errors(400, 503)},
            parameters=[
                query_parameter("tenant_id", "Another tenant's; only for those who manage tenants.", text()),
                query_parameter("kind", "Only these.", one_of(_KINDS)),
                query_parameter("from", "What happened then or later, RFC 3339.", text()),
                query_parameter("to", "What happened before, RFC 3339.", text()),
                *(query_parameter(name, what, text(maxLength=256)) for name, what in _FILTERS.items()),
                query_parameter("before", "The next page: what `next` said.", text()),
                _LIMIT,
            ],
            description="Asking is itself an entry.",
        )
    },
    "/api/v1/audit/checkpoints": {
        "get": operation(
            "listAuditCheckpoints",
            "Audit",
            "Signed checkpoints of the log",
            {"200": json_answer(ref("AuditCheckpoints"), "The newest first."), **admin_errors(400, 404, 503)},
            parameters=[
                query_parameter("below", "Only smaller ones.", integer("", minimum=0)),
                query_parameter(
                    "from_size", "Prove that the newest one continues this size.", integer("", minimum=1)
                ),
                _LIMIT,
            ],
        )
    },
    "/api/v1/audit/proof/{entry_id}": {
        "get": operation(
            "proveAuditEntry",
            "Audit",
            "Proof that an entry is in the log of the newest checkpoint",
            {
                "200": json_answer(ref("AuditProof"), "The entry and its path."),
                **admin_errors(400, 404, 503),
                **errors(("Error",), 409, meanings={409: "No checkpoint covers the entry yet."}),
            },
            parameters=[path_parameter("entry_id", "As the list says.")],
        )
    },
}
