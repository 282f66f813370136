"""Which tier of service was asked for, and which the answer says was served."""

import json
from typing import Any

import pytest

from adapters.wire.registry import codec_for
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES
from domain.llm.stream import UsageReported
from domain.llm.usage import Usage
from tests.unit.wire.calls import HELLO, READER, call

CHAT_ANSWER: dict[str, Any] = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}


def asked(dialect: str, **fields: Any) -> str:
    return READER.read(dialect, json.dumps({"model": "m", **fields}).encode()).service_tier


def usage_in(dialect: str, answer: dict[str, Any], caller: str | None = None) -> Usage:
    codec = codec_for(caller or dialect, dialect)
    usage = codec.response(json.dumps(answer).encode(), call(caller or dialect)).usage
    assert usage is not None
    return usage


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("priority", "service_tier=priority"), ("flex", "service_tier=flex"), ("auto", ""), (None, "")],
)
def test_the_tier_asked_for_in_a_chat_is_named_as_in_the_price_book(tier: str | None, expected: str) -> None:
    assert asked(OPENAI_CHAT, messages=HELLO, service_tier=tier) == expected


def test_the_fast_mode_of_messages_is_a_speed() -> None:
    assert asked(ANTHROPIC_MESSAGES, messages=HELLO, max_tokens=5, speed="fast") == "speed=fast"
    assert asked(ANTHROPIC_MESSAGES, messages=HELLO, max_tokens=5, speed="standard") == ""


@pytest.mark.parametrize("caller", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
def test_an_answer_says_which_tier_it_was_served_at(caller: str) -> None:
    assert (
        usage_in(OPENAI_CHAT, {**CHAT_ANSWER, "service_tier": "flex"}, caller).variant == "service_tier=flex"
    )
    assert usage_in(OPENAI_CHAT, CHAT_ANSWER, caller).variant == ""
    for odd in (7, {"name": "flex"}, None):
        assert usage_in(OPENAI_CHAT, {**CHAT_ANSWER, "service_tier": odd}, caller).variant == ""


def test_a_stream_says_it_with_its_usage() -> None:
    chunk = {"choices": [], "usage": CHAT_ANSWER["usage"], "service_tier": "priority"}
    stream = codec_for(OPENAI_CHAT, OPENAI_CHAT).stream(call())

    block = stream.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    (event,) = block.events
    assert isinstance(event, UsageReported) and event.usage.variant == "service_tier=priority"


def test_messages_and_responses_say_it_in_their_own_places() -> None:
    message = {"type": "message", "content": [], "stop_reason": "end_turn"}
    counted = {"input_tokens": 3, "output_tokens": 1}
    for extra, expected in (
        ({"service_tier": "standard"}, ""),
        ({"service_tier": "priority"}, "service_tier=priority"),
        ({"service_tier": "standard", "speed": "fast"}, "speed=fast"),
    ):
        answer = {**message, "usage": {**counted, **extra}}
        assert usage_in(ANTHROPIC_MESSAGES, answer).variant == expected
    response = {"status": "completed", "output": [], "usage": counted, "service_tier": "flex"}
    asked_of = codec_for(OPENAI_RESPONSES, OPENAI_RESPONSES)
    usage = asked_of.response(json.dumps(response).encode()).usage
    assert usage is not None and usage.variant == "service_tier=flex"
