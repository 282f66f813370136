"""The ASGI application: a path table for the hot routes, Starlette for the rest, and its lifespan.

The table costs one dictionary look-up where a router would try its routes one after the other.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE
from domain.errors import InterchangeError
from entrypoints.http.asgi import (
    JSON,
    AnswerCutOff,
    Endpoint,
    Message,
    Receive,
    Scope,
    Send,
    drain,
    respond,
)
from entrypoints.http.edge import PLAIN, Edge
from entrypoints.http.errors import error_payload
from entrypoints.http.head_limits import HeadProblem, head_problem
from entrypoints.http.security_headers import secured
from entrypoints.provisioning import ProvisioningError

log = logging.getLogger("interchange")

CLOSE = (b"connection", b"close")
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Below(NamedTuple):
    """One endpoint for paths that start with `prefix` and end with one of `suffixes` (an empty one: any)."""

    method: str
    prefix: str
    suffixes: tuple[str, ...]
    endpoint: Endpoint

    @property
    def templates(self) -> tuple[str, ...]:
        """The routes, as the permission table has them."""
        return tuple(f"{self.prefix}{{name:path}}{suffix}" for suffix in self.suffixes)


def _no_streams() -> None:
    return None


class Faces:
    """The opened application: hot endpoints by (method, path), and everything else."""

    __slots__ = ("below", "beside", "edge", "end_streams", "hot", "rest", "running")

    def __init__(
        self,
        hot: Mapping[tuple[str, str], Endpoint],
        rest: ASGIApp,
        running: "set[asyncio.Task[object]]",
        below: Sequence[Below] = (),
        edge: Edge = PLAIN,
        beside: Mapping[str, Callable[[], Awaitable[None]]] | None = None,
        end_streams: Callable[[], None] = _no_streams,
    ) -> None:
        self.end_streams = end_streams
        """Called when this process is about to end."""
        self.beside = dict(beside or {})
        """What routes need to run beside requests, by name; whoever opens the faces owns it."""
        self.hot = hot
        self.below = tuple(below)
        self.rest = rest
        self.edge = edge
        self.running = running
        """Tasks of requests that hold a slot; each settles its request when it is cancelled."""


class Application:
    """What the server calls. Opens everything in the lifespan's startup, closes it in its shutdown."""

    def __init__(self, open_faces: Callable[[], AbstractAsyncContextManager[Faces]]) -> None:
        self._open_faces = open_faces
        self.faces: Faces | None = None
        self._hot: Mapping[tuple[str, str], Endpoint] = {}
        self._below: tuple[Below, ...] = ()
        self._edge: Edge | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            problem = head_problem(scope)
            if problem is None and self._edge is not None:
                problem = self._edge.problem(scope)
            if problem is not None:
                await _turn_away(receive, send, problem, _family(scope["path"]))
                return
            if self._edge is not None:
                preflight = self._edge.preflight(scope)
                if preflight is not None:
                    await respond(send, 204, preflight, b"")
                    return
                send = self._edge.answering(scope, send)
            endpoint = self._hot.get((scope["method"], scope["path"]))
            if endpoint is None and self._below:
                endpoint = self._found_below(scope["method"], scope["path"])
            try:
                if endpoint is not None:
                    await endpoint(scope, receive, send)
                elif self.faces is not None:
                    await _with_body_taken(self.faces.rest, scope, receive, secured(send))
                else:
                    await _refuse(send, 503, "starting", "Interchange is starting")
            except AnswerCutOff as cut:
                # Left without its last message, the server ends the connection without an end mark.
                log.info("an answer was cut off: %s", cut)
            except Exception:  # the last net: whatever escapes is our bug, and the caller sees no trace of it
                request_id = _own_request_id()
                log.exception("unexpected error on %s %s (%s)", scope["method"], scope["path"], request_id)
                message = "an unexpected error happened; it was logged"
                await _refuse(send, 500, "internal_error", message, request_id, _family(scope["path"]))
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await _refuse_websocket(scope, receive, send)

    def _found_below(self, method: str, path: str) -> Endpoint | None:
        """The endpoint whose prefix the path has; exact paths never come here."""
        for below in self._below:
            if method == below.method and path.startswith(below.prefix) and path.endswith(below.suffixes):
                return below.endpoint
        return None

    def cancel_running(self) -> None:
        """Ends every running request, for when a drain took too long; each settles and is recorded."""
        if self.faces is not None:
            for task in tuple(self.faces.running):
                task.cancel()

    def end_streams(self) -> None:
        """Ends what would go on for hours, for when a drain begins; whoever listens comes back elsewhere."""
        if self.faces is not None:
            self.faces.end_streams()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        manager = self._open_faces()
        try:
            faces = await manager.__aenter__()
        except (ProvisioningError, InterchangeError) as error:
            # The operator's mistake or a store that is away: the sentence says it, a trace would hide it.
            log.error("start-up failed: %s", error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        except Exception as error:  # reported to the server, which stops with this message
            log.exception("start-up failed")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        self.faces, self._hot, self._below = faces, faces.hot, faces.below
        self._edge = None if faces.edge.plain else faces.edge
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await manager.__aexit__(None, None, None)
        except Exception:  # shutting down goes on whatever happens
            log.exception("shutdown met an error")
        await send({"type": "lifespan.shutdown.complete"})


async def _turn_away(receive: Receive, send: Send, problem: HeadProblem, dialect: str) -> None:
    """Answers a request that no endpoint sees. Where it ends is in doubt for some: the connection ends."""
    headers = [CLOSE] if problem.closes else []
    if not problem.closes:
        await drain(receive)
    request_id = _own_request_id()
    await _refuse(send, problem.status, problem.code, problem.message, request_id, dialect, headers)


def _own_request_id() -> str:
    """For requests that never came to where ids are given."""
    return f"req_{os.urandom(12).hex()}"


async def _with_body_taken(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Calls the application; what it leaves unread of a body is taken before its answer begins.

    Most routes beside the hot ones read no body, and some clients send one with every method.
    """
    if not any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        await app(scope, receive, send)
        return
    unread = True

    async def receiving() -> Message:
        nonlocal unread
        message = await receive()
        unread = message["type"] == "http.request" and message.get("more_body", False)
        return message

    async def sending(message: Message) -> None:
        nonlocal unread
        if unread:
            unread = False
            await drain(receive)
        await send(message)

    await app(scope, receiving, sending)


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """For servers that take a handshake for more than a request; ours hands it on as one (`fallback.py`).

    426 before the upgrade makes clients fall back to HTTP at once; a server without that extension says 403.
    """
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    message = "nothing is offered over websockets here; use HTTP"
    body = error_payload("", 426, code="websocket_not_offered", message=message, param=None, request_id="")
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "websocket.http.response.start", "status": 426, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


def _family(path: str) -> str:
    """Whose errors a path's callers read; our own shape where nothing tells."""
    if path.startswith("/v1beta/"):
        return GEMINI_GENERATE
    return ANTHROPIC_MESSAGES if path.startswith("/v1/messages") else ""


async def _refuse(
    send: Send,
    status: int,
    code: str,
    message: str,
    request_id: str = "",
    dialect: str = "",
    more: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    body = error_payload(dialect, status, code=code, message=message, param=None, request_id=request_id)
    headers = [JSON, (b"x-request-id", request_id.encode()), *more]
    try:
        await respond(send, status, headers, body)
    except RuntimeError:
        # The response had begun: there is nothing left to say on this connection.
        log.warning("the error could not be delivered: the response had begun")
