"""Bodies of the routes that call models. Vendors' shapes stay open: what is not read is forwarded."""

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
from domain.llm.capabilities import NAMES

_MODEL = text(
    "A route, `provider/model`, a model's name in the catalogue, or `auto`.", minLength=1, maxLength=512
)
_STREAM = maybe(boolean("Answer as server-sent events."))
_MESSAGE = obj(
    {
        "role": text("Who speaks."),
        "content": anything("A text, or a list of parts in the vendor's shape."),
    },
    optional=["content"],
)
_COST = number("USD of all attempts; absent when a price is unknown.", minimum=0)
_OPENAI_USAGE = obj(
    {
        "prompt_tokens": integer(minimum=0),
        "completion_tokens": integer(minimum=0),
        "total_tokens": integer(minimum=0),
        "cost": _COST,
    },
    optional=["cost", "completion_tokens"],
)
_LIMIT = maybe(integer(minimum=1))
_CAPABILITY = one_of(NAMES, "From the closed list.")

CALL_SCHEMAS: dict[str, Schema] = {
    "CompleteRequest": obj(
        {
            "model_requirements": ref("ModelRequirements"),
            "request": ref("CompletionWish"),
            "context": ref("CompletionContext"),
        },
        example={
            "model_requirements": {
                "capabilities": ["text"],
                "max_cost_per_token": 0.00001,
                "max_latency_ms": 5000,
                "data_residency": "eu-west",
            },
            "request": {"prompt": "Say hello.", "max_tokens": 100, "temperature": 0.2, "stream": False},
            "context": {"agent_id": "greeter", "workflow_id": "demo", "tenant_id": "default"},
        },
    ),
    "ModelRequirements": closed(
        obj(
            {
                "capabilities": array(_CAPABILITY, "What the model must be able to do."),
                "max_cost_per_token": maybe(
                    number(
                        "USD per token, blended at the estimated input and output.",
                        exclusiveMinimum=0,
                        maximum=10**9,
                    )
                ),
                "max_latency_ms": maybe(
                    integer("Predicted 95th percentile of the whole answer.", minimum=1, maximum=10**9)
                ),
                "data_residency": maybe(
                    text("A region: us-east, us-west, eu-west, eu-central, apac, global or one of your own.")
                ),
            },
            optional=["max_cost_per_token", "max_latency_ms", "data_residency"],
        )
    ),
    "CompletionWish": {
        **obj(
            {
                "prompt": maybe(text("What to answer. Either this or `messages`.")),
                "max_tokens": _LIMIT,
                "temperature": maybe(number(minimum=0, maximum=2)),
                "stream": boolean(default=False),
                "model": maybe(_MODEL),
                "messages": maybe(array(_MESSAGE, "A conversation in OpenAI's shape.", minItems=1)),
                "tools": maybe(array({"type": "object"}, "Tools in OpenAI's shape.")),
                "tool_choice": anything("As in OpenAI's chat completions."),
                "response_format": anything("As in OpenAI's chat completions."),
            },
            optional=[
                "prompt",
                "max_tokens",
                "temperature",
                "stream",
                "model",
                "messages",
                "tools",
                "tool_choice",
                "response_format",
            ],
        ),
        "anyOf": [{"required": ["prompt"]}, {"required": ["messages"]}],
    },
    "CompletionContext": obj(
        {
            "agent_id": text("Who asks.", minLength=1),
            "tenant_id": text("The tenant of the key; another one is refused."),
            "workflow_id": maybe(text()),
            "user_id": maybe(text()),
            "session_id": maybe(text()),
        },
        optional=["workflow_id", "user_id", "session_id"],
    ),
    "CompleteResponse": obj(
        {
            "completion": text("The answer."),
            "model_used": text(),
            "provider": text(),
            "cost": maybe(number("USD of all attempts; null when a price is unknown.", minimum=0)),
            "latency_ms": integer(minimum=0),
            "cache_hit": boolean(),
            "request_id": text(),
            "finish_reason": text("`stop`, `length`, `tool_calls`, `content_filter`, …"),
            "cost_estimated": boolean("Tokens were counted by us, because the provider told none."),
            "attempts": integer("Calls to providers.", minimum=1),
            "fallback": boolean("Another target answered than the first choice."),
            "simulated": boolean("The built-in simulated provider answered."),
            "usage": obj({"input_tokens": integer(minimum=0), "output_tokens": integer(minimum=0)}),
            "tool_calls": array({"type": "object"}, "Calls of tools, in OpenAI's shape."),
        },
        optional=["tool_calls"],
        example={
            "completion": "Hello.",
            "model_used": "small",
            "provider": "acme",
            "cost": 0.0000123,
            "latency_ms": 412,
            "cache_hit": False,
            "request_id": "req_01k9z1",
            "finish_reason": "stop",
            "cost_estimated": False,
            "attempts": 1,
            "fallback": False,
            "simulated": False,
            "usage": {"input_tokens": 7, "output_tokens": 29},
        },
    ),
    "ChatCompletionRequest": obj(
        {
            "model": _MODEL,
            "messages": array(_MESSAGE, minItems=1),
            "stream": _STREAM,
            "stream_options": maybe(obj({"include_usage": maybe(boolean())}, optional=["include_usage"])),
            "max_tokens": _LIMIT,
            "max_completion_tokens": _LIMIT,
            "n": maybe(integer(minimum=1, maximum=128)),
            "tools": maybe(array(anything())),
            "response_format": maybe({"type": "object"}),
        },
        optional=[
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "n",
            "tools",
            "response_format",
        ],
        description="OpenAI's chat completion. Other fields reach providers of the same family as they are.",
        example={
            "model": "assistant",
            "messages": [{"role": "user", "content": "Say hello."}],
            "stream": False,
        },
    ),
    "ChatCompletion": obj(
        {
            "id": text(),
            "object": text(const="chat.completion"),
            "created": integer(),
            "model": text("As the provider names it."),
            "choices": array(
                obj(
                    {
                        "index": integer(minimum=0),
                        "message": obj({"role": text(), "content": maybe(text())}, optional=["content"]),
                        "finish_reason": maybe(text()),
                    }
                ),
                minItems=1,
            ),
            "usage": _OPENAI_USAGE,
        },
        optional=["usage"],
    ),
    "TextCompletionRequest": obj(
        {
            "model": _MODEL,
            "prompt": anything("A text, a list of texts, or token numbers."),
            "stream": _STREAM,
            "max_tokens": _LIMIT,
            "n": maybe(integer(minimum=1, maximum=128)),
        },
        optional=["stream", "max_tokens", "n"],
        example={"model": "acme/small", "prompt": "Once upon a time", "max_tokens": 50},
    ),
    "TextCompletion": obj(
        {
            "id": text(),
            "object": text(const="text_completion"),
            "created": integer(),
            "model": text(),
            "choices": array(
                obj({"index": integer(), "text": text(), "finish_reason": maybe(text())}), minItems=1
            ),
            "usage": _OPENAI_USAGE,
        },
        optional=["usage"],
    ),
    "EmbeddingsRequest": obj(
        {
            "model": _MODEL,
            "input": anything("A text, a list of texts, a list of token numbers, or a list of such lists."),
            "dimensions": maybe(integer(minimum=1)),
            "encoding_format": maybe(one_of(["float", "base64"])),
        },
        optional=["dimensions", "encoding_format"],
        example={"model": "acme/embed", "input": ["one text", "another"]},
    ),
    "Embeddings": obj(
        {
            "object": text(const="list"),
            "data": array(
                obj(
                    {
                        "object": text(const="embedding"),
                        "index": integer(minimum=0),
                        "embedding": {"anyOf": [array(number()), text("Packed floats, base64.")]},
                    }
                )
            ),
            "model": text(),
            "usage": _OPENAI_USAGE,
        },
        optional=["usage"],
    ),
    "MessagesRequest": obj(
        {
            "model": _MODEL,
            "max_tokens": integer(minimum=1),
            "messages": array(_MESSAGE, minItems=1),
            "system": anything("A text or a list of text blocks."),
            "stream": _STREAM,
            "tools": maybe(array(anything())),
        },
        optional=["system", "stream", "tools"],
        description="Anthropic's message. Other fields reach providers of the same family as they are.",
        example={
            "model": "assistant",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "Say hello."}],
        },
    ),
    "Message": obj(
        {
            "id": text(),
            "type": text(const="message"),
            "role": text(const="assistant"),
            "model": text(),
            "content": array(obj({"type": text()})),
            "stop_reason": maybe(text()),
            "usage": obj(
                {"input_tokens": integer(minimum=0), "output_tokens": integer(minimum=0), "cost": _COST},
                optional=["cost"],
            ),
        }
    ),
    "CountTokensRequest": obj(
        {"model": _MODEL, "messages": array(_MESSAGE, minItems=1)},
        example={"model": "acme/small", "messages": [{"role": "user", "content": "Say hello."}]},
    ),
    "TokenCount": obj({"input_tokens": integer(minimum=0)}, example={"input_tokens": 12}),
}
