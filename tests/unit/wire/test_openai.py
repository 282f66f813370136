"""OpenAI to OpenAI: bytes forwarded, meaning read beside them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.openai import CHAT, COMPLETIONS, EMBEDDINGS
from application.ports.llm import Block, UpstreamFailed
from application.ports.wire import OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS
from domain.catalog.tags import PREFIX_FLAG_TAG
from domain.llm.failures import FailureKind
from domain.llm.stream import (
    ContentKind,
    Delta,
    Faulted,
    Finished,
    Opened,
    Phase,
    Pinged,
    StreamEvent,
    StreamMachine,
    Terminated,
    UsageReported,
)
from domain.llm.usage import Usage
from tests.unit.wire.calls import call, target


def chunk(
    delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **more: Any
) -> bytes:
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"id": "c", "choices": choices, **more}).encode() + b"\n\n"


USAGE_CHUNK = chunk(None, usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5})
DONE = b"data: [DONE]\n\n"
STREAM = (
    chunk({"role": "assistant", "content": ""}) + chunk({"content": "he"}) + chunk({"content": "y"}, "stop")
)


def decode(*chunks: bytes, **fields: Any) -> Block:
    decoder = CHAT.stream(call(stream=True, **fields))
    blocks = [decoder.feed(data) for data in chunks] + [decoder.end()]
    return Block(b"".join(b.raw for b in blocks), tuple(e for b in blocks for e in b.events))


def failure_kind(events: tuple[StreamEvent, ...]) -> FailureKind:
    last = events[-1]
    assert isinstance(last, Faulted)
    return last.failure.kind


def test_a_body_that_needs_no_edit_is_the_very_same_object() -> None:
    asked = call(temperature=1)
    assert CHAT.request(asked).body is asked.request.body


def test_only_the_model_changes_when_it_differs() -> None:
    body = b'{"messages": [ {"role":"user", "content":"\\u00e9"} ],"model":"route","unknown":{ "a":1e3 }}'
    encoded = CHAT.request(call(body=body, to=target("real"))).body
    assert (
        encoded
        == b'{"messages":[ {"role":"user", "content":"\\u00e9"} ],"model":"real","unknown":{ "a":1e3 }}'
    )


def test_a_stream_always_asks_for_usage_and_keeps_other_options() -> None:
    assert json.loads(CHAT.request(call(stream=True)).body)["stream_options"] == {"include_usage": True}
    own = {"include_usage": False, "include_obfuscation": False}
    assert json.loads(CHAT.request(call(stream=True, stream_options=own)).body)["stream_options"] == {
        "include_usage": True,
        "include_obfuscation": False,
    }


def test_a_continuation_is_a_trailing_assistant_message() -> None:
    said = json.loads(CHAT.request(call(continue_from="so far")).body)["messages"]
    assert said == [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "so far"}]


def test_deepseek_and_mistral_want_the_prefix_marked() -> None:
    there = target("m", provider="deepseek", tags=frozenset({PREFIX_FLAG_TAG}))
    assert json.loads(CHAT.request(call(continue_from="x", to=there)).body)["messages"][-1]["prefix"] is True


def test_an_answer_comes_back_as_the_bytes_it_was() -> None:
    body = b'{"id":"x", "choices":[{"finish_reason":"stop","message":{}}], "usage":{"prompt_tokens":9,'
    body += b'"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":6,"audio_tokens":1},'
    body += b'"completion_tokens_details":{"reasoning_tokens":3}}}'
    answer = CHAT.response(body)
    assert answer.body is body and answer.finish_reason == "stop"
    assert answer.usage == Usage(9, 4, cached_read_tokens=6, input_audio_tokens=1, reasoning_tokens=3)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, Usage(9, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 5}, Usage(9, 4, 5)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 20,
                "completion_tokens_details": {"reasoning_tokens": 7},
            },
            Usage(9, 11, reasoning_tokens=7),
        ),
        ({"prompt_tokens": 9, "total_tokens": 9}, Usage(9, 0)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 5},
            },
            Usage(9, 1, 8, input_audio_tokens=1),
        ),
        ({}, None),
    ],
)
def test_every_vendors_count_becomes_inclusive_buckets(usage: dict[str, Any], expected: Usage | None) -> None:
    answer = CHAT.response(json.dumps({"choices": [{}], "usage": usage}).encode())
    assert answer.usage == expected
    assert expected is None or expected.repaired() == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"error":{"message":"no"}}',
        b'{"choices":5}',
        b"null",
    ],
)
def test_a_2xx_body_that_is_no_answer_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        CHAT.response(body)
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


def test_an_error_inside_a_2xx_body_keeps_its_type() -> None:
    with pytest.raises(UpstreamFailed) as caught:
        CHAT.response(b'{"error":{"message":"slow down","code":"rate_limit_exceeded"}}')
    assert caught.value.failure.kind is FailureKind.RATE_LIMIT


def test_a_stream_is_forwarded_but_for_the_usage_nobody_asked_for_and_the_end_marker() -> None:
    block = decode(STREAM + USAGE_CHUNK + DONE)
    assert block.raw == STREAM
    assert block.events == (
        Opened(),
        Delta(ContentKind.TEXT, "he"),
        Delta(ContentKind.TEXT, "y"),
        Finished("stop"),
        UsageReported(Usage(3, 2)),
        Terminated(),
    )


def test_a_caller_who_asked_for_usage_gets_its_chunk() -> None:
    assert (
        decode(STREAM, USAGE_CHUNK, DONE, stream_options={"include_usage": True}).raw == STREAM + USAGE_CHUNK
    )


def test_usage_beside_a_finish_reason_is_read_and_forwarded() -> None:
    last = chunk({}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2})
    assert decode(last) == Block(last, (Opened(), Finished("stop"), UsageReported(Usage(1, 1))))


@pytest.mark.parametrize(
    ("delta", "kind", "text"),
    [
        ({"reasoning_content": "hm"}, ContentKind.REASONING, "hm"),
        ({"reasoning": "hm"}, ContentKind.REASONING, "hm"),
        ({"refusal": "no"}, ContentKind.REFUSAL, "no"),
        (
            {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]},
            ContentKind.TOOL_CALL,
            "",
        ),
        ({"tool_calls": [{"index": 1, "function": {"arguments": "{"}}]}, ContentKind.TOOL_CALL, "{"),
        ({"function_call": {"arguments": "x"}}, ContentKind.TOOL_CALL, "x"),
        ({"content": [{"type": "text", "text": "part"}]}, ContentKind.TEXT, "part"),
        ({"content": [{"type": "thinking", "thinking": [{"text": "t"}]}]}, ContentKind.REASONING, "t"),
        ({"audio": {"data": "AA=="}}, ContentKind.TEXT, ""),
    ],
)
def test_every_kind_of_content_is_told_apart(delta: dict[str, Any], kind: ContentKind, text: str) -> None:
    assert decode(chunk(delta)).events == (Delta(kind, text),)


def test_a_stream_of_two_choices_is_finished_when_both_are() -> None:
    first = decode(chunk({"content": "a"}, "stop", 0), n=2)
    assert Finished("stop") not in first.events
    both = decode(chunk({"content": "a"}, "length", 0), chunk({"content": "b"}, "stop", 1), n=2)
    assert both.events[-1] == Finished("length")


@pytest.mark.parametrize(
    "bad", [b"data: {\n\n", b"data: x\n\n", b'data: {"choices":5}\n\n', b"data: \xff\n\n"]
)
def test_a_malformed_chunk_ends_decoding_with_a_fault(bad: bytes) -> None:
    block = decode(chunk({"content": "a"}), bad, chunk({"content": "b"}))
    assert block.raw == chunk({"content": "a"})
    assert failure_kind(block.events) is FailureKind.BAD_RESPONSE


def test_an_error_frame_is_a_typed_fault_and_not_forwarded() -> None:
    frame = b'data: {"error":{"message":"busy","type":"overloaded_error"}}\n\n'
    block = decode(chunk({"content": "a"}), frame)
    assert block.raw == chunk({"content": "a"})
    assert failure_kind(block.events) is FailureKind.OVERLOADED


def test_comments_are_forwarded_and_are_signs_of_life() -> None:
    assert decode(b": PROCESSING\n\n") == Block(b": PROCESSING\n\n", (Pinged(),))


def test_half_a_chunk_at_the_end_says_nothing() -> None:
    assert decode(chunk({"content": "a"}), b'data: {"choices":[{"del').events == (
        Delta(ContentKind.TEXT, "a"),
    )


def test_a_last_chunk_without_its_blank_line_still_counts() -> None:
    assert decode(chunk({"content": "a"}, "stop")[:-2]).events[-1] == Finished("stop")
    assert decode(b"data: [DONE]").events == (Terminated(),)


def test_text_completions_are_read_too() -> None:
    decoder = COMPLETIONS.stream(call(OPENAI_COMPLETIONS, {"model": "m", "prompt": "x", "stream": True}))
    frame = b'data: {"choices":[{"index":0,"text":"hi","finish_reason":"length"}]}\n\n'
    assert decoder.feed(frame) == Block(frame, (Delta(ContentKind.TEXT, "hi"), Finished("length")))


def test_embeddings_keep_their_bytes() -> None:
    asked = call(OPENAI_EMBEDDINGS, {"model": "m", "input": "x"}, to=target("real"))
    assert json.loads(EMBEDDINGS.request(asked).body) == {"model": "real", "input": "x"}
    body = b'{"data":[{"embedding":"AAAA"}],"usage":{"prompt_tokens":2,"total_tokens":2}}'
    answer = EMBEDDINGS.response(body)
    assert answer.body is body and answer.usage == Usage(2, 0)


@given(cut=st.integers(0, 2000), second=st.integers(0, 2000))
def test_the_machine_sees_the_same_stream_however_it_was_cut(cut: int, second: int) -> None:
    whole = STREAM + b": ping\n\n" + USAGE_CHUNK + DONE
    first, last = sorted((min(cut, len(whole)), min(second, len(whole))))
    block = decode(whole[:first], whole[first:last], whole[last:])
    assert block == decode(whole)
    machine = StreamMachine(keep_text=True)
    for event in block.events:
        machine.feed(event)
    assert (machine.phase, machine.text, machine.usage) == (Phase.FINISHED, "hey", Usage(3, 2))


@given(data=st.lists(st.binary(max_size=30), max_size=5))
def test_no_bytes_make_the_decoder_raise(data: list[bytes]) -> None:
    decode(*data)
