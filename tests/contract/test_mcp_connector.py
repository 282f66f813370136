"""The connector of upstream MCP servers, against a server of the official library."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from mcp_types import ListToolsResult, Tool
from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from adapters.http.transport import StreamlinedTransport
from adapters.mcp.kind import McpServers
from adapters.system.clock import SystemClock
from application.ports.connector import Connector, Surroundings
from application.ports.http import HttpRequest, HttpResponse, HttpTransport
from domain.connectors.integration import Integration, IntegrationKind
from domain.connectors.tool import ToolCall
from domain.errors import IntegrationUnavailable, InvalidConfiguration, ToolFailed
from domain.vault.secret import SecretBytes
from tests.e2e.mcp_upstream import NUMBER, Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


async def nowhere(host: str, port: int) -> list[str]:
    raise AssertionError("HTTP needs no address")


@pytest.fixture
async def transport() -> AsyncIterator[StreamlinedTransport]:
    made = StreamlinedTransport()
    yield made
    await made.aclose()


def open_connector(transport: HttpTransport, url: str, token: str = "", **more: Any) -> Connector:
    authentication = {"type": "bearer"} if token else {"type": "none"}
    integration = Integration(
        tenant_id="acme",
        integration_id="up",
        kind=IntegrationKind.MCP,
        configuration={"endpoint": url, "authentication": authentication, **more},
    )
    secrets = {"token": SecretBytes(token.encode())} if token else {}
    return McpServers(SystemClock()).open(integration, Surroundings(transport, nowhere, secrets))


def call(connector: Connector, name: str, **parameters: Any) -> ToolCall:
    (tool,) = [tool for tool in connector.tools if tool.name == name]
    return ToolCall(
        tenant_id="acme", integration_id="up", tool=tool, parameters=parameters, timeout_s=10, request_id="r"
    )


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_its_tools_are_found_and_run(
    upstream: Upstream, transport: StreamlinedTransport, protocol: str
) -> None:
    connector = open_connector(transport, upstream.url, protocol=protocol)
    try:
        said = await connector.check()
        outcome = await connector.execute(call(connector, "double", n=21))
    finally:
        await connector.aclose()

    assert (said["server"], said["tools"]) == ("upstream", 1)
    assert outcome.value == {"structured": {"doubled": 42}}


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_each_call_tells_its_own_trace_in_its_message_and_its_request(
    upstream: Upstream, transport: StreamlinedTransport, protocol: str
) -> None:
    connector = open_connector(transport, upstream.url, protocol=protocol)
    await connector.discover()
    parents = [f"00-{'a' * 32}-{number:016x}-01" for number in range(1, 9)]

    def traced(parent: str) -> ToolCall:
        return replace(
            call(connector, "double", n=1, traceparent="mine"),
            trace=(("traceparent", parent), ("tracestate", "vendor=1")),
        )

    await asyncio.gather(*(connector.execute(traced(parent)) for parent in parents))
    await connector.execute(call(connector, "double", n=1, traceparent="mine"))
    await connector.aclose()

    *those_traced, untraced = upstream.traces
    assert sorted(each["meta"] for each in those_traced) == parents
    assert all(each["header"] == each["meta"] for each in those_traced)
    assert {(each["meta_state"], each["header_state"]) for each in those_traced} == {("vendor=1", "vendor=1")}
    assert set(untraced.values()) == {""}


class Overheard(HttpTransport):
    """Notes what is sent."""

    def __init__(self, inner: HttpTransport) -> None:
        self.inner = inner
        self.sent: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return await self.inner.send(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_a_connection_made_for_an_agents_call_tells_nothing_of_the_agents_trace(
    upstream: Upstream, transport: StreamlinedTransport, protocol: str
) -> None:
    """The library of our own server holds an agent's trace around its call, as here."""
    overheard = Overheard(transport)
    connector = open_connector(overheard, upstream.url, protocol=protocol)
    agents = SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    token = attach(set_span_in_context(NonRecordingSpan(agents)))
    try:
        await connector.check()
        await connector.execute(call(connector, "double", n=1))
    finally:
        detach(token)
        await connector.aclose()

    assert len(overheard.sent) >= 3
    assert not [each for each in overheard.sent if b"traceparent" in each.body]
    assert not [each for each in overheard.sent if "traceparent" in dict(each.headers)]


async def test_many_calls_share_one_connection(upstream: Upstream, transport: StreamlinedTransport) -> None:
    connector = open_connector(transport, upstream.url)
    await connector.discover()
    outcomes = await asyncio.gather(*(connector.execute(call(connector, "double", n=n)) for n in range(20)))
    await connector.aclose()

    assert [each.value["structured"]["doubled"] for each in outcomes] == [2 * n for n in range(20)]


async def test_an_error_of_a_tool_says_what_the_tool_said(
    upstream: Upstream, transport: StreamlinedTransport
) -> None:
    upstream.tools["fail"] = Tool(name="fail", input_schema={"type": "object"})
    connector = open_connector(transport, upstream.url)
    await connector.discover()

    with pytest.raises(ToolFailed, match="no such order"):
        await connector.execute(call(connector, "fail"))
    await connector.aclose()


async def test_a_call_that_is_cancelled_ends_there_too(
    upstream: Upstream, transport: StreamlinedTransport
) -> None:
    upstream.tools["hang"] = Tool(name="hang", input_schema={"type": "object"})
    connector = open_connector(transport, upstream.url)
    await connector.discover()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await connector.execute(call(connector, "hang"))
    for _ in range(100):
        if upstream.cancelled:
            break
        await asyncio.sleep(0.02)
    fine = await connector.execute(call(connector, "double", n=1))
    await connector.aclose()

    assert upstream.cancelled == 1
    assert fine.value == {"structured": {"doubled": 2}}


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_a_wrong_credential_is_told_without_it(transport: StreamlinedTransport, protocol: str) -> None:
    with Upstream(token="right") as upstream:
        connector = open_connector(transport, upstream.url, token="wr0ng-secret", protocol=protocol)
        with pytest.raises(IntegrationUnavailable) as refused:
            await connector.check()
        await connector.aclose()
        good = open_connector(transport, upstream.url, token="right", protocol=protocol)
        assert (await good.check())["tools"] == 1
        await good.aclose()

    assert "wr0ng" not in refused.value.message


async def test_what_is_not_there_is_unavailable_and_comes_back(transport: StreamlinedTransport) -> None:
    connector = open_connector(transport, "http://127.0.0.1:1/mcp")
    with pytest.raises(IntegrationUnavailable):
        await connector.discover()
    await connector.aclose()
    await connector.aclose()


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_after_a_restart_of_its_server_the_next_call_works(
    transport: StreamlinedTransport, protocol: str
) -> None:
    with Upstream() as first:
        connector = open_connector(transport, first.url, protocol=protocol)
        await connector.discover()
        double = call(connector, "double", n=2)
    with pytest.raises(IntegrationUnavailable):
        await connector.execute(double)
    with Upstream(port=first.port) as second:
        outcome = await connector.execute(double)
        await connector.discover()
    await connector.aclose()

    assert outcome.value == {"structured": {"doubled": 4}}
    assert len(second.calls) == 1


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_what_a_server_forgot_between_two_calls_is_begun_again(
    transport: StreamlinedTransport, protocol: str
) -> None:
    with Upstream() as first:
        connector = open_connector(transport, first.url, protocol=protocol)
        await connector.discover()
        double = call(connector, "double", n=2)  # may not be done twice, and was not done at all
    with Upstream(port=first.port) as second:
        outcome = await connector.execute(double)
    await connector.aclose()

    assert outcome.value == {"structured": {"doubled": 4}}
    assert len(second.calls) == 1


@pytest.mark.parametrize("protocol", ["auto", "legacy"])
async def test_a_list_is_asked_for_again_on_another_connection(
    transport: StreamlinedTransport, protocol: str
) -> None:
    with Upstream() as first:
        connector = open_connector(transport, first.url, protocol=protocol)
        await connector.discover()
    with Upstream(port=first.port) as second:
        second.tools["half"] = Tool(name="half", input_schema=NUMBER)
        changed = await connector.discover()
    await connector.aclose()

    assert changed
    assert [tool.name for tool in connector.tools] == ["double", "half"]


async def test_names_and_schemas_nobody_can_use_are_left_out(
    upstream: Upstream, transport: StreamlinedTransport
) -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(60):
        deep = {"type": "object", "properties": {"a": deep}}
    for name, schema in (("a b", NUMBER), ("deep", deep), ("x" * 65, NUMBER), ("other", NUMBER)):
        upstream.tools[name] = Tool(name=name, input_schema=schema)
    connector = open_connector(transport, upstream.url, tools={"deny": ["oth*"]})
    await connector.discover()
    names = [tool.name for tool in connector.tools]
    await connector.aclose()

    assert names == ["double"]


async def test_a_list_without_end_is_given_up(upstream: Upstream, transport: StreamlinedTransport) -> None:
    upstream.page = lambda cursor: ListToolsResult(tools=[], next_cursor=f"{cursor}x"[-20:])
    connector = open_connector(transport, upstream.url)

    with pytest.raises(ToolFailed, match="pages"):
        await connector.discover()
    await connector.aclose()


async def test_hints_of_a_server_do_not_make_a_tool_harmless(
    upstream: Upstream, transport: StreamlinedTransport
) -> None:
    from mcp_types import ToolAnnotations

    upstream.tools["double"] = Tool(
        name="double",
        input_schema=NUMBER,
        annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, destructive_hint=False),
    )
    plain = open_connector(transport, upstream.url)
    known = open_connector(
        transport, upstream.url, tools={"overrides": {"double": {"read_only": True, "cost_usd": 0.5}}}
    )
    await asyncio.gather(plain.discover(), known.discover())
    said = [(tool.read_only, tool.cost_nano_usd) for each in (plain, known) for tool in each.tools]
    await asyncio.gather(plain.aclose(), known.aclose())

    assert said == [(False, None), (True, 500_000_000)]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"endpoint": "stdio://sh"}, "endpoint"),
        ({"surprise": 1}, "surprise"),
        ({"tools": {"allow": ["a*b"]}}, "tools.allow"),
        ({"authentication": {"type": "spell"}}, "authentication"),
        ({"headers": {"host": "x"}}, "headers"),
    ],
)
def test_mistakes_in_a_configuration_are_named(more: dict[str, Any], param: str) -> None:
    configuration = {"endpoint": "https://x.example/mcp", "authentication": {"type": "none"}, **more}

    with pytest.raises(InvalidConfiguration) as refused:
        McpServers(SystemClock()).validate(configuration)
    assert (refused.value.param or "").startswith(param)
