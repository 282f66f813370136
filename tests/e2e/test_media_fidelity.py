"""Forms and sound keep their bytes; the provider here is a script that writes every byte itself."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.faults.scripted_server import ReceivedRequest, ScriptedPeer, ScriptedServer

CONFIG = """
providers:
  oai: {{kind: openai, base_url: "http://127.0.0.1:{port}/v1", api_key: sk-ours, via: direct,
    models: {{m: {{capabilities: [text, image, audio_in, audio_out, rerank]}}}}}}
routes:
  asked: {{targets: [oai/m], retries: 0}}
"""
FORM_TYPE = "multipart/form-data; boundary=xYz; charset=utf-8"
HEAD = b'--xYz\r\ncontent-disposition: form-data; name="novel"\r\n\r\nodd \xff\r\n--xYz\r\nContent-Disposition: form-data; name="model"\r\n\r\n'  # noqa: E501
TAIL = (
    b'\r\n--xYz\r\nContent-Disposition: form-data; name="file"; filename="s\xc3\xb6.ogg"\r\n'
    b"Content-Type: audio/ogg; codecs=opus\r\nX-Part: kept\r\n\r\n\x00\r\n--xY\r\n\xff\r\n--xYz--\r\nepilogue"
)
HEADERS = {
    "content-type": FORM_TYPE,
    "openai-beta": "new=1",
    "x-new-vendor-header": "v",
    "user-agent": "Sdk/1",
}
JSON_ANSWER = b'{ "text":"h\\u00e9", "new":[1.50], "usage":{"type":"duration","seconds":3}}\n'
ERROR = b'{ "error":{"message":"odd","type":"invalid_request_error","param":"file","x":[1.0]} }\n'
UPSTREAM = "x-ratelimit-remaining-requests: 4\r\nset-cookie: a=b\r\n"


class Provider:
    """Answers everything with what the test says."""

    def __init__(self) -> None:
        self.body, self.status, self.headers = b"", "200 OK", ""

    async def __call__(self, peer: ScriptedPeer) -> None:
        while True:
            await peer.request(wait_s=60)
            await peer.answer(self.body, status=self.status, headers=self.headers + UPSTREAM)


class World:
    def __init__(self, stack: Stack, server: ScriptedServer, provider: Provider) -> None:
        self.stack, self.server, self.provider = stack, server, provider

    def ask(
        self, path: str, answer: bytes, kind: str, *, status: str = "200 OK", **sent: Any
    ) -> httpx.Response:
        self.provider.body, self.provider.status = answer, status
        self.provider.headers = f"Content-Type: {kind}\r\n"
        with self.stack.client() as client:
            return client.post(path, **sent)

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
        with Stack(tmp_path_factory.mktemp("bytes"), CONFIG.format(port=server.port)) as stack:
            yield World(stack, server, provider)
    finally:
        run(server.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def test_a_form_arrives_equal_but_for_credential_and_model(world: World) -> None:
    got = world.ask(
        "/v1/audio/transcriptions",
        JSON_ANSWER,
        "application/json; x=1",
        content=HEAD + b"asked" + TAIL,
        headers=HEADERS,
    )
    assert got.content == JSON_ANSWER and got.headers["content-type"] == "application/json; x=1"
    assert got.headers["x-ratelimit-remaining-requests"] == "4" and "set-cookie" not in got.headers
    assert world.seen.body == HEAD + b"m" + TAIL
    assert {name: world.seen.header(name) for name in HEADERS} == HEADERS
    assert world.seen.header("authorization") == "Bearer sk-ours"


def test_text_and_sound_come_as_they_are(world: World) -> None:
    form: dict[str, Any] = {"content": HEAD + b"asked" + TAIL, "headers": HEADERS}
    text = world.ask("/v1/audio/translations", b'WEBVTT\n\nx "usage"\n', "text/vtt; charset=utf-8", **form)
    assert (text.content, text.headers["content-type"]) == (
        b'WEBVTT\n\nx "usage"\n',
        "text/vtt; charset=utf-8",
    )
    body = {"model": "asked", "input": "x", "voice": {"id": "v"}, "speed": 1.50, "novel": [None]}
    sound = world.ask("/v1/audio/speech", bytes(range(256)), "audio/flac", json=body)
    assert (sound.content, sound.headers["content-type"]) == (bytes(range(256)), "audio/flac")
    assert world.seen.body == httpx.Request("POST", "http://x", json={**body, "model": "m"}).content
    assert world.seen.header("accept") == "*/*"


@pytest.mark.parametrize("path", ["audio/speech", "images/generations", "rerank", "moderations"])
def test_a_providers_error_comes_unmodified(world: World, path: str) -> None:
    body = {"model": "asked", "input": "x", "prompt": "x", "query": "x", "documents": ["x"]}
    got = world.ask(f"/v1/{path}", ERROR, "application/json", status="422 No", json=body)
    assert (got.status_code, got.content) == (422, ERROR)


def test_an_error_in_place_of_sound_is_no_sound(world: World) -> None:
    body = {"model": "asked", "input": "x"}
    got = world.ask("/v1/audio/speech", b'{"error":{"message":"odd"}}', "application/json", json=body)
    assert got.status_code == 502
