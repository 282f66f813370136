"""The three shapes behind one table: how each operation is read and written."""

from collections.abc import Callable
from typing import Any, NamedTuple

from entrypoints.simulator import (
    anthropic_shape,
    azure_shape,
    bedrock_shape,
    cohere_shape,
    gemini_shape,
    openai_requests,
    openai_shape,
    replicate_shape,
    responses_shape,
)
from entrypoints.simulator.connection import EVENT_STREAM
from entrypoints.simulator.conversation import Answer, Ask, Frame
from entrypoints.simulator.routes import Route


class Generation(NamedTuple):
    """An operation that generates text."""

    parse: Callable[[Route, dict[str, Any]], Ask]
    body: Callable[[Ask, Answer], bytes]
    frames: Callable[[Route, Ask, Answer], list[Frame]]
    media: bytes = EVENT_STREAM
    """Of its streams."""


GENERATIONS: dict[str, Generation] = {
    "chat": Generation(
        lambda _route, body: openai_requests.parse_chat(body),
        openai_shape.chat_body,
        lambda _route, ask, answer: openai_shape.chat_frames(ask, answer),
    ),
    "azure_chat": Generation(
        lambda _route, body: openai_requests.parse_chat(body),
        azure_shape.chat_body,
        lambda _route, ask, answer: azure_shape.chat_frames(ask, answer),
    ),
    "completion": Generation(
        lambda _route, body: openai_requests.parse_completion(body),
        openai_shape.completion_body,
        lambda _route, ask, answer: openai_shape.completion_frames(ask, answer),
    ),
    "responses": Generation(
        lambda _route, body: responses_shape.parse_responses(body),
        responses_shape.responses_body,
        lambda _route, ask, answer: responses_shape.responses_frames(ask, answer),
    ),
    "messages": Generation(
        lambda _route, body: anthropic_shape.parse_messages(body),
        anthropic_shape.messages_body,
        lambda _route, ask, answer: anthropic_shape.messages_frames(ask, answer),
    ),
    "cohere_chat": Generation(
        lambda _route, body: cohere_shape.parse_chat(body),
        cohere_shape.chat_body,
        lambda _route, ask, answer: cohere_shape.chat_frames(ask, answer),
    ),
    "generate": Generation(
        lambda route, body: gemini_shape.parse_generate(route.model or "", body, stream=route.stream),
        gemini_shape.generate_body,
        lambda route, ask, answer: gemini_shape.generate_frames(ask, answer, as_array=not route.as_events),
    ),
    "converse": Generation(
        bedrock_shape.parse_converse,
        lambda _ask, answer: bedrock_shape.converse_body(answer),
        lambda _route, _ask, answer: bedrock_shape.converse_frames(answer),
        bedrock_shape.EVENT_STREAM,
    ),
}


class ErrorShape(NamedTuple):
    """How a shape says that something went wrong."""

    body: Callable[..., bytes]
    frame: Callable[..., bytes]
    request_id_header: bytes


ERRORS: dict[str, ErrorShape] = {
    "openai": ErrorShape(openai_shape.error_of, openai_shape.error_frame, b"x-request-id: req_sim%b\r\n"),
    "azure": ErrorShape(
        azure_shape.error_of,
        azure_shape.error_frame,
        b"x-request-id: req_sim%b\r\napim-request-id: apim-sim\r\nx-ms-region: Simulated\r\n",
    ),
    "bedrock": ErrorShape(bedrock_shape.error_of, bedrock_shape.error_frame, b"x-amzn-requestid: sim-%b\r\n"),
    "responses": ErrorShape(
        openai_shape.error_of, responses_shape.error_frame, b"x-request-id: req_sim%b\r\n"
    ),
    "anthropic": ErrorShape(
        anthropic_shape.error_of, anthropic_shape.error_frame, b"request-id: req_sim%b\r\n"
    ),
    "replicate": ErrorShape(
        replicate_shape.error_of, replicate_shape.error_frame, b"x-request-id: sim%b\r\n"
    ),
    "cohere": ErrorShape(cohere_shape.error_of, cohere_shape.error_frame, b"x-debug-trace-id: %b\r\n"),
    "gemini": ErrorShape(gemini_shape.error_of, gemini_shape.error_frame, b"x-goog-request-id: sim%b\r\n"),
}
