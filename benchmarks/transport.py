"""The two HTTP transports side by side: requests per second and CPU per request, as ratios.

    python benchmarks/transport.py [--seconds 0.7] [--rounds 3]

The upstream is a minimal server in a process of its own that answers at once. Figures of different lines
or machines say little; the ratio within a line is what the decision in docs/adr/0003 rests on. Rounds
alternate between the transports, so that a machine that drifts drifts for both; medians are shown.
"""

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple, cast

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from adapters.http.aiohttp_transport import AiohttpTransport
from adapters.http.transport import StreamlinedTransport
from application.ports.http import Endpoint, HttpRequest, HttpTransport

CONCURRENCY = (1, 16, 64)
EVENTS = 62
_JSON = b'{"id":"x","choices":[{"message":{"content":"' + b"a" * 940 + b'"}}]}'
_HEADERS = b"".join(b"x-ratelimit-%d: 1000\r\n" % number for number in range(6))
_UNARY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b" % (
    _HEADERS,
    len(_JSON),
    _JSON,
)
_EVENT = b'data: {"id":"x","choices":[{"delta":{"content":"token"}}]}\n\n'
_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%btransfer-encoding: chunked\r\n\r\n" % _HEADERS
    + b"".join(b"%x\r\n%b\r\n" % (len(_EVENT), _EVENT) for _ in range(EVENTS))
    + b"0\r\n\r\n"
)

HEADERS = (
    ("content-type", "application/json"),
    ("authorization", "Bearer sk-benchmark"),
    ("user-agent", "interchange"),
    ("x-request-id", "req_0123456789"),
)
BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"b" * 940 + b'"}]}'


class InstantUpstream(asyncio.Protocol):
    """Reads just enough HTTP to know where a request ends."""

    def __init__(self) -> None:
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            head = self._pending[:end].lower()
            start = head.index(b"content-length:") + 15
            stop = head.find(b"\r\n", start)
            size = end + 4 + int(head[start : stop if stop >= 0 else end])
            if len(self._pending) < size:
                return
            self._transport.write(_STREAM if head.startswith(b"post /stream") else _UNARY)
            self._pending = self._pending[size:]


async def serve() -> None:
    """Prints the port, then serves until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(InstantUpstream, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


class Measured(NamedTuple):
    per_s: float
    cpu_us: float


async def unary(transport: HttpTransport, request: HttpRequest) -> None:
    """One whole answer."""
    await (await transport.send(request)).read()


async def streamed(transport: HttpTransport, request: HttpRequest) -> None:
    """One stream to its end."""
    response = await transport.send(request)
    while await response.next_chunk():
        pass


Call = Callable[[HttpTransport, HttpRequest], Awaitable[None]]


async def measure(
    transport: HttpTransport, call: Call, request: HttpRequest, concurrency: int, seconds: float
) -> Measured:
    """Closed loop: every caller asks again as soon as it is answered."""
    done = 0
    stop_at = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < stop_at:
            await call(transport, request)
            done += 1

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return Measured(done / (time.perf_counter() - started), (time.process_time() - cpu) / done * 1e6)


async def compare(port: int, seconds: float, rounds: int) -> None:
    """Prints one line per kind of call and concurrency."""
    transports: dict[str, HttpTransport] = {"own": StreamlinedTransport(), "aiohttp": AiohttpTransport()}
    endpoint = Endpoint("http", "127.0.0.1", port)
    print(
        f"{'':>12} {'c':>3} | {'own /s':>8} {'CPU us':>7} | "
        f"{'aiohttp /s':>10} {'CPU us':>7} | {'/s':>6} {'CPU':>6}"
    )
    calls: list[tuple[str, str, Call]] = [
        ("unary 1 KB", "/unary", unary),
        (f"{EVENTS} events", "/stream", streamed),
    ]
    for name, path, call in calls:
        request = HttpRequest("POST", endpoint, path, HEADERS, BODY, 5.0, 30.0, 30.0, 60.0)
        for concurrency in CONCURRENCY:
            runs: dict[str, list[Measured]] = {"own": [], "aiohttp": []}
            for transport in transports.values():
                await measure(transport, call, request, concurrency, seconds / 5)  # warm up
            for _ in range(rounds):
                for kind, transport in transports.items():
                    runs[kind].append(await measure(transport, call, request, concurrency, seconds))
            own, other = (
                Measured(median(run.per_s for run in runs[kind]), median(run.cpu_us for run in runs[kind]))
                for kind in transports
            )
            print(
                f"{name:>12} {concurrency:>3} | {own.per_s:8.0f} {own.cpu_us:7.1f} | {other.per_s:10.0f} "
                f"{other.cpu_us:7.1f} | {own.per_s / other.per_s:5.2f}x {other.cpu_us / own.cpu_us:5.2f}x"
            )
    for transport in transports.values():
        await transport.aclose()


def main() -> None:
    """Starts the upstream, compares, stops it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=0.7, help="per measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve())
        return
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as upstream:
        assert upstream.stdout is not None and upstream.stdin is not None
        try:
            port = int(upstream.stdout.readline())
            uvloop.run(compare(port, arguments.seconds, arguments.rounds))
        finally:
            upstream.stdin.close()
            upstream.terminate()
            upstream.wait(timeout=10)


if __name__ == "__main__":
    main()
