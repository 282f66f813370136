"""The transport on the hot path: HTTP/1.1 over `asyncio.Protocol`, pooled per endpoint.

One unary exchange is one write, one parse, one wake-up; measured reasons are in docs/adr/0003. What it
does not do, on purpose: redirects, decoding, cookies, HTTP/2, reading proxies from the environment.
"""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

from adapters.http.connection import Connection
from adapters.http.dialer import CertificateSeen, Dialer
from adapters.http.egress import EgressRule
from adapters.http.limits import TransportLimits
from adapters.http.pool import EndpointPool
from adapters.http.proxy import OutboundProxy
from adapters.http.request_head import check_endpoint, request_head
from adapters.http.response import WAKE_ON_HEADERS, StreamlinedResponse
from adapters.http.tls import TlsContexts, plain_policy
from adapters.http.upload import send_source
from application.ports.http import Endpoint, HttpRequest, HttpTransport, TransportFailed, TransportStage

_CLOSING_TURNS = 3


class TransportStats(NamedTuple):
    """Connections now. `open` counts attempts to connect too; `waiting` are callers without a slot."""

    open: int
    idle: int
    waiting: int


class _Route(NamedTuple):
    """An endpoint that was checked once, and what every request to it has in common."""

    pool: EndpointPool
    authority: str
    target_prefix: str
    extra: str


class StreamlinedTransport(HttpTransport):
    """Made for one event loop, the one running at the first `send`.

    `tls` gives the context per endpoint (default: `plain_policy()`, TLS 1.3). `allow` is asked for every
    address before it is connected to. `proxy` is used for every endpoint it serves. `on_certificate` is told
    of the certificate of each new TLS connection.

    A truncated body without a length of its own cannot be told from a complete one (RFC 9112, 8); every
    other cut is a failure.
    """

    def __init__(
        self,
        *,
        limits: TransportLimits | None = None,
        tls: TlsContexts | None = None,
        allow: EgressRule | None = None,
        proxy: OutboundProxy | None = None,
        on_certificate: CertificateSeen | None = None,
    ) -> None:
        self._limits = limits if limits is not None else TransportLimits()
        self._tls = tls if tls is not None else plain_policy()
        self._allow = allow
        self._proxy = proxy
        self._on_certificate = on_certificate
        self._routes: dict[Endpoint, _Route] = {}
        self._retired: set[EndpointPool] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dialer: Dialer | None = None
        self._closed = False

    @property
    def stats(self) -> TransportStats:
        pools = [*(route.pool for route in self._routes.values()), *self._retired]
        return TransportStats(
            open=sum(pool.open for pool in pools),
            idle=sum(pool.idle for pool in pools),
            waiting=sum(pool.waiting for pool in pools),
        )

    async def send(self, request: HttpRequest) -> StreamlinedResponse:
        route = self._routes.get(request.endpoint) or self._open_route(request.endpoint)
        limits = self._limits
        head = request_head(
            request,
            route.authority,
            target_prefix=route.target_prefix,
            extra=route.extra,
            bytes_max=limits.request_head_bytes_max,
        )
        loop = self._loop
        assert loop is not None
        now = loop.time()
        total_deadline = now + request.total_timeout_s
        connection = route.pool.take(now)
        if connection is None:
            connection = await self._acquire(request, route, total_deadline)
            now = loop.time()
        for replaceable in (True, False):
            reused = connection.exchanges > 0
            response = connection.begin(head, request, now, total_deadline, limits.body_bytes_max)
            if request.source is not None:
                await send_source(connection, response, request, request.source, total_deadline)
            if not response.status and response.failure is None:
                await response.wait(WAKE_ON_HEADERS)
            if response.status:
                return response
            stage, message = response.failure or (
                TransportStage.SEND,
                "the exchange ended without a response",
            )
            if not (replaceable and reused and stage is TransportStage.SEND):
                raise TransportFailed(stage, message)
            connection = await self._replace(request, total_deadline, message)
            now = loop.time()
        raise AssertionError("the last try returns or raises")

    def dial_anew(self) -> None:
        """Every connection was allowed under rules that hold no more: none is used for another request."""
        for route in self._routes.values():
            self._retired.add(route.pool)
        self._routes.clear()
        for pool in list(self._retired):
            pool.retire()

    async def aclose(self) -> None:
        self._closed = True
        for pool in [*(route.pool for route in self._routes.values()), *self._retired]:
            pool.close()
        # Aborted transports report their end in the next turns of the loop.
        for _ in range(_CLOSING_TURNS):
            await asyncio.sleep(0)

    async def _replace(self, request: HttpRequest, total_deadline: float, message: str) -> Connection:
        """A connection for the second and last try, after the peer closed an idle one under our request.

        Others in the pool may have died with it, so it is dialled if there is a free slot. When that fails
        the failure is still SEND: the first try had left.
        """
        # Looked up again because a route is forgotten with its last connection.
        try:
            route = self._routes.get(request.endpoint) or self._open_route(request.endpoint)
            return await self._acquire(request, route, total_deadline)
        except TransportFailed as failure:
            raise TransportFailed(
                TransportStage.SEND, f"{message}; not replaced: {failure.message}"
            ) from None

    async def _acquire(self, request: HttpRequest, route: _Route, total_deadline: float) -> Connection:
        loop, dialer = self._loop, self._dialer
        assert loop is not None and dialer is not None
        give_up_at = min(total_deadline, loop.time() + request.connect_timeout_s)

        def dial() -> Awaitable[Connection]:
            return dialer.dial(request.endpoint, give_up_at - loop.time())

        # Dropping its last stale connection may have made the transport forget the route just now.
        self._routes[request.endpoint] = route
        return await route.pool.acquire(dial, give_up_at - loop.time())

    def _open_route(self, endpoint: Endpoint) -> _Route:
        """Checks an endpoint and gives it a pool; forgotten again with its last connection."""
        if self._closed:
            raise TransportFailed(TransportStage.CONNECT, "the transport is closed")
        check_endpoint(endpoint)
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._dialer = Dialer(
                self._loop,
                self._limits,
                tls=self._tls,
                allow=self._allow,
                proxy=self._proxy,
                on_certificate=self._on_certificate,
            )
        absolute = endpoint.scheme == "http" and self._proxy is not None and self._proxy.serves(endpoint)
        route = _Route(
            pool=EndpointPool(self._loop, self._limits, lambda pool: self._forget(endpoint, pool)),
            authority=endpoint.authority,
            target_prefix=f"http://{endpoint.authority}" if absolute else "",
            extra=self._proxy.header_line() if absolute and self._proxy is not None else "",
        )
        self._routes[endpoint] = route
        return route

    def _forget(self, endpoint: Endpoint, pool: EndpointPool) -> None:
        self._retired.discard(pool)
        route = self._routes.get(endpoint)
        if route is not None and route.pool is pool:
            del self._routes[endpoint]
