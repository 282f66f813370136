"""Answers and streams in Gemini's shape: written, read back, and forwarded within the family."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from adapters.wire import gemini, gemini_writer
from adapters.wire.frames import DialectFrames
from adapters.wire.gemini import GeminiReader
from adapters.wire.pivot import Answer, Choice, Counted, Piece, Scored, StreamPiece, Thought, ToolCall
from adapters.wire.registry import codec_for, error_event, keep_alive, terminator
from adapters.wire.seals import SEAL, seal, unseal
from adapters.wire.sse import SseSplitter
from application.ports.llm import UpstreamFailed
from application.ports.wire import (
    ANTHROPIC_MESSAGES,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
)
from domain.llm.failures import FailureKind
from domain.llm.stream import ContentKind, Faulted, Finished, StreamMachine
from domain.llm.usage import Usage
from tests.unit.wire.calls import target
from tests.unit.wire.test_gemini_callers import HELLO, asked
from tests.unit.wire.test_round_trips import _folded, _meaning, _pieces, answers
from tests.unit.wire.test_translated_answers import ANTHROPIC_STREAM, GEMINI_STREAM, STOP

SHOWN = {"contents": HELLO, "generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
FAMILY = codec_for(GEMINI_GENERATE, GEMINI_GENERATE)


def pieces_of(raw: bytes) -> list[StreamPiece]:
    reader = GeminiReader()
    return [piece for frame in SseSplitter().feed(raw) for piece in reader.read(None, frame.data or b"{}")]


@given(answer=answers())
@settings(max_examples=60, deadline=None)
def test_an_answer_survives_geminis_shape(answer: Answer) -> None:
    back = gemini.read_answer(gemini_writer.write_answer(answer))
    assert answer.usage is not None
    # Gemini counts no writes to its cache.
    assert back.usage == answer.usage._replace(cache_write_tokens=0, cache_write_long_tokens=0)
    assert _meaning(back) == _meaning(answer)
    assert (back.id, back.model) == (answer.id, answer.model)


@given(answer=answers())
@settings(max_examples=60, deadline=None)
def test_a_stream_survives_geminis_shape(answer: Answer) -> None:
    writer = gemini_writer.GeminiWriter(asked(SHOWN, stream=True))
    pieces = _pieces(answer, [2])
    raw = b"".join(map(writer.write, pieces)) + writer.finish(answer.usage)
    found = pieces_of(raw)
    assert _folded(found) == _folded(pieces)
    assert [piece.usage for piece in found if isinstance(piece, Counted)][-1].total_tokens == (
        answer.usage.total_tokens if answer.usage else 0
    )
    assert writer.finish(answer.usage) == b""


@pytest.mark.parametrize(
    ("upstream", "whole"), [(ANTHROPIC_MESSAGES, ANTHROPIC_STREAM + STOP), (GEMINI_GENERATE, GEMINI_STREAM)]
)
def test_a_stream_cut_at_any_byte_says_the_same(upstream: str, whole: bytes) -> None:
    call = asked(SHOWN, stream=True)
    codec = codec_for(GEMINI_GENERATE, upstream)
    once = codec.stream(call)
    first, last = once.feed(whole), once.end()
    expected = first.raw + last.raw
    machine = StreamMachine()
    for event in (*first.events, *last.events):
        machine.feed(event)
    assert machine.complete and machine.usage is not None
    for cut in range(len(whole)):
        decoder = codec.stream(call)
        parts = [decoder.feed(whole[:cut]), decoder.feed(whole[cut:]), decoder.end()]
        assert b"".join(part.raw for part in parts) == expected, cut


def test_thoughts_are_shown_to_those_who_asked_and_their_marks_travel_with_the_call() -> None:
    thought = Thought("hm", "anthropic", "sig")
    choice = Choice(0, "", "hm", "", (ToolCall("c1", "f", "{}"),), "tool_calls", (thought,))
    answer = Answer("a", "m", (choice,), None)
    shown = json.loads(gemini_writer.answer_to(answer, asked(SHOWN)))["candidates"][0]["content"]["parts"]
    hidden = json.loads(gemini_writer.answer_to(answer, asked({"contents": HELLO})))
    (call,) = hidden["candidates"][0]["content"]["parts"]
    assert [part.get("thought") for part in shown] == [True, None]
    assert call == shown[1] and unseal(call["thoughtSignature"]) == [thought]
    body, dropped = _encoded(ANTHROPIC_MESSAGES, {"contents": [*HELLO, {"role": "model", "parts": [call]}]})
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "sig"}
    assert dropped == ()


def _encoded(upstream: str, body: dict[str, Any], model: str = "m") -> tuple[Any, tuple[str, ...]]:
    call = asked(body, to=target(model))
    found = codec_for(GEMINI_GENERATE, upstream).request(call)
    return msgspec.json.decode(found.body), found.dropped


def test_a_streamed_thought_keeps_its_mark_until_its_call() -> None:
    decoder = codec_for(GEMINI_GENERATE, ANTHROPIC_MESSAGES).stream(asked({"contents": HELLO}, stream=True))
    events = [
        {"type": "message_start", "message": {"id": "m1", "model": "c", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sig"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "f"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]  # fmt: skip
    raw = decoder.feed(b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)).raw
    (only,) = [json.loads(frame.data or b"") for frame in SseSplitter().feed(raw)]
    part = only["candidates"][0]["content"]["parts"][0]
    assert part["functionCall"]["name"] == "f"
    assert unseal(part["thoughtSignature"]) == [Thought("hm", "anthropic", "sig")]
    assert only["candidates"][0]["finishReason"] == "STOP" and only["usageMetadata"]["totalTokenCount"] == 3


def test_within_the_family_bytes_go_on_as_they_came() -> None:
    body = b'{ "contents":[{"parts":[{"text":"x"}]}], "novel":{ "a":1}}'
    call = asked(json.loads(body))
    call.request.body = body
    assert FAMILY.request(call).body is body
    answer = b'{"candidates":[{"content":{"parts":[{"text":"y"}]},"finishReason":"STOP"}],"new":1}'
    decoded = FAMILY.response(answer)
    assert decoded.body is answer and decoded.finish_reason == "stop"
    decoder = FAMILY.stream(asked({"contents": HELLO}, stream=True))
    block = decoder.feed(GEMINI_STREAM)
    assert block.raw == GEMINI_STREAM and any(isinstance(event, Finished) for event in block.events)


def test_within_the_family_marks_of_others_are_taken_out() -> None:
    mark = seal([Thought("hm", "anthropic", "sig")])
    parts = [
        {"text": "hm", "thought": True, "thoughtSignature": mark},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": mark},
    ]
    body = {"contents": [*HELLO, {"role": "model", "parts": parts}]}
    kept, _ = _encoded(GEMINI_GENERATE, body)
    assert kept["contents"][1]["parts"] == [{"functionCall": {"name": "f", "args": {}}}]
    signed, _ = _encoded(GEMINI_GENERATE, body, "gemini-3-pro")
    assert "skip" in signed["contents"][1]["parts"][0]["thoughtSignature"]


def test_a_damaged_mark_is_no_mark() -> None:
    assert unseal("CsEBsomething") is None and unseal(SEAL + "%%%") == []
    assert unseal(seal([Thought("a?>~", "anthropic", "s")]).replace("+", "-").replace("/", "_")) == [
        Thought("a?>~", "anthropic", "s")
    ]


def test_a_refused_prompt_is_an_answer_within_the_family_and_a_failure_elsewhere() -> None:
    blocked = b'{"promptFeedback":{"blockReason":"SAFETY"}}'
    assert FAMILY.response(blocked).finish_reason == "content_filter"
    block = FAMILY.stream(asked({"contents": HELLO}, stream=True)).feed(b"data: " + blocked + b"\n\n")
    assert block.raw and block.events == (Finished("content_filter"),)
    with pytest.raises(UpstreamFailed) as caught:
        codec_for(OPENAI_CHAT, GEMINI_GENERATE).response(blocked)
    assert caught.value.failure.kind is FailureKind.CONTENT_POLICY


def test_an_answer_that_came_to_nothing_is_a_failure_that_another_attempt_may_mend() -> None:
    broken = b'{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"bad call"}]}'
    with pytest.raises(UpstreamFailed, match="bad call") as caught:
        codec_for(OPENAI_CHAT, GEMINI_GENERATE).response(broken)
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE
    (event,) = [piece for piece in pieces_of(b"data: " + broken + b"\n\n") if isinstance(piece, Faulted)]
    assert event.failure.kind is FailureKind.BAD_RESPONSE


def test_log_probabilities_travel_both_ways() -> None:
    tokens = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]
    tokens[0]["top_logprobs"] = [{"token": "b", "logprob": -1.5, "bytes": [98]}]
    answer = Answer("i", "m", (Choice(0, "a", logprobs=tokens),), None)
    body = gemini_writer.write_answer(answer)
    assert gemini.read_answer(body).choices[0].logprobs == tokens
    frame = gemini_writer.GeminiWriter(asked(SHOWN)).write(Scored(0, tokens))
    assert Scored(0, tokens) in pieces_of(frame)


def test_counts_and_vectors_come_back_in_the_form_they_were_asked_for() -> None:
    count = codec_for(GEMINI_COUNT_TOKENS, "anthropic.count_tokens").response(b'{"input_tokens":7}')
    assert json.loads(count.body) == {"totalTokens": 7} and count.usage == Usage()
    back = codec_for("anthropic.count_tokens", GEMINI_COUNT_TOKENS).response(b'{"totalTokens":7}')
    assert json.loads(back.body) == {"input_tokens": 7}
    single = asked({"content": {"parts": [{"text": "a"}]}}, GEMINI_EMBEDDINGS)
    batch = asked({"requests": [{"content": {"parts": [{"text": "a"}]}}]}, GEMINI_EMBEDDINGS)
    vectors = b'{"data":[{"embedding":[0.5],"index":0}],"usage":{"prompt_tokens":3,"total_tokens":3}}'
    own = b'{"embeddings":[{"values":[0.5]}],"usageMetadata":{"promptTokenCount":3}}'
    for upstream, said in ((OPENAI_EMBEDDINGS, vectors), (GEMINI_EMBEDDINGS, own)):
        codec = codec_for(GEMINI_EMBEDDINGS, upstream)
        one, many = codec.response(said, single), codec.response(said, batch)
        assert json.loads(one.body)["embedding"] == {"values": [0.5]}
        assert json.loads(many.body)["embeddings"] == [{"values": [0.5]}]
        assert one.usage == Usage(3) and "usageMetadata" in json.loads(many.body)


def test_what_interchange_says_itself_has_googles_shape() -> None:
    frames = DialectFrames()
    assert terminator(GEMINI_GENERATE) == b"" and keep_alive(GEMINI_GENERATE).strip() == b""
    text = frames.text_frame(GEMINI_GENERATE, "more", request_id="r", model="m")
    end = frames.finish_frames(
        GEMINI_GENERATE, "length", Usage(2, 3), request_id="r", model="m", include_usage=True
    )
    found = pieces_of(text + end)
    assert Piece(0, ContentKind.TEXT, "more") in found and Counted(Usage(2, 3)) in found
    event = error_event(GEMINI_GENERATE, code="stream_interrupted", message="cut", request_id="r")
    error = json.loads(event.removeprefix(b"data: "))["error"]
    assert (error["code"], error["status"], error["message"]) == (502, "UNAVAILABLE", "cut")
    assert error["details"][0]["metadata"]["code"] == "stream_interrupted"
    assert error["details"][1]["requestId"] == "r"
    assert frames.cost_note(GEMINI_GENERATE, 0.5) == b""
