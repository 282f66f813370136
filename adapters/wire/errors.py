"""Providers' error answers, whatever their shape, as the domain's failures.

Known shapes: OpenAI `{error: {message, type, param, code}}`, Anthropic `{type: error, error: {type,
message}}`, Gemini `{error: {code, message, status, details}}` (alone or in an array), `{message}` and
`{detail}` of smaller servers, HTML pages, plain text and nothing at all.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from adapters.wire.redaction import redacted as redacted
from adapters.wire.redaction import redacted_body
from application.ports.http import header
from application.ports.wire import FAMILY
from domain.llm.failures import Failure, FailureKind, classify
from domain.resilience.backoff import parse_retry_after

MESSAGE_CHARS_MAX: Final = 500
ERROR_BODY_BYTES_MAX: Final = 64 * 1024
"""A larger error body is not kept for the caller; its beginning still makes the message."""
HTML_CHARS_MAX: Final = 8 * 1024
"""Of a page that is looked at: unclosed elements take time in proportion to the square of it."""

Headers = Sequence[tuple[str, str]]

_TAGS: Final = re.compile(r"(?is)<(?:script|style|head)\b.*?</(?:script|style|head)>|<[^>]{0,1000}>")
_TITLE: Final = re.compile(r"(?is)<title[^>]{0,200}>(.{0,300}?)</title>")
_SPACE: Final = re.compile(r"\s+")
_KEPT_PREFIXES: Final = ("x-ratelimit-", "anthropic-", "openai-", "ratelimit-", "apim-request-id")
_RENAMED: Final[dict[str, str]] = {
    "request-id": "upstream-request-id",
    "x-request-id": "upstream-request-id",
    "x-debug-trace-id": "upstream-request-id",
    "retry-after": "retry-after",
    "retry-after-ms": "retry-after-ms",
}
_WITHHELD: Final = frozenset(
    {"openai-organization", "openai-project", "anthropic-organization-id", "x-ms-deployment-name"}
)
"""They name the operator's account, which is no business of the caller."""
_NOT_OURS_TO_SAY: Final = _WITHHELD | {
    # Of the connection and body between the provider and us.
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer", "upgrade",
    "content-length", "content-encoding", "content-type", "date", "server", "via", "age", "vary",
    "cache-control", "content-location", "content-range", "content-disposition", "content-md5",
    "content-digest", "repr-digest", "accept-ranges", "etag", "last-modified", "expires", "pragma",
    # Promises about the provider's host, which a caller would take for ours.
    "set-cookie", "strict-transport-security", "alt-svc", "nel", "report-to", "reporting-endpoints",
    "content-security-policy", "x-frame-options", "x-content-type-options",
    "www-authenticate", "authentication-info", "location", "server-timing", "expect-ct", "set-cookie2",
    "content-security-policy-report-only", "clear-site-data", "refresh", "link", "sourcemap", "x-sourcemap",
    "service-worker-allowed", "permissions-policy", "referrer-policy", "x-xss-protection",
    # Orders to a proxy, which one in front of us would take for ours: files to send, addresses to go to.
    "x-sendfile", "x-lighttpd-send-file", "x-reproxy-url", "x-reproxy-file",
}  # fmt: skip
_NOT_OURS_PREFIXES: Final = (
    "access-control-", "cross-origin-", "x-interchange-", "x-portkey-", "x-envoy-", "cf-", "x-accel-",
    "x-litespeed-", "proxy-", "surrogate-", "cdn-", "edge-control",
)  # fmt: skip
_NAMES_SEEN_MAX: Final = 512
_names_seen: dict[str, str | None] = {}
_open_names_seen: dict[str, str | None] = {}


class ParsedError(NamedTuple):
    """What an error body says; `codes` in order of trust."""

    message: str
    codes: tuple[str, ...]
    retry_after_s: float | None
    status: int | None = None


def read_failure(
    upstream_dialect: str,
    status: int,
    headers: Headers,
    body: bytes,
    utc_now: datetime,
    *,
    secrets: Sequence[str] = (),
) -> Failure:
    """The failure of a non-2xx answer of a provider that speaks `upstream_dialect`.

    The message is at most 500 characters and holds no key: neither one of `secrets` nor anything that
    looks like one. The body is kept, redacted likewise, for callers of the same family.
    """
    parsed = parse_error(body)
    if named := header(headers, "x-amzn-errortype"):
        parsed = parsed._replace(codes=(named.partition(":")[0], *parsed.codes))
    kind = classify(status, codes=parsed.codes, message=parsed.message)
    content_type = header(headers, "content-type")
    message = (
        redacted(parsed.message, secrets) or f"{upstream_dialect} answered {status} without an explanation"
    )
    return Failure(
        kind=kind,
        message=message[:MESSAGE_CHARS_MAX],
        status=status,
        code=parsed.codes[0] if parsed.codes else None,
        retry_after_s=_retry_after_s(headers, parsed, utc_now),
        body=redacted_body(body, secrets) if 0 < len(body) <= ERROR_BODY_BYTES_MAX else None,
        content_type=content_type,
        headers=_redacted_headers(open_headers(headers), secrets),
        family=FAMILY.get(upstream_dialect, ""),
    )


def bad_response(message: str, *, status: int | None = None) -> Failure:
    """A 2xx answer that cannot be read."""
    return Failure(
        kind=FailureKind.BAD_RESPONSE, message=redacted(message)[:MESSAGE_CHARS_MAX], status=status
    )


def error_in_success(error: Any, body: bytes) -> Failure:
    """An `error` inside a 2xx body: typed when it says what it is, else a bad response."""
    parsed = _parse_object({"error": error})
    status = parsed.status or 200
    message = redacted(parsed.message) or "the provider answered 2xx with an error"
    return Failure(
        kind=classify(status, codes=parsed.codes, message=parsed.message),
        message=message[:MESSAGE_CHARS_MAX],
        status=parsed.status,
        code=parsed.codes[0] if parsed.codes else None,
        retry_after_s=parsed.retry_after_s,
        body=redacted_body(body, ()) if len(body) <= ERROR_BODY_BYTES_MAX else None,
        content_type="application/json",
    )


stream_failure = error_in_success
"""An error frame inside a stream follows the same rules: its status is long gone."""


def parse_error(body: bytes) -> ParsedError:
    """Message, codes and wait of an error body in any known shape; never raises."""
    text = body[:ERROR_BODY_BYTES_MAX].decode("utf-8", "replace").strip()
    if text[:1] in ("{", "["):
        try:
            return _parse_object(msgspec.json.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    if text[:1] == "<":
        text = text[:HTML_CHARS_MAX]
        title = _TITLE.search(text)
        text = title.group(1) if title else _TAGS.sub(" ", text)
    return ParsedError(_SPACE.sub(" ", text).strip(), (), None)


def _parse_object(value: Any) -> ParsedError:
    if isinstance(value, list):
        value = value[0] if value else {}
    if not isinstance(value, dict):
        return ParsedError(str(value), (), None)
    error = value.get("error", value)
    if isinstance(error, str):
        # Some servers put a name in `error` and the sentence beside it.
        said = value.get("message") or value.get("error_description") or value.get("detail")
        return ParsedError(said if isinstance(said, str) else error, (error,), None)
    if not isinstance(error, dict):
        return ParsedError("", (), None)
    codes = [text for name in ("code", "type", "status") if isinstance(text := error.get(name), str) and text]
    if isinstance(shape := error.get("__type"), str):
        codes.insert(0, shape.rpartition("#")[2])
    retry_after_s: float | None = None
    for detail in _details(error):
        codes[:0] = _codes_in(detail)
        if isinstance(delay := detail.get("retryDelay"), str):
            retry_after_s = _seconds(delay)
            codes.append("rate_limit_exceeded")
    inner = error.get("innererror") or error.get("inner_error")
    if isinstance(inner, dict) and isinstance(inner.get("code"), str):
        codes.insert(0, inner["code"])
    return ParsedError(_message_in(error, value), tuple(codes), retry_after_s, _status_in(error))


def _details(error: dict[str, Any]) -> Iterator[dict[str, Any]]:
    details = error.get("details")
    if isinstance(details, list):
        yield from (detail for detail in details if isinstance(detail, dict))


def _codes_in(detail: dict[str, Any]) -> list[str]:
    """What Google's error details add: a reason, or that a daily allowance is spent."""
    codes: list[str] = []
    if isinstance(reason := detail.get("reason"), str):
        codes.append(reason)
    violations = detail.get("violations")
    if isinstance(violations, list) and any("PerDay" in str(violation) for violation in violations):
        codes.append("insufficient_quota")
    return codes


def _message_in(error: dict[str, Any], outer: dict[str, Any]) -> str:
    names = ("message", "Message", "detail")
    for said in (error.get("message"), *map(outer.get, names), *map(error.get, names[1:])):
        if isinstance(said, str) and said:
            return said
        if isinstance(said, list | dict) and said:
            return msgspec.json.encode(said).decode()
    return ""


def _status_in(error: dict[str, Any]) -> int | None:
    for name in ("code", "status", "http_code"):
        value = error.get(name)
        if isinstance(value, str) and value.isdigit():
            value = int(value[:4])
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return None


def _seconds(duration: str) -> float | None:
    """Google's `34.5s`."""
    try:
        seconds = float(duration.removesuffix("s"))
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e6 else None


def _retry_after_s(headers: Headers, parsed: ParsedError, utc_now: datetime) -> float | None:
    milliseconds = header(headers, "retry-after-ms")
    if milliseconds is not None:
        seconds = _seconds(milliseconds.strip())
        if seconds is not None:
            return seconds / 1000
    named = parse_retry_after(header(headers, "retry-after"), utc_now=utc_now)
    return parsed.retry_after_s if named is None else named


def _redacted_headers(headers: Headers, secrets: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, redacted(value, secrets)) for name, value in headers)


def useful_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Upstream headers a caller has use for: rate limits, vendor facts, the provider's own request id."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        try:
            shown = _names_seen[name]
        except KeyError:
            shown = _shown_as(name)
        if shown is not None:
            kept.append((shown, value))
    return tuple(kept)


def open_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Every upstream header but those of the connection, the provider's host and the operator's account.

    For callers of the provider's own family: vendors add headers faster than gateways learn them.
    """
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        try:
            shown = _open_names_seen[name]
        except KeyError:
            shown = _openly_shown_as(name)
        if shown is not None:
            kept.append((shown, value))
    return tuple(kept)


def _openly_shown_as(name: str) -> str | None:
    # Our own id stands in x-request-id; Anthropic's is called request-id and stays.
    shown: str | None = "upstream-request-id" if name == "x-request-id" else name
    if name in _NOT_OURS_TO_SAY or name.startswith(_NOT_OURS_PREFIXES):
        shown = None
    if len(_open_names_seen) < _NAMES_SEEN_MAX:
        _open_names_seen[name] = shown
    return shown


def _shown_as(name: str) -> str | None:
    shown = _RENAMED.get(name)
    if shown is None and name.startswith(_KEPT_PREFIXES) and name not in _WITHHELD:
        shown = name
    if len(_names_seen) < _NAMES_SEEN_MAX:
        _names_seen[name] = shown
    return shown
