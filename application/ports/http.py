"""Outgoing HTTP/1.1, as provider adapters need it.

Failure policy: every failure is a `TransportFailed` that says where it happened and whether the peer may
have acted on the request. Cancelling any await here closes the connection, so that the peer notices.
Nothing follows redirects, retries a sent request, or decodes a body.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import NamedTuple, Protocol

from domain.vault.secret import SecretBytes

Headers = Sequence[tuple[str, str]]


class TransportStage(Enum):
    """Where an exchange failed."""

    REFUSED = "refused"
    """By our own egress rules, or because the request itself is malformed; nothing was sent."""
    CONNECT = "connect"
    """No connection (refused, DNS, TLS, connect timeout, out of descriptors); nothing was sent."""
    SEND = "send"
    """The connection broke before any response byte; the peer may have acted."""
    HEADERS_TIMEOUT = "headers_timeout"
    """No response headers in time; the peer may be working."""
    BODY = "body"
    """Cut, malformed or over the limit after the headers."""
    BODY_TIMEOUT = "body_timeout"
    """No further body bytes in time, or the total time ran out."""


class TransportFailed(Exception):
    """An exchange that did not end well; `message` carries no secret and no body.

    `by_rule`: it was REFUSED by a rule of egress, not for how the request is made.
    """

    def __init__(self, stage: TransportStage, message: str, *, by_rule: bool = False) -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
        self.by_rule = by_rule


class OwnTls:
    """How one client speaks TLS where it is not as everybody does: compared by identity, so that its
    connections are nobody else's.

    `certificate` and `private_key` (PEM) prove who we are; `authority` (PEM) is trusted besides the usual
    ones; `tls12` allows TLS 1.2 too.
    """

    def __init__(
        self,
        *,
        certificate: SecretBytes | None = None,
        private_key: SecretBytes | None = None,
        authority: str = "",
        tls12: bool = False,
    ) -> None:
        self.certificate = certificate
        self.private_key = private_key
        self.authority = authority
        self.tls12 = tls12


class Endpoint(NamedTuple):
    """Where to connect; connections are pooled per value. `server_name` is for SNI and `Host`."""

    scheme: str
    host: str
    port: int
    tls: OwnTls | None = None

    @property
    def authority(self) -> str:
        """Value of the `Host` header."""
        default = 443 if self.scheme == "https" else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == default else f"{host}:{self.port}"


class BodySource(Protocol):
    """A body too large for memory. Its size is known; its bytes can be had more than once."""

    size_bytes: int

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start, `size_bytes` of them; each call begins again."""
        ...


class HttpRequest(NamedTuple):
    """One request. `path` starts with `/` and holds the query. Host and Content-Length are added.

    `headers_timeout_s` bounds the wait for response headers, `body_idle_timeout_s` each wait for body
    bytes, `total_timeout_s` everything from now. All are seconds, None: only bounded by the total.
    `source` is sent in place of `body` as fast as the peer takes it; the wait for headers begins after it.
    """

    method: str
    endpoint: Endpoint
    path: str
    headers: Headers
    body: bytes = b""
    connect_timeout_s: float = 5.0
    headers_timeout_s: float | None = None
    body_idle_timeout_s: float | None = None
    total_timeout_s: float = 600.0
    source: BodySource | None = None


class HttpResponse(Protocol):
    """A response whose headers are here. Read it to the end or close it; otherwise a connection leaks."""

    status: int
    headers: list[tuple[str, str]]
    """Names in lower case, in the order received."""

    @abstractmethod
    async def read(self) -> bytes:
        """The whole rest of the body. Raises TransportFailed."""
        ...

    @abstractmethod
    async def next_chunk(self) -> bytes:
        """Bytes as they arrive, at least one; `b""` at the natural end. Raises TransportFailed.

        Unread bytes are bounded: the peer is slowed down when nobody reads.
        """
        ...

    @abstractmethod
    def close(self) -> None:
        """Gives the connection back when the body was read to its end, else closes it.

        Idempotent, never waits.
        """
        ...


class HttpTransport(Protocol):
    """A pool of connections to many endpoints."""

    @abstractmethod
    async def send(self, request: HttpRequest) -> HttpResponse:
        """Sends and waits for the response headers.

        A pooled connection that turns out to be dead before any response byte is replaced once, silently,
        when the request can safely be sent again (nothing of a response was received on a reused
        connection).

        Raises:
            TransportFailed: see its stages.
        """
        ...

    @abstractmethod
    async def aclose(self) -> None:
        """Closes every connection. Idempotent."""
        ...


def header(headers: Headers, name: str) -> str | None:
    """First value of a header, by its lower-case name."""
    for key, value in headers:
        if key == name:
            return value
    return None
