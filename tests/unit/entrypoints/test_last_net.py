"""A bug of ours reaches the caller as our own error, without a trace of where it happened."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.memory.system import CountingIds
from entrypoints.http.app import Application, Faces
from entrypoints.http.asgi import Receive, Scope, Send
from entrypoints.http.fallback import not_found_handlers


async def _rest(request: Request) -> Response:
    raise KeyError("a secret detail")


async def _hot(scope: Scope, receive: Receive, send: Send) -> None:
    raise KeyError("a secret detail")


@asynccontextmanager
async def _faces() -> AsyncIterator[Faces]:
    rest = Starlette(routes=[Route("/rest", _rest)], exception_handlers=not_found_handlers(CountingIds()))
    yield Faces({("GET", "/hot"): _hot}, rest, set())


async def _answer(path: str) -> list[dict[str, Any]]:
    application = Application(_faces)
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    said: list[dict[str, Any]] = []
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"x")], "root_path": "", "scheme": "http", "http_version": "1.1",
        "server": ("x", 1),
    }  # fmt: skip

    async def request_body() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and said:
            raise RuntimeError("the response has begun")
        said.append(message)

    async def receive() -> Any:
        event = next(events)
        if event["type"] == "lifespan.shutdown":
            await application(scope, request_body, send)
        return event

    async def ignore(message: Any) -> None:
        return None

    await application({"type": "lifespan"}, receive, ignore)
    return said


@pytest.mark.parametrize("path", ["/hot", "/rest"])
async def test_a_bug_is_answered_once_as_our_own_error(path: str) -> None:
    start, body = await _answer(path)
    assert start["status"] == 500
    error = json.loads(body["body"])["error"]
    assert error["code"] == "internal_error"
    assert "secret" not in error["message"]
