"""What is said at `/mcp`: the tools of whoever asks, in the words of the official library.

Without sessions: each request stands alone, so any worker of any instance answers it.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

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

from application.ports.system import IdFactory
from application.tools.book import Open
from application.tools.execute import ExecuteTool, ToolAnswer, ToolAsked
from application.tools.list_tools import ListTools
from application.tools.ways import ToolWay
from domain.errors import InterchangeError
from domain.tracing.active import TraceContext
from entrypoints.http.asgi import Receive, Scope, Send
from entrypoints.http.callers import read_attribution, read_trace, trace_of
from entrypoints.mcp.caller import CALLER, McpCaller
from entrypoints.mcp.names import mcp_name, parts_of
from entrypoints.mcp.running import RunningCalls
from entrypoints.version import version

log = logging.getLogger("interchange")

PAGE: Final = 200
CANCELLED: Final = -32800
"""What the library itself answers to a request that its caller ended."""
READ: Final = "tools.read"
INSTRUCTIONS: Final = (
    "Tools of the integrations this key may reach. A tool is named integration.tool. An error says what was "
    "wrong and what is allowed; those that are worth another try say so."
)
_ANY_RESULT: Final = {"type": "object"}


@asynccontextmanager
async def serving(
    execute: ExecuteTool, tools: ListTools, ids: IdFactory, running: RunningCalls, body_bytes_max: int
) -> AsyncIterator[Callable[[Scope, Receive, Send], Awaitable[None]]]:
    """What answers a request whose `CALLER` is set."""
    words = _Words(execute, tools, ids, running)
    server: Server[Any] = Server(
        "interchange",
        version=version(),
        instructions=INSTRUCTIONS,
        on_list_tools=words.list_tools,
        on_call_tool=words.call_tool,
    )
    manager = StreamableHTTPSessionManager(
        server,
        json_response=True,
        stateless=True,
        # Web pages are judged before, by the origins of the configuration.
        security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        max_request_body_size=body_bytes_max,
    )
    async with manager.run():
        yield manager.handle_request


class _Words:
    def __init__(self, execute: ExecuteTool, tools: ListTools, ids: IdFactory, running: RunningCalls) -> None:
        self._running = running
        self._execute = execute
        self._tools = tools
        self._ids = ids

    async def list_tools(self, _context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
        by = CALLER.get().by
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

    async def call_tool(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        caller = CALLER.get()
        integration_id, tool_name = parts_of(params.name)
        if not integration_id:
            raise MCPError(code=INVALID_PARAMS, message=f"unknown tool: {params.name[:160]}")
        asked = ToolAsked(
            integration_id=integration_id, tool_name=tool_name, parameters=params.arguments or {}
        )
        try:
            if caller.call.has_wishes:
                asked.attribution = read_attribution(caller.call.headers)
            asked.attribution.trace = _told(params.meta) or read_trace(caller.call.headers)
            answer = await self._executed(caller, asked, context.request_id)
        except InterchangeError as error:
            return _failed(error)
        except MCPError:
            raise
        except Exception:
            log.exception("a tool failed over MCP")
            raise MCPError(code=INTERNAL_ERROR, message="an unexpected error happened") from None
        text = answer.result.decode()
        return CallToolResult(
            content=[TextContent(type="text", text=text)], structured_content=json.loads(text)
        )

    async def _executed(self, caller: McpCaller, asked: ToolAsked, number: object) -> ToolAnswer:
        """In a task of its own: the library must not see a cancellation that is meant for the tool alone."""
        work = self._execute.execute(caller.by, asked, request_id=self._ids.next("req"))
        task = asyncio.ensure_future(work)
        with self._running.held(caller.whose(number), task):
            try:
                return await task
            except asyncio.CancelledError:
                if not self._running.was_ended(task):
                    raise
                raise MCPError(code=CANCELLED, message="Request cancelled") from None


def _told(meta: Mapping[str, Any] | None) -> TraceContext | None:
    """The trace that a call names in its `_meta`, as clients with OpenTelemetry do: of this very call, where
    headers may be those of a connection."""
    if not meta:
        return None
    said, state = meta.get("traceparent"), meta.get("tracestate")
    return trace_of(said, state if isinstance(state, str) else "") if isinstance(said, str) else None


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
