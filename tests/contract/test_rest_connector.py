"""The REST connector keeps the promises of connectors."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from application.ports.connector import Connector
from application.ports.http import HttpTransport
from contracts.ports.connector import ConnectorContract, ConnectorWorld
from domain.connectors.tool import ToolCall
from tests.faults.scripted_server import ScriptedPeer, ScriptedServer
from tests.unit.rest.world import TOKEN, call, opened

TOOLS: dict[str, Any] = {"get_thing": {"path": "/things/{id}"}, "wait": {"path": "/wait"}}
OTHER = "tok-9876543210-other"


class RestWorld(ConnectorWorld):
    secrets = (TOKEN, OTHER)

    def __init__(self) -> None:
        self.server = ScriptedServer(self._script)
        self.transports = [StreamlinedTransport(), StreamlinedTransport(allow=lambda *_: False)]
        self._begun = asyncio.Event()
        self._opened: list[Connector] = []

    async def _script(self, peer: ScriptedPeer) -> None:
        while True:
            request = await peer.request(wait_s=60)
            if request.target == "/wait":
                self._begun.set()
                await peer.gone()
                return
            if request.header("authorization") != f"Bearer {TOKEN}":
                await peer.answer(f'{{"message": "no {OTHER}"}}'.encode(), status="401 Unauthorized")
                continue
            await peer.answer(b'{"id": 1, "name": "one"}', headers="Content-Type: application/json\r\n")

    def connector(self) -> Connector:
        return self._open(self.server.port, TOKEN, self.transports[0])

    def unauthorised(self) -> Connector:
        return self._open(self.server.port, OTHER, self.transports[0])

    def unreachable(self) -> Connector:
        return self._open(1, TOKEN, self.transports[0])

    def forbidden(self) -> Connector:
        return self._open(self.server.port, TOKEN, self.transports[1])

    def good(self, connector: Connector) -> ToolCall:
        return call(connector, "get_thing", id=1)

    def endless(self, connector: Connector) -> ToolCall:
        return call(connector, "wait", timeout_s=60)

    async def begun(self) -> None:
        await self._begun.wait()

    async def idle(self) -> None:
        await self.server.left()

    def _open(self, port: int, token: str, transport: HttpTransport) -> Connector:
        configuration = {
            "endpoint": f"http://127.0.0.1:{port}",
            "authentication": {"type": "bearer"},
            "retries": {"max": 0},
            "tools": TOOLS,
        }
        connector = opened(configuration, secrets={"token": token}, transport=transport)
        self._opened.append(connector)
        return connector

    async def aclose(self) -> None:
        for connector in self._opened:
            await connector.aclose()
        for transport in self.transports:
            await transport.aclose()


class TestRestConnector(ConnectorContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[ConnectorWorld]:
        world = RestWorld()
        async with world.server:
            yield world
            await world.aclose()
