"""An upstream MCP server as an integration: its tools are ours, under the same rules."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar

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

if TYPE_CHECKING:
    from adapters.mcp.http import TenantHttp

log = logging.getLogger("interchange")

PAGES_MAX: Final = 50
LOOK_TIMEOUT_S: Final = 20.0
DESCRIPTION_CHARS_MAX: Final = 4096
SCHEMA_DEPTH_MAX: Final = 32
MESSAGE_CHARS_MAX: Final = 500
_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_CLOSED: Final = -32000
"""What the library says of a connection that broke."""
_LATE: Final = -32001
"""What the library says when its own time is up, and some servers of a session they do not know."""
_LATER_S: Final = 5.0
"""Whoever waits for a call ends it when its time is up; the library's own time comes after that."""


_INVALID_REQUEST: Final = -32600
"""What the library makes of a 404 without words, which is how servers say that they do not know a session."""

T = TypeVar("T")


class Again(Enum):
    """Whether a call that failed may be made on another connection."""

    NEVER = "never"
    REPEATABLE = "repeatable"
    """Nobody knows whether it was done."""
    ALWAYS = "always"
    """It was not done."""


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
        self._way: TenantHttp | None = None
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
        async def called(client: Any) -> Any:
            return await client.call_tool(
                call.tool.name,
                dict(call.parameters),
                read_timeout_seconds=call.timeout_s + _LATER_S,
                # Also a header of the request (`TenantHttp`), for servers that only know those.
                meta=dict(call.trace) or None,
            )

        self._running += 1
        try:
            result = await self._connected(called, repeatable=call.tool.repeatable)
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
        await self.discover()
        with _outside_of_traces():
            client = await self._session.client()
        info = client.server_info
        said = {"protocol": client.protocol_version, "tools": len(self._tools), "left_out": self.left_out}
        if info is not None:
            said |= {"server": str(info.name)[:100], "version": str(info.version)[:100]}
        return said

    async def discover(self) -> bool:
        async with self._looking:
            listed = await self._connected(self._listed_in_time, repeatable=True)
            changed = listed != self._tools
            if changed:
                self._tools = listed
            return changed

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures(busy=self._running)

    async def aclose(self) -> None:
        await self._session.aclose()
        await self._credential.aclose()

    async def _connected(self, work: Callable[[Any], Awaitable[T]], *, repeatable: bool) -> T:
        """Done on the connection there is, and once more on another one where that was of no use any more:
        always what its server did not do, and what is unknown only where it may be done twice."""
        with _outside_of_traces():
            return await self._done(work, repeatable=repeatable)

    async def _done(self, work: Callable[[Any], Awaitable[T]], *, repeatable: bool) -> T:
        client = await self._session.client()
        try:
            return await work(client)
        except (asyncio.CancelledError, InterchangeError):
            raise
        except Exception as error:  # noqa: BLE001 - of the library, whose kinds change with its versions
            first, again = await self._failed(error, client)
        if not (again is Again.ALWAYS or (again is Again.REPEATABLE and repeatable)):
            raise first
        client = await self._session.client()
        try:
            return await work(client)
        except (asyncio.CancelledError, InterchangeError):
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise (await self._failed(error, client))[0] from None

    async def _listed_in_time(self, client: Any) -> tuple[Tool, ...]:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                return await self._listed(client)
        except TimeoutError:
            await self._session.drop(client)
            raise IntegrationUnavailable("the MCP server does not list its tools in time") from None

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Any]:
        # Loaded for the first of them: the library takes a second and 30 MB.
        import httpx2
        from mcp.client.client import Client
        from mcp.client.streamable_http import streamable_http_client

        from adapters.mcp.http import TenantHttp

        way = self._way = TenantHttp(self._transport, self._origin, self._credential)
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
                # The library holds results against schemas of the server itself, with Python's own regular
                # expressions and on our loop: one of those can be written so that it never ends.
                client.session.validate_tool_result = _taken_as_it_is  # type: ignore[method-assign,assignment]
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
                if tool is None or tool.name in found or len(found) >= TOOLS_PER_INTEGRATION_MAX:
                    left_out += 1
                else:
                    found[tool.name] = tool
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

    async def _failed(self, error: Exception, client: Any) -> tuple[InterchangeError, Again]:
        code = getattr(getattr(error, "error", None), "code", None)
        if isinstance(error, RuntimeError | ValueError):
            # Its words, not its connection: results that are not what its own schema says, and the like.
            return ToolFailed(f"the MCP server said what nobody can use: {_said(error)}"), Again.NEVER
        forgotten = code in (_INVALID_REQUEST, _LATE) and self._way is not None and self._way.forgotten
        if forgotten or not isinstance(code, int) or code == _CLOSED:
            await self._session.drop(client)
            if self._refused is not None:
                return self._why(error), Again.NEVER
            broken = IntegrationUnavailable(f"the connection to the MCP server broke: {_said(error)}")
            return broken, Again.ALWAYS if forgotten else Again.REPEATABLE
        refused = ToolFailed(f"the MCP server refused: {_said(error)}", details={"mcp_code": code})
        return refused, Again.NEVER


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


@contextmanager
def _outside_of_traces() -> Iterator[None]:
    """The library tells servers the trace it finds around a call: where an agent called us by the same
    library, that is the agent's. What they are told is for us to decide. A connection that is made meanwhile
    keeps the trace it began with, so it begins with none."""
    from opentelemetry.context import Context, attach, detach

    token = attach(Context())
    try:
        yield
    finally:
        detach(token)


async def _taken_as_it_is(_name: str, _result: Any) -> None:
    return None


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
