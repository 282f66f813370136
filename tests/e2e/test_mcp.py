"""The tools of a server, to the official MCP client in both of its ways to begin."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
from dependency_injector import providers
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from adapters.memory.function_tools import FunctionToolsKind
from application.tools.kinds import ConnectorKinds
from domain.connectors.tool import Tool, ToolCall
from domain.errors import ToolRefused
from entrypoints.containers import Container
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

CONFIG = """
profile: embedded
simulator: {enabled: false}
integrations:
  shop.eu:
    type: api
    configuration: {endpoint: "functions://x", authentication: {type: none}}
  erp:
    type: api
    configuration: {endpoint: "functions://x", authentication: {type: none}}
tenants:
  globex: {}
"""
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
DOUBLED = {"type": "object", "properties": {"doubled": {"type": "integer"}}, "required": ["doubled"]}
MODES = ["legacy", "auto"]
CANCELLED: list[str] = []


async def double(call: ToolCall) -> dict[str, Any]:
    return {"doubled": call.parameters["n"] * 2}


async def refuse(call: ToolCall) -> dict[str, Any]:
    raise ToolRefused("no such table; allowed: orders")


async def hang(call: ToolCall) -> dict[str, Any]:
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        CANCELLED.append(call.request_id)
        raise
    return {}


WORKS = {
    "double": (
        Tool(name="double", description="Doubles.", parameters=NUMBER, result=DOUBLED, read_only=True),
        double,
    ),
    "refuse": (Tool(name="refuse", description="Says no.", parameters={"type": "object"}), refuse),
    "hang": (Tool(name="hang", description="Never ends.", parameters={"type": "object"}), hang),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    kinds = ConnectorKinds([FunctionToolsKind(WORKS)])
    with (
        Container.connector_kinds.override(providers.Object(kinds)),
        Stack(tmp_path_factory.mktemp("data"), CONFIG) as running,
    ):
        yield running


@asynccontextmanager
async def connected(stack: Stack, mode: str, key: str = "") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key or stack.key}", "x-interchange-agent-id": "mcp-agent"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(f"{stack.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_finds_the_tools_and_what_they_want(stack: Stack, mode: str) -> None:
    async with connected(stack, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert set(tools) == {f"{name}.{tool}" for name in ("shop.eu", "erp") for tool in WORKS}
    found = tools["shop.eu.double"]
    assert (found.input_schema, found.output_schema) == (NUMBER, DOUBLED)
    assert found.annotations is not None
    assert (found.annotations.read_only_hint, found.annotations.idempotent_hint) == (True, True)


@pytest.mark.parametrize("mode", MODES)
async def test_a_client_runs_a_tool_and_a_row_tells_of_it(stack: Stack, mode: str) -> None:
    async with connected(stack, mode) as client:
        result = await client.call_tool("shop.eu.double", {"n": 21})

    assert not result.is_error
    assert result.structured_content == {"doubled": 42}

    def row() -> Any:
        with stack.client() as api:
            listed = api.get("/api/v1/requests?agent_id=mcp-agent").json()
        return [
            each for each in listed.get("requests", listed.get("data", [])) if each["provider"] == "shop.eu"
        ]

    assert eventually(row)[0]["operation"] == "tool"


@pytest.mark.parametrize("mode", MODES)
async def test_what_was_wrong_reaches_the_model(stack: Stack, mode: str) -> None:
    async with connected(stack, mode) as client:
        refused = await client.call_tool("erp.refuse", {})
        wrong = await client.call_tool("erp.double", {"n": "x"})

    assert refused.is_error
    assert wrong.is_error
    assert "allowed: orders" in str(refused.content)
    assert "parameters.n" in str(wrong.content)


@pytest.mark.parametrize("mode", MODES)
async def test_what_does_not_exist_is_an_error(stack: Stack, mode: str) -> None:
    async with connected(stack, mode) as client:
        for name in ("erp.nothing", "nobody.double"):
            assert (await client.call_tool(name, {"n": 1})).is_error
        with pytest.raises(MCPError):
            await client.call_tool("nodots", {})


async def test_a_client_that_leaves_ends_the_call(stack: Stack) -> None:
    CANCELLED.clear()
    async with connected(stack, "auto") as client:
        calling = asyncio.create_task(client.call_tool("erp.hang", {}))
        await asyncio.sleep(0.2)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling

    assert await asyncio.to_thread(eventually, lambda: list(CANCELLED))


async def test_a_key_finds_the_integrations_it_reaches_and_no_other(stack: Stack) -> None:
    with stack.client() as api:
        narrow = api.post(
            "/api/v1/keys",
            json={"tenant_id": "default", "name": "narrow", "role": "agent", "integrations": ["erp"]},
        ).json()["key"]
        foreign = api.post(
            "/api/v1/keys", json={"tenant_id": "globex", "name": "foreign", "role": "agent"}
        ).json()["key"]
    async with connected(stack, "auto", narrow) as client:
        assert {tool.name.partition(".")[0] for tool in (await client.list_tools()).tools} == {"erp"}
        assert (await client.call_tool("shop.eu.double", {"n": 1})).is_error
    async with connected(stack, "auto", foreign) as client:
        assert (await client.list_tools()).tools == []
        assert (await client.call_tool("erp.double", {"n": 1})).is_error


def post(stack: Stack, **more: Any) -> httpx.Response:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    accepted = {"accept": "application/json, text/event-stream"}
    headers = {"authorization": f"Bearer {stack.key}", **accepted, **more.pop("headers", {})}
    return httpx.post(
        f"{stack.url}/mcp", json=more.pop("json", body), headers=headers, trust_env=False, **more
    )


def test_nobody_comes_in_without_a_key(stack: Stack) -> None:
    answer = post(stack, headers={"authorization": "Bearer nonsense"})

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="interchange"')


def test_pages_of_strangers_call_nothing(stack: Stack) -> None:
    assert post(stack, headers={"origin": "https://evil.example"}).status_code == 403
    assert post(stack, headers={"origin": stack.url}).status_code == 200


def test_there_is_no_stream_to_listen_to_and_no_session_to_end(stack: Stack) -> None:
    headers = {"authorization": f"Bearer {stack.key}", "accept": "text/event-stream"}
    for method in ("GET", "DELETE"):
        assert httpx.request(method, f"{stack.url}/mcp", headers=headers, trust_env=False).status_code == 405


@pytest.mark.parametrize(
    "body", [[], {}, {"jsonrpc": "1.0"}, "text", {"jsonrpc": "2.0", "id": 1, "method": "x"}]
)
def test_what_is_no_request_is_an_error_and_no_defect(stack: Stack, body: Any) -> None:
    answer = post(stack, json=body)

    assert answer.status_code in (200, 400, 404)
    assert "error" in answer.json()


def cancel(stack: Stack, number: object, **headers: str) -> httpx.Response:
    body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
    return post(stack, json=body, headers=headers)


def hanging(stack: Stack, number: object) -> httpx.Response:
    params = {"name": "erp.hang", "arguments": {}}
    body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    return post(stack, json=body, timeout=20)


async def test_a_message_ends_the_call_it_names_and_no_other(stack: Stack) -> None:
    CANCELLED.clear()
    async with asyncio.timeout(20):
        first = asyncio.create_task(asyncio.to_thread(hanging, stack, 7))
        other = asyncio.create_task(asyncio.to_thread(hanging, stack, "7"))
        await asyncio.sleep(0.2)
        statuses = [
            (await asyncio.to_thread(cancel, stack, number, **headers)).status_code
            for number, headers in ((8, {}), (7, {"user-agent": "another/1"}), (True, {}), ([], {}))
        ]
        untouched = not first.done() and not CANCELLED
        await asyncio.to_thread(cancel, stack, 7)
        answer = await first
        alone = len(CANCELLED)
        await asyncio.to_thread(cancel, stack, "7")
        await other

    assert untouched
    assert statuses[:2] == [202, 202]
    assert answer.json()["error"] == {"code": -32800, "message": "Request cancelled"}
    assert (alone, len(CANCELLED)) == (1, 2)


async def test_of_two_calls_that_nothing_tells_apart_none_is_ended(stack: Stack) -> None:
    CANCELLED.clear()
    async with connected(stack, "auto") as first, connected(stack, "auto") as second:
        calls = [asyncio.create_task(each.call_tool("erp.hang", {})) for each in (first, second)]
        await asyncio.sleep(0.2)
        for number in range(10):
            await asyncio.to_thread(cancel, stack, number)
        ended = list(CANCELLED)
        for each in calls:
            each.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    assert ended == []


async def test_an_official_client_of_the_handshake_ends_its_call(stack: Stack) -> None:
    CANCELLED.clear()
    async with connected(stack, "legacy") as client:
        calling = asyncio.create_task(client.call_tool("erp.hang", {}))
        await asyncio.sleep(0.2)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        assert await asyncio.to_thread(eventually, lambda: list(CANCELLED))
        assert (await client.list_tools()).tools  # the library breaks where it is closed amid an answer
