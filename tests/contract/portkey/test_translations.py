"""What comes back from vendors whose shape Portkey translates, and from Anthropic untranslated."""

import json
from typing import Any

import pytest

from adapters.portkey.gateway import PortkeyGateway
from application.ports.wire import ANTHROPIC_COUNT_TOKENS
from domain.llm.failures import FailureKind
from domain.llm.stream import StreamMachine
from domain.llm.usage import Usage
from tests.contract.portkey.calls import HELLO, KEY, call_to, failure_of, messages_call, stream_of
from tests.contract.portkey.recording import RecordingServer, Reply

pytestmark = pytest.mark.portkey

ANTHROPIC_ANSWER = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "model-x",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "output_tokens": 3,
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 20,
        },
    }
).encode()


def anthropic_frames(*, error: bool = False) -> list[bytes]:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 40,
        "cache_creation_input_tokens": 20,
        "output_tokens": 1,
    }
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "usage": usage,
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    ]
    if error:
        events.append({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    else:
        events += [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
            {"type": "message_stop"},
        ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]


async def test_portkey_translates_for_anthropic_and_the_cached_tokens_are_counted(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    provider.reply = Reply(body=ANTHROPIC_ANSWER)
    answer = await portkey.complete(call_to("anthropic"))
    assert provider.last.path == "/v1/messages"
    assert provider.last.headers["x-api-key"] == KEY
    assert answer.usage == Usage(70, 3, cached_read_tokens=40, cache_write_tokens=20)
    assert json.loads(answer.body)["usage"]["prompt_tokens"] == 70


async def test_the_same_holds_for_a_translated_stream(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    provider.reply = Reply(chunks=anthropic_frames(), content_type="text/event-stream")
    _, events = await stream_of(portkey, call_to("anthropic", stream=True, **HELLO))
    machine = StreamMachine(keep_text=True)
    for event in events:
        machine.feed(event)
    assert (machine.text, machine.finish_reason) == ("hello", "stop")
    assert machine.usage == Usage(70, 3, cached_read_tokens=40, cache_write_tokens=20)


async def test_an_error_in_a_translated_stream_does_not_pass_for_a_complete_answer(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    provider.reply = Reply(chunks=anthropic_frames(error=True), content_type="text/event-stream")
    _, events = await stream_of(portkey, call_to("anthropic", stream=True, **HELLO))
    machine = StreamMachine()
    for event in events:
        machine.feed(event)
    assert not machine.complete
    assert machine.failure is not None
    assert machine.failure.kind is FailureKind.OVERLOADED


async def test_a_caller_of_anthropics_shape_reaches_anthropic_untranslated(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    provider.reply = Reply(body=ANTHROPIC_ANSWER)
    call = messages_call(system="be brief", thinking={"type": "enabled", "budget_tokens": 1024})
    call.request.headers = (("anthropic-beta", "tools-1"), ("anthropic-version", "2023-06-01"))
    answer = await portkey.complete(call)
    assert provider.last.path == "/v1/messages"
    assert provider.last.headers["anthropic-beta"] == "tools-1"
    assert provider.last.json == {**json.loads(call.request.body), "model": "model-x"}
    assert json.loads(answer.body) == json.loads(ANTHROPIC_ANSWER)
    assert answer.usage == Usage(70, 3, cached_read_tokens=40, cache_write_tokens=20)


async def test_an_untranslated_stream_keeps_its_events(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    provider.reply = Reply(chunks=anthropic_frames(), content_type="text/event-stream")
    raw, events = await stream_of(portkey, messages_call(stream=True))
    machine = StreamMachine(keep_text=True)
    for event in events:
        machine.feed(event)
    assert (machine.text, machine.complete, machine.terminated) == ("hello", True, True)
    assert machine.usage == Usage(70, 3, cached_read_tokens=40, cache_write_tokens=20)
    assert raw.startswith(b"event: message_start\ndata: ")


async def test_anthropics_error_keeps_anthropics_shape(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    provider.reply = Reply(status=529, body=json.dumps(error).encode())
    failure = await failure_of(portkey, messages_call())
    assert failure.kind is FailureKind.OVERLOADED
    assert failure.body is not None
    assert json.loads(failure.body) == error


async def test_tokens_are_counted_by_anthropic(portkey: PortkeyGateway, provider: RecordingServer) -> None:
    provider.reply = Reply(body=b'{"input_tokens": 12}')
    answer = await portkey.complete(call_to("anthropic", ANTHROPIC_COUNT_TOKENS, messages=HELLO["messages"]))
    assert provider.last.path == "/v1/messages/count_tokens"
    assert json.loads(answer.body) == {"input_tokens": 12}


def gemini_stream(*parts: dict[str, Any]) -> list[bytes]:
    """Gemini's own framing of a streamed array, which Portkey asks for."""
    last = len(parts) - 1
    return [
        (b"[" if place == 0 else b",\r\n") + json.dumps(part).encode() + (b"\n]" if place == last else b"\n")
        for place, part in enumerate(parts)
    ]


def gemini_part(part: dict[str, Any], finish: str | None = None, **usage: int) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}


async def test_portkey_translates_for_gemini_with_thinking_counted_as_output(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    counts = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 4,
        "thoughtsTokenCount": 6,
        "totalTokenCount": 20,
    }
    provider.reply = Reply(body=json.dumps(gemini_part({"text": "hi"}, "STOP", **counts)).encode())
    answer = await portkey.complete(call_to("google"))
    assert provider.last.path.startswith("/v1/v1beta/models/model-x:generateContent")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 10)
    assert answer.usage.reasoning_tokens == 6
    provider.reply = Reply(
        chunks=gemini_stream(gemini_part({"text": "h"}), gemini_part({"text": "i"}, "STOP", **counts))
    )
    _, events = await stream_of(portkey, call_to("google", stream=True, **HELLO))
    machine = StreamMachine(keep_text=True)
    for event in events:
        machine.feed(event)
    assert (machine.text, machine.finish_reason, machine.complete) == ("hi", "stop", True)
    assert machine.usage == answer.usage


async def test_geminis_tool_calls_finish_as_tool_calls(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    part = gemini_part({"functionCall": {"name": "f", "args": {"a": 1}}}, "STOP", promptTokenCount=1)
    provider.reply = Reply(body=json.dumps(part).encode())
    assert (await portkey.complete(call_to("google"))).finish_reason == "tool_calls"
    provider.reply = Reply(chunks=gemini_stream(part, gemini_part({"text": ""}, "STOP")))
    _, events = await stream_of(portkey, call_to("google", stream=True, **HELLO))
    machine = StreamMachine()
    for event in events:
        machine.feed(event)
    assert machine.finish_reason == "tool_calls"


async def test_vendor_headers_stay_behind_when_the_vendor_is_another(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    provider.reply = Reply(body=ANTHROPIC_ANSWER)
    await portkey.complete(call_to("anthropic", headers=(("openai-organization", "org-1"),)))
    assert "openai-organization" not in provider.last.headers
