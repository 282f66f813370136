"""Events of a tenant: looking at them, listening to them, and what they say."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from application.events.envelope import envelope, envelope_text
from application.events.writing import epoch_us
from application.ports.event_log import LoggedEvent
from application.ports.event_pages import EventQuery
from application.use_cases.follow_events import PAGE_DEFAULT, Ear, Heard, ListenToEvents, ReadEvents
from contracts.events import envelope_schema, examples, schemas
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.asgi import STREAM_HEADERS
from entrypoints.http.guard import Door, guarded_routes, only_parameters, still_let_in

RETRY_MS: Final = 2_000
"""After which a client comes back by itself."""
SEND_TIMEOUT_S: Final = 20.0
"""A listener that takes nothing for so long is let go; it comes back with the place it had reached."""
CHUNK_LENGTH: Final = 32 * 1024
"""The server takes a few chunks beyond what a connection does before it makes us wait."""
TYPES_MAX: Final = 50
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    *STREAM_HEADERS,
]


def event_routes(door: Door, read: ReadEvents, listen: ListenToEvents, *, stream_s_max: float) -> list[Route]:
    """`/api/v1/events`, its stream and its schemas. A stream lasts at most `stream_s_max`."""

    async def page(request: Request, by: Principal) -> Any:
        only_parameters(request, "types", "after", "before", "from", "to", "limit")
        limit = _number(request, "limit")
        query = EventQuery(
            tenant_id=by.tenant_id,
            limit=PAGE_DEFAULT if limit is None else limit,
            patterns=_types(request),
            after_seq=_number(request, "after"),
            before_seq=_number(request, "before"),
            from_us=_moment(request, "from"),
            to_us=_moment(request, "to"),
        )
        found = await read(query)
        return {
            "events": [{"seq": event.seq, **envelope(event)} for event in found],
            "next": found[-1].seq if len(found) == query.limit else None,
        }

    async def stream(request: Request, by: Principal) -> Any:
        only_parameters(request, "types", "after")
        after = _number(request, "after")
        if (last := request.headers.get("last-event-id", "")) != "":
            after = _whole(last, "last-event-id")
        ear = await listen.open(by, _types(request), after)
        return EventStream(request, ear, door.ids.next("req"), stream_s_max)

    async def described(request: Request, by: Principal) -> Any:
        del by  # the same for everybody
        only_parameters(request)
        shown = examples()
        return {
            "envelope": envelope_schema(),
            "events": {
                name: {"schema": schema, "example": shown[name]} for name, schema in sorted(schemas().items())
            },
        }

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/events"): page,
            ("GET", "/api/v1/events/stream"): stream,
            ("GET", "/api/v1/events/schemas"): described,
        },
    )


class EventStream(Response):
    """Server-sent events until the listener leaves, takes nothing, is shut out, or has had its time.

    `id` is the event's place; a frame of signs of life carries it too, so that whoever filters comes back
    where they were. The last frame is `end`, with the reason.
    """

    def __init__(self, request: Request, ear: Ear, request_id: str, stream_s_max: float) -> None:
        super().__init__()
        self._request = request
        self._ear = ear
        self._request_id = request_id
        self._stream_s_max = stream_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        headers = [*_HEADERS, (b"x-request-id", self._request_id.encode())]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            # Its beginning goes out at once, and with it the place from which on nothing will be missed.
            await self._frame(send, f"retry: {RETRY_MS}\nid: {self._ear.position}\n\n")
            talking = asyncio.create_task(self._talk(send))
            leaving = asyncio.create_task(_left(receive))
            try:
                await asyncio.wait((talking, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (talking, leaving):
                    task.cancel()
                await asyncio.gather(talking, leaving, return_exceptions=True)
        except _TooSlow:
            return
        finally:
            self._ear.close()

    async def _talk(self, send: Send) -> None:
        try:
            async with asyncio.timeout(self._stream_s_max), aclosing(self._ear.hear()) as heard:
                async for each in heard:
                    await still_let_in(self._request)
                    for chunk in chunks_of(each):
                        await self._frame(send, chunk)
            reason = "going_away"
        except _TooSlow:
            return  # what it does not take now it would not take then
        except InterchangeError as error:
            reason = error.code
        except TimeoutError:
            reason = "time_is_up"
        await self._frame(send, f'event: end\ndata: {{"reason":"{reason}"}}\n\n')
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _frame(self, send: Send, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        except TimeoutError:
            raise _TooSlow from None


class _TooSlow(Exception):
    """A listener takes nothing."""


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def chunks_of(heard: Heard) -> Iterator[str]:
    """As server-sent events, at most so many at once that a connection takes them in a moment; in the end,
    where the last event is not where the listener is, a frame that says it."""
    chunk: list[str] = []
    size = 0
    for event in heard.events:
        chunk.append(_frame_of(event))
        size += len(chunk[-1])
        if size >= CHUNK_LENGTH:
            yield "".join(chunk)
            chunk, size = [], 0
    if not heard.events or heard.events[-1].seq < heard.position:
        chunk.append(f": alive\nid: {heard.position}\n\n")
    if chunk:
        yield "".join(chunk)


def _frame_of(event: LoggedEvent) -> str:
    return f"id: {event.seq}\nevent: {event.topic}\ndata: {envelope_text(event)}\n\n"


def _types(request: Request) -> tuple[str, ...]:
    """`types=a,b` or `types=a&types=b`; empty: all."""
    given = [part.strip() for text in request.query_params.getlist("types") for part in text.split(",")]
    if "types" in request.query_params and not all(given):
        raise InvalidRequest("types names events, separated by commas", param="types")
    if len(given) > TYPES_MAX:
        raise InvalidRequest(f"types takes at most {TYPES_MAX} names", param="types")
    return tuple(given)


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    return None if text is None else _whole(text, name)


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InvalidRequest(f"{name} must be a whole number", param=name)
    return int(text)


def _moment(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(f"{name} must be a time such as 2030-01-31T12:00:00Z", param=name) from None
    return epoch_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
