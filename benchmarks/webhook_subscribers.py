"""Subscribers of the webhook storm: fast, slow, flapping and dead ones, in one asynchronous server.

Each verifies with the official library what it gets, and remembers when it first had each event.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, cast

from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

REFUSED: Final = "/refused"
"""The path of the endpoint that leads to a port where nobody listens."""
FLAPS_MAX: Final = 2
"""Failures of one event at a flapping endpoint, so that its schedule suffices."""


@dataclass(slots=True)
class Subscriber:
    """`kind`: fast, slow, flapping or dead. `first_s` is when an event was accepted first, by its id."""

    path: str
    kind: str
    secret: str
    slow_s: float = 0.0
    first_s: dict[str, float] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    repeated: int = 0
    changed: int = 0
    unverified: int = 0
    calls: Counter[str] = field(default_factory=Counter)


class Subscribers:
    """Serves all of them on one port of the loopback."""

    def __init__(self, subscribers: list[Subscriber]) -> None:
        self.by_path = {each.path: each for each in subscribers}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()

    def judged(self, subscriber: Subscriber, headers: dict[str, str], body: bytes) -> int:
        """The status to answer with; 0: to hang up instead."""
        name = headers["webhook-id"]
        subscriber.calls[name] += 1
        try:
            Webhook(subscriber.secret).verify(body.decode(), headers)
        except (WebhookVerificationError, ValueError):
            subscriber.unverified += 1
        if subscriber.bodies.setdefault(name, body) != body:
            subscriber.changed += 1
        if subscriber.kind == "dead":
            return 500
        if subscriber.kind == "flapping" and subscriber.calls[name] <= _flaps(name):
            # Sometimes it says so, sometimes it just hangs up.
            return 503 if int(name[-2], 16) % 2 else 0
        return 204


class _Connection(asyncio.Protocol):
    """One request at a time, as a transport without pipelining sends them."""

    def __init__(self, subscribers: Subscribers) -> None:
        self._subscribers = subscribers
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:])
        headers = {name.lower(): value for name, _, value in pairs}
        if len(body) < int(headers["content-length"]):
            return
        self._received = b""
        subscriber = self._subscribers.by_path[lines[0].split(" ")[1]]
        status = self._subscribers.judged(subscriber, headers, body)
        loop = asyncio.get_running_loop()
        loop.call_later(subscriber.slow_s, self._answer, subscriber, headers["webhook-id"], status)

    def _answer(self, subscriber: Subscriber, name: str, status: int) -> None:
        if status == 204:
            if name in subscriber.first_s:
                subscriber.repeated += 1
            else:
                subscriber.first_s[name] = asyncio.get_running_loop().time()
        if self._transport.is_closing():
            return
        if status == 0:
            self._transport.close()
        else:
            self._transport.write(f"HTTP/1.1 {status} .\r\ncontent-length: 0\r\n\r\n".encode())


def _flaps(name: str) -> int:
    return int(name[-1], 16) % (FLAPS_MAX + 1)
