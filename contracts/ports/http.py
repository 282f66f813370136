"""What every `HttpTransport` promises, shown against a server whose every byte the suite writes.

A binding fills two holes: `transport`, and `serve`, which starts a raw server from a script (a coroutine
per connection). The faults half of the suite is in `contracts.ports.http_faults`, TLS in
`contracts.ports.http_tls`.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest

from application.ports.http import (
    Endpoint,
    Headers,
    HttpRequest,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from contracts.ports._base import PortContract

PATIENCE_S = 5.0


class Peer(Protocol):
    """The server's end of one connection, as scripts see it; `number` counts connections from 0."""

    number: int

    @abstractmethod
    async def request(self) -> Any: ...
    @abstractmethod
    async def send(self, data: bytes) -> None: ...
    @abstractmethod
    async def answer(self, body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> None: ...
    @abstractmethod
    async def gone(self) -> None: ...
    @abstractmethod
    async def tunnel(self, host: str, port: int) -> None: ...
    @abstractmethod
    def close(self) -> None: ...
    @abstractmethod
    def reset(self) -> None: ...


class Upstream(Protocol):
    """A running scripted server."""

    connections: int
    requests: list[Any]
    script: "Script"

    @property
    @abstractmethod
    def endpoint(self) -> Endpoint: ...
    @abstractmethod
    async def left(self, clients: int = 1) -> None: ...
    @abstractmethod
    def stop_listening(self) -> None: ...


Script = Callable[[Any], Awaitable[None]]
Serve = Callable[..., AbstractAsyncContextManager[Any]]


def post(endpoint: Endpoint, body: bytes = b"{}", *, headers: Headers = (), **more: Any) -> HttpRequest:
    """A POST with bounded waits."""
    return HttpRequest(
        "POST", endpoint, "/v1/things?x=1", headers, body, **{"total_timeout_s": PATIENCE_S, **more}
    )


def get(endpoint: Endpoint, **more: Any) -> HttpRequest:
    """A GET with bounded waits."""
    return HttpRequest("GET", endpoint, "/", (), b"", **{"total_timeout_s": PATIENCE_S, **more})


async def fetch(transport: HttpTransport, request: HttpRequest) -> bytes:
    """A unary call."""
    return await (await transport.send(request)).read()


async def chunks_of(transport: HttpTransport, request: HttpRequest) -> bytes:
    """A streamed call, read to its end."""
    response = await transport.send(request)
    received = bytearray()
    while chunk := await response.next_chunk():
        received += chunk
    return bytes(received)


async def failure_of(awaitable: Awaitable[Any]) -> TransportFailed:
    """The port-owned failure that the awaitable must end with."""
    with pytest.raises(TransportFailed) as caught:
        await awaitable
    return caught.value


async def echo(peer: Peer) -> None:
    """Answers each request with its own body."""
    while True:
        await peer.answer((await peer.request()).body)


class HttpHoles:
    """What a binding provides."""

    @pytest.fixture
    async def transport(self) -> HttpTransport:
        """A fresh transport, closed after the test."""
        raise NotImplementedError

    @pytest.fixture
    def serve(self) -> Serve:
        """Starts a scripted server."""
        raise NotImplementedError


class HttpTransportContract(HttpHoles, PortContract):
    """Behaviour, concurrency, and what is refused before anything is sent."""

    async def test_a_unary_call_brings_status_headers_and_body(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(
                b"made", status="201 Created", headers="X-Kind:  A \r\nx-kind: B\r\nCafe: \xe9\r\n"
            )

        async with serve(script) as server:
            response = await transport.send(post(server.endpoint))
            assert response.status == 201
            assert response.headers[1:] == [("x-kind", "A"), ("x-kind", "B"), ("cafe", "\xe9")]
            assert await response.read() == b"made"
            assert await response.next_chunk() == b""

    async def test_the_request_arrives_as_it_was_written(self, transport: Any, serve: Serve) -> None:
        headers = (
            ("content-type", "application/json"),
            ("X-Twice", "1"),
            ("X-Twice", "2"),
            ("x-tab", "a\tb"),
        )
        async with serve(echo) as server:
            assert await fetch(transport, post(server.endpoint, b"body", headers=headers)) == b"body"
            [seen] = server.requests
            assert (seen.method, seen.target, seen.body) == ("POST", "/v1/things?x=1", b"body")
            assert seen.header("host") == f"127.0.0.1:{server.endpoint.port}"
            assert seen.header("accept-encoding") == "identity"
            assert seen.header("content-length") == "4"
            assert seen.header("user-agent") is None
            assert [pair for pair in seen.headers if pair in headers] == list(headers)

    async def test_a_get_has_no_body(self, transport: Any, serve: Serve) -> None:
        async with serve(echo) as server:
            assert await fetch(transport, get(server.endpoint)) == b""
            assert server.requests[0].header("content-length") is None

    @pytest.mark.parametrize("call", [fetch, chunks_of])
    async def test_chunked_framing_is_removed(self, transport: Any, serve: Serve, call: Any) -> None:
        async def script(peer: Peer) -> None:
            for _ in range(2):
                await peer.request()
                await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
                await peer.send(b"1;ext=1\r\n \r\n5\r\nworld\r\n0\r\nX-Trailer: 1\r\n\r\n")

        async with serve(script) as server:
            for _ in range(2):
                assert await call(transport, post(server.endpoint)) == b"hello world"
            assert server.connections == 1

    async def test_stream_bytes_are_handed_over_as_they_arrive(self, transport: Any, serve: Serve) -> None:
        seen = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            await peer.send(b"3\r\none\r\n")
            await seen.wait()
            await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")

        async with serve(script) as server:
            response = await transport.send(post(server.endpoint))
            assert await response.next_chunk() == b"one"
            seen.set()
            assert await response.next_chunk() == b"two"
            assert await response.next_chunk() == b""

    async def test_large_bodies_pass_both_ways(self, transport: Any, serve: Serve) -> None:
        body = bytes(range(256)) * (8 * 1024 * 4)
        async with serve(echo) as server:
            assert await fetch(transport, post(server.endpoint, body)) == body
            assert await chunks_of(transport, post(server.endpoint, body)) == body

    async def test_one_connection_serves_calls_one_after_the_other(
        self, transport: Any, serve: Serve
    ) -> None:
        async with serve(echo) as server:
            for number in range(5):
                body = str(number).encode()
                assert await fetch(transport, post(server.endpoint, body)) == body
            assert server.connections == 1

    async def test_two_hundred_calls_at_once_do_not_mix(self, transport: Any, serve: Serve) -> None:
        async with serve(echo) as server:
            bodies = [str(number).encode() * 50 for number in range(200)]
            calls = (fetch(transport, post(server.endpoint, body)) for body in bodies)
            assert await asyncio.gather(*calls) == bodies
            assert server.connections <= 200

    async def test_a_body_without_length_ends_with_the_connection(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\n\r\nuntil ")
            await peer.send(b"the end")

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint)) == b"until the end"
            assert await chunks_of(transport, post(server.endpoint)) == b"until the end"
            assert server.connections == 2

    @pytest.mark.parametrize(
        "head", ["HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.0 200 OK\r\n"], ids=["close", "http10"]
    )
    async def test_a_peer_that_will_close_is_not_called_again(
        self, transport: Any, serve: Serve, head: str
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(f"{head}Content-Length: 2\r\n\r\nok".encode())
            await peer.gone()

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint)) == b"ok"
            await server.left()
            assert await fetch(transport, post(server.endpoint)) == b"ok"
            assert server.connections == 2

    @pytest.mark.parametrize(
        ("method", "answer"),
        [
            ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
            ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
            ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
            ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
    )
    async def test_a_response_without_body_is_complete_at_once(
        self, transport: Any, serve: Serve, method: str, answer: bytes
    ) -> None:
        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.send(answer)

        async with serve(script) as server:
            for _ in range(3):
                request = HttpRequest(method, server.endpoint, "/", (), total_timeout_s=PATIENCE_S)
                assert await fetch(transport, request) == b""
            assert server.connections == 1

    async def test_interim_responses_are_skipped(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            while True:
                await peer.request()
                await peer.send(
                    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
                )
                await peer.answer(b"final")

        async with serve(script) as server:
            for _ in range(2):
                response = await transport.send(post(server.endpoint))
                assert response.status == 200
                assert response.headers == [("content-length", "5")]
                assert await response.read() == b"final"
            assert server.connections == 1

    async def test_a_redirect_is_an_answer_like_any_other(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(status="302 Found", headers="Location: http://127.0.0.1:1/\r\n")

        async with serve(script) as server:
            assert (await transport.send(post(server.endpoint))).status == 302

    async def test_an_encoded_body_is_not_decoded(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"\x1f\x8bnot really", headers="Content-Encoding: gzip\r\n")

        async with serve(script) as server:
            assert await fetch(transport, post(server.endpoint)) == b"\x1f\x8bnot really"

    async def test_unread_bytes_slow_the_peer_down(self, transport: Any, serve: Serve) -> None:
        sent = 0
        block = b"x" * 65536

        async def script(peer: Peer) -> None:
            nonlocal sent
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")
            for _ in range(1024):
                await peer.send(block)
                sent += len(block)

        async with serve(script) as server:
            response = await transport.send(post(server.endpoint))
            before = -1
            while before != sent:  # until the peer no longer gets on
                before = sent
                await asyncio.sleep(0.05)
            assert sent < 48 * 1024 * 1024
            received = 0
            while chunk := await response.next_chunk():
                received += len(chunk)
            assert received == 1024 * len(block)

    @pytest.mark.parametrize(
        "header",
        [
            ("x-a", "1\r\nx-b: 2"),
            ("x-a", "1\n"),
            ("x-a", "\x00"),
            ("x a", "1"),
            ("", "1"),
            ("x:", "1"),
            ("x-a", "\u20ac"),
        ],
    )
    async def test_headers_that_could_smuggle_are_refused(
        self, transport: Any, serve: Serve, header: tuple[str, str]
    ) -> None:
        async with serve(echo) as server:
            failure = await failure_of(transport.send(post(server.endpoint, headers=(header,))))
            assert failure.stage is TransportStage.REFUSED
            assert server.connections == 0

    @pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection", "upgrade"])
    async def test_headers_that_frame_the_message_are_refused(
        self, transport: Any, serve: Serve, name: str
    ) -> None:
        async with serve(echo) as server:
            failure = await failure_of(transport.send(post(server.endpoint, headers=((name, "1"),))))
            assert failure.stage is TransportStage.REFUSED

    @pytest.mark.parametrize("path", ["", "x", "/a b", "/a\r\nHost: b", "/\x00", "/\u20ac", "/a#b"])
    async def test_paths_that_are_no_request_target_are_refused(
        self, transport: Any, serve: Serve, path: str
    ) -> None:
        async with serve(echo) as server:
            failure = await failure_of(transport.send(post(server.endpoint)._replace(path=path)))
            assert failure.stage is TransportStage.REFUSED

    @pytest.mark.parametrize(
        "endpoint",
        [
            Endpoint("ftp", "a", 1),
            Endpoint("http", "a b", 1),
            Endpoint("http", "a/b@c", 1),
            Endpoint("http", "a", 0),
        ],
    )
    async def test_endpoints_that_are_none_are_refused(self, transport: Any, endpoint: Endpoint) -> None:
        assert (await failure_of(transport.send(get(endpoint)))).stage is TransportStage.REFUSED

    async def test_a_closed_transport_says_so_and_closes_twice(self, transport: Any, serve: Serve) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.answer(b"ok")
            await peer.gone()

        async with serve(script) as server:
            await fetch(transport, post(server.endpoint))
            await transport.aclose()
            await server.left()
            await transport.aclose()
            assert (await failure_of(transport.send(get(server.endpoint)))).stage is TransportStage.CONNECT
