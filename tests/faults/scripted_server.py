"""A raw HTTP/1.1 server whose every byte is written by the test.

    async with ScriptedServer(script) as server:
        ...  # server.endpoint, server.connections, server.requests

A script is a coroutine that gets a `ScriptedPeer` per connection and may break any rule it likes. What a
script raises (other than the client being gone) fails the test when the server closes.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import NamedTuple, Self

from application.ports.http import Endpoint

_PATIENCE_S = 5.0


class ReceivedRequest(NamedTuple):
    """A request as it came over the wire; header names as the client wrote them."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """First value of a header."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class ScriptedPeer:
    """The server's end of one connection. `number` counts connections from 0."""

    def __init__(
        self, server: "ScriptedServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = server.connections - 1
        self._server = server
        self._reader = reader
        self._writer = writer

    async def request(self, *, wait_s: float = _PATIENCE_S) -> ReceivedRequest:
        """The next whole request. Raises IncompleteReadError when the client leaves first."""
        async with asyncio.timeout(wait_s):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            method, target, _ = first.split(" ")
            headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
            received = ReceivedRequest(method, target, headers, b"")
            length = int(received.header("content-length") or 0)
            received = received._replace(body=await self._reader.readexactly(length))
        self._server.requests.append(received)
        return received

    async def send(self, data: bytes) -> None:
        """Writes bytes as they are and waits until the kernel has most of them."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, body: bytes = b"", *, status: str = "200 OK", headers: str = "") -> None:
        """A well-formed response with a Content-Length; `headers` are whole lines."""
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        await self.send(head.encode("latin-1") + body)

    async def gone(self, *, wait_s: float = _PATIENCE_S) -> None:
        """Returns once the client has closed; fails the test when it does not."""
        async with asyncio.timeout(wait_s):
            try:
                while await self._reader.read(65536):
                    pass
            except ConnectionError:
                pass
        self._server.leavers.release()

    async def tunnel(self, host: str, port: int) -> None:
        """Passes bytes both ways until either end closes: what a proxy does after CONNECT."""
        reader, writer = await asyncio.open_connection(host, port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(self._reader, writer), pump(reader, self._writer))
        finally:
            writer.close()

    def close(self) -> None:
        """An orderly close."""
        self._writer.close()

    def half_close(self) -> None:
        """Nothing more will be sent; the other direction stays open."""
        self._writer.write_eof()

    def reset(self) -> None:
        """An immediate RST."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


Script = Callable[[ScriptedPeer], Awaitable[None]]


async def echo(peer: ScriptedPeer) -> None:
    """Answers every request with its own body, for as long as the client likes."""
    while True:
        received = await peer.request()
        await peer.answer(received.body)


class ScriptedServer:
    """Listens on 127.0.0.1 (or `host`), port chosen by the system."""

    def __init__(
        self, script: Script = echo, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.script = script
        self._tls = tls
        self._host = host
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []
        self.connections = 0
        self.port_was = 0
        self.requests: list[ReceivedRequest] = []
        self.leavers = asyncio.Semaphore(0)

    @property
    def port(self) -> int:
        assert self._server is not None
        if not self._server.sockets:
            return self.port_was
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("http" if self._tls is None else "https", self._host, self.port)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self._host, 0, ssl=self._tls, backlog=1024)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE_S)
        if self._errors and error is None:
            raise self._errors[0]

    def stop_listening(self) -> None:
        """New connections are refused; open ones go on."""
        assert self._server is not None
        self.port_was = self.port
        self._server.close()

    async def left(self, clients: int = 1) -> None:
        """Waits until scripts saw that many clients leave; scripts only see it while in `gone`."""
        async with asyncio.timeout(_PATIENCE_S):
            for _ in range(clients):
                await self.leavers.acquire()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.script(ScriptedPeer(self, reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where the test can see it
            self._errors.append(error)
        finally:
            self._tasks.discard(task)
            writer.close()
