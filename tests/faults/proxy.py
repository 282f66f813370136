"""A TCP proxy that does to a connection what networks do: delay, throttle, cut, reset, swallow.

    async with FaultProxy("127.0.0.1", port) as proxy:
        proxy.fault = Fault(latency_s=0.05)
        ...  # connect to proxy.port
        proxy.reset_all()

`fault` counts for connections made from then on and for what open ones forward from then on. Nothing here
knows HTTP, so it serves for databases and Redis as well.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_BLOCK_BYTES = 64 * 1024
_CONNECT_WAIT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to traffic. The default is: nothing.

    `latency_s` delays every block in both directions. `bytes_per_s` throttles each direction.
    `reset_after_bytes` and `half_close_after_bytes` count bytes from server to client on a connection.
    `black_hole` accepts and reads, but forwards nothing in either direction. `refuse` resets new
    connections at once.
    """

    latency_s: float = 0.0
    bytes_per_s: float | None = None
    reset_after_bytes: int | None = None
    half_close_after_bytes: int | None = None
    black_hole: bool = False
    refuse: bool = False


class FaultProxy:
    """Listens on 127.0.0.1, port chosen by the system, and forwards to one server."""

    def __init__(self, host: str, port: int, fault: Fault | None = None) -> None:
        self._host = host
        self._port = port
        self.fault = fault if fault is not None else Fault()
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CONNECT_WAIT_S)

    def reset_all(self) -> None:
        """RST on every open connection, both ends."""
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if self.fault.refuse:
                _reset(writer)
                return
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_CONNECT_WAIT_S):
            server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        self._writers |= {writer, server_writer}
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(self._forward(reader, server_writer, to_client=False))
                directions.create_task(self._forward(server_reader, writer, to_client=True))
        except* OSError:
            # One end broke: the other must see it too, and as abruptly.
            _reset(writer)
            _reset(server_writer)
        finally:
            self._writers -= {writer, server_writer}
            server_writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool
    ) -> None:
        forwarded = 0
        while data := await reader.read(_BLOCK_BYTES):
            fault = self.fault
            if fault.black_hole:
                continue
            if fault.latency_s:
                await asyncio.sleep(fault.latency_s)
            if fault.bytes_per_s is not None:
                await asyncio.sleep(len(data) / fault.bytes_per_s)
            limits = (fault.reset_after_bytes, fault.half_close_after_bytes) if to_client else (None, None)
            cut_at = min((limit for limit in limits if limit is not None), default=None)
            if cut_at is not None and forwarded + len(data) >= cut_at:
                writer.write(data[: cut_at - forwarded])
                await writer.drain()
                if cut_at == fault.reset_after_bytes:
                    raise ConnectionResetError("cut on purpose")
                break
            forwarded += len(data)
            writer.write(data)
            await writer.drain()
        if not self.fault.black_hole:
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass  # closed already
    writer.transport.abort()
