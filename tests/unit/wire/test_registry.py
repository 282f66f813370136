"""What Interchange says itself: terminators, errors, and the cost inside usage."""

import json

import pytest

from adapters.wire.registry import error_body, error_event, keep_alive, terminator, with_cost
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_COMPLETIONS


def test_terminators_and_keep_alives_are_the_dialects_own() -> None:
    assert terminator(OPENAI_CHAT) == terminator(OPENAI_COMPLETIONS) == b"data: [DONE]\n\n"
    assert terminator(ANTHROPIC_MESSAGES) == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    assert keep_alive(OPENAI_CHAT) == b": keep-alive\n\n"
    assert keep_alive(ANTHROPIC_MESSAGES) == b'event: ping\ndata: {"type":"ping"}\n\n'


def test_errors_have_the_shape_the_callers_sdk_reads() -> None:
    body = json.loads(error_body(OPENAI_CHAT, code="invalid_request", message="m", param="n", request_id="r"))
    assert body == {
        "error": {"message": "m", "type": "invalid_request", "param": "n", "code": "invalid_request"},
        "request_id": "r",
    }
    body = json.loads(error_body(ANTHROPIC_MESSAGES, code="invalid_api_key", message="m", request_id="r"))
    assert body["type"] == "error" and body["request_id"] == "r"
    assert body["error"] == {"type": "authentication_error", "message": "m", "code": "invalid_api_key"}
    unknown = json.loads(error_body(ANTHROPIC_MESSAGES, code="new", message="m", param="p"))
    assert unknown["error"]["type"] == "api_error" and unknown["error"]["param"] == "p"


def test_an_error_event_carries_the_same_body() -> None:
    event = error_event(ANTHROPIC_MESSAGES, code="stream_interrupted", message="m")
    assert event.startswith(b"event: error\ndata: {") and event.endswith(b"}\n\n")
    event = error_event(OPENAI_CHAT, code="stream_interrupted", message="m", error_type="t")
    assert json.loads(event.removeprefix(b"data: "))["error"]["type"] == "t"


def test_the_cost_goes_into_the_usage_of_a_body_and_nothing_else_changes() -> None:
    body = b'{"id": "x", "choices": [ {"a": 1.50} ],"usage":{"prompt_tokens":1}}'
    assert with_cost(OPENAI_CHAT, body, 1.2e-05) == (
        b'{"id": "x", "choices": [ {"a": 1.50} ],"usage":{"cost":0.000012,"prompt_tokens":1}}'
    )


def test_a_cost_that_is_there_already_is_replaced_and_spaces_do_not_matter() -> None:
    own = b'{"id":"x", "usage" : {"prompt_tokens":1, "cost":9}}'
    assert json.loads(with_cost(OPENAI_CHAT, own, 0.5))["usage"] == {"prompt_tokens": 1, "cost": 0.5}
    assert json.loads(with_cost(OPENAI_CHAT, own.replace(b', "cost":9', b""), 0.5))["usage"]["cost"] == 0.5
    said = b'{"content":"\\"usage\\":{\\"a\\":1}","usage":{"prompt_tokens":1}}'
    priced = json.loads(with_cost(OPENAI_CHAT, said, 0.5))
    assert priced == {"content": '"usage":{"a":1}', "usage": {"cost": 0.5, "prompt_tokens": 1}}


def test_the_cost_goes_into_the_last_usage_frame_only() -> None:
    first = b'data: {"choices":[{"delta":{"content":"\\"usage\\""}}]}\n\n'
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'
    priced = with_cost(OPENAI_CHAT, first + b": ping\n\n" + usage, 0.5)
    assert (
        priced == first + b": ping\n\n" + b'data: {"choices":[],"usage":{"prompt_tokens":1,"cost":0.5}}\n\n'
    )


def test_anthropics_last_usage_gets_the_cost_and_its_event_name_stays() -> None:
    start = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n'
    delta = b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":2}}\n\n'
    assert with_cost(ANTHROPIC_MESSAGES, start + delta, 0.5) == start + delta.replace(
        b":2}", b':2,"cost":0.5}'
    )
    assert with_cost(ANTHROPIC_MESSAGES, start, 0.5) == start


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{}",
        b'{"usage":null}',
        b'data: {"usage":\n\n',
        b'data: {"usage":null}\n\n',
        b'data: {"usage":{}}',
    ],
)
def test_without_usage_nothing_changes(raw: bytes) -> None:
    assert with_cost(OPENAI_CHAT, raw, 1.0) == raw
