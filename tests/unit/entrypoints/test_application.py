"""The ASGI application around its faces: starting, refusing, ending, and bodies that nobody reads."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from domain.errors import StoreUnavailable
from entrypoints.http.app import Application, Faces
from entrypoints.http.asgi import Receive, Scope, Send, respond

BODY = b"hello"


class Caller:
    """The server's side of one ASGI call: hands out `messages`, then waits for ever; keeps what is sent."""

    def __init__(self, messages: Iterable[dict[str, Any]] = ()) -> None:
        self.messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        if not self.messages:
            await asyncio.Event().wait()
        return self.messages.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append({**message, "left": len(self.messages)})

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


def part(body: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def scope_of(path: str = "/page", *, headers: Iterable[tuple[bytes, bytes]] = ()) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": list(headers)}


async def page(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads as many messages as its path says, then answers with what they held."""
    read = b""
    for _ in range(int(scope["path"].removeprefix("/page") or 0)):
        read += (await receive())["body"]
    await respond(send, 200, [], read)


@asynccontextmanager
async def faces() -> AsyncIterator[Faces]:
    yield Faces({("GET", "/hot"): page}, page, set())


async def started(application: Application) -> tuple["asyncio.Task[None]", Caller, asyncio.Event]:
    """The application with its lifespan running; the event lets it shut down."""
    end = asyncio.Event()
    said = Caller()

    async def receive() -> Any:
        if not said.sent:
            return {"type": "lifespan.startup"}
        await end.wait()
        return {"type": "lifespan.shutdown"}

    running = asyncio.create_task(application({"type": "lifespan"}, receive, said.send))
    async with asyncio.timeout(5):
        while not said.sent:  # noqa: ASYNC110 - the application tells nobody but the server
            await asyncio.sleep(0)
    return running, said, end


async def test_before_its_start_it_says_that_it_is_starting() -> None:
    caller = Caller()
    await Application(faces)(scope_of(), caller.receive, caller.send)
    assert caller.status == 503
    assert b'"starting"' in caller.sent[1]["body"]


async def test_a_web_socket_is_declined() -> None:
    caller = Caller([{"type": "websocket.connect"}])
    await Application(faces)({"type": "websocket"}, caller.receive, caller.send)
    assert [(message["type"], message["code"]) for message in caller.sent] == [("websocket.close", 1008)]


async def test_a_web_socket_is_declined_before_the_upgrade_where_the_server_can() -> None:
    caller = Caller([{"type": "websocket.connect"}])
    scope = {"type": "websocket", "extensions": {"websocket.http.response": {}}}
    await Application(faces)(scope, caller.receive, caller.send)
    assert caller.sent[0]["type"] == "websocket.http.response.start"
    assert caller.sent[0]["status"] == 426
    assert b"websocket_not_offered" in caller.sent[1]["body"]


async def test_it_serves_between_startup_and_shutdown() -> None:
    application = Application(faces)
    running, said, end = await started(application)
    caller = Caller()
    await application(scope_of(), caller.receive, caller.send)
    end.set()
    await running
    assert caller.status == 200
    assert [message["type"] for message in said.sent] == [
        "lifespan.startup.complete", "lifespan.shutdown.complete",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "error", [StoreUnavailable("the database is away"), RuntimeError("the database is away")]
)
async def test_a_failed_start_is_told_to_the_server(error: Exception) -> None:
    @asynccontextmanager
    async def failing() -> AsyncIterator[Faces]:
        raise error
        yield

    caller = Caller([{"type": "lifespan.startup"}])
    application = Application(failing)
    await application({"type": "lifespan"}, caller.receive, caller.send)
    assert [(message["type"], message["message"]) for message in caller.sent] == [
        ("lifespan.startup.failed", "the database is away")
    ]
    assert application.faces is None


async def test_an_error_while_closing_does_not_keep_the_server_from_ending() -> None:
    @asynccontextmanager
    async def failing() -> AsyncIterator[Faces]:
        yield Faces({}, page, set())
        raise RuntimeError("a store would not close")

    running, said, end = await started(Application(failing))
    end.set()
    await running
    assert said.sent[-1]["type"] == "lifespan.shutdown.complete"


async def test_running_requests_can_be_cancelled() -> None:
    request = asyncio.create_task(asyncio.Event().wait())

    @asynccontextmanager
    async def busy() -> AsyncIterator[Faces]:
        yield Faces({}, page, {request})

    application = Application(busy)
    application.cancel_running()
    running, _, end = await started(application)
    application.cancel_running()
    await asyncio.wait([request])
    assert request.cancelled()
    end.set()
    await running


LENGTH = (b"content-length", b"%d" % len(BODY))


@pytest.mark.parametrize("read", [0, 1, 2], ids=["nothing read", "half read", "all read"])
@pytest.mark.parametrize("header", [LENGTH, (b"transfer-encoding", b"chunked")])
async def test_what_a_page_leaves_of_a_body_is_taken_before_its_answer(
    read: int, header: tuple[bytes, bytes]
) -> None:
    application = Application(faces)
    running, _, end = await started(application)
    caller = Caller([part(b"hel", more=True), part(b"lo", more=False)])
    await application(scope_of(f"/page{read}", headers=[header]), caller.receive, caller.send)
    end.set()
    await running
    assert caller.sent[0]["left"] == 0
    assert caller.sent[1]["body"] == BODY[: (0, 3, 5)[read]]


async def test_a_request_without_a_body_is_not_waited_on() -> None:
    application = Application(faces)
    running, _, end = await started(application)
    caller = Caller()
    async with asyncio.timeout(0.5):
        await application(scope_of(), caller.receive, caller.send)
    end.set()
    await running
    assert caller.status == 200
