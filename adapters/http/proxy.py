"""Going out through an HTTP proxy: a tunnel for https, the absolute form for http."""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from application.ports.http import Endpoint

_REPLY_BYTES_MAX: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundProxy:
    """An HTTP proxy, spoken to in plain HTTP. `authorization` is the whole header value, if it wants one.

    Never taken from the environment: whoever configures the transport decides where traffic goes. `direct`
    says of a host and a port that it is reached without the proxy; None: nothing is.
    """

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    direct: Callable[[str, int], bool] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.authorization is not None and not (
            self.authorization.isascii() and self.authorization.isprintable()
        ):
            raise ValueError("the proxy's authorization is not a header value")

    def serves(self, endpoint: Endpoint) -> bool:
        """Whether calls to this endpoint take the proxy."""
        return self.direct is None or not self.direct(endpoint.host, endpoint.port)

    def header_line(self) -> str:
        """The line that identifies us to the proxy, or nothing."""
        return f"proxy-authorization: {self.authorization}\r\n" if self.authorization is not None else ""

    def tunnel_request(self, endpoint: Endpoint) -> bytes:
        """Asks for a tunnel to the endpoint."""
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        authority = f"{host}:{endpoint.port}"
        return f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{self.header_line()}\r\n".encode(
            "latin-1"
        )


def proxy_of(url: str, *, direct: Callable[[str, int], bool] | None = None) -> OutboundProxy:
    """The proxy at `http://[user:password@]host:port`.

    Raises:
        ValueError: another scheme, no port, or something behind it; says nothing of the credentials.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be http://[user:password@]host:port") from None
    beyond = parts.path not in ("", "/") or parts.query or parts.fragment
    if parts.scheme != "http" or not parts.hostname or port is None or beyond:
        raise ValueError("must be http://[user:password@]host:port")
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + b64encode(pair.encode()).decode("ascii")
    return OutboundProxy(host=parts.hostname, port=port, authorization=authorization, direct=direct)


class TunnelRefused(OSError):
    """The proxy did not open the tunnel."""


class TunnelHandshake(asyncio.Protocol):
    """Sends CONNECT and waits for its answer; TLS then starts on the same transport."""

    def __init__(self, loop: asyncio.AbstractEventLoop, request: bytes) -> None:
        self._request = request
        self._reply = b""
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = loop.create_future()

    async def opened(self) -> None:
        """Returns once the tunnel is open.

        Raises:
            TunnelRefused: the proxy said no, said something else, or left.
        """
        await self._opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._reply += data
        if self._opened.done():
            return
        head, end, rest = self._reply.partition(b"\r\n\r\n")
        if not end:
            if len(self._reply) > _REPLY_BYTES_MAX:
                self._refuse("the proxy's answer is too long")
            return
        version, _, status = head.partition(b"\r\n")[0].partition(b" ")
        code = status[:3]
        if not version.startswith(b"HTTP/1.") or not code.isdigit():
            self._refuse("the proxy's answer is not HTTP")
        elif not code.startswith(b"2"):
            self._refuse(f"the proxy answered {code.decode('ascii')}")
        elif rest:
            # TLS servers do not speak first: these bytes are not from the other end of a tunnel.
            self._refuse("the proxy sent more than its answer")
        else:
            # Nothing may be read as ours once TLS starts on this transport.
            cast(asyncio.Transport, self._transport).pause_reading()
            self._opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._refuse("the proxy closed the connection" if exc is None else "the proxy reset the connection")

    def _refuse(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(TunnelRefused(reason))
