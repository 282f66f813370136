"""Answers and streams in another family's dialect: the same meaning, whichever way they came."""

import json
from typing import Any

import pytest

from adapters.wire.registry import codec_for
from application.ports.llm import Block, UpstreamFailed
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_COMPLETIONS,
    OPENAI_EMBEDDINGS,
)
from contracts.ports.stream_rules import assert_valid_stream, frames_of
from domain.llm.failures import FailureKind
from domain.llm.stream import ContentKind, Faulted, Finished, Terminated, UsageReported
from domain.llm.usage import Usage
from tests.unit.wire.calls import call, target

TEXT, REASONING = ContentKind.TEXT, ContentKind.REASONING


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def run(dialect: str, upstream: str, *chunks: bytes, n: int = 1, usage: bool = True) -> Block:
    fields: dict[str, Any] = {"stream": True}
    if dialect == OPENAI_CHAT:
        fields |= {"n": n, "stream_options": {"include_usage": usage}}
    completion = {"model": "m", "prompt": "x", **fields} if dialect == OPENAI_COMPLETIONS else None
    asked = call(dialect, completion, **fields)
    decoder = codec_for(dialect, upstream).stream(asked)
    blocks = [decoder.feed(chunk) for chunk in chunks] + [decoder.end()]
    return Block(b"".join(b.raw for b in blocks), tuple(e for b in blocks for e in b.events))


ANTHROPIC_STREAM = (
    event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": "claude",
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1},
        },
    )
    + event(
        "content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}
    )
    + event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"})
    + event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "s"})
    + event("content_block_stop", index=0)
    + event("ping")
    + event("content_block_start", index=1, content_block={"type": "text", "text": ""})
    + event("content_block_delta", index=1, delta={"type": "text_delta", "text": "hello"})
    + event("content_block_stop", index=1)
    + event(
        "content_block_start",
        index=2,
        content_block={"type": "tool_use", "id": "t1", "name": "f", "input": {}},
    )
    + event("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": '{"a"'})
    + event("content_block_delta", index=2, delta={"type": "input_json_delta", "partial_json": ":1}"})
    + event("content_block_stop", index=2)
    + event(
        "content_block_start",
        index=3,
        content_block={"type": "tool_use", "id": "t2", "name": "g", "input": {}},
    )
    + event("content_block_stop", index=3)
    + event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9})
)
STOP = event("message_stop")


def test_anthropics_stream_becomes_chat_chunks() -> None:
    block = run(OPENAI_CHAT, ANTHROPIC_MESSAGES, ANTHROPIC_STREAM + STOP)
    seen = assert_valid_stream(OPENAI_CHAT, block.raw, block.events)
    assert (seen.text, seen.reasoning, seen.reason) == ("hello", "hm", "tool_calls")
    assert seen.tools == (("f", {"a": 1}), ("g", {}))
    assert (
        seen.usage is not None and seen.usage["prompt_tokens"] == 8 and seen.usage["completion_tokens"] == 9
    )
    assert seen.usage["prompt_tokens_details"]["cached_tokens"] == 3
    assert block.events[-1] == Terminated()
    assert UsageReported(Usage(8, 9, 3)) in block.events
    first = frames_of(block.raw)[0].data
    assert first["id"] == "chatcmpl-1" and first["model"] == "claude"


def test_usage_is_left_out_for_callers_who_did_not_ask() -> None:
    block = run(OPENAI_CHAT, ANTHROPIC_MESSAGES, ANTHROPIC_STREAM + STOP, usage=False)
    assert b'"usage"' not in block.raw
    assert any(isinstance(found, UsageReported) for found in block.events)


def test_anthropics_own_stream_is_forwarded_without_its_end_marker() -> None:
    block = run(ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES, ANTHROPIC_STREAM, STOP)
    assert block.raw == ANTHROPIC_STREAM
    assert Finished("tool_calls") in block.events and block.events[-1] == Terminated()
    assert UsageReported(Usage(8, 9, 3)) in block.events


def test_an_error_event_of_anthropic_is_a_typed_fault() -> None:
    broken = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    for dialect in (OPENAI_CHAT, ANTHROPIC_MESSAGES):
        last = run(dialect, ANTHROPIC_MESSAGES, ANTHROPIC_STREAM[:900], broken).events[-1]
        assert isinstance(last, Faulted)
    last = run(ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES, broken).events[-1]
    assert isinstance(last, Faulted) and last.failure.kind is FailureKind.OVERLOADED


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return data({"id": "chatcmpl-1", "model": "gpt", "created": 7, "choices": [choice]})


def tool(index: int, arguments: str, **more: Any) -> bytes:
    return chunk(
        {"tool_calls": [{"index": index, "function": {"arguments": arguments, **more}, "id": f"c{index}"}]}
    )


USAGE = data(
    {
        "id": "chatcmpl-1",
        "choices": [],
        "usage": {
            "prompt_tokens": 8,
            "completion_tokens": 9,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 3},
        },
    }
)
DONE = b"data: [DONE]\n\n"


def test_chat_chunks_become_anthropics_events_with_interleaved_tools_in_order() -> None:
    block = run(
        ANTHROPIC_MESSAGES,
        OPENAI_CHAT,
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "hm"}) + chunk({"content": "hel"}) + chunk({"content": "lo"}),
        tool(0, "", name="f") + tool(1, "", name="g") + tool(0, '{"a":') + tool(1, "{}") + tool(0, "1}"),
        chunk({}, "tool_calls"),
        USAGE + DONE,
    )
    seen = assert_valid_stream(ANTHROPIC_MESSAGES, block.raw, block.events)
    assert (seen.text, seen.reasoning, seen.reason) == ("hello", "hm", "tool_use")
    assert seen.tools == (("f", {"a": 1}), ("g", {}))
    assert seen.usage is not None
    assert (seen.usage["input_tokens"], seen.usage["cache_read_input_tokens"]) == (5, 3)
    assert seen.usage["output_tokens"] == 9


def test_a_stream_without_usage_or_end_marker_is_still_closed() -> None:
    block = run(ANTHROPIC_MESSAGES, OPENAI_CHAT, chunk({"content": "x"}), chunk({}, "length"))
    seen = assert_valid_stream(ANTHROPIC_MESSAGES, block.raw, block.events)
    assert (seen.text, seen.reason) == ("x", "max_tokens")


def test_a_cut_stream_is_not_closed_as_if_it_were_whole() -> None:
    block = run(ANTHROPIC_MESSAGES, OPENAI_CHAT, chunk({"content": "x"}), chunk({"content": "y"})[:-20])
    assert b"message_delta" not in block.raw
    assert not any(isinstance(found, Finished) for found in block.events)


def test_a_refusal_is_text_that_ends_with_a_refusal() -> None:
    block = run(ANTHROPIC_MESSAGES, OPENAI_CHAT, chunk({"refusal": "no"}), chunk({}, "stop"), DONE)
    seen = assert_valid_stream(ANTHROPIC_MESSAGES, block.raw, block.events)
    assert (seen.text, seen.reason) == ("no", "refusal")


def gemini(*parts: dict[str, Any], finish: str | None = None, usage: dict[str, Any] | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}}
    if finish:
        candidate["finishReason"] = finish
    found: dict[str, Any] = {"candidates": [candidate], "modelVersion": "gemini", "responseId": "r1"}
    return data({**found, **({"usageMetadata": usage} if usage else {})})


GEMINI_USAGE = {
    "promptTokenCount": 20,
    "cachedContentTokenCount": 6,
    "candidatesTokenCount": 4,
    "thoughtsTokenCount": 3,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}, {"modality": "AUDIO", "tokenCount": 10}],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 6}],
}
GEMINI_STREAM = (
    gemini({"text": "hm", "thought": True}, usage={"promptTokenCount": 20})
    + gemini({"text": "hello"})
    + gemini(
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "sig"},
        {"functionCall": {"name": "g"}},
        finish="STOP",
        usage=GEMINI_USAGE,
    )
)
COUNTED = Usage(20, 7, cached_read_tokens=6, input_audio_tokens=4, reasoning_tokens=3)


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
def test_geminis_stream_is_told_in_both_dialects(dialect: str) -> None:
    block = run(dialect, GEMINI_GENERATE, GEMINI_STREAM)
    seen = assert_valid_stream(dialect, block.raw, block.events)
    assert (seen.text, seen.reasoning) == ("hello", "hm")
    assert seen.tools == (("f", {"a": 1}), ("g", {}))
    assert seen.reason == ("tool_calls" if dialect == OPENAI_CHAT else "tool_use")
    assert UsageReported(COUNTED) in block.events and COUNTED.repaired() == COUNTED


def test_geminis_signature_is_kept_with_the_call() -> None:
    block = run(OPENAI_CHAT, GEMINI_GENERATE, GEMINI_STREAM)
    assert b'"extra_content":{"google":{"thought_signature":"sig"}' in block.raw


def test_a_prompt_that_gemini_blocks_is_a_matter_of_content_policy() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}}
    with pytest.raises(UpstreamFailed) as caught:
        codec_for(OPENAI_CHAT, GEMINI_GENERATE).response(json.dumps(blocked).encode())
    assert caught.value.failure.kind is FailureKind.CONTENT_POLICY
    last = run(OPENAI_CHAT, GEMINI_GENERATE, data(blocked)).events[-1]
    assert isinstance(last, Faulted) and last.failure.kind is FailureKind.CONTENT_POLICY


def test_several_candidates_are_several_choices() -> None:
    body = {
        "candidates": [
            {"content": {"parts": [{"text": t}]}, "index": i, "finishReason": r}
            for i, (t, r) in enumerate([("a", "STOP"), ("b", "MAX_TOKENS")])
        ]
    }
    answer = json.loads(
        codec_for(OPENAI_CHAT, GEMINI_GENERATE).response(json.dumps(body).encode(), call()).body
    )
    assert [(c["message"]["content"], c["finish_reason"]) for c in answer["choices"]] == [
        ("a", "stop"),
        ("b", "length"),
    ]
    assert answer["id"] == "chatcmpl-req_1" and answer["model"] == "m"


def test_a_chat_stream_is_told_as_text_completion() -> None:
    block = run(OPENAI_COMPLETIONS, OPENAI_CHAT, chunk({"content": "hi"}), chunk({}, "stop"), USAGE + DONE)
    chunks = [frame.data for frame in frames_of(block.raw)]
    assert [c["choices"][0]["text"] for c in chunks] == ["hi", ""]
    assert {c["object"] for c in chunks} == {"text_completion"} and {c["id"] for c in chunks} == {"cmpl-1"}


def test_a_chat_answer_is_told_as_text_completion() -> None:
    body = {"id": "chatcmpl-1", "choices": [{"message": {"content": "hi"}, "finish_reason": "length"}]}
    answer = codec_for(OPENAI_COMPLETIONS, OPENAI_CHAT).response(json.dumps(body).encode())
    assert json.loads(answer.body)["choices"][0] == {
        "index": 0,
        "text": "hi",
        "logprobs": None,
        "finish_reason": "length",
    }


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_of_gemini_are_told_as_openais(encoding: str) -> None:
    body = {"model": "m", "input": ["a", "b"], "dimensions": 2, "encoding_format": encoding, "user": "u"}
    asked = call(OPENAI_EMBEDDINGS, body, to=target("e"))
    codec = codec_for(OPENAI_EMBEDDINGS, "gemini.embeddings")
    sent = codec.request(asked)
    first = json.loads(sent.body)["requests"][0]
    assert first == {"model": "models/e", "content": {"parts": [{"text": "a"}]}, "outputDimensionality": 2}
    assert sent.dropped == ("user",)
    answer = codec.response(b'{"embeddings":[{"values":[1,0.5]},{"values":[0,1]}]}', asked)
    vectors = [item["embedding"] for item in json.loads(answer.body)["data"]]
    assert vectors == ([[1.0, 0.5], [0.0, 1.0]] if encoding == "float" else ["AACAPwAAAD8=", "AAAAAAAAgD8="])
    assert answer.usage is None


def test_token_inputs_mean_nothing_to_another_family() -> None:
    asked = call(OPENAI_EMBEDDINGS, {"model": "m", "input": [1, 2]})
    with pytest.raises(UpstreamFailed):
        codec_for(OPENAI_EMBEDDINGS, "gemini.embeddings").request(asked)


@pytest.mark.parametrize("upstream", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b"null", b'{"error":{"message":"x"}}', b'{"type":"error"}']
)
def test_what_is_no_answer_is_a_bad_response(upstream: str, body: bytes) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        codec_for(OPENAI_CHAT, upstream).response(body)
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


def test_there_is_no_codec_for_what_cannot_be_translated() -> None:
    with pytest.raises(LookupError, match="count_tokens"):
        codec_for("anthropic.count_tokens", OPENAI_CHAT)


@pytest.mark.parametrize(("second", "complete"), [(None, True), ("", False), ("STOP", True)])
def test_a_stream_with_fewer_choices_than_asked_is_complete_when_all_that_began_ended(
    second: str | None, complete: bool
) -> None:
    chunks = [gemini({"text": "a"}), gemini({"text": "b"}, finish="STOP")]
    if second is not None:
        other = {"index": 1, "content": {"parts": [{"text": "c"}]}, "finishReason": second or None}
        chunks.insert(1, data({"candidates": [other]}))
    block = run(OPENAI_CHAT, GEMINI_GENERATE, *chunks, n=2)
    assert (Finished("stop") in block.events) is complete
