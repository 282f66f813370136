"""What a request's head may be. Found before anything reads it: the same head must mean the same to everyone.

The server refuses what is no HTTP (two different lengths, folded lines, control characters); here is refused
what somebody in front of us could have read in another way, or what says one thing twice.
"""

from typing import Final, NamedTuple

from entrypoints.http.asgi import RawHeaders, Scope

HEADERS_MAX: Final = 100
HEADER_BYTES_MAX: Final = 64 * 1024
"""Names and values together."""
PATH_CHARS_MAX: Final = 8 * 1024
QUERY_BYTES_MAX: Final = 32 * 1024
METHOD_CHARS_MAX: Final = 32

ONCE_ONLY: Final = frozenset(
    {
        b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"expect",
        b"authorization", b"x-interchange-key", b"x-portkey-api-key", b"x-api-key", b"api-key",
        b"x-goog-api-key", b"idempotency-key", b"x-request-id", b"x-client-request-id", b"origin", b"range",
        b"anthropic-version", b"upgrade",
    }
)  # fmt: skip
"""Said twice, each reader would take another. All of our own (`x-interchange-…`) are among them."""
_OURS: Final = b"x-interchange-"


class HeadProblem(NamedTuple):
    """Why a request is not looked at any further. `closes`: where it ends is in doubt."""

    status: int
    code: str
    message: str
    closes: bool = False


def head_problem(scope: Scope) -> HeadProblem | None:
    """None: nothing is wrong with it. Takes about a microsecond."""
    headers: RawHeaders = scope["headers"]
    named = dict(headers)
    if len(named) != len(headers) and (repeated := _repeated(headers)) is not None:
        return repeated
    if len(headers) > HEADERS_MAX or len(b"".join(named)) + len(b"".join(named.values())) > HEADER_BYTES_MAX:
        return _too_large()
    if b"transfer-encoding" in named and (framing := _framing(named)) is not None:
        return framing
    if not named.get(b"host") and scope.get("http_version") == "1.1":
        return HeadProblem(400, "invalid_request", "the request has no Host header", closes=True)
    if len(scope["path"]) > PATH_CHARS_MAX or len(scope.get("query_string", b"")) > QUERY_BYTES_MAX:
        return HeadProblem(414, "uri_too_long", "the path or the query of the request is too long")
    if len(scope["method"]) > METHOD_CHARS_MAX:
        return HeadProblem(400, "invalid_request", "the method is too long")
    return None


def _repeated(headers: RawHeaders) -> HeadProblem | None:
    seen: set[bytes] = set()
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
        if name in seen and (name in ONCE_ONLY or name.startswith(_OURS)):
            shown = name.decode("latin-1")[:60]
            return HeadProblem(400, "invalid_request", f"the header {shown} is there twice", closes=True)
        seen.add(name)
    return _too_large() if size > HEADER_BYTES_MAX else None


def _framing(named: dict[bytes, bytes]) -> HeadProblem | None:
    if b"content-length" in named:
        text = "Content-Length and Transfer-Encoding exclude each other"
        return HeadProblem(400, "invalid_request", text, closes=True)
    if named[b"transfer-encoding"].strip().lower() != b"chunked":
        text = "the only Transfer-Encoding that is understood is chunked"
        return HeadProblem(400, "invalid_request", text, closes=True)
    return None


def _too_large() -> HeadProblem:
    return HeadProblem(
        431,
        "request_head_too_large",
        f"the headers are more than {HEADERS_MAX} or over {HEADER_BYTES_MAX} bytes",
    )
