"""OAuth 2.0 tokens: asked for once for everybody who waits, kept until shortly before their end.

Who waits may leave: the question goes on for the others, and ends with the last. A refusal is remembered for
a moment, so that a wrong secret is not tried with every call.
"""

import asyncio
import base64
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from adapters.rest.credentials import Credential
from adapters.rest.draft import Draft
from adapters.rest.origin import Origin
from application.ports.http import HttpRequest, HttpTransport, TransportFailed, TransportStage, header
from application.ports.system import Clock
from domain.connectors.rest.percent import percent_encoded
from domain.connectors.rest.retrying import seconds_in, told_retry_after_s
from domain.errors import EgressRefused, IntegrationUnavailable, InterchangeError

log = logging.getLogger("interchange")

REQUEST_TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 256 * 1024
LIFETIME_S: Final = 300.0
"""Of a token whose end nobody told."""
LIFETIME_S_MAX: Final = 24 * 3600.0
AHEAD_S_MAX: Final = 60.0
AHEAD_SHARE: Final = 0.1
"""A token is renewed this part of its life before its end, and no more than AHEAD_S_MAX."""
REFUSED_FOR_S: Final = 5.0
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,32768}")
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Asked(NamedTuple):
    """A question for a token, proof included."""

    fields: Mapping[str, str]
    headers: Sequence[tuple[str, str]] = ()


class _Token(NamedTuple):
    value: str
    renewed_at: float
    """When it is time for another, in monotonic seconds."""


class TokenSource:
    """One grant. `ask` makes the form; `taken` sees the whole answer."""

    def __init__(
        self,
        transport: HttpTransport,
        origin: Origin,
        clock: Clock,
        *,
        ask: Callable[[], Asked],
        taken: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None,
    ) -> None:
        self._transport = transport
        self._origin = origin
        self._clock = clock
        self._ask = ask
        self._taken = taken
        self._token: _Token | None = None
        self._flight: asyncio.Task[_Token] | None = None
        self._waiting = 0
        self._refused: tuple[float, InterchangeError] | None = None
        self._closed = False

    @property
    def current(self) -> str:
        """Empty where there is none."""
        return "" if self._token is None else self._token.value

    async def token(self) -> str:
        """Raises IntegrationUnavailable, EgressRefused."""
        token = self._token
        if token is not None and self._clock.monotonic() < token.renewed_at:
            return token.value
        return (await self._shared()).value

    def forget(self, value: str) -> None:
        """It was refused; another that came meanwhile stays."""
        if self._token is not None and self._token.value == value:
            self._token = None

    async def aclose(self) -> None:
        self._closed = True
        flight = self._flight
        if flight is not None:
            flight.cancel()
            await asyncio.gather(flight, return_exceptions=True)

    async def _shared(self) -> _Token:
        if self._closed:
            raise IntegrationUnavailable("the integration was closed")
        if self._refused is not None and self._clock.monotonic() < self._refused[0]:
            error = self._refused[1]
            raise type(error)(error.message, retry_after_s=error.retry_after_s)
        flight = self._flight
        if flight is None:
            flight = self._flight = asyncio.get_running_loop().create_task(self._obtained())
            flight.add_done_callback(self._landed)
        self._waiting += 1
        try:
            return await asyncio.shield(flight)
        except asyncio.CancelledError:
            if flight.cancelled():
                raise IntegrationUnavailable("the integration was closed") from None
            raise
        finally:
            self._waiting -= 1
            if not self._waiting and not flight.done():
                flight.cancel()
                self._flight = None

    def _landed(self, flight: "asyncio.Task[_Token]") -> None:
        if self._flight is flight:
            self._flight = None
        if not flight.cancelled():
            flight.exception()  # whoever waited has it

    async def _obtained(self) -> _Token:
        try:
            answer = await self._answered()
            token = _token_in(answer, self._clock.monotonic())
            if self._taken is not None:
                await self._taken(answer)
        except InterchangeError as error:
            self._refused = (self._clock.monotonic() + REFUSED_FOR_S, error)
            raise
        self._token, self._refused = token, None
        return token

    async def _answered(self) -> Mapping[str, Any]:
        asked = self._ask()
        form = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))
        request = HttpRequest(
            "POST",
            self._origin.endpoint,
            self._origin.prefix or "/",
            (*form, ("user-agent", "interchange"), *asked.headers),
            urlencode(asked.fields).encode(),
            total_timeout_s=REQUEST_TIMEOUT_S,
        )
        try:
            response = await self._transport.send(request)
            try:
                body = await _bounded(response.next_chunk)
            finally:
                response.close()
        except TransportFailed as failed:
            if failed.stage is TransportStage.REFUSED and failed.by_rule:
                raise EgressRefused(f"authentication.token_url: {failed.message}") from None
            raise IntegrationUnavailable(
                f"no token: its endpoint cannot be reached ({failed.stage.value})"
            ) from None
        said = _object_in(body)
        if not 200 <= response.status < 300:
            raise self._refusal(response.status, said, header(response.headers, "retry-after"))
        return said

    def _refusal(self, status: int, said: Mapping[str, Any], retry_after: str | None) -> InterchangeError:
        code = said.get("error")
        shown = f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
        log.warning("no token from %s: %d%s", self._origin.endpoint.host, status, shown)
        asked_s = None
        if status == 429 or status >= 500:
            asked_s = seconds_in(retry_after, utc_now=self._clock.utc_now())
        return IntegrationUnavailable(
            f"no token: its endpoint answered {status}{shown}", retry_after_s=told_retry_after_s(asked_s)
        )


class OAuthCredential(Credential):
    """A bearer token from a source. A token that is refused is replaced once."""

    def __init__(self, source: TokenSource, secrets: Callable[[], Sequence[str]]) -> None:
        self._source = source
        self._secrets = secrets

    async def prove(self, draft: Draft) -> None:
        draft.set_header("authorization", f"Bearer {await self._source.token()}")

    async def renew(self, draft: Draft) -> bool:
        sent = next((value for name, value in draft.headers if name == "authorization"), "")
        self._source.forget(sent.removeprefix("Bearer "))
        await self._source.token()
        return True

    def spellings(self) -> Sequence[str]:
        return tuple(each for each in (*self._secrets(), self._source.current) if each)

    async def aclose(self) -> None:
        await self._source.aclose()


def client_proof(style: str, client_id: str, secret: str) -> Asked:
    """The client's own proof, in the form or in a header (RFC 6749, 2.3.1)."""
    if style == "basic" and secret:
        pair = f"{percent_encoded(client_id)}:{percent_encoded(secret)}".encode()
        return Asked({}, (("authorization", f"Basic {base64.b64encode(pair).decode()}"),))
    return Asked({"client_id": client_id, **({"client_secret": secret} if secret else {})})


async def _bounded(next_chunk: Callable[[], Awaitable[bytes]]) -> bytes:
    body = bytearray()
    while chunk := await next_chunk():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            raise IntegrationUnavailable("no token: its endpoint answered far too much")
    return bytes(body)


def _object_in(body: bytes) -> Mapping[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _token_in(answer: Mapping[str, Any], now: float) -> _Token:
    value = answer.get("access_token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise IntegrationUnavailable("no token: its endpoint's answer holds none")
    if str(answer.get("token_type", "bearer")).lower() != "bearer":
        raise IntegrationUnavailable("no token: its endpoint gave another kind than bearer")
    told = answer.get("expires_in")
    try:
        lifetime_s = LIFETIME_S if told is None else min(float(told), LIFETIME_S_MAX)
    except (TypeError, ValueError):
        lifetime_s = LIFETIME_S
    lifetime_s = max(lifetime_s, 0.0)
    return _Token(value, now + lifetime_s - min(AHEAD_S_MAX, AHEAD_SHARE * lifetime_s))
