"""Upstream MCP servers that do what no server should: clear errors, in time, and nothing else is harmed."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.mcp import connector as connector_module
from adapters.mcp import http as http_module
from application.ports.connector import Connector
from domain.connectors.tool import TOOLS_PER_INTEGRATION_MAX, Tool, ToolCall
from domain.errors import IntegrationUnavailable, InterchangeError, ToolFailed
from tests.contract.test_mcp_connector import open_connector
from tests.faults.scripted_server import ScriptedPeer, ScriptedServer

ANSWERS_MAX = 64 * 1024
METADATA = "http://169.254.169.254/latest/meta-data/"
Reply = Callable[[ScriptedPeer, Any], Awaitable[None]]


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector_module, "LOOK_TIMEOUT_S", 0.6)
    monkeypatch.setattr(http_module, "ANSWER_BYTES_MAX", ANSWERS_MAX)


@pytest.fixture
async def transport() -> AsyncIterator[StreamlinedTransport]:
    made = StreamlinedTransport()
    yield made
    await made.aclose()


def answer_of(request_id: object, **result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}).encode()


class Hostile:
    """Shakes hands as it should, and is itself to the method it is made for."""

    def __init__(self, method: str, reply: Reply) -> None:
        self.method = method
        self.reply = reply
        self.asked: list[str] = []
        self.server = ScriptedServer(self._script)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}/mcp"

    async def _script(self, peer: ScriptedPeer) -> None:
        while True:
            request = await peer.request(wait_s=60)
            self.asked.append(f"{request.method} {request.target}")
            if request.method != "POST":
                await peer.answer(status="405 No")
                continue
            message = json.loads(request.body)
            if "id" not in message:
                await peer.answer(status="202 Accepted")
                continue
            if message["method"] == self.method:
                await self.reply(peer, message["id"])
                continue
            await peer.answer(self._usual(message), headers="Content-Type: application/json\r\n")

    def _usual(self, message: dict[str, Any]) -> bytes:
        if message["method"] == "initialize":
            version = message["params"]["protocolVersion"]
            info = {"name": "hostile", "version": "1"}
            return answer_of(
                message["id"], protocolVersion=version, capabilities={"tools": {}}, serverInfo=info
            )
        return answer_of(message["id"], tools=[{"name": "t", "inputSchema": {"type": "object"}}])


async def event_stream(peer: ScriptedPeer) -> None:
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    await peer.send(head.encode())


async def endless_notices(peer: ScriptedPeer, _request_id: object) -> None:
    await event_stream(peer)
    notice = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    while True:
        await peer.send(f"data: {json.dumps(notice)}\n\n".encode())
        await asyncio.sleep(0.01)


async def endless_line(peer: ScriptedPeer, _request_id: object) -> None:
    await event_stream(peer)
    while True:
        await peer.send(b"x" * 4096)


async def huge(peer: ScriptedPeer, request_id: object) -> None:
    body = answer_of(request_id, tools=[], content=[], filler="x" * (2 * ANSWERS_MAX))
    await peer.answer(body, headers="Content-Type: application/json\r\n")


async def another_id(peer: ScriptedPeer, _request_id: object) -> None:
    await peer.answer(answer_of(999_999, tools=[]), headers="Content-Type: application/json\r\n")


async def deep(peer: ScriptedPeer, _request_id: object) -> None:
    await peer.answer(b"[" * 30_000, headers="Content-Type: application/json\r\n")


async def deep_result(peer: ScriptedPeer, request_id: object) -> None:
    nested = b'{"a":' * 10_000 + b"1" + b"}" * 10_000
    body = b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (json.dumps(request_id).encode(), nested)
    await peer.answer(body, headers="Content-Type: application/json\r\n")


async def silent(peer: ScriptedPeer, _request_id: object) -> None:
    await peer.gone(wait_s=30)


async def redirected(peer: ScriptedPeer, _request_id: object) -> None:
    await peer.answer(status="307 Go", headers=f"Location: {METADATA}\r\n")


async def hung_up(peer: ScriptedPeer, _request_id: object) -> None:
    await event_stream(peer)
    await peer.send(b"id: 1\nretry: 0\ndata: \n\n")
    peer.close()


async def a_page(peer: ScriptedPeer, _request_id: object) -> None:
    await peer.answer(b"<html>sign in</html>", headers="Content-Type: text/html\r\n")


async def broken(peer: ScriptedPeer, _request_id: object) -> None:
    await peer.answer(b"{}", status="500 Oops", headers="Content-Type: application/json\r\n")


HOSTILE = [
    *(endless_notices, endless_line, huge, another_id, deep, deep_result, silent, redirected, hung_up),
    *(a_page, broken),
]


def call(name: str = "t") -> ToolCall:
    tool = Tool(name=name, description=name, parameters={"type": "object"})
    return ToolCall(
        tenant_id="acme", integration_id="up", tool=tool, parameters={}, timeout_s=10, request_id="r"
    )


async def bounded(work: Awaitable[object]) -> InterchangeError | None:
    """As whoever calls waits: an error of ours, or given up when its time is over."""
    try:
        async with asyncio.timeout(1.0):
            await work
    except InterchangeError as error:
        return error
    except TimeoutError:
        return None
    raise AssertionError("it was taken for an answer")


@pytest.mark.parametrize("reply", HOSTILE, ids=lambda reply: reply.__name__)
async def test_a_list_that_is_none_ends_in_an_error_in_time(
    transport: StreamlinedTransport, reply: Reply
) -> None:
    hostile = Hostile("tools/list", reply)
    async with hostile.server, asyncio.timeout(15):
        connector = open_connector(transport, hostile.url, protocol="legacy")
        with pytest.raises((IntegrationUnavailable, ToolFailed)) as refused:
            await connector.discover()
        await connector.aclose()

    assert len(refused.value.message) < 600
    assert connector.tools == ()
    assert {each.partition(" ")[2] for each in hostile.asked} == {"/mcp"}


@pytest.mark.parametrize("reply", HOSTILE, ids=lambda reply: reply.__name__)
async def test_a_call_answered_with_nonsense_harms_no_other_server(
    transport: StreamlinedTransport, reply: Reply
) -> None:
    hostile, fine = Hostile("tools/call", reply), Hostile("nothing", silent)
    async with hostile.server, fine.server, asyncio.timeout(20):
        bad = open_connector(transport, hostile.url, protocol="legacy")
        good = open_connector(transport, fine.url, protocol="legacy")
        calls = [asyncio.create_task(bounded(bad.execute(call()))) for _ in range(3)]
        await good.discover()
        errors = await asyncio.gather(*calls)
        await asyncio.gather(bad.aclose(), good.aclose())

    assert [tool.name for tool in good.tools] == ["t"]
    assert all(error is None or len(error.message) < 600 for error in errors)
    assert bad.figures().busy == 0


@pytest.mark.parametrize("reply", HOSTILE, ids=lambda reply: reply.__name__)
async def test_a_handshake_that_is_none_ends_in_an_error(
    transport: StreamlinedTransport, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters.mcp import session as session_module

    monkeypatch.setattr(session_module, "CONNECT_TIMEOUT_S", 0.6)
    hostile = Hostile("initialize", reply)
    async with hostile.server, asyncio.timeout(15):
        connector = open_connector(transport, hostile.url, protocol="legacy")
        with pytest.raises((IntegrationUnavailable, ToolFailed)):
            await connector.check()
        await connector.aclose()


async def test_of_a_thousand_tools_some_are_left_out_and_counted(transport: StreamlinedTransport) -> None:
    async def many(peer: ScriptedPeer, request_id: object) -> None:
        tools = [{"name": f"t{number}", "inputSchema": {"type": "object"}} for number in range(1000)]
        await peer.answer(answer_of(request_id, tools=tools), headers="Content-Type: application/json\r\n")

    hostile = Hostile("tools/list", many)
    async with hostile.server, asyncio.timeout(15):
        connector: Connector = open_connector(transport, hostile.url, protocol="legacy")
        said = await connector.check()
        await connector.aclose()

    assert len(connector.tools) == TOOLS_PER_INTEGRATION_MAX
    assert said["left_out"] == 1000 - TOOLS_PER_INTEGRATION_MAX


async def test_a_schema_of_a_server_is_not_run_on_its_results(transport: StreamlinedTransport) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    tool = {"name": "t", "inputSchema": {"type": "object"}, "outputSchema": schema}

    async def listed(peer: ScriptedPeer, request_id: object) -> None:
        await peer.answer(answer_of(request_id, tools=[tool]), headers="Content-Type: application/json\r\n")

    hostile = Hostile("tools/list", listed)
    hostile._usual = _endless_to_match(hostile._usual)  # type: ignore[method-assign,assignment]
    async with hostile.server, asyncio.timeout(15):
        connector = open_connector(transport, hostile.url, protocol="legacy")
        await connector.discover()
        outcome = await connector.execute(call())
        await connector.aclose()

    assert outcome.value["structured"]["a"].endswith("b")


def _endless_to_match(usual: Callable[[dict[str, Any]], bytes]) -> Callable[[dict[str, Any]], bytes]:
    def said(message: dict[str, Any]) -> bytes:
        if message["method"] != "tools/call":
            return usual(message)
        return answer_of(message["id"], content=[], structuredContent={"a": "a" * 40 + "b"})

    return said
