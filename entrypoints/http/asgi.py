"""The thin layer over raw ASGI that the hot routes use: headers once, body bounded, one response."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from application.json_limits import check_json_limits
from domain.errors import InvalidRequest
from entrypoints.http.content_encoding import decoded_bytes_of, decoder_for, too_large
from entrypoints.http.long_waits import NOTICE_AFTER_S, long_waits

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

BODY_IDLE_TIMEOUT_S = 10.0
BODY_TIMEOUT_S = 60.0
"""A body may pause and take so long; a caller that sends a byte now and then must not hold on for ever."""
DECODED_BESIDE_FROM_BYTES = 256 * 1024
"""Compressed bodies from this size on are decoded in a thread: others must not wait for it."""
DRAIN_BYTES_MAX = 256 * 1024
DRAIN_TIMEOUT_S = 1.0
_LEADING_BYTES = 256
JSON = (b"content-type", b"application/json")
STREAM_HEADERS: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
]
API_HEADERS: RawHeaders = [*STREAM_HEADERS, (b"cache-control", b"no-store")]
"""On every answer; streams say themselves how they may be buffered."""


class AnswerCutOff(Exception):
    """An answer broke that cannot say so itself, such as sound: its connection ends without an end mark."""


class CallerLeft(Exception):
    """The connection closed before the body was complete."""


async def read_body(receive: Receive, headers: dict[bytes, bytes], size_bytes_max: int) -> bytes:
    """The whole request body.

    Raises:
        RequestTooLarge: declared, received or decoded more than the limit, or JSON of too many values.
        InvalidRequest: a content encoding this server does not read, a body that does not come in time, or
            JSON that is nested too deeply.
        CallerLeft: the caller hung up first.
    """
    declared = headers.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > size_bytes_max:
        raise too_large(size_bytes_max)
    encoding = headers.get(b"content-encoding")
    if encoding is None:
        body = await _read_plain(receive, size_bytes_max)
        if looks_like_json(body):
            check_json_limits(body)
        return body
    decoder = decoder_for(encoding.decode("latin-1"))
    body = await _read_plain(receive, size_bytes_max)
    if decoder is not None:
        decoded_bytes_max = min(size_bytes_max, decoded_bytes_of(len(body)))
        if len(body) < DECODED_BESIDE_FROM_BYTES:
            body = decoder(body, decoded_bytes_max)
        else:
            body = await asyncio.to_thread(decoder, body, decoded_bytes_max)
    if looks_like_json(body):
        check_json_limits(body)
    return body


def looks_like_json(body: bytes) -> bool:
    """Whatever a reader of JSON would begin to read; a multipart body is nothing of the kind."""
    return body[:_LEADING_BYTES].lstrip()[:1] in (b"{", b"[", b"")


class _Patience:
    """How long a body may take: cancels its task when it pauses for too long, or takes too long in all.

    What nested `asyncio.timeout`s would do, at a small part of their price: every request passes here. Timers
    are armed only for bodies that are not there at once; whatever arrives meanwhile moves what they find.
    """

    __slots__ = ("_ends_s", "_heard_s", "_task", "_timer", "_waits", "late")

    def __init__(self) -> None:
        self._waits = waits = long_waits()
        self._task = asyncio.current_task(waits.loop)
        self._heard_s = self._ends_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.late = False
        waits.begin(self)

    def lasts(self) -> None:
        now_s = self._waits.loop.time()
        self._ends_s = now_s + BODY_TIMEOUT_S - NOTICE_AFTER_S
        self._heard_s = max(self._heard_s, now_s - NOTICE_AFTER_S)
        self._ring()

    def heard(self) -> None:
        self._heard_s = self._waits.loop.time()

    def end(self) -> None:
        self._waits.end(self)
        if self._timer is not None:
            self._timer.cancel()

    def _ring(self) -> None:
        until_s = min(self._heard_s + BODY_IDLE_TIMEOUT_S, self._ends_s)
        if self._waits.loop.time() < until_s:
            self._timer = self._waits.loop.call_at(until_s, self._ring)
            return
        self.late = True
        assert self._task is not None, "bodies are read in tasks"
        self._task.cancel()


async def _read_plain(receive: Receive, size_bytes_max: int) -> bytes:
    patience = _Patience()
    try:
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False) and message["type"] == "http.request":
            if len(body) > size_bytes_max:
                raise too_large(size_bytes_max)
            return body
        parts: list[bytes] = []
        size = 0
        while True:
            if message["type"] == "http.disconnect":
                raise CallerLeft
            part = message.get("body", b"")
            size += len(part)
            if size > size_bytes_max:
                raise too_large(size_bytes_max)
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
            patience.heard()
            message = await receive()
    except asyncio.CancelledError:
        if patience.late and asyncio.current_task().uncancel() == 0:  # type: ignore[union-attr]
            raise _too_slow() from None
        raise
    finally:
        patience.end()


async def drain(receive: Receive) -> None:
    """Takes what is left of a small body that nobody will read.

    A server that answers with body bytes unread has to close the connection, and the caller may see the
    reset before the answer. Large or slow bodies are not waited for.
    """
    left = DRAIN_BYTES_MAX
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return


def _too_slow() -> InvalidRequest:
    return InvalidRequest("the request body did not arrive in time", param="body")


async def respond(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    """One complete response; Content-Length is added, and what every answer says."""
    headers += API_HEADERS
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_json(
    send: Send, status: int, value: object, headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """A JSON value as one complete response."""
    await respond(send, status, [JSON, *headers], msgspec.json.encode(value))
