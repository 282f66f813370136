"""Reasoning that only its maker can read: carried through every caller, given back, and kept from others."""

import json
from typing import Any

import pytest

from adapters.wire import anthropic, anthropic_writer, openai_pivot
from adapters.wire.openai_pivot import ChatReader, ChatWriter
from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Piece,
    Started,
    StreamPiece,
    Thought,
    ThoughtEnded,
    ToolCall,
    ToolStarted,
)
from adapters.wire.registry import codec_for
from adapters.wire.seals import seal, unseal
from adapters.wire.sse import SseSplitter
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from domain.llm.capabilities import Capability
from domain.llm.stream import ContentKind
from tests.unit.wire.calls import HELLO, call, target
from tests.unit.wire.translations import encoded

CLAUDES = Thought("hm", "anthropic", "sig")
SEALED = Thought("", "openai", "", "cipher", "rs_1")
EXTRA = {"google": {"thought_signature": "gs"}}


def answer(*thoughts: Thought, reasoning: str = "hm") -> Answer:
    made = ToolCall("c1", "f", "{}", EXTRA)
    return Answer("a", "m", (Choice(0, "so", reasoning, "", (made,), "tool_calls", thoughts),), None)


def test_chat_callers_send_marks_back_to_their_maker_alone() -> None:
    said = json.loads(openai_pivot.write_answer(answer(CLAUDES, SEALED)))["choices"][0]["message"]
    assert openai_pivot.read_answer(openai_pivot.write_answer(answer(CLAUDES, SEALED))).choices[0].thoughts
    result = {"role": "tool", "tool_call_id": "c1", "content": "r"}
    asked = call(messages=[*HELLO, said, result], to=target("real"))
    body, dropped = encoded(ANTHROPIC_MESSAGES, asked)
    first = body["messages"][1]["content"][0]
    assert first == {"type": "thinking", "thinking": "hm", "signature": "sig"}
    assert dropped == ("messages.reasoning_details",)
    body, _ = encoded(GEMINI_GENERATE, asked)
    assert body["contents"][1]["parts"][1]["thoughtSignature"] == "gs"
    body, _ = encoded(OPENAI_CHAT, asked)
    (kept,) = [message for message in body["messages"] if message["role"] == "assistant"]
    assert "reasoning_details" not in kept and "extra_content" not in kept["tool_calls"][0]


def test_a_providers_own_fields_of_the_same_names_are_left_alone() -> None:
    detail = {"type": "reasoning.text", "text": "x", "format": "anthropic-claude-v1"}
    made = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": EXTRA,
    }
    said = {"role": "assistant", "content": "y", "reasoning_details": [detail], "tool_calls": [made]}
    asked = call(messages=[*HELLO, said])
    assert codec_for(OPENAI_CHAT, OPENAI_CHAT).request(asked).body is asked.request.body


def test_a_streamed_mark_comes_with_the_words_it_vouches_for() -> None:
    pieces: list[StreamPiece] = [
        Started("a", "m"),
        Piece(0, ContentKind.REASONING, "h"),
        Piece(0, ContentKind.REASONING, "m"),
        ThoughtEnded(0, CLAUDES._replace(text="")),
        ThoughtEnded(0, SEALED),
        ChoiceEnded(0, "stop"),
    ]
    writer = ChatWriter(call(stream=True))
    raw = b"".join(map(writer.write, pieces))
    chunks = [json.loads(frame.data or b"") for frame in SseSplitter().feed(raw)]
    details = [one for chunk in chunks for one in chunk["choices"][0]["delta"].get("reasoning_details") or ()]
    assert [(one.get("text"), one.get("signature"), one["index"]) for one in details] == [
        ("hm", "sig", 0),
        (None, None, 1),
    ]
    assert ChatReader().read(None, json.dumps(chunks[-1]).encode())


def test_anthropics_callers_carry_marks_of_others_sealed() -> None:
    body = json.loads(anthropic_writer.write_answer(answer(SEALED, reasoning="")))
    thinking, _, tool = body["content"]
    assert unseal(thinking["signature"]) == [SEALED] and tool["extra_content"] == EXTRA
    result = {"type": "tool_result", "tool_use_id": "c1", "content": "r"}
    said = [*HELLO, {"role": "assistant", "content": body["content"]}, {"role": "user", "content": [result]}]
    asked = call(ANTHROPIC_MESSAGES, messages=said)
    own, _ = encoded(ANTHROPIC_MESSAGES, asked)
    assert [block["type"] for block in own["messages"][1]["content"]] == ["text", "tool_use"]
    assert "extra_content" not in own["messages"][1]["content"][1]
    google, dropped = encoded(GEMINI_GENERATE, asked)
    assert google["contents"][1]["parts"][1]["thoughtSignature"] == "gs"
    assert dropped == ("messages.reasoning_details",)


@pytest.mark.parametrize("thought", [CLAUDES, Thought("", "anthropic", "", "opaque")])
def test_anthropics_own_marks_survive_its_shape(thought: Thought) -> None:
    given = answer(thought, reasoning=thought.text)
    assert anthropic.read_answer(anthropic_writer.write_answer(given)).choices[0].thoughts == (thought,)


def test_a_streamed_mark_closes_the_thinking_block_it_belongs_to() -> None:
    pieces: list[StreamPiece] = [
        Started("a", "m"),
        Piece(0, ContentKind.REASONING, "hm"),
        ThoughtEnded(0, Thought("", "gemini", "gs")),
        Piece(0, ContentKind.TEXT, "so"),
        ThoughtEnded(0, Thought("", "gemini", "late")),
        ToolStarted(0, 0, "c1", "f", EXTRA),
        ChoiceEnded(0, "tool_calls"),
    ]
    writer = anthropic_writer.AnthropicWriter(call(ANTHROPIC_MESSAGES, stream=True))
    raw = b"".join(map(writer.write, pieces)) + writer.finish(None)
    events: list[Any] = [json.loads(frame.data or b"") for frame in SseSplitter().feed(raw)]
    blocks = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block["type"] for block in blocks] == ["thinking", "text", "tool_use"]
    assert blocks[2]["extra_content"] == EXTRA
    (mark,) = [e["delta"]["signature"] for e in events if e.get("delta", {}).get("type") == "signature_delta"]
    assert mark == seal([Thought("hm", "gemini", "gs")])


def test_a_call_made_without_signed_thinking_is_answered_without_thinking() -> None:
    able = target("claude-sonnet-4-5", capabilities=Capability.TEXT | Capability.REASONING)
    made = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said: list[Any] = [
        *HELLO,
        {"role": "assistant", "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
    ]
    asked = call(messages=said, to=able, reasoning_effort="low", max_tokens=9000)
    body, dropped = encoded(ANTHROPIC_MESSAGES, asked)
    assert "thinking" not in body and dropped == ("reasoning_effort",)
    detail = {"format": "anthropic-claude-v1", "type": "reasoning.text", "text": "hm", "signature": "s"}
    said[1]["reasoning_details"] = [detail]
    body, dropped = encoded(
        ANTHROPIC_MESSAGES, call(messages=said, to=able, reasoning_effort="low", max_tokens=9000)
    )
    assert body["thinking"]["type"] == "enabled" and dropped == ()
