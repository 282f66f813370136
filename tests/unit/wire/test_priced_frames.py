"""Costs that replace earlier ones, in bodies and in frames."""

import json

import pytest

from adapters.wire.frames import DialectFrames
from application.ports.wire import FAMILY

FRAMES = DialectFrames()
TELLING = sorted(dialect for dialect, family in FAMILY.items() if family != "gemini")
CHUNK = b'data: {"choices":[{"delta":{"content":"\\"usage\\":{\\"cost\\":1}"}}],"usage":null}\n\n'
COUNTED = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
BODY = b'{"id":"x","output":[],"choices":[],"usage":{"prompt_tokens":1}}'
DONE = b'{"type":"response.completed","response":{"output":[],"usage":{"input_tokens":1}}}'


def costs(raw: bytes) -> list[float]:
    """Every cost in the usage of a body or of frames."""
    bodies = [raw] if raw.startswith(b"{") else [
        line.removeprefix(b"data: ") for line in raw.splitlines() if line.startswith(b"data: {")
    ]  # fmt: skip
    found = [json.loads(body) for body in bodies]
    usages = [(one.get("response") or one).get("usage") or {} for one in found]
    return [usage["cost"] for usage in usages if "cost" in usage]


@pytest.mark.parametrize("dialect", TELLING)
def test_a_body_has_one_cost_which_is_the_last_that_was_told(dialect: str) -> None:
    once = FRAMES.with_cost(dialect, BODY, 0.5)
    twice = FRAMES.with_cost(dialect, once, 0.0)
    assert costs(once) == [0.5] and costs(twice) == [0.0]
    assert twice.count(b'"cost"') == 1
    assert FRAMES.with_cost(dialect, twice, 0.0) == twice


@pytest.mark.parametrize("dialect", ["openai.chat", "openai.completions"])
def test_a_stream_has_one_cost_which_is_the_last_that_was_told(dialect: str) -> None:
    once = FRAMES.with_cost(dialect, CHUNK + COUNTED, 0.5)
    twice = FRAMES.with_cost(dialect, once, 0.0)
    assert costs(once) == [0.5] and costs(twice) == [0.0]
    assert twice.startswith(CHUNK)
    assert FRAMES.with_cost(dialect, twice, 0.0) == twice


def test_an_anthropic_stream_has_one_cost_which_is_the_last_that_was_told() -> None:
    start = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n'
    delta = b'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":2}}\n\n'
    stop = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    once = FRAMES.with_cost("anthropic.messages", start + delta + stop, 0.5)
    twice = FRAMES.with_cost("anthropic.messages", once, 0.0)
    assert costs(once) == [0.5] and costs(twice) == [0.0]
    assert twice.startswith(start + b"event: message_delta\n") and twice.endswith(stop)


def test_a_stream_of_responses_has_one_cost_which_is_the_last_that_was_told() -> None:
    first = b'event: response.created\ndata: {"type":"response.created","response":{"usage":null}}\n\n'
    last = b"event: response.completed\ndata: " + DONE + b"\n\n"
    once = FRAMES.with_cost("openai.responses", first + last, 0.5)
    twice = FRAMES.with_cost("openai.responses", once, 0.0)
    assert costs(once) == [0.5] and costs(twice) == [0.0]
    assert twice.startswith(first + b"event: response.completed\n")


def test_usage_that_was_told_again_and_again_keeps_no_earlier_cost() -> None:
    told = b"".join(FRAMES.with_cost("openai.chat", COUNTED, cost) for cost in (0.1, 0.2, 0.3))
    again = FRAMES.with_cost("openai.chat", CHUNK + told + CHUNK, 0.0)
    assert costs(again) == [0.0, 0.0, 0.0]
    assert again.startswith(CHUNK) and again.endswith(CHUNK)


def test_a_cost_in_the_last_usage_leaves_earlier_usage_as_it_was() -> None:
    priced = FRAMES.with_cost("openai.chat", COUNTED + CHUNK + COUNTED, 0.5)
    assert priced.startswith(COUNTED + CHUNK) and costs(priced) == [0.5]


@pytest.mark.parametrize("between", [b"\n\n", b": ping\n\n", b"\n", b": interchange cost_usd=0.5\n\n"])
def test_empty_frames_and_comments_keep_no_cost_alive(between: bytes) -> None:
    once = FRAMES.with_cost("openai.chat", CHUNK + between + COUNTED + between, 0.5)
    twice = FRAMES.with_cost("openai.chat", once, 0.0)
    assert costs(twice) == [0.0]
    assert twice.startswith(CHUNK + between) and twice.endswith(between)


def test_other_line_ends_and_a_cut_at_the_end_keep_their_bytes() -> None:
    raw = CHUNK.replace(b"\n", b"\r\n") + COUNTED.replace(b"\n", b"\r\n") + b'data: {"us'
    priced = FRAMES.with_cost("openai.chat", raw, 0.5)
    assert costs(priced.removesuffix(b'data: {"us')) == [0.5]
    assert priced.startswith(CHUNK.replace(b"\n", b"\r\n")) and priced.endswith(b'data: {"us')


def test_arguments_of_a_tool_that_are_called_usage_are_left_alone() -> None:
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {"usage": {"cost": 7, "a": 1}}}
    for body in ({"usage": {"input_tokens": 1}, "content": [use]}, {"content": [use]}):
        raw = json.dumps(body, separators=(",", ":")).encode()
        priced = json.loads(FRAMES.with_cost("anthropic.messages", raw, 0.5))
        assert priced["content"] == [use]
        assert priced.get("usage", {}).get("cost") == (0.5 if "usage" in body else None)


@pytest.mark.parametrize("dialect", sorted(set(FAMILY) - set(TELLING)))
def test_googles_clients_are_told_no_cost_where_they_would_not_know_it(dialect: str) -> None:
    raw = b'{"candidates":[],"usageMetadata":{"promptTokenCount":1},"usage":{"a":1}}'
    assert FRAMES.with_cost(dialect, raw, 0.5) == raw
