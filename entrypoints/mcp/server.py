"""`/mcp`: the same tools, for whoever speaks MCP over streamable HTTP.

Without sessions: each request stands alone, so any worker of any instance answers it. The protocol is the
official library's; who may come in, how large a body may be, and what a tool may do is ours.
"""

import asyncio
import json
import logging
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from application.ports.wire import OPENAI_CHAT
from application.tools.book import Open
from application.tools.execute import ExecuteTool, ToolAsked
from application.tools.list_tools import ListTools
from application.tools.ways import ToolWay
from domain.errors import Forbidden, InterchangeError, InvalidRequest, Overloaded, Unauthenticated
from domain.tenancy.principal import Principal
from entrypoints.http.asgi import CallerLeft, Message, Receive, Scope, Send, drain, read_body, respond
from entrypoints.http.callers import Call, read_attribution, read_headers
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.errors import render_error
from entrypoints.http.llm import LlmGate
from entrypoints.mcp.names import mcp_name, parts_of
from entrypoints.version import version

log = logging.getLogger("interchange")

PATH: Final = "/mcp"
PAGE: Final = 200
READY_WITHIN_S: Final = 5.0
READ: Final = "tools.read"
BODY_BYTES_MAX: Final = 8 * 1024 * 1024
INSTRUCTIONS: Final = (
    "Tools of the integrations this key may reach. A tool is named integration.tool. An error says what was "
    "wrong and what is allowed; those that are worth another try say so."
)
_ANY_RESULT: Final = {"type": "object"}


class _Caller(NamedTuple):
    by: Principal
    call: Call


_caller: ContextVar[_Caller] = ContextVar("mcp_caller")


class McpEndpoint:
    """Raw, like the routes of models. `run` has to be running before it is called."""

    def __init__(
        self, gate: LlmGate, execute: ExecuteTool, tools: ListTools, origins: frozenset[bytes] = frozenset()
    ) -> None:
        """`origins` of web pages that may call it, beside its own."""
        self._gate = gate
        self._execute = execute
        self._tools = tools
        self._origins = origins
        self._manager: StreamableHTTPSessionManager | None = None
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """Serves until cancelled; whoever owns it may start it again when it failed."""
        server: Server[Any] = Server(
            "interchange",
            version=version(),
            instructions=INSTRUCTIONS,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        manager = StreamableHTTPSessionManager(
            server,
            json_response=True,
            stateless=True,
            # Web pages are judged here, by the origins of the configuration.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            max_request_body_size=BODY_BYTES_MAX,
        )
        async with manager.run():
            self._manager = manager
            self._ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                self._ready.clear()
                self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, call = self._gate, read_headers(scope["headers"])
        request_id = gate.ids.next("req")
        unread = True
        try:
            self._check_origin(call)
            by = await gate.entrance.admit(scope, call.headers)
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
        await self._serve(_Caller(by, call), body, request_id, scope, receive, send)

    async def _serve(
        self, caller: _Caller, body: bytes, request_id: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        task = asyncio.current_task()
        assert task is not None, "endpoints run in tasks"
        watch = DisconnectWatch(receive)
        self._gate.running.add(task)
        token = _caller.set(caller)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await self._ready.wait()
            assert self._manager is not None, "it is ready"
            await self._manager.handle_request(_plain(scope), _replayed(body), send)
        except TimeoutError:
            await respond(send, *render_error(Overloaded("not ready for MCP yet"), OPENAI_CHAT, request_id))
        except asyncio.CancelledError:
            watch.stop()
            if not watch.forgive():
                raise
        finally:
            _caller.reset(token)
            watch.stop()
            self._gate.running.discard(task)

    def _check_origin(self, call: Call) -> None:
        """A page that somebody lured its visitor to must not call what listens on its machine."""
        origin = call.headers.get(b"origin")
        if origin is None or origin in self._origins:
            return
        if origin.partition(b"://")[2] != call.headers.get(b"host", b""):
            raise Forbidden("pages of this origin may not call tools here (server.cors_origins)")

    # What the protocol asks

    async def _list(self, _context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
        by = _caller.get().by
        if not by.may(READ):
            raise MCPError(
                code=INVALID_PARAMS, message=f"the role {by.role!r} may not do this (needs {READ})"
            )
        after = "" if params is None or params.cursor is None else params.cursor
        named: dict[str, Tool] = {}
        for entry, error in await self._tools.opened(self._execute.book.visible(by)):
            if error is None:
                named |= {
                    mcp_name(entry.name, way.tool.name): _tool(entry, way) for way in entry.ways().values()
                }
        names = [name for name in sorted(named) if name > after]
        more = names[PAGE - 1] if len(names) > PAGE else None
        return ListToolsResult(tools=[named[name] for name in names[:PAGE]], next_cursor=more)

    async def _call(self, _context: Any, params: CallToolRequestParams) -> CallToolResult:
        caller = _caller.get()
        integration_id, tool_name = parts_of(params.name)
        if not integration_id:
            raise MCPError(code=INVALID_PARAMS, message=f"unknown tool: {params.name[:160]}")
        asked = ToolAsked(
            integration_id=integration_id, tool_name=tool_name, parameters=params.arguments or {}
        )
        try:
            if caller.call.has_wishes:
                asked.attribution = read_attribution(caller.call.headers)
            answer = await self._execute.execute(caller.by, asked, request_id=self._gate.ids.next("req"))
        except InterchangeError as error:
            return _failed(error)
        except Exception:
            log.exception("a tool failed over MCP")
            raise MCPError(code=INTERNAL_ERROR, message="an unexpected error happened") from None
        text = answer.result.decode()
        return CallToolResult(
            content=[TextContent(type="text", text=text)], structured_content=json.loads(text)
        )


def _tool(entry: Open, way: ToolWay) -> Tool:
    tool = way.tool
    told = tool.result if dict(tool.result) != _ANY_RESULT else None
    return Tool(
        name=mcp_name(entry.name, tool.name),
        description=tool.description,
        input_schema=dict(tool.parameters),
        output_schema=None if told is None else dict(told),
        annotations=ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.repeatable,
            open_world_hint=True,
        ),
    )


def _failed(error: InterchangeError) -> CallToolResult:
    """For the model to read and do better."""
    said: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.param is not None:
        said["param"] = error.param
    if error.retry_after_s is not None:
        said["retry_after_s"] = error.retry_after_s
    text = json.dumps({"error": said}, ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)


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
