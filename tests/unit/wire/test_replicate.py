"""Replicate's predictions, written and read: bodies, answers, streams at any cut, failures."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.registry import codec_for
from adapters.wire.replicate import REPLICATE_PREDICTION, prediction_in, read_answer
from application.ports.llm import UpstreamFailed
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.llm.failures import FailureKind
from domain.llm.stream import ContentKind, Delta, Faulted, StreamMachine
from domain.llm.usage import Usage
from tests.unit.wire.calls import HELLO, call, target

TO = target("meta/llama", wire="replicate")
CHAT = codec_for(OPENAI_CHAT, REPLICATE_PREDICTION)
STREAM = (
    b'event: prediction\ndata: {"id":"p1","status":"starting","model":"meta/llama"}\n\n'
    b"event: output\nid: 1:0\ndata: Hel\n\n"
    b"event: output\nid: 1:1\ndata: lo\xc3\xa9\n\n"
    b"event: output\nid: 1:2\ndata: \ndata:  x\n\n"
    b": hi\n\n"
    b"event: done\nid: 1:3\ndata: {}\n\n"
    b'event: prediction\ndata: {"id":"p1","status":"succeeded","model":"meta/llama",'
    b'"metrics":{"input_token_count":7,"output_token_count":3}}\n\n'
)


def asked(**fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    encoded = CHAT.request(call(OPENAI_CHAT, to=TO, **fields))
    return json.loads(encoded.body), encoded.dropped


def predicted(**fields: Any) -> bytes:
    return msgspec.json.encode({"id": "p1", "status": "succeeded", "output": ["Hel", "lo"], **fields})


def heard(*parts: bytes) -> tuple[bytes, list[Any]]:
    decoder = CHAT.stream(call(OPENAI_CHAT, to=TO, stream=True, stream_options={"include_usage": True}))
    blocks = [*(decoder.feed(part) for part in parts), decoder.end()]
    return b"".join(block.raw for block in blocks), [event for block in blocks for event in block.events]


def test_one_turn_is_the_prompt_and_fields_are_inputs() -> None:
    body, dropped = asked(
        messages=[{"role": "system", "content": "Be brief."}, *HELLO],
        max_tokens=9,
        temperature=0.5,
        stop=["a", "b"],
        seed=3,
        user="u",
    )
    assert body == {
        "input": {
            "prompt": "hello",
            "system_prompt": "Be brief.",
            "max_tokens": 9,
            "temperature": 0.5,
            "stop_sequences": "a,b",
            "seed": 3,
        }
    }
    assert dropped == ("user",)


def test_several_turns_are_a_transcript_that_ends_where_the_model_goes_on() -> None:
    turns = [*HELLO, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "more"}]
    body, _ = asked(messages=turns)
    assert body["input"]["prompt"] == "User: hello\n\nAssistant: hi\n\nUser: more\n\nAssistant:"
    body, _ = asked(messages=turns[:2])
    assert body["input"]["prompt"] == "User: hello\n\nAssistant: hi"


def test_what_has_no_counterpart_is_dropped_by_name() -> None:
    _, dropped = asked(stop=["a,b"], response_format={"type": "json_object"}, reasoning_effort="low")
    assert {"stop", "response_format", "reasoning_effort"} <= set(dropped)


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [*HELLO, {"role": "tool", "tool_call_id": "c", "content": "17"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]},
    ],
)
def test_what_cannot_be_said_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFailed) as refused:
        asked(**fields)
    assert refused.value.failure.kind is FailureKind.CALLER_FAULT


@pytest.mark.parametrize("output", ["Hello", ["Hel", "lo"]])
def test_an_output_is_a_text_or_its_pieces(output: Any) -> None:
    answer = read_answer(predicted(output=output))
    assert answer.choices[0].text == "Hello" and answer.usage is None


@pytest.mark.parametrize(("limit", "reason"), [(3, "length"), (4, "stop"), (None, "stop")])
def test_as_many_tokens_as_were_allowed_are_a_limit(limit: int | None, reason: str) -> None:
    metrics = {"input_token_count": 7, "output_token_count": 3}
    answer = read_answer(predicted(metrics=metrics, input={"max_tokens": limit}))
    assert answer.usage == Usage(7, 3)
    assert answer.choices[0].finish_reason == reason


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"error": "Prediction failed (E1001)"}, FailureKind.SERVER_ERROR),
        ({"error": "High demand (E003)"}, FailureKind.OVERLOADED),
        ({"error": "The input or output was flagged as sensitive (E005)"}, FailureKind.CONTENT_POLICY),
        ({"error": "invalid input (E006)"}, FailureKind.CALLER_FAULT),
        ({"error": "maximum context length is 8192 tokens"}, FailureKind.CONTEXT_LENGTH),
        ({"error": None}, FailureKind.SERVER_ERROR),
        ({"status": "canceled"}, FailureKind.SERVER_ERROR),
    ],
)
def test_a_prediction_that_ended_badly_is_a_typed_failure(fields: dict[str, Any], kind: FailureKind) -> None:
    with pytest.raises(UpstreamFailed) as failed:
        read_answer(predicted(**{"status": "failed", "output": None, **fields}))
    assert failed.value.failure.kind is kind and failed.value.failure.message


@pytest.mark.parametrize("status", ["starting", "processing", "dreaming"])
def test_a_prediction_that_runs_is_no_answer(status: str) -> None:
    assert not prediction_in(predicted(status=status)).over
    with pytest.raises(msgspec.ValidationError):
        read_answer(predicted(status=status))


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
@settings(max_examples=50, deadline=None)
def test_a_stream_means_the_same_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    raw, events = heard(*(STREAM[a:b] for a, b in pairwise(edges)))
    machine = StreamMachine()
    for event in events:
        machine.feed(event)
    text = "".join(event.text for event in events if isinstance(event, Delta))
    assert text == "Helloé\n x" and {e.kind for e in events if isinstance(e, Delta)} == {ContentKind.TEXT}
    assert machine.complete and machine.finish_reason == "stop" and machine.usage == Usage(7, 3)
    assert raw == heard(STREAM)[0]


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b'event: error\ndata: {"detail": "Out of luck (E003)"}\n\n', FailureKind.OVERLOADED),
        (b"event: error\ndata: plain words\n\n", FailureKind.SERVER_ERROR),
        (b'event: done\ndata: {"reason": "canceled"}\n\n', FailureKind.SERVER_ERROR),
        (b'event: done\ndata: {"reason": "error"}\n\n', FailureKind.SERVER_ERROR),
        (b"event: done\ndata: []\n\n", FailureKind.BAD_RESPONSE),
        (b"event: done\ndata: {\n\n", FailureKind.BAD_RESPONSE),
        (b"event: other\ndata: x\n\n", FailureKind.BAD_RESPONSE),
    ],
)
def test_what_ends_a_stream_badly_is_a_typed_fault(frame: bytes, kind: FailureKind) -> None:
    _, events = heard(STREAM[: STREAM.index(b"event: done")], frame)
    last = events[-1]
    assert isinstance(last, Faulted) and last.failure.kind is kind


def test_a_stream_without_its_last_event_is_not_complete() -> None:
    machine = StreamMachine()
    for event in heard(STREAM[: STREAM.index(b"event: done")])[1]:
        machine.feed(event)
    assert not machine.complete


def test_messages_are_answered_in_their_own_shape() -> None:
    codec = codec_for(ANTHROPIC_MESSAGES, REPLICATE_PREDICTION)
    body = json.loads(codec.response(predicted(), call(ANTHROPIC_MESSAGES, to=TO)).body)
    assert body["content"] == [{"type": "text", "text": "Hello"}] and body["stop_reason"] == "end_turn"
