"""Calls through the real gateway to a recording provider."""

import asyncio
import json
import socket
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.portkey.endpoint import PortkeyTarget
from adapters.portkey.gateway import PortkeyGateway
from adapters.system.clock import SystemClock
from application.ports.llm import UpstreamFailed
from application.ports.wire import OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS
from domain.llm.failures import FailureKind
from domain.llm.stream import StreamMachine
from domain.llm.usage import Usage
from tests.contract.portkey.calls import (
    HELLO,
    KEY,
    call_to,
    endpoints_at,
    failure_of,
    stream_of,
    target_at,
)
from tests.contract.portkey.recording import CHAT_ANSWER, RecordingServer, Reply

pytestmark = pytest.mark.portkey


def sse(*chunks: dict[str, Any] | str) -> list[bytes]:
    return [
        b"data: " + (chunk if isinstance(chunk, str) else json.dumps(chunk)).encode() + b"\n\n"
        for chunk in chunks
    ]


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = {} if text is None else {"content": text}
    return {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": said, "finish_reason": finish}],
        **more,
    }


async def test_a_chat_reaches_the_provider_with_its_key_and_comes_back(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    answer = await portkey.complete(call_to("openai", temperature=0.5, **HELLO))
    assert provider.last.path == "/v1/chat/completions"
    assert provider.last.headers["authorization"] == f"Bearer {KEY}"
    assert provider.last.json == {"model": "model-x", "temperature": 0.5, **HELLO}
    assert not [name for name in provider.last.headers if name.startswith("x-portkey")]
    assert answer.usage == Usage(5, 2)
    assert answer.finish_reason == "stop"
    assert answer.dropped == ()
    assert json.loads(answer.body)["choices"] == CHAT_ANSWER["choices"]


async def test_what_the_gateway_loses_is_told_before_and_after(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    call = call_to("openai", top_k=3, min_p=0.1, **HELLO)
    assert portkey.would_drop(call.request, call.target) == ("min_p", "top_k")
    answer = await portkey.complete(call)
    assert answer.dropped == ("min_p", "top_k")
    assert not provider.last.json.keys() & {"top_k", "min_p"}


async def test_vendor_headers_travel_with_the_body(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    await portkey.complete(call_to("openai", headers=(("openai-organization", "org-1"),)))
    assert provider.last.headers["openai-organization"] == "org-1"


async def test_a_stream_comes_back_frame_by_frame_with_its_usage(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    provider.reply = Reply(
        chunks=sse(delta("he"), delta("y"), delta(finish="stop"), {"choices": [], "usage": usage}, "[DONE]"),
        content_type="text/event-stream",
    )
    _, events = await stream_of(portkey, call_to("openai", stream=True, **HELLO))
    machine = StreamMachine(keep_text=True)
    for event in events:
        machine.feed(event)
    assert (machine.text, machine.finish_reason, machine.usage) == ("hey", "stop", Usage(3, 2))
    assert machine.complete
    assert machine.terminated
    assert provider.last.json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("cut", [True, False], ids=["reset", "clean end"])
async def test_a_stream_that_ends_without_a_finish_is_not_complete(
    portkey: PortkeyGateway, provider: RecordingServer, cut: bool
) -> None:
    """The gateway ends its own answer cleanly in both cases; only the missing finish tells."""
    provider.reply = Reply(chunks=sse(delta("he")), content_type="text/event-stream", cut=cut)
    _, events = await stream_of(portkey, call_to("openai", stream=True, **HELLO))
    machine = StreamMachine()
    for event in events:
        machine.feed(event)
    assert machine.committed
    assert not machine.complete


async def test_an_error_frame_inside_a_stream_is_a_fault(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    error = {"error": {"message": "engine is overloaded", "type": "server_error", "code": None}}
    provider.reply = Reply(chunks=sse(delta("he"), error), content_type="text/event-stream")
    _, events = await stream_of(portkey, call_to("openai", stream=True, **HELLO))
    machine = StreamMachine()
    for event in events:
        machine.feed(event)
    assert machine.failure is not None
    assert machine.failure.kind is FailureKind.SERVER_ERROR


async def test_a_refused_stream_is_a_typed_failure(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    body = {
        "error": {"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    }
    provider.reply = Reply(status=429, body=json.dumps(body).encode(), headers=[("retry-after", "7")])
    with pytest.raises(UpstreamFailed) as raised:
        await portkey.open_stream(call_to("openai", stream=True, **HELLO))
    failure = raised.value.failure
    assert (failure.kind, failure.retry_after_s, failure.at_gateway) == (FailureKind.RATE_LIMIT, 7.0, False)
    assert failure.message == "slow down"


async def test_the_time_limit_ends_a_slow_provider(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    provider.reply = Reply(hang=True)
    failure = await failure_of(portkey, call_to("openai", total_timeout_s=0.2))
    assert failure.kind is FailureKind.TIMEOUT
    assert not failure.at_gateway
    assert failure.may_be_billed
    assert portkey.reaches(target_at("openai"))


async def test_a_provider_that_is_not_there_is_the_providers_failure(
    portkey: PortkeyGateway, gateway_url: str, transport: StreamlinedTransport
) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    free.close()
    portkey.set_endpoints(endpoints_at(url))
    for slug in ("openai", "anthropic", "google"):
        failure = await failure_of(portkey, call_to(slug))
        assert (failure.kind, failure.at_gateway, failure.sent) == (FailureKind.NETWORK, False, False), slug


async def test_a_refusal_by_the_gateway_closes_this_way_to_the_target_for_a_while(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    endpoints = endpoints_at(provider.url)
    endpoints["private"] = PortkeyTarget(slug="openai", api_key=KEY, custom_host="http://10.1.2.3/v1")
    portkey.set_endpoints(endpoints)
    assert portkey.reaches(target_at("private"))
    failure = await failure_of(portkey, call_to("private"))
    assert (failure.kind, failure.at_gateway, failure.sent) == (FailureKind.SERVER_ERROR, True, False)
    assert "Invalid custom host" in failure.message
    assert not portkey.reaches(target_at("private"))
    assert portkey.reaches(target_at("openai"))


async def test_a_dead_gateway_is_passed_over(
    gateway_url: str, provider: RecordingServer, transport: StreamlinedTransport
) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    free.close()
    portkey = PortkeyGateway(transport, SystemClock(), [dead], endpoints_at(provider.url))
    failure = await failure_of(portkey, call_to("openai"))
    assert (failure.kind, failure.at_gateway, failure.sent) == (FailureKind.NETWORK, True, False)
    assert not portkey.reaches(target_at("openai"))
    portkey.set_gateways([dead, gateway_url])
    assert portkey.reaches(target_at("openai"))
    for _ in range(3):
        assert (await portkey.complete(call_to("openai"))).finish_reason == "stop"
    await portkey.probe()
    assert [(health.url, health.up) for health in portkey.health()] == [(dead, False), (gateway_url, True)]


async def test_completions_and_embeddings_have_their_own_routes(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    body = {
        "id": "x",
        "object": "text_completion",
        "choices": [{"index": 0, "text": "b", "finish_reason": "stop"}],
    }
    provider.reply = Reply(body=json.dumps(body).encode())
    await portkey.complete(call_to("openai", OPENAI_COMPLETIONS, prompt="a", max_tokens=1))
    assert provider.last.path == "/v1/completions"
    vectors = {"data": [{"embedding": [0.5], "index": 0}], "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    provider.reply = Reply(body=json.dumps(vectors).encode())
    answer = await portkey.complete(call_to("openai", OPENAI_EMBEDDINGS, input="a", dimensions=1))
    assert provider.last.path == "/v1/embeddings"
    assert provider.last.json == {"model": "model-x", "input": "a", "dimensions": 1}
    assert answer.usage == Usage(2, 0)


async def test_what_portkey_does_not_offer_is_lost_as_a_whole_and_refused(portkey: PortkeyGateway) -> None:
    call = call_to("anthropic", OPENAI_EMBEDDINGS, input="a")
    assert portkey.would_drop(call.request, call.target) == ("input", "model")
    failure = await failure_of(portkey, call)
    assert (failure.kind, failure.sent, failure.at_gateway) == (FailureKind.MODEL_MISSING, False, False)


async def test_a_stream_is_accepted_before_its_first_token(
    portkey: PortkeyGateway, provider: RecordingServer
) -> None:
    """A thinking model takes its time; the caller may know already that it is at work."""
    provider.reply = Reply(chunks=[b": thinking\n"], content_type="text/event-stream", hang=True)
    async with asyncio.timeout(5):
        stream = await portkey.open_stream(call_to("openai", stream=True, **HELLO))
    stream.close()
    await asyncio.wait_for(provider.caller_left.wait(), 5)
