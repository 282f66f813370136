"""A user's data, to have and to be forgotten."""

from typing import Any

from contracts.http.error_answers import admin_errors
from contracts.http.operations import json_answer, operation, path_parameter
from contracts.http.words import Schema, array, integer, maybe, obj, one_of, ref, text

SUBJECT_SCHEMAS: dict[str, Schema] = {
    "Erasure": obj(
        {
            "erasure_id": text(),
            "state": one_of(["running", "compacting", "done"]),
            "pseudonym": text("What stands for the user in rows that stay for the accounts."),
            "steps_done": integer(minimum=0),
            "steps": integer(minimum=1),
            "counts": {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "description": "Rows that were removed or changed, by what they are.",
            },
            "asked_by": text("A key id."),
            "started_at": text("ISO time, UTC."),
            "finished_at": maybe(text()),
        },
        description="Forgetting a user. It never says who.",
    ),
    "Erasures": obj({"erasures": array(ref("Erasure"), "The newest first.")}),
}
_USER = path_parameter("user_id", "As callers name the user in `x-interchange-user-id`.")

SUBJECT_PATHS: dict[str, Any] = {
    "/api/v1/privacy/subjects/{user_id}": {
        "get": operation(
            "exportUser",
            "Privacy",
            "Everything that is stored about a user",
            {
                "200": {
                    "description": "One object per line; `record` says what it is, the last one is `end`.",
                    "content": {"application/jsonl": {"schema": text()}},
                },
                **admin_errors(400, 503),
            },
            parameters=[_USER],
        ),
        "delete": operation(
            "eraseUser",
            "Privacy",
            "Forget a user",
            {
                "202": json_answer(
                    ref("Erasure"), "It is done beside requests, across restarts.", with_id=False
                ),
                **admin_errors(400, 503),
            },
            parameters=[_USER],
        ),
    },
    "/api/v1/privacy/erasures": {
        "get": operation(
            "listErasures",
            "Privacy",
            "Erasures, running and done",
            {"200": json_answer(ref("Erasures"), "The newest 100."), **admin_errors(400, 503)},
        )
    },
    "/api/v1/privacy/erasures/{erasure_id}": {
        "get": operation(
            "getErasure",
            "Privacy",
            "How far an erasure is",
            {"200": json_answer(ref("Erasure"), "What was done so far."), **admin_errors(400, 404, 503)},
            parameters=[path_parameter("erasure_id", "As it was given.")],
        )
    },
}
