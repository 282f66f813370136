"""One connection of the simulated provider: HTTP/1.1 with keep-alive, and full control of the socket.

Requests of one connection are answered one after the other, in order, also when they are pipelined.
A handler answers at once or runs as a task, which ends when the peer leaves.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, NamedTuple, cast

import httptools

HEADER_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 64 * 1024 * 1024
_PIPELINED_MAX = 32
_LINGER_ZERO = struct.pack("ii", 1, 0)
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
JSON = b"content-type: application/json\r\n"
EVENT_STREAM = b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"


class Request(NamedTuple):
    """One request as it came. Header names are lower case."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    keep_alive: bool

    def header(self, name: bytes) -> str:
        """The first value of a header, or nothing."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return ""


class Connection(asyncio.Protocol):
    """Parses requests and hands each to `handle`, which ends it with one of the answering methods."""

    def __init__(
        self,
        handle: Callable[["Connection", Request], None],
        opened: Callable[["Connection"], None],
        lost: Callable[["Connection", bool], None],
    ) -> None:
        self._handle = handle
        self._opened = opened
        self._lost = lost
        self._parser = httptools.HttpRequestParser(self)
        self._pending: deque[Request] = deque()
        self._busy = False
        self._draining = False
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._reading = True
        self._keep_alive = True
        self._cut_by_us = False
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports implement the interface without deriving from it.
        self._transport = cast("asyncio.Transport", transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(400)
            return
        if len(self._pending) > _PIPELINED_MAX and self._reading and self._transport is not None:
            self._reading = False
            self._transport.pause_reading()
        self._answer_pending()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        left_early = self._busy and not self._cut_by_us
        self._transport = None
        self._pending.clear()
        self._writable.set()
        if self._task is not None:
            self._task.cancel()
        self._lost(self, left_early)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._header_bytes = 0
        self._body = []
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count_header_bytes(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))
        self._count_header_bytes(len(name) + len(value))

    def _count_header_bytes(self, more: int) -> None:
        self._header_bytes += more
        if self._header_bytes > HEADER_BYTES_MAX:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        for name, value in self._headers:
            if name == b"expect" and value.lower() == b"100-continue" and self._transport is not None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > BODY_BYTES_MAX:
            self._refuse(413)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request = Request(
            self._parser.get_method().decode("latin-1"),
            self._url.decode("latin-1"),
            self._headers,
            body,
            self._parser.should_keep_alive(),
        )
        self._pending.append(request)

    def _answer_pending(self) -> None:
        # A handler that answers at once ends up here again through `_done`; the flag turns that into a loop.
        if self._draining:
            return
        self._draining = True
        try:
            while self._pending and not self._busy and not self.gone:
                request = self._pending.popleft()
                self._busy = True
                self._keep_alive = request.keep_alive
                self._handle(self, request)
        finally:
            self._draining = False
        if not self._reading and not self._pending and self._transport is not None and not self.gone:
            self._reading = True
            self._transport.resume_reading()

    def _refuse(self, status: int) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._cut_by_us = True
            self._transport.write(_head(status, JSON, keep_alive=False) + b"content-length: 0\r\n\r\n")
            self._transport.close()

    # How a handler answers.

    @property
    def gone(self) -> bool:
        """Whether nobody is left to answer."""
        return self._transport is None or self._transport.is_closing()

    def respond(self, status: int, headers: bytes, body: bytes, *, declared_bytes: int | None = None) -> None:
        """A whole answer. `headers` end with CRLF. A `declared_bytes` larger than the body makes it short
        and closes the connection."""
        if self._transport is not None:
            declared = len(body) if declared_bytes is None else declared_bytes
            head = _head(status, headers, keep_alive=self._keep_alive)
            self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, declared, body))
            if declared != len(body):
                self.close()
                return
        if self._task is None:
            self._done()

    def respond_chunks(self, headers: bytes, chunks: list[bytes]) -> None:
        """A whole stream in one write, each chunk framed by itself."""
        if self._transport is not None:
            parts = [_head(200, headers, keep_alive=self._keep_alive), b"transfer-encoding: chunked\r\n\r\n"]
            parts.extend(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
            parts.append(b"0\r\n\r\n")
            self._transport.write(b"".join(parts))
        self._done()

    def run(self, answering: Coroutine[Any, Any, None]) -> None:
        """Answers in a task, which is cancelled when the peer leaves; its end is the answer's end."""
        self._task = asyncio.get_running_loop().create_task(answering)
        self._task.add_done_callback(self._ran)

    def _ran(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "simulated provider failed to answer", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
            self.reset()
        if self._transport is not None:
            self._done()

    def begin_chunks(self, headers: bytes) -> None:
        """The head of a stream."""
        if self._transport is not None:
            head = _head(200, headers, keep_alive=self._keep_alive)
            self._transport.write(head + b"transfer-encoding: chunked\r\n\r\n")

    def begin_body(self, headers: bytes, size_bytes: int) -> None:
        """The head of a unary answer whose body follows by `write`."""
        if self._transport is not None:
            head = _head(200, headers, keep_alive=self._keep_alive)
            self._transport.write(b"%bcontent-length: %d\r\n\r\n" % (head, size_bytes))

    async def chunk(self, data: bytes) -> None:
        """One chunk of a stream; waits while the peer does not read."""
        await self.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def write(self, data: bytes) -> None:
        """Bytes as they are; waits while the peer does not read."""
        if self._transport is not None:
            self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()

    def end_chunks(self) -> None:
        """The end of a stream; the connection lives on."""
        if self._transport is not None:
            self._transport.write(b"0\r\n\r\n")

    def close(self) -> None:
        """Closes in order after what was written."""
        self._cut_by_us = True
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Closes by RST."""
        self._cut_by_us = True
        if self._transport is not None:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self._transport.abort()

    def _done(self) -> None:
        self._busy = False
        if self._transport is None:
            return
        if not self._keep_alive:
            self._cut_by_us = True
            self._transport.close()
        else:
            self._answer_pending()


def _head(status: int, headers: bytes, *, keep_alive: bool) -> bytes:
    reason = _REASONS.get(status, b"Simulated")
    closing = b"" if keep_alive else b"connection: close\r\n"
    return b"HTTP/1.1 %d %b\r\n%bserver: simulated-provider\r\n%b" % (status, reason, headers, closing)
