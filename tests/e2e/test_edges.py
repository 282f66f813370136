"""The edges of the whole server on real sockets: heads, bodies, addresses, origins, headers of answers."""

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import zstandard

from tests.e2e.stack import Stack

CHAT = "/v1/chat/completions"
ASK = {"model": "small", "messages": [{"role": "user", "content": "hello"}]}
BODY = json.dumps(ASK).encode()
LENGTH = b"content-length: %d\r\n" % len(BODY)
ANSWER_S = 20.0
SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("edges")) as opened:
        yield opened


def exchange(stack: Stack, head: bytes, body: bytes = b"") -> tuple[int, bytes, bool]:
    """Status, everything received, and whether the server closed the connection."""
    parts = urlsplit(stack.url)
    key = f"authorization: Bearer {stack.key}\r\n".encode()
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
        connection.sendall(b"POST " + CHAT.encode() + b" HTTP/1.1\r\n" + key + head + b"\r\n" + body)
        connection.settimeout(ANSWER_S)
        received = b""
        try:
            while got := connection.recv(65536):
                received += got
                connection.settimeout(3.0)  # for what else comes, or the end
        except TimeoutError:
            return int(received.split(b" ", 2)[1]), received, False
        except ConnectionError:
            pass
        return int(received.split(b" ", 2)[1]), received, True


@pytest.mark.parametrize(
    "head",
    [
        b"host: a\r\nhost: b\r\n" + LENGTH,
        LENGTH,
        b"host: a\r\n" + LENGTH + b"transfer-encoding: chunked\r\n",
        b"host: a\r\ntransfer-encoding: xchunked\r\n",
        b"host: a\r\ntransfer-encoding: gzip, chunked\r\n",
        b"host: a\r\ntransfer-encoding: chunked, identity\r\n",
        b"host: a\r\ncontent-length : 3\r\n",
        b"host: a\r\nx-a: b\r\n folded: c\r\n" + LENGTH,
        b"host: a\r\nx-a: b\rc: d\r\n" + LENGTH,
        b"host: a\r\nx-a: b\x00c\r\n" + LENGTH,
        b"host: a\r\ncontent-length: +3\r\n",
        b"host: a\r\ncontent-length: 3, 3\r\n",
        b"host: a\r\nauthorization: Bearer other\r\n" + LENGTH,
        b"host: a\r\nx-interchange-user-id: a\r\nx-interchange-user-id: b\r\n" + LENGTH,
    ],
)
def test_a_head_that_could_be_read_in_two_ways_ends_the_connection(stack: Stack, head: bytes) -> None:
    status, received, closed = exchange(stack, head, b"0\r\n\r\nGET /health HTTP/1.1\r\nhost: a\r\n\r\n")

    assert status == 400
    assert closed
    assert received.count(b"HTTP/1.1") == 1, "a second request was seen in the first"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"".join(b"x-%d: a\r\n" % number for number in range(150)), 431),
        (b"x-a: " + b"a" * 70_000 + b"\r\n", 431),
        (b"x" * 70_000 + b": a\r\n", 431),
        (b"x-a: " + b"a" * 600_000 + b"\r\n", 431),
    ],
)
def test_a_head_that_is_too_large_is_431(stack: Stack, head: bytes, status: int) -> None:
    assert exchange(stack, b"host: a\r\n" + head + LENGTH, BODY)[0] == status


def test_a_path_that_is_too_long_is_414(stack: Stack) -> None:
    with stack.client() as client:
        refused = client.get("/v1/models/" + "a" * 10_000)
        assert refused.status_code == 414
        assert refused.json()["error"]["type"] == "invalid_request_error"
        assert client.get("/v1/models?a=" + "a" * 40_000).status_code == 414


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/responses", "/v1/embeddings", "/api/v1/keys"])
def test_deep_json_is_refused_by_every_reader(stack: Stack, path: str) -> None:
    deep = b'{"model":"small","messages":' + b"[" * 200 + b"]" * 200 + b"}"
    with stack.client() as client:
        for body in (deep, b" " * 300 + deep):
            answer = client.post(path, content=body, headers={"content-type": "multipart/form-data"})
            assert answer.status_code == 400
            assert "nested deeper" in answer.text


def test_a_body_that_grows_too_much_is_413_before_it_has_grown(stack: Stack) -> None:
    plain = b'{"a":"' + b"a" * 30_000_000 + b'"}'
    squeezed = zstandard.ZstdCompressor(level=1).compress(plain)
    with stack.client() as client:
        for encoding, body in (("gzip", gzip.compress(plain, 9)), ("zstd", squeezed)):
            answer = client.post(CHAT, content=body, headers={"content-encoding": encoding})
            assert answer.status_code == 413, answer.text


def test_ordinary_compressed_bodies_are_read(stack: Stack) -> None:
    long = json.dumps({**ASK, "messages": [{"role": "user", "content": "many words " * 10_000}]}).encode()
    with stack.client() as client:
        answer = client.post(CHAT, content=gzip.compress(long), headers={"content-encoding": "gzip"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/v1/models"),
        ("GET", "/nothing"),
        ("DELETE", CHAT),
        ("OPTIONS", CHAT),
        ("GET", "/api/v1/keys"),
        ("POST", "/api/v1/keys"),
        ("POST", CHAT),
        ("POST", "/v1/messages"),
        ("POST", "/v1beta/models/alpha:generateContent"),
    ],
)
def test_every_answer_says_what_browsers_may_do_with_it(stack: Stack, method: str, path: str) -> None:
    with stack.client() as client:
        for answer in (client.request(method, path), client.request(method, path, content=BODY)):
            for name, value in SECURITY.items():
                assert answer.headers.get_list(name) == [value], (name, answer.status_code)
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert len(answer.headers.get_list("cache-control")) == 1
            assert "access-control-allow-origin" not in answer.headers
            assert "strict-transport-security" not in answer.headers


def test_streams_say_it_too(stack: Stack) -> None:
    with stack.client() as client, client.stream("POST", CHAT, json={**ASK, "stream": True}) as answer:
        answer.read()
        assert answer.status_code == 200
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
        assert answer.headers.get_list("cache-control") == ["no-store, no-cache"]


def test_no_origin_is_allowed_unless_it_was_named(stack: Stack, tmp_path: Path) -> None:
    ask = {"origin": "https://app.example", "access-control-request-method": "POST"}
    with stack.client() as client:
        assert "access-control-allow-origin" not in client.options(CHAT, headers=ask).headers
    config = "server:\n  cors_origins: ['https://app.example']\nsimulator: {enabled: false}\n"
    with Stack(tmp_path, config) as open_stack, open_stack.client() as client:
        preflight = client.options(CHAT, headers={**ask, "access-control-request-headers": "authorization"})
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "https://app.example"
        assert preflight.headers["access-control-allow-headers"] == "authorization"
        assert "access-control-allow-credentials" not in preflight.headers
        answer = client.get("/v1/models", headers={"origin": "https://app.example"})
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "origin" in answer.headers["vary"]
        for origin in ("https://evil.example", "https://app.example.evil", "null", "http://app.example"):
            refused = client.get("/v1/models", headers={"origin": origin})
            assert "access-control-allow-origin" not in refused.headers
            assert (
                "access-control-allow-origin"
                not in client.options(CHAT, headers={**ask, "origin": origin}).headers
            )


def test_only_addresses_on_the_list_come_in(tmp_path: Path) -> None:
    config = (
        "server:\n  allowed_networks: [203.0.113.0/24]\n  trusted_proxies: [127.0.0.1]\n"
        "simulator: {enabled: false}\n"
    )
    with Stack(tmp_path, config) as guarded, guarded.client() as client:

        def status(**headers: str) -> int:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.get("/v1/models", headers=named).status_code

        assert status() == 403
        assert status(x_forwarded_for="203.0.113.7") == 200
        assert status(x_forwarded_for="198.51.100.1, 203.0.113.7") == 200
        assert status(x_forwarded_for="203.0.113.7, 198.51.100.1") == 403
        assert status(x_forwarded_for="203.0.113.7, nonsense") == 403
        assert status(forwarded="for=203.0.113.7") == 403
        assert status(x_real_ip="203.0.113.7") == 403
        assert client.get("/health/live").status_code == 200
        refused = client.get("/v1/models")
        assert refused.json()["error"]["code"] == "forbidden"
        assert refused.headers["x-content-type-options"] == "nosniff"


def test_nothing_of_a_callers_making_breaks_a_header(stack: Stack) -> None:
    odd = {**ASK, "x\r\nset-cookie: a=b": 1, "top_k\r\n": 2}
    with stack.client(**{"x-request-id": "a b", "x-interchange-trace": "1"}) as client:
        for path in (CHAT, "/v1/messages"):
            answer = client.post(path, json=odd)
            assert answer.status_code in (200, 400), answer.text
            assert "set-cookie" not in answer.headers


def test_a_client_that_closes_early_leaves_the_server_well(stack: Stack) -> None:
    parts = urlsplit(stack.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{")
    assert httpx.get(f"{stack.url}/health/live").status_code == 200
