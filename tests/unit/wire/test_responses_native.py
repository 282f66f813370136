"""The Responses API within its family: bytes there, bytes back, and what they mean."""

import json
from typing import Any

import pytest

from adapters.wire.pivot import Thought
from adapters.wire.registry import codec_for, with_cost
from adapters.wire.responses import RESPONSES
from adapters.wire.seals import seal
from application.ports.llm import Block, UpstreamCall, UpstreamFailed
from application.ports.wire import OPENAI_RESPONSES
from domain.llm.failures import FailureKind
from domain.llm.stream import ContentKind, Delta, Faulted, Finished, Opened, Terminated, UsageReported
from domain.llm.usage import Usage
from tests.unit.wire.calls import call, target

USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
    "output_tokens": 10,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 30,
}
COUNTED = Usage(20, 10, 8, 2, reasoning_tokens=4)


def asked(body: dict[str, Any] | bytes | None = None, model: str = "m", **fields: Any) -> UpstreamCall:
    if body is None:
        body = {"model": "m", "input": "hello", **fields}
    return call(OPENAI_RESPONSES, body, to=target(model))


def response(**more: Any) -> dict[str, Any]:
    message = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "hi"}]}
    made = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [message]}
    return {**made, "usage": USAGE, **more}


def event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()


def fed(*frames: bytes) -> Block:
    return RESPONSES.stream(asked(stream=True)).feed(b"".join(frames))


def test_the_pair_is_known() -> None:
    assert codec_for(OPENAI_RESPONSES, OPENAI_RESPONSES) is RESPONSES


def test_a_body_for_the_same_model_keeps_every_byte() -> None:
    body = b'{ "model" : "m", "input": [ {"type":"unheard_of", "n": 1.50} ], "new": {"a":1e3} }'
    encoded = RESPONSES.request(asked(body))
    assert encoded.body is body and encoded.dropped == ()


def test_only_the_model_changes_for_another_name() -> None:
    body = b'{"model":"route","input":"hi","odd":  {"n": 1.50}}'
    encoded = RESPONSES.request(asked(body, "real"))
    assert encoded.body == b'{"model":"real","input":"hi","odd":{"n": 1.50}}'


def test_reasoning_of_another_family_is_taken_out_and_named() -> None:
    foreign = {"type": "reasoning", "id": "rs_1", "encrypted_content": seal([Thought("t", "anthropic", "s")])}
    own = {"type": "reasoning", "id": "rs_2", "encrypted_content": "gAAAAAB"}
    said = {"role": "user", "content": "what does " + seal([Thought("t", "anthropic", "s")]) + " mean"}
    encoded = RESPONSES.request(asked(input=[foreign, own, said]))
    assert json.loads(encoded.body)["input"] == [own, said]
    assert encoded.dropped == ("input.reasoning",)


def test_an_answer_comes_back_as_it_was() -> None:
    body = json.dumps(response()).encode()
    decoded = RESPONSES.response(body)
    assert decoded.body is body
    assert decoded.usage == COUNTED and decoded.finish_reason == "stop"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"output": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}]}, "tool_calls"),
        ({"output": [{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": ""}]}, "tool_calls"),
        ({"output": [{"type": "web_search_call", "id": "ws_1"}]}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
    ],
)
def test_why_it_ended_is_understood(more: dict[str, Any], reason: str) -> None:
    assert RESPONSES.response(json.dumps(response(**more)).encode()).finish_reason == reason


def test_an_answer_in_the_background_costs_nothing_yet() -> None:
    queued = json.dumps(response(status="queued", output=[], usage=None)).encode()
    assert RESPONSES.response(queued).usage == Usage()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("rate_limit_exceeded", FailureKind.RATE_LIMIT),
        ("invalid_prompt", FailureKind.CONTENT_POLICY),
        ("server_error", FailureKind.SERVER_ERROR),
    ],
)
def test_a_failed_response_is_a_typed_failure(code: str, kind: FailureKind) -> None:
    failed = response(status="failed", error={"code": code, "message": "no"}, output=[])
    with pytest.raises(UpstreamFailed) as caught:
        RESPONSES.response(json.dumps(failed).encode())
    assert caught.value.failure.kind is kind


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b"<html>", b'{"output":{}}'])
def test_what_is_no_response_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        RESPONSES.response(body)
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


def test_events_go_on_verbatim_with_their_meaning() -> None:
    frames = [
        event("response.created", response=response(status="in_progress", output=[], usage=None)),
        event("response.output_item.added", output_index=0, item={"type": "reasoning", "id": "rs_1"}),
        event("response.reasoning_summary_text.delta", output_index=0, delta="hm"),
        event("response.output_text.delta", output_index=1, delta="hi", obfuscation="xx"),
        event("response.unheard_of", delta={"x": 1}),
        event("response.completed", response=response()),
    ]
    block = fed(*frames)
    assert block.raw == b"".join(frames)
    assert block.events == (
        Opened(),
        Delta(ContentKind.REASONING, "hm"),
        Delta(ContentKind.TEXT, "hi"),
        Finished("stop"),
        UsageReported(COUNTED),
        Terminated(),
    )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("response.refusal.delta", ContentKind.REFUSAL),
        ("response.reasoning_text.delta", ContentKind.REASONING),
        ("response.custom_tool_call_input.delta", ContentKind.TOOL_CALL),
        ("response.mcp_call_arguments.delta", ContentKind.TOOL_CALL),
    ],
)
def test_every_delta_is_of_its_kind(name: str, kind: ContentKind) -> None:
    assert fed(event(name, delta="x")).events == (Delta(kind, "x"),)


def test_a_call_commits_the_stream_and_decides_its_end() -> None:
    item = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""}
    block = fed(
        event("response.output_item.added", output_index=0, item=item),
        event("response.function_call_arguments.delta", output_index=0, item_id="fc_1", delta="{}"),
        # Some servers leave the output out of the last event.
        event("response.completed", response={"id": "resp_1", "status": "completed", "usage": None}),
    )
    assert block.events == (
        Delta(ContentKind.TOOL_CALL, ""),
        Delta(ContentKind.TOOL_CALL, "{}"),
        Finished("tool_calls"),
        Terminated(),
    )


def test_a_tool_of_the_providers_own_commits_the_stream() -> None:
    block = fed(event("response.output_item.added", output_index=0, item={"type": "web_search_call"}))
    assert block.events == (Delta(ContentKind.TOOL_CALL, ""),)


@pytest.mark.parametrize(("why", "reason"), [("max_output_tokens", "length"), ("content_filter",) * 2])
def test_an_incomplete_response_is_finished_with_its_reason(why: str, reason: str) -> None:
    ended = response(status="incomplete", incomplete_details={"reason": why})
    assert Finished(reason) in fed(event("response.incomplete", response=ended)).events


@pytest.mark.parametrize(
    "frame",
    [
        event(
            "response.failed",
            response=response(status="failed", error={"code": "server_error", "message": "x"}),
        ),
        event("error", code="server_error", message="x", param=None, sequence_number=3),
        event("error", error={"type": "server_error", "code": "server_error", "message": "x"}),
    ],
)
def test_an_error_is_a_fault_and_not_passed_on(frame: bytes) -> None:
    block = fed(event("response.output_text.delta", delta="a"), frame)
    assert block.raw == event("response.output_text.delta", delta="a")
    last = block.events[-1]
    assert isinstance(last, Faulted) and last.failure.kind is FailureKind.SERVER_ERROR


def test_a_stream_without_its_last_event_is_not_finished() -> None:
    decoder = RESPONSES.stream(asked(stream=True))
    decoder.feed(event("response.output_text.delta", delta="a"))
    assert not any(isinstance(found, Finished) for found in decoder.end().events)


def test_a_last_event_without_its_blank_line_still_counts() -> None:
    decoder = RESPONSES.stream(asked(stream=True))
    decoder.feed(event("response.completed", response=response()).rstrip(b"\n"))
    assert Finished("stop") in decoder.end().events


def test_the_cost_stands_in_the_usage_and_nowhere_else() -> None:
    tools = [{"type": "function", "name": "f", "parameters": {"properties": {"usage": {"type": "string"}}}}]
    body = json.dumps(response(tools=tools), separators=(",", ":")).encode()
    priced = json.loads(with_cost(OPENAI_RESPONSES, body, 0.5))
    assert priced["usage"] == {**USAGE, "cost": 0.5}
    assert priced["tools"] == tools


def test_the_cost_stands_in_the_last_event() -> None:
    text, end = (
        event("response.output_text.delta", delta="a"),
        event("response.completed", response=response()),
    )
    priced = with_cost(OPENAI_RESPONSES, text + end, 0.5)
    assert priced.startswith(text + b"event: response.completed\n")
    told = json.loads(priced.rsplit(b"data: ", 1)[1])
    assert told["response"]["usage"] == {**USAGE, "cost": 0.5}
