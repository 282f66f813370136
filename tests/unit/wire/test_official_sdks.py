"""The official SDKs read what the codecs write: translated answers, streams, and our own errors."""

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from adapters.wire.registry import codec_for, error_body, error_event, keep_alive, terminator, with_cost
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from tests.unit.wire.calls import HELLO, call
from tests.unit.wire.test_translated_answers import (
    ANTHROPIC_STREAM,
    DONE,
    GEMINI_STREAM,
    STOP,
    USAGE,
    chunk,
    tool,
)

CHAT_STREAM = (
    chunk({"role": "assistant", "content": ""})
    + chunk({"reasoning_content": "hm"})
    + chunk({"content": "hello"})
    + tool(0, '{"a":1}', name="f")
    + tool(1, "{}", name="g")
    + chunk({}, "tool_calls")
    + USAGE
    + DONE
)


def relayed(dialect: str, upstream: str, raw: bytes) -> bytes:
    """The whole body a caller gets: keep-alive, frames with the cost, terminator."""
    fields: dict[str, Any] = {"stream": True}
    if dialect == OPENAI_CHAT:
        fields["stream_options"] = {"include_usage": True}
    block = codec_for(dialect, upstream).stream(call(dialect, **fields)).feed(raw)
    return keep_alive(dialect) + with_cost(dialect, block.raw, 0.25) + terminator(dialect)


def answering(body: bytes, *, status: int = 200, events: bool = False) -> httpx2.MockTransport:
    content_type = "text/event-stream" if events else "application/json"
    return httpx2.MockTransport(
        lambda request: httpx2.Response(status, headers={"content-type": content_type}, content=body)
    )


def openai_client(transport: httpx2.MockTransport) -> openai.OpenAI:
    http = httpx2.Client(transport=transport)
    return openai.OpenAI(api_key="k", base_url="http://h/v1", http_client=http, max_retries=0)


def anthropic_client(transport: httpx2.MockTransport) -> anthropic.Anthropic:
    http = httpx2.Client(transport=transport)
    return anthropic.Anthropic(api_key="k", base_url="http://h", http_client=http, max_retries=0)


@pytest.mark.parametrize(
    ("upstream", "raw"), [(ANTHROPIC_MESSAGES, ANTHROPIC_STREAM + STOP), (GEMINI_GENERATE, GEMINI_STREAM)]
)
def test_the_openai_sdk_reads_a_translated_stream(upstream: str, raw: bytes) -> None:
    client = openai_client(answering(relayed(OPENAI_CHAT, upstream, raw), events=True))
    chunks: list[Any] = list(client.chat.completions.create(model="m", messages=HELLO, stream=True))
    deltas = [one.choices[0].delta for one in chunks if one.choices]
    assert "".join(delta.content or "" for delta in deltas) == "hello"
    names = [made.function.name for delta in deltas for made in delta.tool_calls or () if made.function.name]
    assert names == ["f", "g"]
    assert chunks[-1].usage.model_extra["cost"] == 0.25
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "tool_calls"


@pytest.mark.parametrize(
    ("upstream", "raw"),
    [
        (OPENAI_CHAT, CHAT_STREAM),
        (GEMINI_GENERATE, GEMINI_STREAM),
        (ANTHROPIC_MESSAGES, ANTHROPIC_STREAM + STOP),
    ],
)
def test_the_anthropic_sdk_reads_a_translated_stream(upstream: str, raw: bytes) -> None:
    client = anthropic_client(answering(relayed(ANTHROPIC_MESSAGES, upstream, raw), events=True))
    with client.messages.stream(model="m", max_tokens=9, messages=HELLO) as stream:
        message: Any = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[1].text == "hello"
    assert [(b.name, b.input) for b in message.content[2:]] == [("f", {"a": 1}), ("g", {})]
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens in (7, 9)


def test_both_sdks_read_translated_answers() -> None:
    message: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "model": "c",
        "content": [{"type": "text", "text": "hi"}],
    }
    message |= {"stop_reason": "max_tokens", "usage": {"input_tokens": 2, "output_tokens": 1}}
    body = codec_for(OPENAI_CHAT, ANTHROPIC_MESSAGES).response(json.dumps(message).encode()).body
    completion = openai_client(answering(body)).chat.completions.create(model="m", messages=HELLO)
    assert completion.choices[0].message.content == "hi" and completion.choices[0].finish_reason == "length"
    assert completion.usage is not None and completion.usage.total_tokens == 3
    body = codec_for(ANTHROPIC_MESSAGES, OPENAI_CHAT).response(body).body
    found: Any = anthropic_client(answering(body)).messages.create(model="m", max_tokens=1, messages=HELLO)
    assert found.content[0].text == "hi" and found.stop_reason == "max_tokens"
    assert found.usage.input_tokens == 2


def test_both_sdks_read_our_errors() -> None:
    body = error_body(OPENAI_CHAT, code="model_not_found", message="no such model", param="model")
    with pytest.raises(openai.NotFoundError) as theirs:
        openai_client(answering(body, status=404)).chat.completions.create(model="m", messages=HELLO)
    assert (theirs.value.code, theirs.value.param) == ("model_not_found", "model")
    body = error_body(ANTHROPIC_MESSAGES, code="invalid_api_key", message="no", request_id="r")
    with pytest.raises(anthropic.AuthenticationError) as ours:
        anthropic_client(answering(body, status=401)).messages.create(model="m", max_tokens=1, messages=HELLO)
    said: Any = ours.value.body
    assert said["error"]["type"] == "authentication_error"


def test_both_sdks_raise_on_an_error_inside_a_stream() -> None:
    broken = chunk({"content": "x"}) + error_event(OPENAI_CHAT, code="stream_interrupted", message="cut")
    stream: Any = openai_client(answering(broken, events=True)).chat.completions.create(
        model="m", messages=HELLO, stream=True
    )
    with pytest.raises(openai.APIError, match="cut"):
        list(stream)
    broken = ANTHROPIC_STREAM + error_event(ANTHROPIC_MESSAGES, code="stream_interrupted", message="cut")
    client = anthropic_client(answering(broken, events=True))
    with pytest.raises(anthropic.APIError, match="cut"):
        list(client.messages.create(model="m", max_tokens=1, messages=HELLO, stream=True))
