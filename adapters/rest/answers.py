"""What came back: read up to a bound, unpacked, decoded, judged."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from adapters.rest.expressions import found_in
from adapters.rest.tool_section import ResponseSection
from adapters.wire.redaction import redacted
from application.json_limits import check_json_limits
from application.ports.http import Headers, HttpResponse, header
from domain.errors import (
    IntegrationUnavailable,
    InterchangeError,
    InvalidRequest,
    RequestTooLarge,
    ToolFailed,
)

MESSAGE_CHARS_MAX: Final = 300
_MASK: Final = b"[redacted]"
_MASKED_FROM_CHARS: Final = 8
"""Shorter secrets would be found in every other answer."""
_WORDS: Final = ("message", "error_description", "error", "detail", "title", "errors", "errorMessages")
_TOO_LARGE: Final = "the answer is larger than {} bytes"
TIRED: Final = frozenset({429, 502, 503, 504})
"""Statuses by which the other side says that it cannot now, not that it will not."""


class Answer(NamedTuple):
    """`asked_s` is how long the other side wants us to wait; `limited`: it said that we ask too often."""

    status: int
    headers: Headers
    body: bytes
    target: str
    asked_s: float | None = None
    limited: bool = False
    retries: int = 0


async def read_body(response: HttpResponse, room: int) -> bytes:
    """At most `room` bytes, unpacked too. Raises TransportFailed, ToolFailed."""
    pieces = []
    size = 0
    while chunk := await response.next_chunk():
        size += len(chunk)
        if size > room:
            raise ToolFailed(_TOO_LARGE.format(room), details={"status": response.status})
        pieces.append(chunk)
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    coding = (header(response.headers, "content-encoding") or "identity").strip().lower()
    if coding in ("", "identity") or not body:
        return body
    return _unpacked(body, coding, room)


def _unpacked(body: bytes, coding: str, room: int) -> bytes:
    """We ask for none, but some send it all the same."""
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise ToolFailed(f"the answer is packed as {coding[:20]!r}, which was not asked for")
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)  # finds out itself whether it is gzip or zlib
    try:
        plain = unpacking.decompress(body, room + 1)
    except zlib.error:
        raise ToolFailed("the answer is packed and damaged") from None
    if len(plain) > room:
        raise ToolFailed(_TOO_LARGE.format(room))
    if not unpacking.eof:
        raise ToolFailed("the answer is packed and cut")
    return plain


def decoded(answer: Answer, secrets: Sequence[str]) -> Any:
    """The JSON value, a text, or `{content_type, base64}`; None for an empty one. Our own credential is
    blotted out where the other side repeats it. Raises ToolFailed."""
    body = _blotted(answer.body, secrets)
    if not body:
        return None
    kind = (header(answer.headers, "content-type") or "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json") or (not kind and body.lstrip()[:1] in b"{["):
        return _json(body)
    if kind.startswith("text/") or kind in ("application/xml", "application/x-www-form-urlencoded"):
        return body.decode("utf-8", "replace")
    return {
        "content_type": kind or "application/octet-stream",
        "base64": base64.b64encode(body).decode(),
    }


def judge(answer: Answer, response: ResponseSection, secrets: Sequence[str]) -> Any:
    """The decoded value of an answer that is a success. Raises ToolFailed, IntegrationUnavailable."""
    status = answer.status
    details: dict[str, object] = {"status": status}
    if answer.limited:
        raise IntegrationUnavailable(
            "the other side has had too many requests", retry_after_s=answer.asked_s, details=details
        )
    if status in response.success or (not response.success and 200 <= status < 300):
        value = decoded(answer, secrets)
        if response.credential_refused and found_in(response.credential_refused, value) is True:
            raise credential_refused(status)
        if response.failed and found_in(response.failed, value) is True:
            said = _said(value, response.error, secrets)
            raise ToolFailed(f"the other side refused it{said}", details=details)
        return value
    if status in (401, 407) or (status == 403 and header(answer.headers, "www-authenticate")):
        raise credential_refused(status)
    if 300 <= status < 400:
        raise ToolFailed(
            f"answered with a redirect ({status}) that is not followed: only to the same origin, for GET",
            details=details,
        )
    if status in TIRED:
        raise IntegrationUnavailable(
            f"the other side answered {status}", retry_after_s=answer.asked_s, details=details
        )
    said = _said(_readable(answer, secrets), response.error, secrets)
    raise ToolFailed(f"the other side answered {status}{said}", retry_after_s=answer.asked_s, details=details)


def credential_refused(status: int) -> IntegrationUnavailable:
    """It is not the caller's doing, so nothing of what was said is told."""
    return IntegrationUnavailable(
        f"the other side refuses the integration's credential ({status})", details={"status": status}
    )


def _json(body: bytes) -> Any:
    try:
        check_json_limits(body)
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (InvalidRequest, RequestTooLarge) as error:
        raise ToolFailed(f"the answer cannot be read: {error.message}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ToolFailed("the answer says it is JSON and is not") from None


def _readable(answer: Answer, secrets: Sequence[str]) -> Any:
    try:
        return decoded(answer, secrets)
    except InterchangeError:
        return None


def _said(value: Any, place: str, secrets: Sequence[str]) -> str:
    """`: message`, or nothing; one line, bounded, without anything that looks like a key."""
    found = _searched(value, place) if place else _usual(value)
    if isinstance(found, list | dict):
        found = _usual(found)
    if not isinstance(found, str | int | float) or isinstance(found, bool):
        return ""
    line = " ".join(str(found)[: MESSAGE_CHARS_MAX * 20].split())
    clean = redacted(line, secrets)[:MESSAGE_CHARS_MAX]
    return f": {clean}" if clean and clean.isprintable() else ""


def _searched(value: Any, place: str) -> Any:
    try:
        return found_in(place, value)
    except ToolFailed:
        return None


def _usual(value: Any, depth: int = 0) -> Any:
    if depth > 3:
        return None
    if isinstance(value, list):
        return _usual(value[0], depth + 1) if value else None
    if isinstance(value, dict):
        for word in _WORDS:
            if found := _usual(value.get(word), depth + 1):
                return found
        return None
    return value if isinstance(value, str) and not value.lstrip().startswith("<") else None


def _blotted(body: bytes, secrets: Sequence[str]) -> bytes:
    for secret in secrets:
        if len(secret) < _MASKED_FROM_CHARS:
            continue
        for spelling in {secret.encode(), msgspec.json.encode(secret)[1:-1]}:
            if spelling in body:
                body = body.replace(spelling, _MASK)
    return body
