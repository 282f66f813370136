"""An upstream MCP server as an integration: its tools are ours, under the same rules."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from adapters.mcp.configuration import McpConfiguration, OverrideSection
from adapters.mcp.session import McpSession
from adapters.rest.credentials import Credential
from adapters.rest.origin import Origin
from application.ports.connector import ByteStream, Connector, ConnectorFigures, ToolOutcome
from application.ports.http import HttpTransport
from domain.connectors.terms import cost_of
from domain.connectors.tool import TOOL_SHAPE, TOOLS_PER_INTEGRATION_MAX, Tool, ToolCall
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    ToolFailed,
)

log = logging.getLogger("interchange")

PAGES_MAX: Final = 50
LOOK_TIMEOUT_S: Final = 20.0
DESCRIPTION_CHARS_MAX: Final = 4096
SCHEMA_DEPTH_MAX: Final = 32
MESSAGE_CHARS_MAX: Final = 500
_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_SESSION_GONE: Final = frozenset({-32000, -32001, -32003})
"""Codes of the library for a connection that broke, and a session that its server forgot."""


class McpConnector(Connector):
    """Tools whose names are none of ours, or whose schemas are too deep, are left out and counted."""

    def __init__(
        self,
        configuration: McpConfiguration,
        transport: HttpTransport,
        origin: Origin,
        credential: Credential,
    ) -> None:
        self._configuration = configuration
        self._transport = transport
        self._origin = origin
        self._credential = credential
        self._refused: InterchangeError | None = None
        self._session = McpSession(self._open, self._why)
        self._tools: tuple[Tool, ...] = ()
        self._looking = asyncio.Lock()
        self._running = 0
        self.left_out = 0
        """Tools of the server that cannot be offered."""

    @property
    def tools(self) -> Sequence[Tool]:
        return self._tools

    async def execute(self, call: ToolCall) -> ToolOutcome:
        client = await self._session.client()
        self._running += 1
        try:
            result = await client.call_tool(
                call.tool.name, dict(call.parameters), read_timeout_seconds=call.timeout_s
            )
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - of the library, whose kinds change with its versions
            raise await self._failed(error, client) from None
        finally:
            self._running -= 1
        return outcome_of(result)

    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        del call, content_type
        raise InvalidParameters("results of MCP tools are not streamed", param="format")

    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        del call, body, size_bytes
        raise InvalidParameters("MCP tools take no body", param="body")

    async def check(self) -> Mapping[str, Any]:
        client = await self._session.client()
        await self.discover()
        info = client.server_info
        said = {"protocol": client.protocol_version, "tools": len(self._tools), "left_out": self.left_out}
        if info is not None:
            said |= {"server": str(info.name)[:100], "version": str(info.version)[:100]}
        return said

    async def discover(self) -> bool:
        async with self._looking:
            client = await self._session.client()
            try:
                async with asyncio.timeout(LOOK_TIMEOUT_S):
                    listed = await self._listed(client)
            except TimeoutError:
                await self._session.drop(client)
                raise IntegrationUnavailable("the MCP server does not list its tools in time") from None
            except InterchangeError:
                raise
            except Exception as error:  # noqa: BLE001 - as in `execute`
                raise await self._failed(error, client) from None
            changed = listed != self._tools
            if changed:
                self._tools = listed
            return changed

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures(busy=self._running)

    async def aclose(self) -> None:
        await self._session.aclose()
        await self._credential.aclose()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Any]:
        # Loaded for the first of them: the library takes a second and 30 MB.
        import httpx2
        from mcp.client.client import Client
        from mcp.client.streamable_http import streamable_http_client

        from adapters.mcp.http import TenantHttp

        way = TenantHttp(self._transport, self._origin, self._credential)
        configuration = self._configuration
        try:
            async with (
                httpx2.AsyncClient(
                    transport=way, headers=configuration.headers, timeout=None, trust_env=False
                ) as http,
                Client(
                    streamable_http_client(configuration.endpoint, http_client=http),
                    mode=configuration.protocol,
                    cache=None,
                ) as client,
            ):
                yield client
        finally:
            self._refused = way.refused

    async def _listed(self, client: Any) -> tuple[Tool, ...]:
        found: dict[str, Tool] = {}
        left_out = 0
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await client.list_tools(cursor=cursor)
            for each in page.tools:
                tool = self._offered(each)
                if tool is None:
                    left_out += 1
                elif len(found) < TOOLS_PER_INTEGRATION_MAX:
                    found.setdefault(tool.name, tool)
            cursor = page.next_cursor
            if not cursor:
                break
        else:
            raise ToolFailed(f"the MCP server lists its tools on more than {PAGES_MAX} pages")
        self.left_out = left_out
        return tuple(found[name] for name in sorted(found))

    def _offered(self, told: Any) -> Tool | None:
        """One of its tools as ours; None: it is not wanted, or cannot be offered."""
        section = self._configuration.tools
        if not TOOL_SHAPE.fullmatch(told.name) or not section.offers(told.name):
            return None
        if _deeper_than(told.input_schema, SCHEMA_DEPTH_MAX) or told.input_schema.get("type") != "object":
            return None
        override = section.overrides.get(told.name, OverrideSection())
        notes = told.annotations
        return Tool(
            name=told.name,
            description=(told.description or told.title or told.name)[:DESCRIPTION_CHARS_MAX],
            parameters=told.input_schema,
            result=_result_schema(told.output_schema),
            # Hints of a server nobody vouches for: nothing is cached or tried again because of them.
            read_only=bool(override.read_only),
            idempotent=bool(override.idempotent),
            destructive=notes is not None and notes.destructive_hint is True,
            cost_nano_usd=None if override.cost_usd is None else cost_of(override.cost_usd, "cost_usd"),
            cache_ttl_s=override.cache_ttl_s,
            timeout_s=override.timeout_s,
        )

    def _why(self, error: BaseException) -> InterchangeError:
        """What kept a connection from being made."""
        if self._refused is not None:
            refused, self._refused = self._refused, None
            return refused
        for each in _leaves(error):
            if isinstance(each, InterchangeError):
                return each
        return IntegrationUnavailable(f"the MCP server cannot be reached: {_said(error)}")

    async def _failed(self, error: Exception, client: Any) -> InterchangeError:
        code = getattr(getattr(error, "error", None), "code", None)
        if not isinstance(code, int) or code in _SESSION_GONE:
            await self._session.drop(client)
            if self._refused is not None:
                return self._why(error)
            return IntegrationUnavailable(f"the connection to the MCP server broke: {_said(error)}")
        return ToolFailed(f"the MCP server refused: {_said(error)}", details={"mcp_code": code})


def outcome_of(result: Any) -> ToolOutcome:
    """What a tool said. Raises ToolFailed for an error of its own."""
    texts = [block.text for block in result.content if getattr(block, "type", "") == "text"]
    if result.is_error:
        said = " ".join(texts)[:MESSAGE_CHARS_MAX] or "it did not say why"
        raise ToolFailed(f"the tool failed: {said}")
    value: dict[str, Any] = {}
    if isinstance(result.structured_content, dict):
        value["structured"] = result.structured_content
    if texts and not value:
        value["text"] = "\n".join(texts)
    others = [
        block.model_dump(mode="json", by_alias=True, exclude_none=True)
        for block in result.content
        if getattr(block, "type", "") != "text"
    ]
    if others:
        value["content"] = others
    return ToolOutcome(value)


def _result_schema(told: Any) -> Mapping[str, Any]:
    if not isinstance(told, dict) or _deeper_than(told, SCHEMA_DEPTH_MAX):
        return _OBJECT
    return {"type": "object", "properties": {"structured": told}}


def _deeper_than(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


def _said(error: BaseException) -> str:
    """In one line, without what could be long or secret."""
    leaf = _leaves(error)[0]
    return f"{type(leaf).__name__}: {str(leaf)[:200]}".replace("\n", " ")
