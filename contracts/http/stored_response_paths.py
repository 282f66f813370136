"""Kept responses by their ids."""

from typing import Any

from contracts.http.error_answers import OPENAI_ERRORS, errors
from contracts.http.operations import json_answer, operation, path_parameter, query_parameter
from contracts.http.words import Schema, array, boolean, integer, maybe, obj, one_of, ref, text

_ID = path_parameter("response_id", "The `id` of a response that this tenant got.")
_UNKNOWN = (
    "An id of another tenant is answered as one that never was. What the provider keeps is asked of the "
    "account that made it, whose answers and errors come back unmodified; what Interchange keeps it answers "
    "itself."
)
_FAILURES = errors(OPENAI_ERRORS, 400, 401, 403, 404, 409, 429, 502, 503, 504)


def _get() -> dict[str, Any]:
    return operation(
        "getResponse",
        "Models",
        "A kept response as it is now",
        {**_json_or_events(), **_FAILURES},
        parameters=[
            _ID,
            query_parameter("stream", "Follow it as events; only where the provider keeps it.", boolean()),
            query_parameter("starting_after", "Events after this number only.", integer(minimum=0)),
        ],
        description=_UNKNOWN,
    )


def _json_or_events() -> dict[str, Any]:
    """The response object, or its events."""
    answer = json_answer(ref("ResponseObject"), "The response.")
    answer["content"]["text/event-stream"] = {"schema": text("The provider's events as they come.")}
    return {"200": answer}


STORED_RESPONSE_PATHS: dict[str, Any] = {
    "/v1/responses/{response_id}": {
        "get": _get(),
        "delete": operation(
            "deleteResponse",
            "Models",
            "Delete a kept response",
            {"200": json_answer(ref("DeletedResponse"), "It is gone."), **_FAILURES},
            parameters=[_ID],
            description=_UNKNOWN,
        ),
    },
    "/v1/responses/{response_id}/cancel": {
        "post": operation(
            "cancelResponse",
            "Models",
            "Stop a response that is made in the background",
            {"200": json_answer(ref("ResponseObject"), "As it is now."), **_FAILURES},
            parameters=[_ID],
            description=_UNKNOWN,
        )
    },
    "/v1/responses/{response_id}/input_items": {
        "get": operation(
            "listResponseInput",
            "Models",
            "What a kept response was asked",
            {"200": json_answer(ref("InputItems"), "One page."), **_FAILURES},
            parameters=[
                _ID,
                query_parameter("after", "Only what stands behind this id.", text(maxLength=200)),
                query_parameter("limit", "At most so many.", integer(minimum=1, maximum=100, default=20)),
                query_parameter("order", "By their place in the conversation.", one_of(("asc", "desc"))),
            ],
            description=_UNKNOWN,
        )
    },
}

STORED_RESPONSE_SCHEMAS: dict[str, Schema] = {
    "DeletedResponse": obj(
        {"id": text(), "object": text("`response`, or as the provider calls it."), "deleted": boolean()},
        example={"id": "resp_1", "object": "response", "deleted": True},
    ),
    "InputItems": obj(
        {
            "object": text(const="list"),
            "data": array(obj({"type": text("The kind of item.")}), "Items, newest first unless asked."),
            "first_id": maybe(text()),
            "last_id": maybe(text()),
            "has_more": boolean(),
        }
    ),
}
