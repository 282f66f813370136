"""JSON objects from identity providers: one bounded request, read strictly."""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from application.ports.http import Endpoint, HttpRequest, HttpResponse, HttpTransport, TransportFailed
from domain.egress.addresses import is_this_machine
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

ANSWER_BYTES_MAX: Final = 256 * 1024
TIMEOUT_S: Final = 5.0
RETRY_AFTER_S: Final = 30.0


class NotAnObject(ValueError):
    """No JSON object, or one that says something twice."""


def read_object(text: bytes | str) -> dict[str, Any]:
    """A JSON object in which no name stands twice: two readers would take different ones.

    Raises NotAnObject.
    """
    try:
        found = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotAnObject(str(error)) from None
    if not isinstance(found, dict):
        raise NotAnObject("not an object")
    return found


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise NotAnObject("a name stands twice")
    return made


def _no_constant(name: str) -> Any:
    raise NotAnObject(f"{name} is no JSON")


def target_of(url: str) -> tuple[Endpoint, str]:
    """Where a URL leads: https, or http on this machine. Raises ValueError for any other."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or parts.fragment:
        raise ValueError("must be an https:// address")
    if parts.scheme == "http" and not is_this_machine(host):
        raise ValueError("must be https (plain http only on loopback)")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    query = f"?{parts.query}" if parts.query else ""
    return Endpoint(parts.scheme, host, port), (parts.path or "/") + query


class Fetching:
    """Asks through the guarded transport, follows no redirects, and believes nothing that is not JSON."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = transport

    async def get(self, url: str) -> dict[str, Any]:
        """Raises StoreUnavailable."""
        status, body = await self._ask("GET", url, b"", ())
        if status != 200:
            raise unusable(url, f"it answered {status}")
        return self._read(url, body)

    async def post(
        self, url: str, form: Mapping[str, str], headers: tuple[tuple[str, str], ...]
    ) -> tuple[int, dict[str, Any]]:
        """Status and answer. Raises StoreUnavailable for answers of 500 and more, and for what is no JSON."""
        kind = ("content-type", "application/x-www-form-urlencoded")
        status, body = await self._ask("POST", url, urlencode(form).encode(), (kind, *headers))
        if status >= 500:
            raise unusable(url, f"it answered {status}")
        return status, self._read(url, body)

    def _read(self, url: str, body: bytes) -> dict[str, Any]:
        try:
            return read_object(body)
        except NotAnObject as error:
            raise unusable(url, f"its answer cannot be read ({error})") from None

    async def _ask(
        self, method: str, url: str, body: bytes, headers: tuple[tuple[str, str], ...]
    ) -> tuple[int, bytes]:
        try:
            endpoint, path = target_of(url)
        except ValueError as error:
            raise unusable(url, str(error)) from None
        heads = (("accept", "application/json"), ("user-agent", "interchange"), *headers)
        request = HttpRequest(method, endpoint, path, heads, body, TIMEOUT_S, None, None, TIMEOUT_S)
        try:
            response = await self._transport.send(request)
            try:
                return response.status, await _bounded(response)
            finally:
                response.close()
        except TransportFailed as error:
            raise unusable(url, f"{error.stage.value}: {error.message}") from None


async def _bounded(response: HttpResponse) -> bytes:
    parts, size = [], 0
    while part := await response.next_chunk():
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            message = "an identity provider's answer is far too long"
            raise StoreUnavailable(message, retry_after_s=RETRY_AFTER_S)
        parts.append(part)
    return b"".join(parts)


def unusable(url: str, reason: str) -> StoreUnavailable:
    """The log says what was wrong; callers learn that it is not their fault."""
    log.warning("the identity provider at %s cannot be used: %s", url[:200], reason[:300])
    return away()


def away() -> StoreUnavailable:
    """What callers learn."""
    return StoreUnavailable(
        "tokens cannot be checked: the identity provider cannot be reached", retry_after_s=RETRY_AFTER_S
    )
