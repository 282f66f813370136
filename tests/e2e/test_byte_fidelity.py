# ruff: noqa: E501 - bytes and headers stand here as they are on the wire
"""Within a family nothing is bent: what the caller wrote reaches the provider, what the provider wrote the
caller. The provider here is a script that writes every byte itself.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.faults.scripted_server import ReceivedRequest, ScriptedPeer, ScriptedServer

CONFIG = """
breaker: {{consecutive_failures: 1000, minimum_calls: 100000}}
providers:
  oai: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: sk-ours, via: direct, headers: {{x-team: ops}},
    models: {models}}}
  ant: {{kind: anthropic, base_url: "http://127.0.0.1:{port}", api_key: sk-ours, via: direct, models: {models}}}
routes:
  o: {{targets: [oai/m], retries: 0}}
  a: {{targets: [ant/m], retries: 0}}
{faulty}
"""
STATUSES = ("400 Bad Request", "422 X", "429 Too Many", "500 Oops", "503 Busy", "529 Overloaded")
_MODEL = (
    "{input_usd_per_mtok: 1, output_usd_per_mtok: 2, context_tokens: 100000,"
    " capabilities: [text, streaming, function_calling, reasoning]}"
)
# Each fault has a target of its own, so that none rests because of another.
FAULTY = [f"m{status[:3]}{mode}" for status in ("401", *STATUSES) for mode in ("", "s")]
MODELS = "{" + ", ".join(f"{name}: {_MODEL}" for name in ("m", *FAULTY)) + "}"

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
ODD = {
    "future_field": {"deep": [1, 2.50, None, "\u00fc\u2028"]},
    "another": 12345678901234567890,
}
CHAT_BODY = {
    "model": "o",
    "messages": [{"role": "user", "content": "hi", "x": 1}],
    "temperature": 0.70,
    **ODD,
}
MESSAGES_BODY = {
    "model": "a",
    "max_tokens": 9,
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]}
    ],
    "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
    **ODD,
}
CALLERS_HEADERS = {
    "anthropic-beta": "context-management-2025-06-27,future-beta",
    "anthropic-version": "2023-06-01",
    "openai-beta": "x=1",
    "x-stainless-lang": "python",
    "x-new-vendor-header": "v; q=1",
    "user-agent": "SomeSdk/9",
    "accept": "application/json",
}
CHAT_ANSWER = (
    b'{"id":"c1", "object":"chat.completion","created":1,"model":"m-2026","service_tier":"default",\n'
    b' "choices":[{"index":0,"message":{"role":"assistant","content":"h\\u00e9","new":[1.50]},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"new_bucket":1}, "x":{}}\n'
)
MESSAGES_ANSWER = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m-2026","content":[{"type":"text","text":"hi"},'
    b'{"type":"new_block","data":"\\u00fc"}],"stop_reason":"end_turn","stop_sequence":null,'
    b'"usage":{"input_tokens":3,"output_tokens":2,"new":1}}'
)
CHAT_STREAM = (
    b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","x":1}}]}\n\n'
    b": a comment\n\n"
    b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"h\\u00e9"}}],"obfuscation":"zz"}\n\n'
    b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
    b"data: [DONE]\n\n"
)
MESSAGES_STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m1","type":"message","role":"assistant",'
    b'"model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: ping\ndata: {"type":"ping"}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n'
    b'event: new_event\ndata: {"type":"new_event","x":1}\n\n'
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
UPSTREAM_HEADERS = (
    "x-ratelimit-remaining-requests: 41\r\nanthropic-ratelimit-tokens-remaining: 7\r\nrequest-id: req_up\r\n"
    "x-new-vendor-answer: yes\r\nopenai-organization: the-operators\r\nset-cookie: a=b\r\n"
)
JSON_TYPE = "Content-Type: application/json; charset=utf-8\r\n"
SSE_TYPE = "Content-Type: text/event-stream\r\n"


class Provider:
    """Answers everything with `answer`, a raw body."""

    def __init__(self) -> None:
        self.body, self.status, self.headers = b"", "200 OK", JSON_TYPE

    async def __call__(self, peer: ScriptedPeer) -> None:
        while True:
            await peer.request(wait_s=60)
            await peer.answer(self.body, status=self.status, headers=self.headers + UPSTREAM_HEADERS)


class World:
    """The whole server in front of one scripted provider."""

    def __init__(self, stack: Stack, server: ScriptedServer, provider: Provider) -> None:
        self.stack, self.server, self.provider = stack, server, provider

    def ask(
        self, path: str, body: Any, answer: bytes, *, stream: bool = False, status: str = "200 OK"
    ) -> httpx.Response:
        """One exchange; `self.seen` is what reached the provider."""
        self.provider.body, self.provider.status = answer, status
        self.provider.headers = SSE_TYPE if stream else JSON_TYPE
        with self.stack.client() as client:
            return client.post(path, json=body, headers=CALLERS_HEADERS)

    @property
    def seen(self) -> ReceivedRequest:
        return self.server.requests[-1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    loop = asyncio.new_event_loop()
    provider = Provider()
    server = ScriptedServer(provider)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    run(server.__aenter__())
    try:
        faulty = "\n".join(
            f"  {route}-{name}: {{targets: [{provider}/{name}], retries: 0}}"
            for route, provider in (("o", "oai"), ("a", "ant"))
            for name in FAULTY
        )
        config = CONFIG.format(port=server.port, models=MODELS, faulty=faulty)
        with Stack(tmp_path_factory.mktemp("bytes"), config) as stack:
            yield World(stack, server, provider)
    finally:
        run(server.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


CASES = [
    pytest.param(CHAT, CHAT_BODY, CHAT_ANSWER, "m", id="openai"),
    pytest.param(MESSAGES, MESSAGES_BODY, MESSAGES_ANSWER, "m", id="anthropic"),
]
STREAMS = [
    pytest.param(
        CHAT,
        {**CHAT_BODY, "stream": True, "stream_options": {"include_usage": True, "new": 1}},
        CHAT_STREAM,
        id="openai",
    ),
    pytest.param(MESSAGES, {**MESSAGES_BODY, "stream": True}, MESSAGES_STREAM, id="anthropic"),
]


@pytest.mark.parametrize(("path", "body", "answer", "model"), CASES)
def test_the_request_reaches_the_provider_equal_but_for_credential_and_model(
    world: World, path: str, body: dict[str, Any], answer: bytes, model: str
) -> None:
    assert world.ask(path, body, answer).status_code == 200
    sent = json.loads(world.seen.body)
    assert sent == {**body, "model": model}
    assert list(sent) == list(body), "in the caller's order"
    assert b'"temperature":0.7' in world.seen.body or path == MESSAGES
    for name, value in CALLERS_HEADERS.items():
        assert world.seen.header(name) == value, name
    said = b" ".join(value.encode("latin-1") for _, value in world.seen.headers)
    assert world.stack.key.encode() not in said and b"sk-ours" in said


def test_what_the_operator_configured_is_not_the_callers_to_change(world: World) -> None:
    world.provider.body, world.provider.status, world.provider.headers = CHAT_ANSWER, "200 OK", JSON_TYPE
    with world.stack.client() as client:
        client.post(
            CHAT, json=CHAT_BODY, headers={"x-team": "mine", "cookie": "c=1", "x-forwarded-for": "1.2.3.4"}
        )
    assert world.seen.header("x-team") == "ops"
    assert world.seen.header("cookie") is None and world.seen.header("x-forwarded-for") is None


@pytest.mark.parametrize(("path", "body", "answer", "model"), CASES)
def test_the_answer_reaches_the_caller_byte_for_byte(
    world: World, path: str, body: dict[str, Any], answer: bytes, model: str
) -> None:
    got = world.ask(path, body, answer)
    assert got.content == answer
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert_headers_pass(got)


def assert_headers_pass(got: httpx.Response) -> None:
    assert got.headers["x-ratelimit-remaining-requests"] == "41"
    assert got.headers["anthropic-ratelimit-tokens-remaining"] == "7"
    assert got.headers["request-id"] == "req_up"
    assert got.headers["x-new-vendor-answer"] == "yes"
    assert "openai-organization" not in got.headers and "set-cookie" not in got.headers


@pytest.mark.parametrize(("path", "body", "answer"), STREAMS)
def test_a_stream_reaches_the_caller_byte_for_byte(
    world: World, path: str, body: dict[str, Any], answer: bytes
) -> None:
    got = world.ask(path, body, answer, stream=True)
    frames = [
        frame for frame in got.content.split(b"\n\n") if frame and not frame.startswith(b": interchange ")
    ]
    wanted = [frame for frame in answer.split(b"\n\n") if frame]
    if path == CHAT:
        # The one documented addition: the caller asked for usage, and it tells the cost (SPEC B1).
        told = json.loads(frames[-2].removeprefix(b"data: "))
        assert told["usage"].pop("cost") > 0
        assert told == json.loads(wanted[-2].removeprefix(b"data: "))
        del frames[-2], wanted[-2]
    assert frames == wanted
    assert_headers_pass(got)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(("path", "body", "answer", "model"), CASES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_providers_error_reaches_the_caller_unmodified(
    world: World, path: str, body: dict[str, Any], answer: bytes, model: str, status: str, *, stream: bool
) -> None:
    error = b'{ "type":"error","error":{"type":"odd_error","message":"it\\u0027s odd","extra":[1.0]}, "request_id":"r" }\n'
    asked = {**body, "model": f"{body['model']}-m{status[:3]}{'s' if stream else ''}", "stream": stream}
    got = world.ask(path, asked, error, status=status)
    assert got.status_code == int(status[:3])
    assert got.content == error
    assert got.headers["content-type"] == "application/json; charset=utf-8"
    assert got.headers["x-should-retry"] == "false"
    assert_headers_pass(got)


@pytest.mark.parametrize(("path", "body", "answer", "model"), CASES)
def test_an_error_about_our_credential_is_never_shown(
    world: World, path: str, body: dict[str, Any], answer: bytes, model: str
) -> None:
    error = b'{"error":{"type":"authentication_error","message":"invalid x-api-key sk-ours","code":"invalid_api_key"}}'
    asked = {**body, "model": f"{body['model']}-m401"}
    got = world.ask(path, asked, error, status="401 Unauthorized")
    assert got.status_code == 502
    assert b"sk-ours" not in got.content and b"x-api-key" not in got.content
