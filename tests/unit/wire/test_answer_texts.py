"""What whole answers say, and whether they wait for a tool."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.wire.cache_reader import DialectCacheReader
from application.ports.wire import FAMILY
from tests.unit.wire.spellings import VALUES

READER = DialectCacheReader()
CHAT, MESSAGES, GENERATE, RESPONSES = (
    "openai.chat",
    "anthropic.messages",
    "gemini.generate",
    "openai.responses",
)
NUMBERS = ["openai.embeddings", "openai.moderations", "cohere.rerank", "gemini.embeddings"]


def chat(**message: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}]}


def candidate(*parts: dict[str, Any], reason: str = "STOP") -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}]}


def message(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(content)}


SAID = {"type": "output_text", "text": "Par", "annotations": []}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("dialect", "answer", "text"),
    [
        (CHAT, chat(content="Paris"), "Paris"),
        (CHAT, chat(content="Paris", refusal=None, reasoning_content="hm"), "Paris"),
        (
            CHAT,
            chat(content=[{"type": "thinking", "thinking": []}, {"type": "text", "text": "Paris"}]),
            "Paris",
        ),
        (CHAT, chat(content=None, refusal="I won't"), ""),
        (CHAT, chat(content="So far", refusal="but no further"), ""),
        (CHAT, {"choices": [{"finish_reason": "content_filter", "message": {"content": "Par"}}]}, ""),
        (CHAT, chat(content=None), ""),
        ("openai.completions", {"choices": [{"text": " upon", "finish_reason": "stop"}]}, " upon"),
        ("openai.completions", {"choices": [{"text": " u", "finish_reason": "content_filter"}]}, ""),
        (
            MESSAGES,
            {
                "content": [
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "text", "text": "Par"},
                    {"type": "text", "text": "is"},
                ]
            },
            "Paris",
        ),
        (MESSAGES, {"content": [{"type": "text", "text": "no"}], "stop_reason": "refusal"}, ""),
        (GENERATE, candidate({"text": "hm", "thought": True}, {"text": "Par"}, {"text": "is"}), "Paris"),
        (GENERATE, candidate({"text": "Par"}, reason="SAFETY"), ""),
        (GENERATE, {"promptFeedback": {"blockReason": "SAFETY"}}, ""),
        (
            RESPONSES,
            {"output": [{"type": "reasoning"}, message(SAID, {**SAID, "text": "is"})]},
            "Paris",
        ),
        (RESPONSES, {"output": [message(SAID, {"type": "refusal", "refusal": "no"})]}, ""),
        ("openai.embeddings", {"data": [{"embedding": [0.1]}]}, ""),
    ],
)
def test_the_text_of_an_answer_is_what_it_says_and_no_thought(
    dialect: str, answer: dict[str, Any], text: str
) -> None:
    assert READER.answer_text(dialect, json.dumps(answer).encode()) == text


@pytest.mark.parametrize(
    ("dialect", "answer", "calls"),
    [
        (CHAT, chat(content="Paris"), False),
        (CHAT, chat(content="Paris", tool_calls=[], function_call=None), False),
        (CHAT, chat(content=None, tool_calls=[{"id": "c"}]), True),
        (CHAT, chat(content=None, function_call={"name": "f"}), True),
        (CHAT, {"choices": [{"finish_reason": "tool_calls", "message": {"content": ""}}]}, True),
        (CHAT, {"choices": [*chat(content="a")["choices"], *chat(tool_calls=[{}])["choices"]]}, True),
        ("openai.completions", {"choices": [{"text": "a"}]}, False),
        (MESSAGES, {"content": [{"type": "text", "text": "a"}], "stop_reason": "end_turn"}, False),
        (MESSAGES, {"content": [{"type": "tool_use", "name": "f"}], "stop_reason": "tool_use"}, True),
        (MESSAGES, {"content": [{"type": "tool_use", "name": "f"}], "stop_reason": "end_turn"}, True),
        (MESSAGES, {"content": [{"type": "server_tool_use"}], "stop_reason": "end_turn"}, False),
        (MESSAGES, {"content": [{"type": "server_tool_use"}], "stop_reason": "pause_turn"}, True),
        (GENERATE, candidate({"text": "a"}), False),
        (GENERATE, candidate({"text": "a"}, {"functionCall": {"name": "f"}}), True),
        (RESPONSES, {"output": [{"type": "reasoning"}, message(SAID)]}, False),
        (RESPONSES, {"output": [message(SAID), CALL]}, True),
        (RESPONSES, {"output": [{"type": "custom_tool_call"}]}, True),
        (RESPONSES, {"output": [{"type": "something_new"}]}, True),
        *((dialect, {"data": []}, False) for dialect in NUMBERS),
    ],
)
def test_an_answer_that_asks_for_a_tool_is_told_from_one_that_does_not(
    dialect: str, answer: dict[str, Any], calls: bool
) -> None:
    assert READER.calls_tools(dialect, json.dumps(answer).encode()) is calls


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, GENERATE, RESPONSES, "openai.completions"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"a"', b"\xff", b"[" * 5_000])
def test_what_cannot_be_read_says_nothing_and_may_call_a_tool(dialect: str, body: bytes) -> None:
    assert READER.answer_text(dialect, body) == ""
    assert READER.calls_tools(dialect, body)


@pytest.mark.parametrize("dialect", sorted(FAMILY))
@given(inner=VALUES)
@settings(max_examples=25, deadline=None)
def test_no_answer_breaks_the_reader(dialect: str, inner: object) -> None:
    names = ("choices", "content", "candidates", "output")
    for value in (
        inner,
        [inner],
        [{"message": inner, "content": inner}],
        [{"type": "message", "content": inner}],
    ):
        body = json.dumps(dict.fromkeys(names, value)).encode()
        assert isinstance(READER.answer_text(dialect, body), str)
        assert isinstance(READER.calls_tools(dialect, body), bool)
