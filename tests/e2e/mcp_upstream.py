"""An MCP server of the official library on loopback, whose tools a test may change."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Self

import uvicorn
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
)
from starlette.responses import PlainTextResponse

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


class Upstream:
    """Use as a context manager. `token` is what it wants as bearer; empty: nothing."""

    def __init__(self, token: str = "", port: int = 0) -> None:
        self.tools = {"double": Tool(name="double", description="Doubles n.", input_schema=NUMBER)}
        self.token = token
        self.begun = self.cancelled = 0
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.traces: list[dict[str, str]] = []
        """Of each call: what its header and what its `_meta` tell of its trace."""
        self.page: Callable[[str | None], ListToolsResult] | None = None
        server: Server[Any] = Server(
            "upstream", version="1.2", on_list_tools=self._list, on_call_tool=self._call
        )
        app = server.streamable_http_app(json_response=False)

        async def authenticated(scope: Any, receive: Any, send: Any) -> None:
            headers = dict(scope.get("headers") or ())
            told = headers.get(b"authorization", b"").decode()
            if scope["type"] == "http" and self.token and told != f"Bearer {self.token}":
                await PlainTextResponse("no", 401)(scope, receive, send)
                return
            await app(scope, receive, send)

        self._server = uvicorn.Server(
            uvicorn.Config(authenticated, host="127.0.0.1", port=port, log_level="error")
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self.url, self.port = "", port

    def __enter__(self) -> Self:
        self._thread.start()
        for _ in range(500):
            if self._server.started:
                break
            threading.Event().wait(0.02)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)

    async def _list(self, _context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:
        if self.page is not None:
            return self.page(None if params is None else params.cursor)
        return ListToolsResult(tools=list(self.tools.values()))

    async def _call(self, context: Any, params: CallToolRequestParams) -> CallToolResult:
        arguments = params.arguments or {}
        if params.name not in self.tools:
            raise MCPError(code=INVALID_PARAMS, message="no such tool")
        self.calls.append((params.name, arguments))
        meta, headers = dict(params.meta or {}), dict(context.request.headers)
        self.traces.append(
            {
                "meta": str(meta.get("traceparent", "")),
                "meta_state": str(meta.get("tracestate", "")),
                "header": headers.get("traceparent", ""),
                "header_state": headers.get("tracestate", ""),
            }
        )
        if params.name == "hang":
            self.begun += 1
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if params.name == "fail":
            return CallToolResult(content=[TextContent(type="text", text="no such order")], is_error=True)
        if params.name == "echo":
            said = {"said": arguments, "by": "ann.other@example.com"}
            return CallToolResult(content=[], structured_content=said)
        doubled = {"doubled": arguments.get("n", 0) * 2}
        return CallToolResult(
            content=[TextContent(type="text", text=str(doubled))], structured_content=doubled
        )
