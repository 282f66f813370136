"""What one transport may use: connections, waiters, memory, idle time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """Everything a peer or a burst of callers could otherwise make grow without end.

    A streamed request in flight takes one connection, so `connections_per_endpoint_max` also bounds the
    requests in flight to one endpoint; the next `waiters_per_endpoint_max` callers queue, first in first
    out, for at most their connect timeout.
    """

    connections_per_endpoint_max: int = 4096
    waiters_per_endpoint_max: int = 4096
    idle_timeout_s: float = 15.0
    """How long an unused connection is kept; a peer's `Keep-Alive: timeout` can only shorten it."""
    request_head_bytes_max: int = 64 * 1024
    response_head_bytes_max: int = 64 * 1024
    """Of everything before the body, interim (1xx) responses and trailers included."""
    response_headers_max: int = 256
    unread_bytes_max: int = 256 * 1024
    """Of a response nobody is reading; beyond it the peer is slowed down. One socket read may overshoot."""
    body_bytes_max: int = 64 * 1024 * 1024
    """What `HttpResponse.read` collects at most."""

    def __post_init__(self) -> None:
        if min(self.connections_per_endpoint_max, self.response_headers_max, self.unread_bytes_max) < 1:
            raise ValueError("limits must be at least 1")
        if self.waiters_per_endpoint_max < 0 or self.body_bytes_max < 0 or self.idle_timeout_s < 0:
            raise ValueError("limits must not be negative")
