"""Token counts and in-stream errors that Portkey's translation distorts."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.portkey.corrections import (
    CorrectedCodec,
    PromptCount,
    Translation,
    corrected_body,
    numbered_calls,
    translation,
    with_content,
)
from adapters.wire.openai import CHAT
from application.ports.wire import OPENAI_CHAT
from domain.llm.failures import FailureKind
from domain.llm.stream import Delta, Faulted, Finished, StreamMachine, UsageReported
from domain.llm.usage import Usage
from tests.contract.portkey.calls import call_to

ANTHROPIC = Translation(counted=PromptCount.WITHOUT_CACHE, needs_output_limit=True)
GEMINI = Translation(tools_finish_with_stop=True, lost_in_streams=frozenset({"functions", "tools"}))
counts = st.integers(min_value=0, max_value=10**7)


def as_portkey_says(fresh: int, read: int, written: int, out: int) -> dict[str, Any]:
    """Usage of an Anthropic answer, as the gateway's source builds it."""
    usage: dict[str, Any] = {
        "prompt_tokens": fresh,
        "completion_tokens": out,
        "total_tokens": fresh + read + written + out,
        "prompt_tokens_details": {"cached_tokens": read},
    }
    if read or written:
        usage |= {"cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    return usage


def completion(usage: dict[str, Any]) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return json.dumps({"id": "x", "choices": [choice], "usage": usage}).encode()


@settings(max_examples=60)
@given(fresh=counts, read=counts, written=counts, out=counts)
def test_every_token_of_an_anthropic_answer_is_counted_once_and_in_its_place(
    fresh: int, read: int, written: int, out: int
) -> None:
    codec = CorrectedCodec(CHAT, ANTHROPIC)
    answer = codec.response(completion(as_portkey_says(fresh, read, written, out)))
    assert answer.usage == Usage(
        input_tokens=fresh + read + written,
        output_tokens=out,
        cached_read_tokens=read,
        cache_write_tokens=written,
    )
    shown = json.loads(answer.body)["usage"]
    assert shown["prompt_tokens"] + shown["completion_tokens"] == shown["total_tokens"]


def test_bedrock_counts_the_cache_already_and_only_the_written_part_is_named() -> None:
    usage = as_portkey_says(100, 30, 20, 7) | {"prompt_tokens": 150}
    answer = CorrectedCodec(CHAT, Translation(counted=PromptCount.WITH_CACHE)).response(completion(usage))
    assert answer.usage == Usage(150, 7, cached_read_tokens=30, cache_write_tokens=20)


def test_an_answer_without_cached_tokens_keeps_its_bytes() -> None:
    body = completion({"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6})
    assert corrected_body(body, PromptCount.WITHOUT_CACHE) is body


def test_text_that_only_looks_like_a_count_changes_nothing() -> None:
    body = completion({"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6})
    body = body.replace(b'"hi"', b'"the \\"cache_read_input_tokens\\": 9"')
    assert corrected_body(body, PromptCount.WITHOUT_CACHE) == body
    assert corrected_body(b'{"cache_', PromptCount.WITHOUT_CACHE) == b'{"cache_'


def chunks(usage: dict[str, Any] | None, finish: str) -> bytes:
    said = {"index": 0, "delta": {"content": "hi"}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": finish}
    frames = [
        {"id": "x", "choices": [said]},
        {"id": "x", "choices": [last], **({"usage": usage} if usage else {})},
    ]
    return (
        b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames) + b"data: [DONE]\n\n"
    )


@settings(max_examples=30)
@given(cut=st.integers(min_value=1, max_value=200))
def test_a_stream_is_corrected_however_it_was_cut(cut: int) -> None:
    data = chunks(as_portkey_says(10, 4, 2, 3), "stop")
    decoder = CorrectedCodec(CHAT, ANTHROPIC).stream(call_to("anthropic", OPENAI_CHAT))
    events = [
        event
        for start in range(0, len(data), cut)
        for event in decoder.feed(data[start : start + cut]).events
    ]
    events += decoder.end().events
    assert [event.usage for event in events if isinstance(event, UsageReported)] == [
        Usage(16, 3, cached_read_tokens=4, cache_write_tokens=2)
    ]
    assert any(isinstance(event, Finished) for event in events)


def test_an_error_dressed_as_a_finish_reason_is_an_error_again() -> None:
    decoder = CorrectedCodec(CHAT, ANTHROPIC).stream(call_to("anthropic", OPENAI_CHAT))
    machine = StreamMachine()
    block = decoder.feed(chunks(None, "overloaded_error"))
    for event in block.events + decoder.end().events:
        machine.feed(event)
    assert [type(event) for event in block.events][-1] is Faulted
    assert any(isinstance(event, Delta) for event in block.events)
    assert not machine.complete
    assert machine.failure is not None
    assert machine.failure.kind.value == "overloaded"


def test_a_last_frame_without_its_blank_line_is_read() -> None:
    decoder = CorrectedCodec(CHAT, ANTHROPIC).stream(call_to("anthropic", OPENAI_CHAT))
    data = chunks(as_portkey_says(10, 4, 2, 3), "stop").removesuffix(b"data: [DONE]\n\n").rstrip(b"\n")
    events = decoder.feed(data).events + decoder.end().events
    assert any(isinstance(event, UsageReported) for event in events)


def test_a_stream_that_ends_without_a_finish_is_a_fault() -> None:
    decoder = CorrectedCodec(CHAT, ANTHROPIC).stream(call_to("anthropic", OPENAI_CHAT))
    machine = StreamMachine()
    cut = chunks(None, "stop").split(b"\n\n")[0] + b"\n\n"
    for event in decoder.feed(cut).events + decoder.end().events:
        machine.feed(event)
    assert machine.committed
    assert not machine.complete
    assert machine.failure is not None
    assert machine.failure.kind is FailureKind.BAD_RESPONSE


def tool_call(finish: str | None) -> bytes:
    called = [{"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    choice = {"index": 0, "delta": {"role": "assistant", "tool_calls": called}, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "choices": [choice]}, separators=(",", ":")).encode() + b"\n\n"


@pytest.mark.parametrize("together", [True, False], ids=["one chunk", "two chunks"])
def test_geminis_tool_calls_finish_as_tool_calls(together: bool) -> None:
    decoder = CorrectedCodec(CHAT, GEMINI).stream(call_to("google", OPENAI_CHAT))
    end = {"id": "x", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    last = b"data: " + json.dumps(end, separators=(",", ":")).encode() + b"\n\n"
    data = tool_call("stop") if together else tool_call(None) + last
    block = decoder.feed(data)
    assert [event.reason for event in block.events if isinstance(event, Finished)] == ["tool_calls"]
    assert b'"finish_reason":"tool_calls"' in block.raw


def test_geminis_plain_answers_keep_their_finish() -> None:
    decoder = CorrectedCodec(CHAT, GEMINI).stream(call_to("google", OPENAI_CHAT))
    data = chunks(None, "stop")
    block = decoder.feed(data)
    assert [event.reason for event in block.events if isinstance(event, Finished)] == ["stop"]


def test_geminis_unary_tool_calls_finish_as_tool_calls() -> None:
    called = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": 'say "finish_reason":"stop"', "tool_calls": called}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"id": "x", "choices": [choice]}, separators=(",", ":")).encode()
    answer = CorrectedCodec(CHAT, GEMINI).response(body)
    assert answer.finish_reason == "tool_calls"
    assert json.loads(answer.body)["choices"][0]["message"] == message


def test_geminis_streamed_calls_are_numbered_through() -> None:
    decoder = CorrectedCodec(CHAT, GEMINI).stream(call_to("google", OPENAI_CHAT))
    raw = decoder.feed(tool_call(None) + tool_call(None) + tool_call("stop")).raw
    frames = [json.loads(frame.removeprefix(b"data: ")) for frame in raw.split(b"\n\n") if frame]
    calls = [call for frame in frames for call in frame["choices"][0]["delta"]["tool_calls"]]
    assert [call["index"] for call in calls] == [0, 1, 2]


def test_calls_are_numbered_by_choice_and_holes_between_them_are_closed() -> None:
    choices = [
        {"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a"}, None, {"index": 2, "id": "b"}]}},
        {"index": 1, "delta": {"tool_calls": [{"index": 0, "id": "c"}]}},
        {"index": 2, "delta": {"content": "text"}},
    ]
    counts = {0: 1}
    chunk = json.loads(numbered_calls(json.dumps({"choices": choices}).encode(), counts))
    numbers = [
        [call["index"] for call in choice["delta"].get("tool_calls", ())] for choice in chunk["choices"]
    ]
    assert numbers == [[1, 2], [0], []]
    assert counts == {0: 3, 1: 1}


def test_an_answer_of_tool_calls_alone_names_its_missing_content() -> None:
    called = [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    choice = {
        "index": 0,
        "message": {"role": "assistant", "tool_calls": called},
        "finish_reason": "stop",
    }
    body = json.dumps({"id": "x", "choices": [choice]}, separators=(",", ":")).encode()
    answer = CorrectedCodec(CHAT, GEMINI).response(body)
    message = json.loads(answer.body)["choices"][0]["message"]
    assert message == {"role": "assistant", "content": None, "tool_calls": called}


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"choices":null}', b'{"choices":[7]}'])
def test_what_is_no_chat_completion_is_left_as_it_is(body: bytes) -> None:
    assert with_content(body) == body
    assert numbered_calls(body, {}) == body


def test_only_families_that_need_it_are_corrected() -> None:
    assert translation("openai") is None
    assert translation("groq") is None
    assert translation("anthropic") == ANTHROPIC
    assert translation("google") == GEMINI
    bedrock = translation("bedrock/anthropic")
    assert bedrock is not None
    assert bedrock.counted is PromptCount.WITH_CACHE


def test_an_output_limit_is_named_where_the_provider_insists_on_one() -> None:
    codec = CorrectedCodec(CHAT, Translation(needs_output_limit=True))
    messages = [{"role": "user", "content": "hi"}]
    open_ended = codec.request(call_to("acme", messages=messages))
    assert json.loads(open_ended.body)["max_tokens"] > 0
    limited = codec.request(call_to("acme", messages=messages, max_completion_tokens=7))
    assert "max_tokens" not in json.loads(limited.body)
