"""Binds the connector of upstream MCP servers to what every connector promises."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp_types import Tool as ServersTool

from adapters.http.transport import StreamlinedTransport
from application.ports.connector import Connector
from application.ports.http import HttpTransport
from contracts.ports.connector import ConnectorContract, ConnectorWorld
from domain.connectors.tool import Tool, ToolCall
from tests.contract.test_mcp_connector import open_connector
from tests.e2e.mcp_upstream import NUMBER, Upstream
from tests.e2e.three_wires import eventually

TOKEN = "t0ken-of-the-server"
OTHER = "t0ken-of-nobody"


class McpWorld(ConnectorWorld):
    secrets = (TOKEN, OTHER)

    def __init__(self, upstream: Upstream, protocol: str) -> None:
        self.upstream = upstream
        self.protocol = protocol
        self.transports = [StreamlinedTransport(), StreamlinedTransport(allow=lambda *_: False)]
        self._opened: list[Connector] = []

    async def begin(self) -> None:
        """Opens the one whose tools are known."""
        self.known = self._open(self.upstream.url, TOKEN, self.transports[0])
        await self.known.discover()

    def connector(self) -> Connector:
        return self.known

    def unauthorised(self) -> Connector:
        return self._open(self.upstream.url, OTHER, self.transports[0])

    def unreachable(self) -> Connector:
        return self._open("http://127.0.0.1:1/mcp", TOKEN, self.transports[0])

    def forbidden(self) -> Connector:
        return self._open(self.upstream.url, TOKEN, self.transports[1])

    def good(self, connector: Connector) -> ToolCall:
        return _call("double", {"n": 2})

    def endless(self, connector: Connector) -> ToolCall:
        return _call("hang", {})

    async def begun(self) -> None:
        await asyncio.to_thread(eventually, lambda: self.upstream.begun)

    async def idle(self) -> None:
        await asyncio.to_thread(eventually, lambda: self.upstream.cancelled == self.upstream.begun)

    def _open(self, url: str, token: str, transport: HttpTransport) -> Connector:
        connector = open_connector(transport, url, token, protocol=self.protocol)
        self._opened.append(connector)
        return connector

    async def aclose(self) -> None:
        for connector in self._opened:
            await connector.aclose()
        for transport in self.transports:
            await transport.aclose()


def _call(name: str, parameters: dict[str, Any]) -> ToolCall:
    tool = Tool(name=name, description=name, parameters=NUMBER)
    return ToolCall(
        tenant_id="acme", integration_id="up", tool=tool, parameters=parameters, timeout_s=60, request_id="r"
    )


async def _world(protocol: str) -> AsyncIterator[ConnectorWorld]:
    with Upstream(token=TOKEN) as upstream:
        upstream.tools["hang"] = ServersTool(name="hang", input_schema={"type": "object"})
        world = McpWorld(upstream, protocol)
        await world.begin()
        yield world
        await world.aclose()


class TestMcpConnector(ConnectorContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ConnectorWorld]:
        async for world in _world("auto"):
            yield world


class TestMcpConnectorOfHandshakes(ConnectorContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ConnectorWorld]:
        async for world in _world("legacy"):
            yield world
