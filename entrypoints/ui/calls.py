"""Asking our own API in process, as the person who looks at a page."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

import msgspec

from entrypoints.http.app import ASGIApp
from entrypoints.http.login_cookies import CSRF_HEADER, UNATTENDED
from entrypoints.http.people import Person

ANSWER_BYTES_MAX: Final = 32 * 1024 * 1024
TIMEOUT_S: Final = 30.0
_PASSED_ON: Final = frozenset({b"host", b"cookie", b"user-agent", b"x-forwarded-for", b"x-forwarded-proto"})


class Refused(Exception):
    """What the API said instead of doing it."""

    def __init__(self, status: int, code: str, message: str, param: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param


class Api:
    """The API for one person and one page. Answers are JSON values; refusals are `Refused`."""

    def __init__(self, app: ASGIApp, scope: Mapping[str, Any], person: Person) -> None:
        self._app = app
        self._scope = scope
        self._person = person

    async def get(self, path: str, **asked: str | int | None) -> Any:
        """What a GET shows; parameters that are None or empty are not sent. Raises Refused."""
        said = {name.rstrip("_"): str(value) for name, value in asked.items() if value not in (None, "")}
        return await self.send("GET", path, query=urlencode(said))

    async def send(
        self, method: str, path: str, body: object = None, *, query: str = "", timeout_s: float = TIMEOUT_S
    ) -> Any:
        """What comes of a request; None of an answer without a body. What stands in the path is quoted. Bytes
        are lines of JSON. Raises Refused."""
        content, kind = b"", b"application/json"
        if isinstance(body, bytes):
            content, kind = body, b"application/jsonl"
        elif body is not None:
            content = msgspec.json.encode(body)
        scope = self._asking(method, path, query, content, kind)
        heard = _Heard()
        try:
            async with asyncio.timeout(timeout_s):
                await self._app(scope, _told(content), heard)
        except TimeoutError:
            raise Refused(504, "timeout", f"there was no answer within {timeout_s:.0f} s", None) from None
        value = heard.value()
        if heard.status < 400:
            return value
        said = value.get("error", {}) if isinstance(value, dict) else {}
        if not isinstance(said, dict):
            said = {}
        message = str(said.get("message") or f"status {heard.status}")
        raise Refused(heard.status, str(said.get("code") or ""), message, said.get("param"))

    def _asking(self, method: str, path: str, query: str, content: bytes, kind: bytes) -> dict[str, Any]:
        headers = [pair for pair in self._scope["headers"] if pair[0] in _PASSED_ON]
        headers.append((b"sec-fetch-site", b"same-origin"))  # the page's own form was checked before
        headers.append((CSRF_HEADER, self._person.csrf.encode()))
        if content:
            headers.append((b"content-type", kind))
            headers.append((b"content-length", b"%d" % len(content)))
        return {
            **{
                name: value
                for name, value in self._scope.items()
                if name
                in ("type", "asgi", "http_version", "scheme", "server", "client", "root_path", UNATTENDED)
            },
            "method": method,
            "path": unquote(path),
            "raw_path": quote(unquote(path)).encode(),
            "query_string": query.encode(),
            "headers": headers,
            "state": {},
        }


class _Heard:
    """Takes an answer."""

    def __init__(self) -> None:
        self.status = 500
        self._parts: list[bytes] = []
        self._size = 0

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        part: bytes = message.get("body", b"")
        self._size += len(part)
        if self._size > ANSWER_BYTES_MAX:
            raise Refused(502, "too_large", "the answer is too large for a page; ask for less", None)
        self._parts.append(part)

    def value(self) -> Any:
        """The JSON of it; text that is none as it is."""
        body = b"".join(self._parts)
        if not body:
            return None
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            return body.decode("utf-8", "replace")


def _told(content: bytes) -> Any:
    parts = iter([{"type": "http.request", "body": content, "more_body": False}])

    async def receive() -> Any:
        return next(parts, None) or await asyncio.get_running_loop().create_future()

    return receive
