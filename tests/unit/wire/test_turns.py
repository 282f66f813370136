"""Conversations of each dialect as messages with who said them, and how much of one a judge is shown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.turns import BODY_BYTES_MAX, WireTurns
from application.ports.turns import Turn
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES
from domain.llm.request import LlmRequest, Operation
from domain.quality.conversation import (
    BYTES_MAX,
    LAST_CHARS_MAX,
    RESULT_CHARS_MAX,
    TURNS_MAX,
    Said,
    shown_to_judge,
)

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"at":"Rome"}'}}
BODIES: dict[str, dict[str, Any]] = {
    OPENAI_CHAT: {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Is it warm?"}]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": '{"celsius": 30}'},
        ]
    },
    ANTHROPIC_MESSAGES: {
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": "Is it warm?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"at": "Rome"}},
                ],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "content": '{"celsius": 30}'}],
            },
        ],
    },
    OPENAI_RESPONSES: {
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Is it warm?"}]},
            {"type": "reasoning", "summary": []},
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": '{"celsius": 30}'},
        ],
    },
    GEMINI_GENERATE: {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Is it warm?"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "weather", "args": {"at": "Rome"}}}]},
            {"parts": [{"functionResponse": {"name": "weather", "response": {"celsius": 30}}}]},
        ],
    },
}
PICTURES: dict[str, dict[str, Any]] = {
    OPENAI_CHAT: {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
    ANTHROPIC_MESSAGES: {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
    OPENAI_RESPONSES: {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
    GEMINI_GENERATE: {"contents": [{"parts": [{"inlineData": {}}]}]},
}


def request(dialect: str, body: object, **more: Any) -> LlmRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return LlmRequest(operation=Operation.CHAT, dialect=dialect, model="m", body=raw, **more)


@pytest.mark.parametrize("dialect", BODIES)
def test_the_same_conversation_reads_the_same_in_every_dialect(dialect: str) -> None:
    assert WireTurns().turns(request(dialect, BODIES[dialect])) == [
        Turn("instructions", "Be brief."),
        Turn("user", "Is it warm?"),
        Turn("assistant", "", calls=("weather",)),
        Turn("tool", '{"celsius": 30}', tool="weather"),
    ]


@pytest.mark.parametrize("dialect", PICTURES)
def test_what_is_no_text_is_said_to_be_there(dialect: str) -> None:
    assert WireTurns().turns(request(dialect, PICTURES[dialect])) == [Turn("user", "", more=True)]


@pytest.mark.parametrize("dialect", BODIES)
@pytest.mark.parametrize("body", [b"nonsense", b"[]", b"{}", b'{"messages":1,"input":1,"contents":[1]}'])
def test_what_nobody_can_read_is_no_conversation(dialect: str, body: bytes) -> None:
    assert WireTurns().turns(request(dialect, body)) is None


def test_a_conversation_that_begins_elsewhere_or_is_huge_is_not_read() -> None:
    chat = BODIES[OPENAI_CHAT]
    assert WireTurns().turns(request(OPENAI_CHAT, chat, previous_response_id="resp_1")) is None
    assert WireTurns().turns(request(OPENAI_CHAT, json.dumps(chat).encode() + b" " * BODY_BYTES_MAX)) is None
    assert WireTurns().turns(request("openai.embeddings", {"input": "x"})) is None


def said(*texts: str) -> list[Said]:
    return [Said("user" if n % 2 == 0 else "assistant", text) for n, text in enumerate(texts)]


def test_a_judge_sees_the_end_of_a_conversation_and_how_it_was_begun() -> None:
    turns = [f"turn {n}" for n in range(2 * TURNS_MAX + 1)]
    shown = shown_to_judge([Said("instructions", "x" * 5000), *said(*turns)])

    assert shown is not None
    begun, *rest = shown.said
    assert (begun.who, len(begun.text)) == ("instructions", RESULT_CHARS_MAX)
    assert [one.text for one in rest] == turns[-TURNS_MAX:]
    assert shown.left_out == len(turns) - TURNS_MAX


def test_what_is_too_long_or_no_text_is_not_judged() -> None:
    assert shown_to_judge([]) is None
    assert shown_to_judge(said("x" * (LAST_CHARS_MAX + 1))) is None
    assert shown_to_judge(said("a question", "an answer")) is None, "nothing was asked after it"
    assert shown_to_judge([Said("user", "what is this?", more=True)]) is None
    old = [Said("user", "a picture", more=True), *said(*["later"] * (TURNS_MAX + 1))]
    assert shown_to_judge(old) is not None, "nobody would have looked so far back"


def test_what_a_tool_answered_is_named_and_cut_unless_it_was_the_last_word() -> None:
    long = Said("tool search", "y" * 7000)
    earlier, last = shown_to_judge([long, *said("so?")]), shown_to_judge([*said("so?"), long])

    assert earlier is not None and last is not None
    assert (earlier.said[0].who, len(earlier.said[0].text)) == ("tool search", RESULT_CHARS_MAX)
    assert last.said[-1] == long


@given(st.lists(st.text(max_size=6000), min_size=1, max_size=30))
def test_no_more_than_the_bounds_is_ever_shown(texts: list[str]) -> None:
    shown = shown_to_judge([Said("user", text) for text in texts])

    assert shown is not None
    size = sum(len(one.text.encode(errors="surrogatepass")) for one in shown.said)
    assert size <= max(BYTES_MAX, 4 * LAST_CHARS_MAX)
    assert len(shown.said) <= TURNS_MAX
    assert shown.said[-1].text == texts[-1]
    assert shown.left_out + len(shown.said) == len(texts)
