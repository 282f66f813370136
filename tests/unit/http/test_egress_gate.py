"""The gate as both transports ask it: names that change where they lead, odd spellings, proxies."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.http.aiohttp_transport import AiohttpTransport
from adapters.http.egress import OUTSIDE, PROVIDERS, PURPOSES, EgressGate
from adapters.http.proxy import OutboundProxy, proxy_of
from adapters.http.transport import StreamlinedTransport
from adapters.pricing.feed_sources import FeedUrl
from application.outside import Outside, refused
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from domain.egress.entries import parse_entries
from domain.egress.policy import EgressPolicy
from domain.errors import EgressRefused
from entrypoints.outgoing import reached_directly
from tests.faults.scripted_server import ScriptedServer

Open = Callable[..., Any]


@pytest.fixture(params=[StreamlinedTransport, AiohttpTransport])
async def open_transport(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    opened: list[HttpTransport] = []

    def make(gate: EgressGate, purpose: str = OUTSIDE, **more: Any) -> HttpTransport:
        opened.append(request.param(allow=gate.rule(purpose), **more))
        return opened[-1]

    yield make
    for transport in opened:
        await transport.aclose()


async def answer(peer: Any) -> None:
    while await peer.request():
        await peer.send(
            b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/x\r\ncontent-length: 2\r\n\r\nok"
        )


def get(host: str, port: int) -> HttpRequest:
    return HttpRequest("GET", Endpoint("http", host, port), "/", (), total_timeout_s=5.0)


async def status(transport: HttpTransport, host: str, port: int) -> int:
    response = await transport.send(get(host, port))
    try:
        await response.read()
        return response.status
    finally:
        response.close()


async def stage(transport: HttpTransport, host: str, port: int = 80) -> TransportStage:
    with pytest.raises(TransportFailed) as failed:
        await transport.send(get(host, port))
    return failed.value.stage


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "127.1", "0177.0.0.1", "0x7f000001", "2130706433", "::1", "::",
     "0.0.0.0", "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "169.254.169.254",
     "fe80::1%lo", "fe80::1", "[::1]", "user@127.0.0.1", "127.0.0.1#@a.example", "127\u30020\u30020\u30021",
     "\u2460\u2461\u2466.0.0.1", "127.0.0.1\r\nx: y", "a b", ""],
)  # fmt: skip
async def test_no_spelling_of_an_inner_address_gets_through(open_transport: Open, host: str) -> None:
    assert await stage(open_transport(EgressGate()), host) is TransportStage.REFUSED


async def test_a_name_that_changes_where_it_leads_gains_nothing(
    open_transport: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedServer(answer) as server:
        turns = iter(["10.255.255.1", "127.0.0.1", "169.254.169.254", "127.0.0.1"])

        def flipping(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(turns), port))]

        monkeypatch.setattr(socket, "getaddrinfo", flipping)
        gate = EgressGate(EgressPolicy(allow=parse_entries(("127.0.0.1",))))
        transport = open_transport(gate)
        port = server.endpoint.port

        assert await stage(transport, "flip.example", port) is TransportStage.REFUSED
        assert await status(transport, "flip.example", port) == 302
        gate.use_policy(EgressPolicy())
        if isinstance(transport, StreamlinedTransport):
            transport.dial_anew()
            assert await stage(transport, "flip.example", port) is TransportStage.REFUSED
            assert await stage(transport, "flip.example", port) is TransportStage.REFUSED
        assert server.connections == 1


async def test_a_redirect_is_an_answer_and_nothing_more(open_transport: Open) -> None:
    gate = EgressGate(EgressPolicy(allow=parse_entries(("127.0.0.1",))))
    async with ScriptedServer(answer) as server:
        assert await status(open_transport(gate), "127.0.0.1", server.endpoint.port) == 302
    assert gate.refusals == dict.fromkeys(PURPOSES, 0)


async def test_providers_are_reached_exactly_where_they_were_configured(open_transport: Open) -> None:
    async with ScriptedServer(answer) as server, ScriptedServer(answer) as other:
        gate = EgressGate()
        gate.use_endpoints([("127.0.0.1", server.endpoint.port)])
        providers, outside = open_transport(gate, PROVIDERS), open_transport(gate, OUTSIDE)

        assert await status(providers, "127.0.0.1", server.endpoint.port) == 302
        assert await stage(providers, "127.0.0.1", other.endpoint.port) is TransportStage.REFUSED
        assert await stage(outside, "127.0.0.1", server.endpoint.port) is TransportStage.REFUSED
        assert other.connections == 0
        assert gate.refusals == dict.fromkeys(PURPOSES, 0) | {PROVIDERS: 1, OUTSIDE: 1}


async def test_a_connection_that_was_allowed_serves_no_request_once_it_is_not() -> None:
    allowed = EgressPolicy(allow=parse_entries(("127.0.0.1",)))
    gate = EgressGate(allowed)
    transport = StreamlinedTransport(allow=gate.rule(OUTSIDE))
    gate.on_policy(transport.dial_anew)
    async with ScriptedServer(answer) as server:
        port = server.endpoint.port
        assert await status(transport, "127.0.0.1", port) == 302
        running = await transport.send(get("127.0.0.1", port))
        gate.use_policy(EgressPolicy())

        assert await running.read() == b"ok"
        running.close()
        assert await stage(transport, "127.0.0.1", port) is TransportStage.REFUSED
        gate.use_policy(allowed)
        assert await status(transport, "127.0.0.1", port) == 302
        assert server.connections == 2
    await transport.aclose()
    assert transport.stats == (0, 0, 0)


async def test_a_tenants_list_is_asked_for_each_request(open_transport: Open) -> None:
    lists: dict[str, tuple[str, ...]] = {"a": ("127.0.0.1",), "b": ("elsewhere.example",)}
    gate = EgressGate(EgressPolicy(allow=parse_entries(("127.0.0.1",))))
    outside = Outside(open_transport(gate), lambda tenant_id: lists.get(tenant_id, ()))
    async with ScriptedServer(answer) as server:
        port = server.endpoint.port
        assert await status(outside.of_tenant("a"), "127.0.0.1", port) == 302
        assert await stage(outside.of_tenant("b"), "127.0.0.1", port) is TransportStage.REFUSED
        assert await status(outside.of_tenant("c"), "127.0.0.1", port) == 302
        lists["a"] = ("elsewhere.example",)
        assert await stage(outside.of_tenant("a"), "127.0.0.1", port) is TransportStage.REFUSED


async def test_a_feed_that_leads_inside_is_refused_with_its_host_alone(open_transport: Open) -> None:
    from datetime import date

    feed = FeedUrl(
        "http://127.0.0.1:9/x?token=s3cret",
        open_transport(EgressGate()),
        feed_format="litellm",
        on=date(2030, 1, 1),
    )
    with pytest.raises(EgressRefused) as failed:
        await feed.load()
    assert "127.0.0.1:9" in failed.value.message
    assert "s3cret" not in failed.value.message
    assert failed.value.code == refused(Endpoint("http", "a", 1)).code == "egress_refused"


async def test_this_machine_is_reached_without_the_proxy(open_transport: Open) -> None:
    async with ScriptedServer(answer) as proxy, ScriptedServer(answer) as server:
        direct = reached_directly(parse_entries(("near.example",)))
        setting = OutboundProxy(host="127.0.0.1", port=proxy.endpoint.port, direct=direct)
        gate = EgressGate()
        gate.use_endpoints([("127.0.0.1", server.endpoint.port)])
        transport = open_transport(gate, PROVIDERS, proxy=setting)

        assert await status(transport, "127.0.0.1", server.endpoint.port) == 302
        assert (proxy.connections, server.connections) == (0, 1)
        assert await status(transport, "far.example.com", 80) == 302
        assert (proxy.connections, server.connections) == (1, 1)
        for host in ("metadata.google.internal", "db", "10.0.0.1", "0x7f.1"):
            assert await stage(transport, host) is TransportStage.REFUSED
        assert direct("near.example", 443)
        assert not direct("far.example.com", 443)


@pytest.mark.parametrize(
    "url", ["https://p:1", "http://p", "http://p:x", "p:1", "http://p:1/x", "socks5://p:1"]
)
def test_a_proxys_address_is_read_whole_or_not_at_all(url: str) -> None:
    with pytest.raises(ValueError, match="must be http://"):
        proxy_of(url)


def test_a_proxys_credentials_are_sent_and_never_shown() -> None:
    proxy = proxy_of("http://user:p%40ss@proxy.example:3128")

    assert proxy.authorization == "Basic dXNlcjpwQHNz"
    assert "p%40ss" not in repr(proxy)
    assert "dXNlcjpwQHNz" not in repr(proxy)


async def test_nothing_is_connected_to_while_the_gate_is_asked() -> None:
    transport = StreamlinedTransport(allow=EgressGate().rule(OUTSIDE))
    failures = await asyncio.gather(*(stage(transport, "127.0.0.1", port) for port in range(9000, 9020)))
    assert set(failures) == {TransportStage.REFUSED}
    assert transport.stats == (0, 0, 0)
    await transport.aclose()
