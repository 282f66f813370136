"""One connection: a request out, a response in, then idle until the next.

Why not streams: `StreamReader` wakes its reader per line and copies; here a whole unary exchange costs one
write, one future and one parse. Why one timer: arming and cancelling a timer per exchange costs more than
the rest of the bookkeeping, so a connection keeps one timer that may ring early, looks at the deadline
that counts by then, and goes back to sleep.
"""

import asyncio
from typing import Final, cast

import httptools

from adapters.http.connection_owner import ConnectionOwner
from adapters.http.limits import TransportLimits
from adapters.http.response import WAKE_ON_BYTES, WAKE_ON_END, StreamlinedResponse
from adapters.http.response_headers import ends_with_connection, idle_timeout_s, lower_name
from application.ports.http import HttpRequest, TransportStage, header

_IDLE, _HEAD, _BODY, _DONE = range(4)
_NEVER: Final = float("inf")
_TIMER_GRAIN_S: Final = 0.001
"""uvloop's clock ticks in whole milliseconds, so a timer may ring up to that much early."""
_BODILESS: Final = frozenset((204, 304))


class Malformed(Exception):
    """What the peer sent is not a response; raised inside parser callbacks to stop the parser."""


class Connection(asyncio.Protocol):
    """An open connection to one endpoint, for one exchange at a time.

    Bytes that nobody asked for (after a response, or while idle) mean that requests and responses may no
    longer match: the connection is dropped, never reused.
    """

    __slots__ = (
        "_answered",
        "_bodiless",
        "_deadline",
        "_head_bytes",
        "_head_received",
        "_headers",
        "_idle_timeout_s",
        "_interim",
        "_is_head_request",
        "_keep_alive",
        "_limits",
        "_loop",
        "_parser",
        "_paused",
        "_phase",
        "_poisoned",
        "_response",
        "_timer",
        "_timer_at",
        "_transport",
        "closed",
        "exchanges",
        "owner",
        "writable",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: TransportLimits) -> None:
        self._loop = loop
        self._limits = limits
        self.owner: ConnectionOwner[Connection] | None = None
        self.closed = False
        self.exchanges = 0
        self.writable = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: StreamlinedResponse | None = None
        self._phase = _IDLE
        self._headers: list[tuple[str, str]] = []
        self._head_bytes = 0
        self._head_received = 0
        self._answered = False
        self._keep_alive = False
        self._poisoned = False
        self._interim = False
        self._bodiless = False
        self._is_head_request = False
        self._paused = False
        self._idle_timeout_s = limits.idle_timeout_s
        self._deadline = _NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = _NEVER

    # -- what the pool and the transport ask of it

    def begin(
        self, head: bytes, request: HttpRequest, now: float, total_deadline: float, body_bytes_max: int
    ) -> StreamlinedResponse:
        """Writes a request; the response's headers are yet to come. The connection must be idle and open."""
        transport = self._transport
        assert transport is not None and self._phase == _IDLE
        response = StreamlinedResponse(
            self._loop, self, request.body_idle_timeout_s, total_deadline, body_bytes_max
        )
        self._response = response
        self._headers = response.headers
        self._phase = _HEAD
        self._head_bytes = self._head_received = 0
        self._answered = False
        self._is_head_request = request.method == "HEAD"
        self.exchanges += 1
        deadline = total_deadline
        if request.source is None and request.headers_timeout_s is not None:
            deadline = min(deadline, now + request.headers_timeout_s)
        self._set_deadline(deadline)
        body = request.body
        if not body:
            transport.write(head)
        elif len(body) <= 65536:
            # One small copy is cheaper than a second system call.
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        return response

    def write(self, data: bytes) -> None:
        """More of the request's body; `writable` says when the peer takes more."""
        if self._transport is not None:
            self._transport.write(data)

    def await_head(self, until: float) -> None:
        """The whole request is out: from now on the peer has until then to begin its answer."""
        if self._phase == _HEAD:
            self._set_deadline(until)

    def usable(self, now: float) -> bool:
        """Whether an idle connection may still be written to."""
        transport = self._transport
        return (
            not self.closed and self._deadline > now and transport is not None and not transport.is_closing()
        )

    def rest(self, now: float) -> None:
        """Starts the idle time."""
        self._set_deadline(now + self._idle_timeout_s)

    def expect_body(self) -> None:
        """A reader starts to wait for body bytes: from now on the peer must keep moving."""
        response = self._response
        if response is not None and response.body_idle_timeout_s is not None:
            self._push_body_deadline(response, response.body_idle_timeout_s)

    def resume(self) -> None:
        """There is room for more of the body."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def abandon(self, stage: TransportStage, reason: str) -> None:
        """Ends the exchange and closes the connection, so that the peer notices. Idempotent, never waits."""
        self._fail(stage, reason)

    def shut(self, reason: str) -> None:
        """Our side goes away: whoever uses the connection is told how far the exchange had come."""
        self._ended(reason, ConnectionAbortedError())

    def abort(self) -> None:
        """Closes at once, whatever is going on. Idempotent."""
        if self.closed:
            return
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        owner = self.owner
        if owner is not None:
            self.owner = None
            owner.lost(self)
        if self._transport is not None:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.writable.set()
        if self.closed:
            self._transport.abort()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        response = self._response
        if response is None:
            self.abort()
            return
        self._answered = True
        in_head = self._phase == _HEAD
        if in_head:
            self._head_received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            # After a complete response, trailing rubbish spoils the connection but not the response.
            if self._phase != _DONE:
                cause = error.__context__
                self._fail(
                    TransportStage.BODY,
                    f"malformed response: {cause if isinstance(cause, Malformed) else error}",
                )
                return
            self._poisoned = True
        phase = self._phase
        if phase == _DONE:
            self._settle(response)
        elif phase == _BODY:
            self._body_progressed(response, in_head)
        elif self._head_received > self._limits.response_head_bytes_max:
            self._fail(TransportStage.BODY, "malformed response: the headers are too large")

    def eof_received(self) -> bool:
        self._ended("the peer closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended("the peer closed the connection" if exc is None else "the connection was reset", exc)
        self.writable.set()
        # The parser holds bound methods of this object: without the cycle, memory is freed at once.
        del self._parser
        self._transport = None

    # -- parser callbacks; they only note what was seen, so that nothing happens inside the parser

    def on_message_begin(self) -> None:
        if self._phase != _HEAD:
            self._poisoned = True

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > self._limits.response_head_bytes_max:
            raise Malformed("the headers are too large")
        if self._phase != _HEAD:
            return  # trailers: counted, not kept
        if len(headers) >= self._limits.response_headers_max:
            raise Malformed("too many headers")
        lower = lower_name(name)
        if lower == "transfer-encoding" and value.strip().lower() != b"chunked":
            raise Malformed("a transfer encoding other than chunked")
        headers.append((lower, value.rstrip(b" \t").decode("latin-1")))

    def on_headers_complete(self) -> None:
        if self._phase != _HEAD:
            self._poisoned = True
            return
        parser = self._parser
        status = parser.get_status_code()
        if status < 200:
            if status == 101 or status < 100:
                raise Malformed(f"unexpected status {status}")
            self._interim = True
            self._headers.clear()
            return
        response = self._response
        assert response is not None
        response.status = status
        self._keep_alive = parser.should_keep_alive()
        if self._is_head_request or status in _BODILESS:
            # The parser would wait for a body that never comes; it is replaced after this read.
            # An empty chunked body after all would go unseen, so chunked ones are not kept.
            self._bodiless = True
            self._phase = _DONE
            if header(response.headers, "transfer-encoding") is not None:
                self._keep_alive = False
        else:
            self._phase = _BODY

    def on_body(self, data: bytes) -> None:
        if self._phase != _BODY:
            self._poisoned = True
            return
        response = cast(StreamlinedResponse, self._response)
        response.chunks.append(data)
        response.unread_bytes += len(data)

    def on_message_complete(self) -> None:
        if self._phase == _BODY:
            self._phase = _DONE
        elif self._interim:
            self._interim = False
        elif self._phase == _DONE and not self._bodiless:
            self._poisoned = True

    # -- the course of an exchange

    def _body_progressed(self, response: StreamlinedResponse, headers_just_arrived: bool) -> None:
        wake_on = response.wake_on
        if wake_on == WAKE_ON_END and response.waiter is not None:
            if response.unread_bytes > response.collected_bytes_max:
                self._fail(TransportStage.BODY, "the body is over the limit")
            elif response.body_idle_timeout_s is not None:
                self._push_body_deadline(response, response.body_idle_timeout_s)
            return
        if headers_just_arrived:
            self._set_deadline(response.total_deadline)
            response.wake()
        elif wake_on == WAKE_ON_BYTES and response.chunks:
            response.wake()
        if response.unread_bytes > self._limits.unread_bytes_max and not self._paused:
            self._paused = True
            cast(asyncio.Transport, self._transport).pause_reading()

    def _settle(self, response: StreamlinedResponse) -> None:
        """The response is complete: part from it, and rest or close."""
        self._response = None
        response.connection = None
        response.complete = True
        response.wake()
        transport = self._transport
        if transport is None or self.closed:
            return
        if self._paused:
            self._paused = False
            transport.resume_reading()
        # An answer given before the whole request was read leaves unsent bytes: not reusable.
        if (
            self._keep_alive
            and not self._poisoned
            and not transport.is_closing()
            and not transport.get_write_buffer_size()
            and self.owner is not None
        ):
            self._idle_timeout_s = idle_timeout_s(response.headers, self._limits.idle_timeout_s)
            if self._bodiless:
                self._bodiless = False
                self._parser = httptools.HttpResponseParser(self)
            self._phase = _IDLE
            self.owner.released(self)
        else:
            self.abort()

    def _ended(self, how: str, exc: Exception | None = None) -> None:
        response = self._response
        if response is not None:
            if self._phase == _BODY and exc is None and ends_with_connection(response.headers):
                self._keep_alive = False
                self._phase = _DONE
                self._settle(response)
            elif not self._answered:
                self._fail(TransportStage.SEND, f"{how} before any of the response")
            else:
                self._fail(TransportStage.BODY, f"{how} in the middle of the response")
        self.abort()

    def _fail(self, stage: TransportStage, message: str) -> None:
        response = self._response
        if response is not None:
            self._response = None
            self._phase = _DONE
            response.connection = None
            response.failure = (stage, message)
            response.wake()
        self.abort()

    # -- time

    def _push_body_deadline(self, response: StreamlinedResponse, idle_timeout_s: float) -> None:
        deadline = self._loop.time() + idle_timeout_s
        self._set_deadline(min(deadline, response.total_deadline))

    def _set_deadline(self, when: float) -> None:
        self._deadline = when
        if when < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = when
            self._timer = self._loop.call_at(when, self._timer_rang)

    def _timer_rang(self) -> None:
        self._timer = None
        self._timer_at = _NEVER
        now = self._loop.time()
        response = self._response
        if self._deadline - now >= _TIMER_GRAIN_S:
            self._set_deadline(self._deadline)
        elif response is None:
            self.abort()
        elif self._phase == _HEAD:
            self._fail(TransportStage.HEADERS_TIMEOUT, "no response headers in time")
        elif response.waiter is None and response.total_deadline - now >= _TIMER_GRAIN_S:
            # A slow reader is not a silent peer: only the total time runs while nobody waits.
            self._set_deadline(response.total_deadline)
        else:
            self._fail(TransportStage.BODY_TIMEOUT, "no further body bytes in time")
