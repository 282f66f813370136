"""Answers of other providers as callers of the Responses API get them."""

import json
from typing import Any

import pytest
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Ended,
    Piece,
    Started,
    StreamPiece,
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from adapters.wire.responses_answers import answer_to
from adapters.wire.responses_writer import ResponsesWriter
from adapters.wire.seals import unseal
from application.ports.llm import UpstreamCall
from application.ports.wire import OPENAI_RESPONSES
from contracts.ports.stream_rules import frames_of
from domain.llm.stream import ContentKind
from domain.llm.usage import Usage
from tests.unit.wire.calls import call, target

TEXT, REASONING, REFUSAL = ContentKind.TEXT, ContentKind.REASONING, ContentKind.REFUSAL
USAGE = Usage(20, 10, 8, 2, reasoning_tokens=4)
TOOLS = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False},
    {"type": "custom", "name": "apply_patch"},
    {"type": "local_shell"},
    {"type": "namespace", "name": "crm", "description": "d", "tools": [{"type": "function", "name": "f"}]},
]
_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def asked(**fields: Any) -> UpstreamCall:
    body = {"model": "route", "input": "hello", "tools": TOOLS, **fields}
    return call(OPENAI_RESPONSES, body, to=target("real"))


def whole(choice: Choice, **fields: Any) -> dict[str, Any]:
    answer = Answer("chatcmpl-9", "real-1", (choice,), USAGE, 7)
    body: dict[str, Any] = json.loads(answer_to(answer, asked(**fields)))
    Response.model_validate(body)
    return body


def streamed(*pieces: StreamPiece, **fields: Any) -> list[dict[str, Any]]:
    """The events of a stream, numbered, each valid for the SDK, which puts them together."""
    writer = ResponsesWriter(asked(stream=True, **fields))
    started = Started("chatcmpl-9", "real-1", 7)
    raw = b"".join(writer.write(piece) for piece in (started, *pieces)) + writer.finish(USAGE)
    assert writer.finish(USAGE) == b"", "finishing twice says nothing more"
    frames = frames_of(raw)
    events = [frame.data for frame in frames]
    assert [frame.event for frame in frames] == [one["type"] for one in events]
    assert [one["sequence_number"] for one in events] == list(range(len(events)))
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=[], text_format=omit)
    for one in events:
        state.handle_event(_EVENT.validate_python(one))
    return events


def kinds(events: list[dict[str, Any]]) -> list[str]:
    return [one["type"].removeprefix("response.") for one in events]


def test_a_text_answer_is_a_response_that_repeats_its_request() -> None:
    body = whole(Choice(text="hi"), instructions="kind", metadata={"a": "b"}, temperature=0.5)
    assert (body["id"], body["object"], body["created_at"]) == ("resp_1", "response", 7)
    assert (body["status"], body["model"], body["store"]) == ("completed", "real-1", False)
    assert body["instructions"] == "kind" and body["metadata"] == {"a": "b"} and body["tools"] == TOOLS
    [message] = body["output"]
    assert message["role"] == "assistant" and message["content"][0]["text"] == "hi"
    assert body["usage"] == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
        "output_tokens": 10,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 30,
    }


@pytest.mark.parametrize(("reason", "why"), [("length", "max_output_tokens"), ("content_filter",) * 2])
def test_an_answer_that_was_cut_says_why(reason: str, why: str) -> None:
    body = whole(Choice(text="hi", finish_reason=reason))
    assert body["status"] == "incomplete" and body["incomplete_details"] == {"reason": why}
    events = streamed(Piece(0, TEXT, "hi"), ChoiceEnded(0, reason))
    assert events[-1]["type"] == "response.incomplete"
    assert events[-1]["response"]["output"][0]["status"] == "incomplete"


def test_calls_come_back_as_the_tools_that_were_offered() -> None:
    calls = (
        ToolCall("c1", "f", '{"a":1}'),
        ToolCall("c2", "apply_patch", '{"input":"*** x"}'),
        ToolCall("c3", "local_shell", '{"command":["ls"],"timeout_ms":5}'),
        ToolCall("c4", "crm__f", "{}"),
        ToolCall("c5", "apply_patch", "not as agreed"),
    )
    output = whole(Choice(tool_calls=calls, finish_reason="tool_calls"))["output"]
    assert [item["type"] for item in output] == [
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "function_call",
        "custom_tool_call",
    ]
    assert output[1]["input"] == "*** x" and output[4]["input"] == "not as agreed"
    assert output[2]["action"] == {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 5}
    assert (output[3]["name"], output[3]["namespace"]) == ("f", "crm")
    assert [item["call_id"] for item in output] == ["c1", "c2", "c3", "c4", "c5"]


def test_marks_of_thinking_and_of_calls_are_sealed_into_reasoning_items() -> None:
    signed = Thought("hm", "anthropic", "sig")
    called = ToolCall("c1", "f", "{}", {"google": {"thought_signature": "gs"}})
    choice = Choice(reasoning="hm", tool_calls=(called,), finish_reason="tool_calls", thoughts=(signed,))
    output = whole(choice)["output"]
    assert [item["type"] for item in output] == ["reasoning", "reasoning", "function_call"]
    assert output[0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert unseal(output[0]["encrypted_content"]) == [signed]
    [mark] = unseal(output[1]["encrypted_content"]) or []
    assert mark.id == "c1" and "gs" in mark.signature


def test_a_text_stream_has_every_event_in_order() -> None:
    events = streamed(
        Piece(0, TEXT, "he"), Piece(0, TEXT, "llo"), ChoiceEnded(0, "stop"), Counted(USAGE), Ended()
    )
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    last = events[-1]["response"]
    assert last["output"][0]["content"][0]["text"] == "hello"
    assert last["usage"]["total_tokens"] == 30 and last["id"] == events[0]["response"]["id"]


def test_reasoning_comes_before_text_in_an_item_of_its_own_with_its_seal() -> None:
    signed = Thought("", "anthropic", "sig")
    events = streamed(
        Piece(0, REASONING, "h"),
        Piece(0, REASONING, "m"),
        ThoughtEnded(0, signed),
        ThoughtEnded(0, Thought("", "anthropic", "", "redacted")),
        Piece(0, TEXT, "hi"),
        ChoiceEnded(0, "stop"),
    )
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "reasoning", "message"]
    assert output[0]["summary"][0]["text"] == "hm"
    assert unseal(output[0]["encrypted_content"]) == [Thought("hm", "anthropic", "sig")]
    assert unseal(output[1]["encrypted_content"]) == [Thought("", "anthropic", "", "redacted")]
    assert "reasoning_summary_text.delta" in kinds(events)


def test_interleaved_calls_are_told_apart() -> None:
    events = streamed(
        Piece(0, TEXT, "well"),
        ToolStarted(0, 0, "c1", "f"),
        ToolArguments(0, 0, '{"a"'),
        ToolStarted(0, 1, "c2", "apply_patch", {"google": {"thought_signature": "gs"}}),
        ToolArguments(0, 1, '{"input":'),
        ToolArguments(0, 0, ":1}"),
        ToolArguments(0, 1, '"x"}'),
        ChoiceEnded(0, "tool_calls"),
    )
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "reasoning", "custom_tool_call"]
    assert output[1]["arguments"] == '{"a":1}' and output[3]["input"] == "x"
    done = [one["item"] for one in events if one["type"] == "response.output_item.done"]
    assert sorted(item["id"] for item in done) == sorted(item["id"] for item in output)
    assert "custom_tool_call_input.done" in kinds(events)


def test_a_refusal_is_a_part_of_its_own() -> None:
    events = streamed(Piece(0, REFUSAL, "no"), ChoiceEnded(0, "stop"))
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert "refusal.done" in kinds(events)


def test_an_empty_answer_still_is_a_message() -> None:
    events = streamed(ChoiceEnded(0, "stop"))
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message"]


def test_other_choices_have_no_place() -> None:
    events = streamed(
        Piece(0, TEXT, "a"), Piece(1, TEXT, "b"), ChoiceEnded(1, "stop"), ChoiceEnded(0, "stop")
    )
    assert json.dumps(events).count('"b"') == 0
