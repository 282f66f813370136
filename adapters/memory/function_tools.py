"""A connector whose tools are functions of this process: for tests, and for trying out what is around it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from application.ports.connector import (
    ByteStream,
    Connector,
    ConnectorFigures,
    ConnectorKind,
    Surroundings,
    ToolOutcome,
)
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import Tool, ToolCall
from domain.errors import InvalidConfiguration, InvalidParameters

Work = Callable[[ToolCall], Awaitable[Mapping[str, Any]]]


class MemoryStream(ByteStream):
    """Pieces that are there already."""

    def __init__(self, content_type: str, pieces: Sequence[bytes]) -> None:
        self.content_type = content_type
        self.headers = ()
        self._pieces = list(pieces)
        self.closed = False

    async def next_chunk(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def aclose(self) -> None:
        self.closed = True


class FunctionTools(Connector):
    """`works` are its tools, each with what it does."""

    def __init__(self, works: Mapping[str, tuple[Tool, Work]]) -> None:
        self._works = works
        self._tools = tuple(tool for tool, _ in works.values())
        self.calls: list[ToolCall] = []
        self.uploaded: dict[str, bytes] = {}
        self.closed = False

    @property
    def tools(self) -> Sequence[Tool]:
        return self._tools

    async def execute(self, call: ToolCall) -> ToolOutcome:
        self.calls.append(call)
        return ToolOutcome(await self._works[call.tool.name][1](call))

    async def stream(self, call: ToolCall, content_type: str) -> ByteStream:
        self.calls.append(call)
        said = await self._works[call.tool.name][1](call)
        return MemoryStream(content_type, [str(piece).encode() for piece in said.values()])

    async def upload(self, call: ToolCall, body: AsyncIterator[bytes], size_bytes: int | None) -> ToolOutcome:
        self.calls.append(call)
        content = b"".join([piece async for piece in body])
        if size_bytes is not None and len(content) != size_bytes:
            raise InvalidParameters("the body is not as long as it was said to be", param="body")
        self.uploaded[call.request_id] = content
        return ToolOutcome({"size_bytes": len(content)})

    async def check(self) -> Mapping[str, Any]:
        return {"tools": len(self._works)}

    async def discover(self) -> bool:
        return False

    def figures(self) -> ConnectorFigures:
        return ConnectorFigures()

    async def aclose(self) -> None:
        self.closed = True


class FunctionToolsKind(ConnectorKind):
    """Opens the same tools for whoever asks; the endpoint's host names them."""

    kind = IntegrationKind.API
    schemes = frozenset({"functions"})

    def __init__(self, works: Mapping[str, tuple[Tool, Work]]) -> None:
        self._works = works
        self.opened: list[FunctionTools] = []

    def validate(self, configuration: Mapping[str, Any]) -> None:
        for key in configuration:
            if key not in ("endpoint", "authentication"):
                raise InvalidConfiguration(f"{key} is unknown; allowed: endpoint, authentication", param=key)

    def secret_fields(self, configuration: Mapping[str, Any]) -> frozenset[str]:
        return frozenset({"token"}) if "token" in configuration.get("authentication", {}) else frozenset()

    def open(self, integration: Integration, surroundings: Surroundings) -> Connector:  # noqa: ARG002
        connector = FunctionTools(self._works)
        self.opened.append(connector)
        return connector
