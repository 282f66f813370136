"""The Responses API's create route. Bodies stay open: what is not read is forwarded."""

from typing import Any

from contracts.http.call_paths import call_operation
from contracts.http.words import Schema, anything, array, boolean, integer, maybe, number, obj, text

_COST = number("USD of all attempts; absent when a price is unknown.", minimum=0)

RESPONSES_SCHEMAS: dict[str, Schema] = {
    "ResponsesRequest": obj(
        {
            "model": text(
                "A route, `provider/model`, a model's name in the catalogue, or `auto`.",
                minLength=1,
                maxLength=512,
            ),
            "input": anything("A text, or a list of items: messages, calls and their outputs, reasoning."),
            "instructions": maybe(text("A system message before the input.")),
            "stream": maybe(boolean("Answer as server-sent events.")),
            "max_output_tokens": maybe(integer(minimum=1)),
            "tools": maybe(
                array(
                    obj({"type": text("`function`, `custom`, `local_shell`, or a tool the provider runs.")}),
                    "Tools the provider runs need a provider of this API; others are translated.",
                )
            ),
            "previous_response_id": maybe(text("The stored answer this one continues.")),
            "store": maybe(boolean("Keep the answer; `true` needs somebody who keeps answers.")),
            "background": maybe(boolean("Answer later; needs a provider that does so.")),
            "service_tier": maybe(text("The tier or speed wanted.")),
        },
        optional=[
            "input",
            "instructions",
            "stream",
            "max_output_tokens",
            "tools",
            "previous_response_id",
            "store",
            "background",
            "service_tier",
        ],
        example={"model": "auto", "input": "Say hello."},
    ),
    "ResponseObject": obj(
        {
            "id": text(),
            "object": text("`response`."),
            "status": text("`completed`, `incomplete`, or where it goes on later `queued` or `in_progress`."),
            "model": text("The model that answered."),
            "output": array(obj({"type": text("The kind of item.")}), "What was said, in order."),
            "usage": maybe(
                obj(
                    {
                        "input_tokens": integer(minimum=0),
                        "output_tokens": integer(minimum=0),
                        "total_tokens": integer(minimum=0),
                        "cost": _COST,
                    },
                    optional=["cost", "total_tokens"],
                )
            ),
        },
        optional=["usage", "status"],
    ),
}

RESPONSES_PATHS: dict[str, Any] = {
    "/v1/responses": call_operation(
        "createResponse",
        "Answer, in the shape of OpenAI's Responses API",
        "Forwarded as it is to providers that have this API, translated for all others. What only such a "
        "provider can do (its own tools, keeping answers, answering later) is refused when none may answer. "
        "A websocket handshake is answered with 426.",
        "ResponsesRequest",
        "ResponseObject",
        events="`event:` and `data:` of each event of the API in its order, numbered, ending with "
        "`response.completed` or `response.incomplete`. An answer that breaks ends with `error` and "
        "`response.failed` instead.",
    ),
}
