"""The same port on aiohttp: the fallback, and the reference the hot-path transport is held against."""

import asyncio
import ipaddress
import socket
from types import SimpleNamespace
from typing import NoReturn

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from adapters.http.egress import EgressRule
from adapters.http.limits import TransportLimits
from adapters.http.proxy import OutboundProxy
from adapters.http.request_head import check_endpoint, not_allowed, refused, request_head
from adapters.http.tls import TlsContexts, plain_policy
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)

_CONNECT_ERRORS = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpResponse(HttpResponse):
    """See the port."""

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        request: HttpRequest,
        total_deadline: float,
        body_bytes_max: int,
    ) -> None:
        self.status = response.status
        self.headers = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.raw_headers
        ]
        self._response = response
        self._idle_s = request.body_idle_timeout_s
        self._total_deadline = total_deadline
        self._body_bytes_max = body_bytes_max
        self._failure: tuple[TransportStage, str] | None = None

    async def read(self) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while chunk := await self.next_chunk():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._body_bytes_max:
                self._fail(TransportStage.BODY, "the body is over the limit")
        return b"".join(chunks)

    async def next_chunk(self) -> bytes:
        if self._failure is not None:
            raise TransportFailed(*self._failure)
        now = asyncio.get_running_loop().time()
        deadline = (
            self._total_deadline if self._idle_s is None else min(self._total_deadline, now + self._idle_s)
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await self._response.content.readany()
        except TimeoutError:
            self._fail(TransportStage.BODY_TIMEOUT, "no further body bytes in time")
        except (aiohttp.ClientError, OSError) as error:
            self._fail(TransportStage.BODY, f"the body was cut or malformed ({type(error).__name__})")
        except asyncio.CancelledError:
            self._close("the reader was cancelled")
            raise

    def close(self) -> None:
        if not self._response.content.is_eof():
            self._close("the response was closed before its end")

    def _close(self, reason: str) -> None:
        if self._failure is None:
            self._failure = (TransportStage.BODY, reason)
        self._response.close()

    def _fail(self, stage: TransportStage, reason: str) -> NoReturn:
        self._failure = (stage, reason)
        self._response.close()
        raise TransportFailed(stage, reason)


class AiohttpTransport(HttpTransport):
    """Made for one event loop, the one running at the first `send`. Parameters as in `StreamlinedTransport`.

    Differs in two things: waiters are not bounded in number, and a replaced dead connection may be replaced
    by another pooled one.
    """

    def __init__(
        self,
        *,
        limits: TransportLimits | None = None,
        tls: TlsContexts | None = None,
        allow: EgressRule | None = None,
        proxy: OutboundProxy | None = None,
    ) -> None:
        self._limits = limits if limits is not None else TransportLimits()
        self._tls = tls if tls is not None else plain_policy()
        self._allow = allow
        self._proxy = proxy
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: HttpRequest) -> AiohttpResponse:
        if self._closed:
            raise TransportFailed(TransportStage.CONNECT, "the transport is closed")
        endpoint = request.endpoint
        check_endpoint(endpoint)
        request_head(request, endpoint.authority, bytes_max=self._limits.request_head_bytes_max)
        self._judge_literal(endpoint)
        loop = asyncio.get_running_loop()
        total_deadline = loop.time() + request.total_timeout_s
        session = self._session
        if session is None:
            session = self._session = self._open_session()
        sent: TransportFailed | None = None
        for replaceable in (True, False):
            progress = SimpleNamespace(reused=False, connected=False, timeout=None, request=request)
            try:
                response = await self._exchange(session, request, total_deadline, progress)
            except TransportFailed as failure:
                if replaceable and progress.reused and failure.stage is TransportStage.SEND:
                    sent = failure
                elif sent is not None and not progress.connected:
                    raise sent from None
                else:
                    raise
            else:
                return AiohttpResponse(response, request, total_deadline, self._limits.body_bytes_max)
        raise AssertionError("the last try returns or raises")

    async def aclose(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        request: HttpRequest,
        total_deadline: float,
        progress: SimpleNamespace,
    ) -> aiohttp.ClientResponse:
        endpoint = request.endpoint
        proxy = self._proxy_for(endpoint)
        try:
            async with asyncio.timeout_at(total_deadline) as timeout:
                progress.timeout = timeout
                return await session.request(
                    request.method,
                    URL(f"{endpoint.scheme}://{endpoint.authority}{request.path}", encoded=True),
                    headers=self._headers(request),
                    data=request.source.chunks() if request.source is not None else request.body or None,
                    allow_redirects=False,
                    ssl=self._tls(endpoint) if endpoint.scheme == "https" else True,
                    timeout=aiohttp.ClientTimeout(total=None, connect=request.connect_timeout_s),
                    proxy=f"http://{proxy.host}:{proxy.port}" if proxy is not None else None,
                    proxy_headers=(
                        {"Proxy-Authorization": proxy.authorization}
                        if proxy is not None and proxy.authorization is not None
                        else None
                    ),
                    trace_request_ctx=progress,
                )
        except _CONNECT_ERRORS as error:
            raise TransportFailed(TransportStage.CONNECT, _connect_message(request, error)) from None
        except TimeoutError:
            if not progress.connected:
                raise TransportFailed(TransportStage.CONNECT, "the total time ran out") from None
            raise TransportFailed(TransportStage.HEADERS_TIMEOUT, "no response headers in time") from None
        except (aiohttp.InvalidURL, ValueError):
            raise refused("the host or the path is not acceptable") from None
        except (aiohttp.ClientError, OSError) as error:
            raise _broken(error, connected=progress.connected) from None

    def _headers(self, request: HttpRequest) -> list[tuple[str, str]]:
        headers = list(request.headers)
        if not any(name.lower() == "accept-encoding" for name, _ in headers):
            headers.append(("accept-encoding", "identity"))
        if request.source is not None:
            headers.append(("content-length", str(request.source.size_bytes)))
        proxy = self._proxy_for(request.endpoint)
        if proxy is not None and proxy.authorization is not None and request.endpoint.scheme == "http":
            headers.append(("proxy-authorization", proxy.authorization))
        return headers

    def _open_session(self) -> aiohttp.ClientSession:
        limits = self._limits
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_noted_reuse)
        trace.on_connection_create_end.append(_noted_connected)
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=limits.connections_per_endpoint_max,
            keepalive_timeout=limits.idle_timeout_s,
            use_dns_cache=False,
            resolver=_GuardedResolver(self._allow, self._proxy),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=_AUTOMATIC_HEADERS,
            trace_configs=[trace],
            max_line_size=limits.response_head_bytes_max,
            max_field_size=limits.response_head_bytes_max,
            max_headers=limits.response_headers_max,
        )

    def _proxy_for(self, endpoint: Endpoint) -> OutboundProxy | None:
        return self._proxy if self._proxy is not None and self._proxy.serves(endpoint) else None

    def _judge_literal(self, endpoint: Endpoint) -> None:
        """aiohttp asks no resolver about IP literals, so they are judged before."""
        if self._allow is None:
            return
        host, port = endpoint.host, endpoint.port
        try:
            ip = str(ipaddress.ip_address(host)).partition("%")[0]
        except ValueError:
            if self._proxy_for(endpoint) is None:
                return
            ip = ""
        if not self._allow(host, ip, port):
            raise not_allowed(host, port)


class _GuardedResolver(AbstractResolver):
    """Drops addresses the egress rule does not allow; none left is a refusal."""

    def __init__(self, allow: EgressRule | None, proxy: OutboundProxy | None) -> None:
        self._resolver = ThreadedResolver()
        self._allow = allow
        # The proxy's own name is the operator's choice.
        self._proxy = None if proxy is None else (proxy.host, proxy.port)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        results = await self._resolver.resolve(host, port, family)
        allow = self._allow
        if allow is None or (host, port) == self._proxy:
            return results
        permitted = [each for each in results if allow(host, each["host"].partition("%")[0], port)]
        if results and not permitted:
            raise not_allowed(host, port)
        return permitted

    async def close(self) -> None:
        await self._resolver.close()


async def _noted_reuse(_: object, context: SimpleNamespace, params: object) -> None:
    del params
    context.trace_request_ctx.reused = True
    _start_headers_timeout(context.trace_request_ctx)


async def _noted_connected(_: object, context: SimpleNamespace, params: object) -> None:
    del params
    _start_headers_timeout(context.trace_request_ctx)


def _start_headers_timeout(progress: SimpleNamespace) -> None:
    progress.connected = True
    wait_s = progress.request.headers_timeout_s
    if wait_s is not None:
        at = asyncio.get_running_loop().time() + wait_s
        if at < progress.timeout.when():
            progress.timeout.reschedule(at)


def _broken(error: Exception, *, connected: bool) -> TransportFailed:
    """What an exchange that ended without a response says about the peer."""
    if not connected:  # a proxy that did not open its tunnel
        return TransportFailed(TransportStage.CONNECT, f"no connection ({type(error).__name__})")
    if isinstance(error, aiohttp.ClientResponseError):
        # Its own message quotes what was received, which may be anything.
        return TransportFailed(TransportStage.BODY, f"malformed response (status {error.status})")
    if isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str):
        return TransportFailed(
            TransportStage.BODY, "the peer closed the connection in the middle of the response"
        )
    return TransportFailed(
        TransportStage.SEND, f"the connection broke before any of the response ({type(error).__name__})"
    )


def _connect_message(request: HttpRequest, error: Exception) -> str:
    endpoint = request.endpoint
    reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    text = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
    return f"cannot connect to {endpoint.host}:{endpoint.port}: {text}"
