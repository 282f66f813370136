"""Calls of Google's JSON API over the tenant's own way out.

Why not Google's client: it is synchronous, so a call in a thread cannot be cancelled; it follows redirects,
resolves names itself and cannot be handed judged addresses. What is used of the API is a dozen calls.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from adapters.storage.gcs_credential import GcsTokens, ServiceKey
from adapters.storage.gcs_words import BUSY, Refusal, told
from application.ports.http import (
    Endpoint,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    TransportFailed,
    TransportStage,
)
from domain.errors import IntegrationUnavailable, InterchangeError, ToolFailed
from domain.vault.secret import SecretText

READ_TIMEOUT_S: Final = 60.0
"""Between two bytes; how long a call may take in all, its caller says."""
TOTAL_TIMEOUT_S: Final = 6 * 3600.0
TRIES: Final = 3
ANSWER_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of what is no content: a page of a thousand objects with all their metadata is a third of it."""
_WAIT_S: Final = 0.2
_WAIT_S_MAX: Final = 5.0
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FAILURES: Final = (InterchangeError, TransportFailed, Refusal, ValueError, KeyError, TypeError)
"""What a call can end with, before it is told."""


class GcsPlace(NamedTuple):
    """Where a bucket is."""

    bucket: str
    service_url: str = "https://storage.googleapis.com"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address


class Call(NamedTuple):
    """One call. `hoped`: statuses that are an answer. `repeat`: doing it twice is like doing it once."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    hoped: frozenset[int] = frozenset({200})
    repeat: bool = True


class Heard(NamedTuple):
    """`headers` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Mapping[str, Any]:
        """Raises ValueError."""
        found = json.loads(self.body)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found


class GcsExchange:
    """Knows the way and the credential; belongs to one event loop."""

    def __init__(
        self,
        place: GcsPlace,
        key: ServiceKey | None,
        transport: HttpTransport,
        now_s: Callable[[], float],
        *,
        tries: int = TRIES,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """`key` None: nobody in particular asks."""
        self.place = place
        self.endpoint = endpoint_of(place.service_url)
        self._key = key
        self._transport = transport
        self._now_s = now_s
        self._tries = tries
        self._read_timeout_s = read_timeout_s
        self._tokens = None if key is None else GcsTokens(self._new_token, now_s)
        self._closed = False

    def object_path(self, key: str) -> str:
        return f"/storage/v1/b/{quote(self.place.bucket, safe='')}/o/{quote(key, safe='')}"

    @property
    def objects_path(self) -> str:
        return f"/storage/v1/b/{quote(self.place.bucket, safe='')}/o"

    async def ask(self, call: Call, what: str) -> Heard:
        """The whole answer. `what` is the object, as errors may name it. Raises as the port."""
        for tried in range(1, self._tries + 1):
            try:
                return await self.once(call)
            except FAILURES as error:
                wait_s = again_s(error, tried, repeat=call.repeat)
                if wait_s is None or tried == self._tries:
                    raise told(error, what) from None
            await asyncio.sleep(wait_s)
        raise IntegrationUnavailable("the store was not asked")

    async def json(self, call: Call, what: str) -> Mapping[str, Any]:
        """Raises as the port."""
        heard = await self.ask(call, what)
        try:
            return heard.json()
        except ValueError as error:
            raise told(error, what) from None

    async def once(self, call: Call) -> Heard:
        """Raises one of FAILURES."""
        response = await self.opened(call)
        try:
            return Heard(response.status, dict(response.headers), await _body(response))
        finally:
            response.close()

    async def opened(self, call: Call) -> HttpResponse:
        """An answer that was hoped for, its body to come. Raises one of FAILURES."""
        if self._closed:
            raise IntegrationUnavailable("the connection to the store is closed")
        token = None if self._tokens is None else await self._tokens.token()
        response = await self._sent(call, token)
        if response.status == 401 and self._tokens is not None and token is not None:
            response.close()
            response = await self._sent(call, await self._tokens.token(refused=token))
        if response.status not in call.hoped:
            try:
                raise Refusal(response.status, dict(response.headers), await _body(response))
            finally:
                response.close()
        return response

    async def _sent(self, call: Call, token: SecretText | None) -> HttpResponse:
        headers = list(call.headers)
        if token is not None:
            headers.append(("authorization", f"Bearer {token.reveal()}"))
        path = call.path
        if call.query:
            path += f"{'&' if '?' in path else '?'}{urlencode(call.query, quote_via=quote)}"
        return await self._transport.send(self._request(call.method, self.endpoint, path, headers, call.body))

    def _request(
        self, method: str, endpoint: Endpoint, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> HttpRequest:
        return HttpRequest(
            method=method,
            endpoint=endpoint,
            path=path,
            headers=[*headers, ("user-agent", "interchange")],
            body=body,
            headers_timeout_s=self._read_timeout_s,
            body_idle_timeout_s=self._read_timeout_s,
            total_timeout_s=TOTAL_TIMEOUT_S,
        )

    async def _new_token(self) -> tuple[str, float]:
        assert self._key is not None
        url = self.place.token_url
        asked = {"grant_type": _GRANT, "assertion": self._key.assertion(url, self._now_s())}
        headers = [("content-type", "application/x-www-form-urlencoded")]
        request = self._request(
            "POST", endpoint_of(url), urlsplit(url).path or "/", headers, urlencode(asked).encode()
        )
        response = await self._transport.send(request)
        try:
            body = await _body(response)
        finally:
            response.close()
        if response.status != 200:
            if response.status in BUSY:
                raise Refusal(response.status, dict(response.headers), body)
            raise IntegrationUnavailable(
                f"Google gives no token for our credential ({response.status})",
                details={"status": response.status},
            )
        said: Any = json.loads(body)
        return str(said["access_token"]), float(said.get("expires_in", 0))

    async def aclose(self) -> None:
        """The transport is everybody's."""
        self._closed = True


def again_s(error: Exception, tried: int, *, repeat: bool) -> float | None:
    """How long to wait before sending it again; None: not at all."""
    if isinstance(error, Refusal):
        if error.status not in (BUSY if repeat else (429,)):
            return None
        wait_s = _WAIT_S * tried if error.wait_s is None else error.wait_s
        return wait_s if wait_s <= _WAIT_S_MAX else None
    if isinstance(error, TransportFailed) and error.stage in (TransportStage.SEND, TransportStage.BODY):
        return _WAIT_S * tried if repeat else None
    return None


def endpoint_of(url: str) -> Endpoint:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return Endpoint(scheme, parts.hostname or "", parts.port or (443 if scheme == "https" else 80))


async def _body(response: HttpResponse) -> bytes:
    content = bytearray()
    while chunk := await response.next_chunk():
        content += chunk
        if len(content) > ANSWER_BYTES_MAX:
            raise ToolFailed("Google's answer is larger than any answer of it")
    return bytes(content)
