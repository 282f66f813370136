"""Subscribers of the webhook storm: fast, slow, flapping and dead ones, in one asynchronous server.

Each verifies with the official library what it gets, and remembers when it first had each event.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

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
        self._by_path = {each.path: each for each in subscribers}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a dispatcher was killed, which is what this is about
        finally:
            self._open.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        signature = next(
            (line.split(": ", 1)[1] for line in head if line.lower().startswith("webhook-s")), ""
        )
        headers["webhook-signature"] = signature
        body = await reader.readexactly(int(headers["content-length"]))
        subscriber = self._by_path[head[0].split(" ")[1]]
        status = await self._answer(subscriber, headers, body)
        if status == 0:
            return False
        writer.write(f"HTTP/1.1 {status} .\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        return True

    async def _answer(self, subscriber: Subscriber, headers: dict[str, str], body: bytes) -> int:
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
        if subscriber.slow_s:
            await asyncio.sleep(subscriber.slow_s)
        if subscriber.kind == "flapping" and subscriber.calls[name] <= _flaps(name):
            # Sometimes it says so, sometimes it just hangs up.
            return 503 if int(name[-2], 16) % 2 else 0
        if name in subscriber.first_s:
            subscriber.repeated += 1
        else:
            subscriber.first_s[name] = asyncio.get_running_loop().time()
        return 204


def _flaps(name: str) -> int:
    return int(name[-1], 16) % (FLAPS_MAX + 1)
