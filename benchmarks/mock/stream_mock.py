"""An upstream for streams: 62 events of a chat completion, in one burst or event by event.

    python -m benchmarks.mock.stream_mock --port 0 --writes separate --event-ms 80

writes one line of JSON with its address and serves until SIGTERM. A body without `"stream":true` gets
the canned unary answer, after `--delay-ms`. `GET /mock/bill` tells what was answered, `DELETE` starts
anew. The parser knows just enough HTTP for a load run: Content-Length bodies, keep-alive, pipelining.
"""

import argparse
import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import cast

from benchmarks.mock.canned import (
    INPUT_TOKENS,
    STREAM_OUTPUT_TOKENS,
    UNARY_OUTPUT_TOKENS,
    MockPrice,
    stream_events,
    unary_body,
)

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_STREAM = re.compile(rb'"stream"\s*:\s*true')
_HEAD_BYTES_MAX = 64 * 1024


def _response(body: bytes, *, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_CHUNKS = [b"%x\r\n%b\r\n" % (len(event), event) for event in stream_events()]
_CHUNKS[-1] += b"0\r\n\r\n"
_BURST = _STREAM_HEAD + b"".join(_CHUNKS)
_UNARY = _response(unary_body())


class StreamMock:
    """The mock's settings, counters and bill. `event_ms` 0 writes events one after the other at once."""

    def __init__(
        self,
        *,
        separate: bool = False,
        event_ms: float = 0.0,
        delay_ms: float = 0.0,
        price: MockPrice | None = None,
    ) -> None:
        self.separate = separate or event_ms > 0
        self.event_s = event_ms / 1000
        self.delay_s = delay_ms / 1000
        self._price = price
        self._server: asyncio.Server | None = None
        self.port = 0
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Starts counting anew."""
        self.requests = self.unary = self.streams = 0
        self.cut = self.cut_tokens = 0
        self.in_flight_peak = self.in_flight

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listens on loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port, backlog=8192)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stops listening; open connections end with the loop."""
        if self._server is not None:
            self._server.close()

    def enter(self) -> None:
        """A request began."""
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.in_flight_peak:
            self.in_flight_peak = self.in_flight

    def leave_cut(self, tokens: int) -> None:
        """Its caller left after so many tokens."""
        self.in_flight -= 1
        self.cut += 1
        self.cut_tokens += tokens

    def bill(self) -> dict[str, int | None]:
        """What was answered to its end and what it costs; apart from it what callers cut off."""
        cost = None
        if self._price is not None:
            cost = self.unary * self._price.cost_nano_usd(INPUT_TOKENS, UNARY_OUTPUT_TOKENS)
            cost += self.streams * self._price.cost_nano_usd(INPUT_TOKENS, STREAM_OUTPUT_TOKENS)
        return {
            "requests": self.requests,
            "answered": self.unary + self.streams,
            "unary": self.unary,
            "streams": self.streams,
            "input_tokens": (self.unary + self.streams) * INPUT_TOKENS,
            "output_tokens": self.unary * UNARY_OUTPUT_TOKENS + self.streams * STREAM_OUTPUT_TOKENS,
            "cost_nano_usd": cost,
            "cut": self.cut,
            "cut_output_tokens": self.cut_tokens,
            "in_flight": self.in_flight,
            "in_flight_peak": self.in_flight_peak,
        }


class _Connection(asyncio.Protocol):
    """Answers the requests of one connection in order."""

    __slots__ = ("_buffer", "_busy", "_loop", "_mock", "_next_event", "_timer", "_transport", "_writable")

    def __init__(self, mock: StreamMock) -> None:
        self._mock = mock
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._busy = False
        self._next_event = 0
        self._writable = True
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, though they have their methods.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        self._take_requests()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._timer is not None:
            self._timer.cancel()
        if self._busy:
            # The role comes before the first token.
            self._mock.leave_cut(max(self._next_event - 1, 0))
        self._transport = None

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._busy and self._timer is None and self._next_event:
            self._send_events()

    def _take_requests(self) -> None:
        while not self._busy and self._transport is not None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _HEAD_BYTES_MAX:
                    self._transport.abort()
                return
            length = _LENGTH.search(self._buffer, 0, end + 2)
            size = end + 4 + (int(length[1]) if length is not None else 0)
            if len(self._buffer) < size:
                return
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            self._answer(self._transport, request)

    def _answer(self, transport: asyncio.Transport, request: bytes) -> None:
        mock = self._mock
        if not request.startswith(b"POST "):
            self._control(transport, request)
            return
        mock.enter()
        self._busy = True
        stream = _STREAM.search(request) is not None
        answer = self._start_stream if stream else self._send_unary
        if mock.delay_s:
            self._timer = self._loop.call_later(mock.delay_s, answer)
        else:
            answer()

    def _control(self, transport: asyncio.Transport, request: bytes) -> None:
        if b" /mock/bill " in request:
            shown = self._mock.bill()
            if request.startswith(b"DELETE "):
                self._mock.clear()
            transport.write(_response(json.dumps(shown).encode()))
        else:
            transport.write(_response(b'{"object":"list","data":[{"id":"mock","object":"model"}]}'))

    def _send_unary(self) -> None:
        self._timer = None
        assert self._transport is not None
        # Counted before it is written: who reads the last answer may ask for the bill at once.
        self._mock.unary += 1
        self._transport.write(_UNARY)
        self._ended()

    def _start_stream(self) -> None:
        self._timer = None
        assert self._transport is not None
        if not self._mock.separate:
            self._mock.streams += 1
            self._transport.write(_BURST)
            self._ended()
            return
        self._transport.write(_STREAM_HEAD)
        self._send_events()

    def _send_events(self) -> None:
        self._timer = None
        spaced = self._mock.event_s
        while self._transport is not None and self._writable:
            event = _CHUNKS[self._next_event]
            self._next_event += 1
            is_last = self._next_event == len(_CHUNKS)
            self._mock.streams += is_last
            self._transport.write(event)
            if is_last:
                self._ended()
                return
            if spaced:
                self._timer = self._loop.call_later(spaced, self._send_events)
                return

    def _ended(self) -> None:
        self._mock.in_flight -= 1
        self._busy = False
        self._next_event = 0
        if self._buffer:
            self._loop.call_soon(self._take_requests)


async def _serve(chosen: argparse.Namespace) -> int:
    price = None
    if chosen.input_usd_per_mtok is not None:
        price = MockPrice(chosen.input_usd_per_mtok, chosen.output_usd_per_mtok or Decimal(0))
    mock = StreamMock(
        separate=chosen.writes == "separate", event_ms=chosen.event_ms, delay_ms=chosen.delay_ms, price=price
    )
    await mock.start(chosen.port)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    print(json.dumps({"url": mock.url, "port": mock.port}), flush=True)
    await stopping.wait()
    await mock.stop()
    return 0


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mock.stream_mock", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--writes", choices=("burst", "separate"), default="burst")
    parser.add_argument("--event-ms", type=float, default=0.0, help="between events; implies separate writes")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="before each answer")
    parser.add_argument("--input-usd-per-mtok", type=Decimal)
    parser.add_argument("--output-usd-per-mtok", type=Decimal)
    chosen = parser.parse_args()
    run: Callable[..., int] = asyncio.run
    with contextlib.suppress(ImportError):
        import uvloop

        run = uvloop.run
    return run(_serve(chosen))


if __name__ == "__main__":
    sys.exit(main())
