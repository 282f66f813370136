"""A tiny ASGI application in place of the real one, to test what starts and stops it."""

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


class PlaceholderApplication:
    """Answers every path with the worker's process id; some paths take long, or end the worker."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    def cancel_running(self) -> None:
        self._over.set()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["path"] == "/slow":
            _mark("slow-began")
            await asyncio.sleep(0.5)
        elif scope["path"] == "/until-cancelled":
            _mark("endless-began")
            await self._over.wait()
        elif scope["path"] == "/crash":
            os._exit(3)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        _mark("drained")
        await send({"type": "lifespan.shutdown.complete"})


def _mark(name: str) -> None:
    Path(os.environ["INTERCHANGE_DATA_DIR"], name).write_text("yes")


def build() -> PlaceholderApplication:
    return PlaceholderApplication()


def build_broken() -> PlaceholderApplication:
    raise RuntimeError("this application cannot start")
