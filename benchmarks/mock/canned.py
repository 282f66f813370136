"""The answers of the mocks, made once, and what one of them costs."""

import json
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import NamedTuple

UNARY_BODY_BYTES = 1024
STREAM_EVENTS = 62
INPUT_TOKENS = 250
UNARY_OUTPUT_TOKENS = 150
STREAM_OUTPUT_TOKENS = STREAM_EVENTS - 4
"""Every event but the role, the finish reason, the usage and `[DONE]` is one token."""

_CREATED = 1_735_689_600


class MockPrice(NamedTuple):
    """Dollars per million tokens."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal

    def cost_nano_usd(self, input_tokens: int, output_tokens: int) -> int:
        """One request's cost, rounded up to a nano-dollar."""
        dollars_per_million = (
            input_tokens * self.input_usd_per_mtok + output_tokens * self.output_usd_per_mtok
        )
        return int((dollars_per_million * 1000).to_integral_value(rounding=ROUND_CEILING))


def unary_body() -> bytes:
    """A chat completion of exactly `UNARY_BODY_BYTES` bytes, plain ASCII without quotes in its text."""
    return _filled(
        lambda text: {
            "id": "chatcmpl-mock",
            "object": "chat.completion",
            "created": _CREATED,
            "model": "mock",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": _usage(UNARY_OUTPUT_TOKENS),
        }
    )


def message_body() -> bytes:
    """The same as Anthropic says it."""
    return _filled(
        lambda text: {
            "id": "msg_mock",
            "type": "message",
            "role": "assistant",
            "model": "mock",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": UNARY_OUTPUT_TOKENS},
        }
    )


def response_body() -> bytes:
    """The same as OpenAI's Responses API says it."""
    return _filled(
        lambda text: {
            "id": "resp_mock",
            "object": "response",
            "created_at": _CREATED,
            "status": "completed",
            "model": "mock",
            "output": [
                {
                    "type": "message",
                    "id": "msg_mock",
                    "status": "completed",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": text, "annotations": []}],
                }
            ],
            "store": False,
            "usage": {
                "input_tokens": INPUT_TOKENS,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": UNARY_OUTPUT_TOKENS,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": INPUT_TOKENS + UNARY_OUTPUT_TOKENS,
            },
        }
    )


def generated_body() -> bytes:
    """The same as Gemini says it."""
    return _filled(
        lambda text: {
            "candidates": [
                {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {
                "promptTokenCount": INPUT_TOKENS,
                "candidatesTokenCount": UNARY_OUTPUT_TOKENS,
                "totalTokenCount": INPUT_TOKENS + UNARY_OUTPUT_TOKENS,
            },
            "modelVersion": "mock",
            "responseId": "mock",
        }
    )


def _filled(answer: Callable[[str], dict[str, object]]) -> bytes:
    def body(text: str) -> bytes:
        return json.dumps(answer(text), separators=(",", ":")).encode()

    room = UNARY_BODY_BYTES - len(body(""))
    return body("mock " * (room // 5) + "x" * (room % 5))


def stream_events() -> list[bytes]:
    """The events of one stream, each with its delimiter."""
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f" token{number}"} for number in range(STREAM_OUTPUT_TOKENS)]
    chunks = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    chunks.append(_chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    chunks.append(_chunk([], usage=_usage(STREAM_OUTPUT_TOKENS)))
    chunks.append(b"data: [DONE]\n\n")
    assert len(chunks) == STREAM_EVENTS
    return chunks


def _chunk(choices: list[dict[str, object]], *, usage: dict[str, int] | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": _CREATED,
        "model": "mock",
        "choices": choices,
        "usage": usage,
    }
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _usage(output_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": output_tokens,
        "total_tokens": INPUT_TOKENS + output_tokens,
    }
