"""`/mcp`: who may come in, and how large a body may be. What is said there is in `server.py`.

The library of the protocol takes a second to load and 30 MB to keep, so it is loaded for the first who asks.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from application.ports.wire import OPENAI_CHAT
from application.tools.execute import PERMISSION, ExecuteTool
from application.tools.list_tools import ListTools
from domain.errors import Forbidden, InterchangeError, InvalidRequest, Overloaded, Unauthenticated
from entrypoints.http.addresses import client_address
from entrypoints.http.asgi import CallerLeft, Message, Receive, Scope, Send, drain, read_body, respond
from entrypoints.http.callers import Call, read_headers
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.errors import render_error
from entrypoints.http.llm import LlmGate
from entrypoints.mcp.caller import CALLER, McpCaller
from entrypoints.mcp.running import RunningCalls

PATH: Final = "/mcp"
READY_WITHIN_S: Final = 15.0
BODY_BYTES_MAX: Final = 8 * 1024 * 1024
NOTICE_BYTES_MAX: Final = 64 * 1024
CANCELLED: Final = b"notifications/cancelled"

Handle = Callable[[Scope, Receive, Send], Any]


class McpEndpoint:
    """Raw, like the routes of models. `run` has to be running; its owner starts it."""

    def __init__(
        self, gate: LlmGate, execute: ExecuteTool, tools: ListTools, origins: frozenset[bytes] = frozenset()
    ) -> None:
        """`origins` of web pages that may call it, beside its own."""
        self._gate = gate
        self._execute = execute
        self._tools = tools
        self._origins = origins
        self._handle: Handle | None = None
        self._running = RunningCalls()
        self._wanted = asyncio.Event()
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """Serves until cancelled; whoever owns it may start it again when it failed."""
        await self._wanted.wait()
        serving = await asyncio.to_thread(_load)
        made = serving(self._execute, self._tools, self._gate.ids, self._running, BODY_BYTES_MAX)
        async with made as handle:
            self._handle = handle
            self._ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                self._ready.clear()
                self._handle = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, call = self._gate, read_headers(scope["headers"])
        request_id = gate.ids.next("req")
        unread = True
        try:
            self._check_origin(call)
            by = await gate.entrance.admit(scope, call.headers)
            if not by.may(PERMISSION):
                raise Forbidden(f"the role {by.role!r} may not do this (needs {PERMISSION})")
            unread = False
            body = await read_body(receive, call.headers, min(gate.body_bytes_max, BODY_BYTES_MAX))
        except CallerLeft:
            broken = InvalidRequest("the body ended before it was complete", param="body")
            await respond(send, *render_error(broken, OPENAI_CHAT, request_id))
            return
        except InterchangeError as error:
            if unread:
                await drain(receive)
            status, headers, said = render_error(error, OPENAI_CHAT, request_id)
            if isinstance(error, Unauthenticated):
                headers.append((b"www-authenticate", b'Bearer realm="interchange"'))
            await respond(send, status, headers, said)
            return
        caller = McpCaller(by, call, client_address(scope))
        self._end_what_was_cancelled(caller, body)
        await self._serve(caller, body, request_id, scope, receive, send)

    async def _serve(
        self, caller: McpCaller, body: bytes, request_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        task = asyncio.current_task()
        assert task is not None, "endpoints run in tasks"
        watch = DisconnectWatch(receive)
        self._gate.running.add(task)
        token = CALLER.set(caller)
        try:
            self._wanted.set()
            async with asyncio.timeout(READY_WITHIN_S):
                await self._ready.wait()
            assert self._handle is not None, "it is ready"
            await self._handle(_plain(scope), _replayed(body), send)
        except TimeoutError:
            await respond(send, *render_error(Overloaded("not ready for MCP yet"), OPENAI_CHAT, request_id))
        except asyncio.CancelledError:
            watch.stop()
            if not watch.forgive():
                raise
        finally:
            CALLER.reset(token)
            watch.stop()
            self._gate.running.discard(task)

    def _end_what_was_cancelled(self, caller: McpCaller, body: bytes) -> None:
        """The library knows no call of another message; what is no such wish is answered by it."""
        if len(body) > NOTICE_BYTES_MAX or CANCELLED not in body:
            return
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            return
        if not isinstance(said, dict) or said.get("method") != CANCELLED.decode() or "id" in said:
            return
        params = said.get("params")
        whose = caller.whose(params.get("requestId")) if isinstance(params, dict) else None
        if whose is not None:
            self._running.end(whose)

    def _check_origin(self, call: Call) -> None:
        """A page that somebody lured its visitor to must not call what listens on its machine."""
        origin = call.headers.get(b"origin")
        if origin is None or origin in self._origins:
            return
        if origin.partition(b"://")[2] != call.headers.get(b"host", b""):
            raise Forbidden("pages of this origin may not call tools here (server.cors_origins)")


def _load() -> Callable[..., AbstractAsyncContextManager[Handle]]:
    from entrypoints.mcp.server import serving

    return serving


def _plain(scope: Scope) -> dict[str, Any]:
    """The scope without what its body was packed in: that has been undone."""
    dropped = (b"content-encoding", b"content-length")
    headers = [pair for pair in scope["headers"] if pair[0] not in dropped]
    return {**scope, "headers": headers}


def _replayed(body: bytes) -> Receive:
    """What reads a body that was read before; the caller's leaving is watched for elsewhere."""
    told = False

    async def receive() -> Message:
        nonlocal told
        if told:
            await asyncio.Event().wait()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
