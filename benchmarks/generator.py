"""A load generator of its own process: open loop at a rate, or closed loop that drains at its end.

    python -m benchmarks.generator specification.json

A specification is a JSON object with the fields of `Specification`; the result is one JSON line. In the
open loop every latency counts from the moment a request was due, so a slow server cannot slow its own
measurement down. One thread over epoll: about 25 us of CPU per request, and `late` says how far the
generator itself was behind its schedule.
"""

import ctypes
import errno
import gc
import json
import resource
import select
import socket
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_CHUNKED_END = b"0\r\n\r\n"
_READ_BYTES = 256 * 1024
_FIRST_CONTENT = b" token0"
_PR_SET_TIMERSLACK = 29


@dataclass(kw_only=True)
class Specification:
    """What to send. `raw_files` hold whole requests and take turns; exactly one of `rate` and `concurrency`.

    `count_max` ends a closed loop early; `warm_up` connections are opened before the first request.
    """

    host: str
    port: int
    raw_files: list[str]
    rate: float = 0.0
    concurrency: int = 0
    seconds: float = 1.0
    count_max: int = 0
    connections_max: int = 1024
    warm_up: int = 0
    drain_s: float = 10.0


@dataclass(kw_only=True)
class Result:
    """Times are milliseconds: p50, p95, p99, p99.9 and the largest; nothing when nothing was answered."""

    sent: int = 0
    answered: int = 0
    """With status 200, to their end."""
    refused: int = 0
    """With another status."""
    broken: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    latency_ms: list[float] = field(default_factory=list)
    first_content_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    in_flight_peak: int = 0
    cpu_us: float = 0.0
    """Of the generator, per request."""


class _Connection:
    """One connection and the exchange on it."""

    __slots__ = (
        "body_left",
        "chunked",
        "due",
        "first",
        "head",
        "out",
        "socket",
        "started",
        "status",
        "tail",
        "waiting",
    )

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self.socket.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, "connect")
        self.out = b""
        self.waiting = False
        self.begin(0.0)

    def begin(self, due: float) -> None:
        self.due, self.started = due, 0.0
        self.head, self.tail = b"", b""
        self.status, self.body_left, self.chunked, self.first = 0, -1, False, 0.0

    def take(self, data: bytes) -> bool:
        """Whether the response is complete."""
        if not self.status:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return False
            head, data = self.head[:end].lower(), self.head[end + 4 :]
            self.status = int(head[9:12])
            at = head.find(b"\r\ncontent-length:")
            if at >= 0:
                stop = head.find(b"\r\n", at + 17)
                self.body_left = int(head[at + 17 : stop if stop >= 0 else end])
            else:
                self.chunked = True
        if not self.first and _FIRST_CONTENT in data:
            self.first = time.perf_counter()
        if self.chunked:
            self.tail = (self.tail + data)[-5:]
            return self.tail == _CHUNKED_END
        self.body_left -= len(data)
        return self.body_left <= 0


class Generator:
    """Runs one specification."""

    def __init__(self, wanted: Specification) -> None:
        self._wanted = wanted
        self._requests = [Path(name).read_bytes() for name in wanted.raw_files]
        self._address = (wanted.host, wanted.port)
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []
        self._due: deque[float] = deque()
        self._in_flight = 0
        self._latencies: list[float] = []
        self._firsts: list[float] = []
        self._late: list[float] = []
        self.result = Result()

    def run(self) -> Result:
        """Sends, waits for what is still out, and sums up."""
        wanted, result = self._wanted, self.result
        for _ in range(wanted.warm_up):
            self._idle.append(self._connect())
        self._wait(0.05 if wanted.warm_up else 0.0)
        cpu, began = time.process_time(), time.perf_counter()
        if wanted.rate:
            self._open_loop(began)
        else:
            self._closed_loop(began)
        result.seconds = time.perf_counter() - began
        self._drain()
        result.unanswered = self._in_flight + len(self._due)
        result.cpu_us = (time.process_time() - cpu) / max(1, result.sent) * 1e6
        result.latency_ms = _percentiles(self._latencies)
        result.first_content_ms = _percentiles(self._firsts)
        result.late_ms = _percentiles(self._late)
        return result

    def _open_loop(self, began: float) -> None:
        wanted = self._wanted
        total = int(wanted.rate * wanted.seconds)
        next_one = 0
        while next_one < total:
            now = time.perf_counter()
            due = began + next_one / wanted.rate
            while due <= now and next_one < total:
                self._due.append(due)
                next_one += 1
                due = began + next_one / wanted.rate
            self._send_due()
            self._wait(max(0.0, due - time.perf_counter()))

    def _closed_loop(self, began: float) -> None:
        wanted, result = self._wanted, self.result
        end = began + wanted.seconds
        while (now := time.perf_counter()) < end:
            while self._in_flight < wanted.concurrency and not (
                wanted.count_max and result.sent >= wanted.count_max
            ):
                self._due.append(now)
                sent = result.sent
                self._send_due()
                if result.sent == sent:
                    break
            if not self._in_flight:
                return
            self._wait(min(0.1, end - now))

    def _drain(self) -> None:
        give_up_at = time.perf_counter() + self._wanted.drain_s
        while (self._in_flight or self._due) and time.perf_counter() < give_up_at:
            self._send_due()
            self._wait(0.05)

    def _send_due(self) -> None:
        while self._due:
            if self._idle:
                connection = self._idle.pop()
            elif len(self._open) < self._wanted.connections_max:
                try:
                    connection = self._connect()
                except OSError:
                    self.result.broken += 1
                    self._due.popleft()
                    continue
            else:
                return
            self._send(connection, self._due.popleft())

    def _connect(self) -> _Connection:
        connection = _Connection(self._address)
        self._open[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)
        return connection

    def _send(self, connection: _Connection, due: float) -> None:
        result = self.result
        connection.begin(due)
        connection.started = time.perf_counter()
        self._late.append(connection.started - due)
        connection.out = self._requests[result.sent % len(self._requests)]
        result.sent += 1
        self._in_flight += 1
        result.in_flight_peak = max(result.in_flight_peak, self._in_flight)
        self._flush(connection)

    def _flush(self, connection: _Connection) -> None:
        try:
            sent = connection.socket.send(connection.out)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                self._lose(connection)
                return
            sent = 0
        connection.out = connection.out[sent:]
        waiting = bool(connection.out)
        if waiting != connection.waiting:
            connection.waiting = waiting
            self._poll.modify(connection.socket, select.EPOLLIN | (select.EPOLLOUT if waiting else 0))

    def _wait(self, timeout_s: float) -> None:
        # epoll counts whole milliseconds; select on the epoll descriptor counts microseconds.
        select.select([self._poll], [], [], timeout_s)
        for descriptor, events in self._poll.poll(0, 512):
            connection = self._open.get(descriptor)
            if connection is None:
                continue
            if events & select.EPOLLOUT and connection.out:
                self._flush(connection)
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                self._read(connection)

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(connection)
        elif connection.take(data):
            self._finish(connection)

    def _finish(self, connection: _Connection) -> None:
        now, result = time.perf_counter(), self.result
        self._in_flight -= 1
        if connection.status == 200:
            result.answered += 1
            self._latencies.append(now - connection.due)
            if connection.first:
                self._firsts.append(connection.first - connection.due)
        else:
            result.refused += 1
            status = str(connection.status)
            result.statuses[status] = result.statuses.get(status, 0) + 1
        if b"\r\nconnection: close" in connection.head.lower():
            self._drop(connection)
        else:
            self._idle.append(connection)

    def _lose(self, connection: _Connection) -> None:
        """A connection ended: an idle one quietly, with a request on it as a failure."""
        if connection in self._idle:
            self._idle.remove(connection)
        else:
            self._in_flight -= 1
            self.result.broken += 1
        self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        del self._open[connection.socket.fileno()]
        self._poll.unregister(connection.socket)
        connection.socket.close()


def _percentiles(values_s: list[float]) -> list[float]:
    if not values_s:
        return []
    values_s.sort()
    last = len(values_s) - 1
    return [values_s[min(last, int(len(values_s) * p))] * 1e3 for p in (0.5, 0.95, 0.99, 0.999, 1.0)]


def main() -> int:
    """Reads a specification, runs it, prints the result."""
    values: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # The kernel would otherwise let a timer be 50 us late to save power.
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1000, 0, 0, 0)
    gc.disable()
    print(json.dumps(asdict(Generator(Specification(**values)).run())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
