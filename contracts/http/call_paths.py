"""The routes that call models."""

from collections.abc import Mapping
from typing import Any

from contracts.http.error_answers import (
    ANTHROPIC_ERRORS,
    ANTHROPIC_STATUSES,
    LLM_STATUSES,
    MEANINGS,
    OPENAI_ERRORS,
    errors,
    other_refusals,
)
from contracts.http.headers import ON_ANSWERS, REQUEST_HEADERS, RESPONSE_HEADERS
from contracts.http.limit_paths import LIMIT_HEADERS
from contracts.http.words import ref, text

_WISHES = [{"$ref": f"#/components/parameters/{name}"} for name in REQUEST_HEADERS]
OWN_ERRORS = ("Error",)
_NEVER_STREAMED = "Never streamed."


def _answer(schema: str, events: str) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": ref(schema)}}
    if events:
        content["text/event-stream"] = {"schema": text(events)}
    names = (
        "x-request-id",
        *ON_ANSWERS,
        *(name for name in RESPONSE_HEADERS if name not in ON_ANSWERS),
        *LIMIT_HEADERS,
    )
    return {
        "description": "The model's answer.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in dict.fromkeys(names)},
        "content": content,
    }


def call_operation(
    operation_id: str,
    summary: str,
    description: str,
    request: str,
    response: str,
    *,
    events: str = "",
    family: tuple[str, ...] = OPENAI_ERRORS,
    meanings: Mapping[int, str] = MEANINGS,
) -> dict[str, Any]:
    """A route that calls a model; `events` describes its stream, empty for routes without one."""
    statuses = ANTHROPIC_STATUSES if family == ANTHROPIC_ERRORS else LLM_STATUSES
    return {
        "post": {
            "operationId": operation_id,
            "tags": ["Models"],
            "summary": summary,
            "description": description,
            "parameters": _WISHES,
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": ref(request)}},
            },
            "responses": {
                "200": _answer(response, events),
                **errors(family, *statuses, calls=True, meanings=meanings),
                **({} if family == OWN_ERRORS else other_refusals()),
            },
        }
    }


CALL_PATHS: dict[str, Any] = {
    "/api/v1/llm/complete": call_operation(
        "complete",
        "Complete a prompt by requirements instead of by a model's name",
        "Chooses among everything configured what satisfies `model_requirements`, and answers in one shape "
        "whoever answered.",
        "CompleteRequest",
        "CompleteResponse",
        events='`data: {"delta": …}` for each piece of text, then one event with all fields of the whole '
        "answer, then `data: [DONE]`. An answer that breaks ends with an event that has an `error` instead.",
        family=OWN_ERRORS,
        meanings={
            402: "A hard budget has no room for what this may cost (`budget_exceeded`), or nothing bounds "
            "that (`cost_unbounded`); `details` say which budget, how it stands and when it starts anew.",
            503: "Candidates exist, but none could answer.",
        },
    ),
    "/api/v1/playground": call_operation(
        "tryModel",
        "Try a model as the person who is logged in",
        "As `/api/v1/llm/complete`, whole answers only, for the pages: logins count here. Recorded as the "
        "agent `playground`.",
        "CompleteRequest",
        "CompleteResponse",
        events="",
        family=OWN_ERRORS,
        meanings={
            402: "A hard budget has no room for what this may cost (`budget_exceeded`), or nothing bounds "
            "that (`cost_unbounded`); `details` say which budget, how it stands and when it starts anew.",
            503: "Candidates exist, but none could answer.",
        },
    ),
    "/v1/chat/completions": call_operation(
        "createChatCompletion",
        "Chat, in OpenAI's shape",
        "Answered by any provider that can; bodies for providers of the same family are forwarded as they "
        "are but for the model's name, and for others they are translated.",
        "ChatCompletionRequest",
        "ChatCompletion",
        events="`data:` with an OpenAI chunk each, then `data: [DONE]`. Usage comes in a last chunk when "
        "`stream_options.include_usage` asks for it, with `cost` in it.",
    ),
    "/v1/completions": call_operation(
        "createCompletion",
        "Text completion, in OpenAI's older shape",
        "Forwarded to providers that know it and translated to a chat for the others.",
        "TextCompletionRequest",
        "TextCompletion",
        events="`data:` with an OpenAI chunk each, then `data: [DONE]`.",
    ),
    "/v1/embeddings": call_operation(
        "createEmbeddings",
        "Embeddings, in OpenAI's shape",
        "One vector per text, in order. " + _NEVER_STREAMED,
        "EmbeddingsRequest",
        "Embeddings",
    ),
    "/v1/messages": call_operation(
        "createMessage",
        "Message, in Anthropic's shape",
        "Answered by any provider that can; see the chat route.",
        "MessagesRequest",
        "Message",
        events="Anthropic's events, from `message_start` to `message_stop`.",
        family=ANTHROPIC_ERRORS,
    ),
    "/v1/messages/count_tokens": call_operation(
        "countTokens",
        "Count the tokens of a message, in Anthropic's shape",
        "By the provider where it counts, else estimated, which `x-interchange-estimated` tells.",
        "CountTokensRequest",
        "TokenCount",
        family=ANTHROPIC_ERRORS,
    ),
}
