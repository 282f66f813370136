"""Where an `HttpTransport` may go and whom it believes: egress rule, TLS, outbound proxy.

Further holes: `open_transport` makes a transport from keyword arguments (`tls`, `allow`, `proxy`,
`limits`) and closes it after the test; `authority` issues certificates.
"""

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from application.ports.http import Endpoint, HttpTransport, TransportStage
from contracts.ports._base import PortContract
from contracts.ports.http import HttpHoles, Peer, Serve, chunks_of, echo, failure_of, fetch, get, post


class Authority(Protocol):
    """A certificate authority of the test's own."""

    @abstractmethod
    def server(self, host: str) -> ssl.SSLContext:
        """A server context with a certificate for `host`."""
        ...

    @abstractmethod
    def client(self) -> ssl.SSLContext:
        """A client context that trusts this authority and demands TLS 1.3."""
        ...


OpenTransport = Callable[..., HttpTransport]
OpenProxy = Callable[..., Any]


class HttpReachContract(HttpHoles, PortContract):
    """Every refusal here happens before a byte of the request leaves."""

    @pytest.fixture
    def open_transport(self) -> OpenTransport:
        raise NotImplementedError

    @pytest.fixture
    def open_proxy(self) -> OpenProxy:
        """The adapter's proxy setting from host, port and authorization."""
        raise NotImplementedError

    @pytest.fixture
    def authority(self) -> Authority:
        raise NotImplementedError

    @pytest.mark.parametrize("call", [fetch, chunks_of])
    async def test_tls_with_a_certificate_for_the_host_works_and_is_reused(
        self, open_transport: OpenTransport, serve: Serve, authority: Authority, call: Any
    ) -> None:
        context = authority.client()
        transport = open_transport(tls=lambda _: context)
        body = b"secret" * 100_000
        async with serve(echo, tls=authority.server("localhost")) as server:
            endpoint = Endpoint("https", "localhost", server.endpoint.port)
            for _ in range(2):
                assert await call(transport, post(endpoint, body)) == body
            assert server.connections == 1
            assert server.requests[0].header("host") == f"localhost:{endpoint.port}"

    @pytest.mark.parametrize("flaw", ["wrong host", "unknown authority", "old version", "no TLS"])
    async def test_a_peer_that_cannot_prove_itself_gets_nothing(
        self, open_transport: OpenTransport, serve: Serve, authority: Authority, flaw: str
    ) -> None:
        context = authority.client()
        if flaw == "unknown authority":
            context = ssl.create_default_context()
        served = (
            None
            if flaw == "no TLS"
            else authority.server("elsewhere.test" if flaw == "wrong host" else "localhost")
        )
        if served is not None and flaw == "old version":
            served.maximum_version = ssl.TLSVersion.TLSv1_2
        transport = open_transport(tls=lambda _: context)

        async def script(peer: Peer) -> None:
            await peer.answer(status="400 Bad Request")
            await peer.gone()

        async with serve(script, tls=served) as server:
            endpoint = Endpoint("https", "localhost", server.endpoint.port)
            failure = await failure_of(transport.send(post(endpoint)))
            assert failure.stage is TransportStage.CONNECT
            assert server.requests == []

    @pytest.mark.parametrize(
        "cut", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
    )
    async def test_a_body_cut_inside_tls_is_a_body_failure(
        self, open_transport: OpenTransport, serve: Serve, authority: Authority, cut: bytes
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\n" + cut)

        context = authority.client()
        transport = open_transport(tls=lambda _: context)
        async with serve(script, tls=authority.server("127.0.0.1")) as server:
            failure = await failure_of(fetch(transport, post(server.endpoint)))
            assert failure.stage is TransportStage.BODY

    async def test_cancelling_inside_tls_reaches_the_peer(
        self, open_transport: OpenTransport, serve: Serve, authority: Authority
    ) -> None:
        asked = asyncio.Event()

        async def script(peer: Peer) -> None:
            await peer.request()
            asked.set()
            await peer.gone()

        context = authority.client()
        transport = open_transport(tls=lambda _: context)
        async with serve(script, tls=authority.server("127.0.0.1")) as server:
            task = asyncio.create_task(transport.send(post(server.endpoint)))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.left()

    async def test_a_tls_handshake_that_stalls_is_a_connect_failure_and_hangs_up(
        self, open_transport: OpenTransport, serve: Serve
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.gone()

        transport = open_transport()
        async with serve(script) as server:
            endpoint = Endpoint("https", "127.0.0.1", server.endpoint.port)
            failure = await failure_of(transport.send(post(endpoint, connect_timeout_s=0.05)))
            assert failure.stage is TransportStage.CONNECT
            await server.left()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "::1"])
    async def test_the_egress_rule_is_asked_about_names_and_addresses_alike(
        self, open_transport: OpenTransport, serve: Serve, host: str
    ) -> None:
        asked: list[tuple[str, str, int]] = []

        def nowhere(name: str, ip: str, port: int) -> bool:
            asked.append((name, ip, port))
            return False

        transport = open_transport(allow=nowhere)
        async with serve(echo) as server:
            failure = await failure_of(transport.send(get(Endpoint("http", host, server.endpoint.port))))
            assert failure.stage is TransportStage.REFUSED
            assert server.connections == 0
            assert all(name == host and ip in ("127.0.0.1", "::1") for name, ip, _ in asked)

    async def test_addresses_the_rule_does_not_allow_are_passed_over(
        self, open_transport: OpenTransport, serve: Serve
    ) -> None:
        transport = open_transport(allow=lambda _host, ip, _port: ip == "127.0.0.1")
        async with serve(echo) as server:
            endpoint = Endpoint("http", "localhost", server.endpoint.port)
            assert await fetch(transport, post(endpoint, b"ok")) == b"ok"

    async def test_a_proxy_gets_the_absolute_form_of_plain_requests(
        self, open_transport: OpenTransport, open_proxy: OpenProxy, serve: Serve
    ) -> None:
        async with serve(echo) as proxy:
            setting = open_proxy("127.0.0.1", proxy.endpoint.port, "Basic abc")
            transport = open_transport(proxy=setting)
            endpoint = Endpoint("http", "upstream.test", 8080)
            assert await fetch(transport, post(endpoint, b"ok")) == b"ok"
            [seen] = proxy.requests
            assert seen.target == "http://upstream.test:8080/v1/things?x=1"
            assert seen.header("host") == "upstream.test:8080"
            assert seen.header("proxy-authorization") == "Basic abc"

    async def test_a_proxy_tunnels_tls_which_ends_at_the_host_itself(
        self, open_transport: OpenTransport, open_proxy: OpenProxy, serve: Serve, authority: Authority
    ) -> None:
        async with serve(echo, tls=authority.server("upstream.test")) as server:

            async def script(peer: Peer) -> None:
                await peer.request()
                await peer.send(b"HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n")
                await peer.tunnel("127.0.0.1", server.endpoint.port)

            async with serve(script) as proxy:
                context = authority.client()
                setting = open_proxy("127.0.0.1", proxy.endpoint.port, "Basic abc")
                transport = open_transport(proxy=setting, tls=lambda _: context)
                endpoint = Endpoint("https", "upstream.test", 443)
                for _ in range(2):
                    assert await fetch(transport, post(endpoint, b"ok")) == b"ok"
                [seen] = proxy.requests
                assert (seen.method, seen.target) == ("CONNECT", "upstream.test:443")
                assert seen.header("proxy-authorization") == "Basic abc"
                assert server.requests[0].header("proxy-authorization") is None

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_behind_a_proxy_the_egress_rule_judges_the_name(
        self, open_transport: OpenTransport, open_proxy: OpenProxy, serve: Serve, scheme: str
    ) -> None:
        async with serve(echo) as proxy:
            asked: list[tuple[str, str]] = []

            def nowhere(name: str, ip: str, _port: int) -> bool:
                asked.append((name, ip))
                return False

            setting = open_proxy("127.0.0.1", proxy.endpoint.port, None)
            transport = open_transport(proxy=setting, allow=nowhere)
            for host in ("upstream.test", "169.254.169.254"):
                failure = await failure_of(transport.send(get(Endpoint(scheme, host, 80))))
                assert failure.stage is TransportStage.REFUSED
            assert asked == [("upstream.test", ""), ("169.254.169.254", "169.254.169.254")]
            assert proxy.connections == 0

    @pytest.mark.parametrize(
        "answer", [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b"what?\r\n\r\n", b""]
    )
    async def test_a_tunnel_that_is_refused_is_a_connect_failure(
        self, open_transport: OpenTransport, open_proxy: OpenProxy, serve: Serve, answer: bytes
    ) -> None:
        async def script(peer: Peer) -> None:
            await peer.request()
            await peer.send(answer)

        async with serve(script) as proxy:
            transport = open_transport(proxy=open_proxy("127.0.0.1", proxy.endpoint.port, None))
            failure = await failure_of(transport.send(post(Endpoint("https", "upstream.test", 443))))
            assert failure.stage is TransportStage.CONNECT
