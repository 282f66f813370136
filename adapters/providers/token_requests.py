"""Asking identity providers for short-lived tokens: one request, one typed outcome."""

import ipaddress
import logging
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from adapters.wire.errors import redacted
from application.ports.http import Endpoint, HttpRequest, HttpTransport, TransportFailed, TransportStage
from application.ports.llm import UpstreamFailed
from application.ports.system import Clock
from domain.llm.failures import Failure, FailureKind

log = logging.getLogger("interchange")

REQUEST_TIMEOUT_S: Final = 8.0
CONNECT_TIMEOUT_S: Final = 3.0
ANSWER_BYTES_MAX: Final = 256 * 1024
LIFETIME_S_MAX: Final = 24 * 3600
_EXPLANATION_CHARS_MAX: Final = 300
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,32768}")
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_. -]{1,64}")
_ENTRA_CODE: Final = re.compile(r"AADSTS\d{1,9}")
_METADATA_HOSTS: Final = frozenset({"metadata.google.internal", "metadata"})
_LATE: Final = frozenset({TransportStage.HEADERS_TIMEOUT, TransportStage.BODY_TIMEOUT})

HeaderPairs = tuple[tuple[str, str], ...]


class AccessToken(NamedTuple):
    """A token and its end (aware UTC)."""

    value: str
    ends_at: datetime


class TokenUrl(NamedTuple):
    """Where tokens are asked for; `path` holds the query."""

    endpoint: Endpoint
    path: str


def token_url(url: str, *, metadata: bool = False) -> TokenUrl:
    """A checked address: https, or http on loopback; with `metadata` also http within the machine's link.

    Raises:
        ValueError: any other; secrets and tokens travel there. The message does not hold the URL.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ValueError("must be an https:// address")
    if parts.scheme == "http" and not _is_near(host, metadata=metadata):
        raise ValueError("must be https: tokens travel there (plain http only on loopback)")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return TokenUrl(Endpoint(parts.scheme, host, port), target)


def _is_near(host: str, *, metadata: bool) -> bool:
    if host == "localhost" or (metadata and host in _METADATA_HOSTS):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or (metadata and address.is_link_local)


def no_token(message: str, *, kind: FailureKind = FailureKind.AUTH) -> UpstreamFailed:
    """No proof to be had; nothing reached the model's provider. Callers see the message."""
    return UpstreamFailed(Failure(kind=kind, message=message, sent=False))


class TokenRequests:
    """Requests to identity providers. Each is tried once, within `REQUEST_TIMEOUT_S`.

    Raises UpstreamFailed: AUTH for a refusal, OVERLOADED for 429 and 5xx, NETWORK and TIMEOUT for a provider
    that cannot be reached. Its message names `who` and an error code; the explanation goes to the log.
    """

    def __init__(self, transport: HttpTransport, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock

    def now(self) -> datetime:
        """The time that claims are dated with."""
        return self._clock.utc_now()

    async def post_form(
        self, url: TokenUrl, fields: Mapping[str, str], *, who: str, headers: HeaderPairs = ()
    ) -> dict[str, Any]:
        """The JSON object a form is answered with."""
        form = ("content-type", "application/x-www-form-urlencoded")
        return decoded(await self._ask("POST", url, (form, *headers), urlencode(fields).encode(), who), who)

    async def post_json(
        self, url: TokenUrl, body: Mapping[str, Any], *, who: str, headers: HeaderPairs = ()
    ) -> dict[str, Any]:
        """The JSON object a JSON body is answered with."""
        kind = ("content-type", "application/json")
        return decoded(await self._ask("POST", url, (kind, *headers), msgspec.json.encode(body), who), who)

    async def get(self, url: TokenUrl, *, who: str, headers: HeaderPairs = ()) -> bytes:
        """The body at an address."""
        return await self._ask("GET", url, headers, b"", who)

    async def _ask(self, method: str, url: TokenUrl, headers: HeaderPairs, body: bytes, who: str) -> bytes:
        request = HttpRequest(
            method,
            url.endpoint,
            url.path,
            (("accept", "application/json"), ("user-agent", "interchange"), *headers),
            body,
            CONNECT_TIMEOUT_S,
            None,
            None,
            REQUEST_TIMEOUT_S,
        )
        try:
            response = await self._transport.send(request)
            answer = await response.read()
        except TransportFailed as error:
            kind = FailureKind.TIMEOUT if error.stage in _LATE else FailureKind.NETWORK
            kind = FailureKind.EGRESS_REFUSED if error.by_rule else kind
            log.warning("no token from %s: %s: %s", who, error.stage.value, error.message)
            raise no_token(f"{who} cannot be reached for a token: {error.stage.value}", kind=kind) from None
        if len(answer) > ANSWER_BYTES_MAX:
            raise no_token(f"{who} gave an answer far too long for a token")
        if response.status != 200:
            raise _refusal(who, response.status, answer)
        return answer


def _refusal(who: str, status: int, body: bytes) -> UpstreamFailed:
    code, explanation = _explained(body)
    # The explanation may name tenants, applications and accounts, which are no business of callers.
    log.warning("no token from %s: %d %s %s", who, status, code, explanation)
    kind = FailureKind.OVERLOADED if status == 429 or status >= 500 else FailureKind.AUTH
    said = f" ({code})" if code else ""
    return no_token(f"{who} refused a token with status {status}{said}", kind=kind)


def _explained(body: bytes) -> tuple[str, str]:
    """(error code fit for callers, explanation fit for the log)."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    error = said.get("error") if isinstance(said, dict) else None
    if isinstance(error, dict):
        code, text = str(error.get("status", "")), str(error.get("message", ""))
    else:
        code, text = str(error or ""), str(said.get("error_description", "")) if error else ""
    entra = _ENTRA_CODE.search(text)
    code = f"{code}, {entra.group()}" if entra and code else code
    shown = code if _ERROR_CODE.fullmatch(code.replace(",", "")) else ""
    return shown, redacted(" ".join(text.split()))[:_EXPLANATION_CHARS_MAX]


def decoded(body: bytes, who: str) -> dict[str, Any]:
    """The JSON object of an answer. Raises UpstreamFailed for anything else."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise no_token(f"{who} gave no JSON object where a token was expected")
    return found


def token_in(answer: Mapping[str, Any], now: datetime, *, who: str) -> AccessToken:
    """The token of an OAuth answer, valid for `expires_in` seconds (a number or its text).

    Raises:
        UpstreamFailed: there is none that a header can carry, or it has no end.
    """
    value = answer.get("access_token")
    try:
        lifetime_s = min(int(answer.get("expires_in", 0)), LIFETIME_S_MAX)
    except (TypeError, ValueError):
        lifetime_s = 0
    if lifetime_s <= 0:
        raise no_token(f"{who} gave a token without an end")
    return AccessToken(checked_token(value, who), now + timedelta(seconds=lifetime_s))


def checked_token(value: object, who: str) -> str:
    """A token that a header can carry. Raises UpstreamFailed."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise no_token(f"{who} gave no token")
    return value
