"""A provider that writes down what it is asked and says what it was told to say."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

CHAT_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "model-x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request as it arrived. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to say next. `chunks` make a stream; `cut` breaks the connection after them instead of ending it;
    `hang` waits for the caller to leave."""

    status: int = 200
    body: bytes = json.dumps(CHAT_ANSWER).encode()
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()
    chunks: Sequence[bytes] = ()
    cut: bool = False
    hang: bool = False


@dataclass(slots=True)
class RecordingServer:
    """Answers with `reply`, or by path with `replies`."""

    url: str = ""
    reply: Reply = field(default_factory=Reply)
    requests: list[Recorded] = field(default_factory=list)
    caller_left: asyncio.Event = field(default_factory=asyncio.Event)
    received: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def last(self) -> Recorded:
        return self.requests[-1]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(
            Recorded(method=request.method, path=request.path_qs, headers=headers, body=body)
        )
        self.received.set()
        reply = self.reply
        try:
            if reply.chunks:
                return await self._stream(request, reply)
            if reply.hang:
                await asyncio.sleep(30)
        except (asyncio.CancelledError, ConnectionResetError):
            self.caller_left.set()
            raise
        return web.Response(
            status=reply.status,
            body=reply.body,
            headers=[("content-type", reply.content_type), *reply.headers],
        )

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(
            status=reply.status, headers=[("content-type", reply.content_type), *reply.headers]
        )
        await response.prepare(request)
        for chunk in reply.chunks:
            await response.write(chunk)
        if reply.hang:
            await asyncio.sleep(30)
        if reply.cut and request.transport is not None:
            request.transport.abort()
        return response


@asynccontextmanager
async def recording_server() -> AsyncIterator[RecordingServer]:
    server = RecordingServer()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
