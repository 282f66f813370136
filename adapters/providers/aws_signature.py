"""AWS Signature Version 4 over a prepared request. Pure; the time comes in.

Source: "Create a signed AWS API request" of the IAM user guide; the published test suite is among our tests.
"""

import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from application.ports.http import HttpRequest

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SIGNING_HEADERS: Final = frozenset(
    {"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"}
)
_UNRESERVED: Final = "-_.~"
_UNSIGNED: Final = frozenset(
    {
        "authorization",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "x-amzn-trace-id",
    }
)
"""What hops on the way may change."""


class AwsKeys(NamedTuple):
    """What requests are signed with. `expires_at` is aware; None: until somebody revokes them."""

    access_key_id: str
    secret_access_key: str
    session_token: str = ""
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"AwsKeys({self.access_key_id})"


class Scope(NamedTuple):
    """What a signature is good for."""

    region: str
    service: str


def signed(
    request: HttpRequest, keys: AwsKeys, scope: Scope, now: datetime, *, sign_body_header: bool = False
) -> HttpRequest:
    """The request with `Authorization`, `X-Amz-Date` and, for temporary keys, `X-Amz-Security-Token`.

    The path stays as it is; it is encoded once more for the signature, as every service but S3 wants it.
    `sign_body_header` adds `X-Amz-Content-SHA256`.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    body_hash = sha256(request.body).hexdigest()
    headers = [(name, value) for name, value in request.headers if name not in SIGNING_HEADERS]
    headers.append(("x-amz-date", stamp))
    if sign_body_header:
        headers.append(("x-amz-content-sha256", body_hash))
    if keys.session_token:
        headers.append(("x-amz-security-token", keys.session_token))
    covered = _covered((*headers, ("host", request.endpoint.authority)))
    names = ";".join(name for name, _ in covered)
    path, _, query = request.path.partition("?")
    canonical = "\n".join(
        (
            request.method,
            canonical_path(path),
            canonical_query(query),
            *(f"{name}:{value}" for name, value in covered),
            "",
            names,
            body_hash,
        )
    )
    granted = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = "\n".join((ALGORITHM, stamp, granted, sha256(canonical.encode()).hexdigest()))
    signature = hmac.new(_signing_key(keys, stamp, scope), to_sign.encode(), sha256).hexdigest()
    proof = (
        f"{ALGORITHM} Credential={keys.access_key_id}/{granted}, SignedHeaders={names}, Signature={signature}"
    )
    return request._replace(headers=(*headers, ("authorization", proof)))


def canonical_path(path: str) -> str:
    """The path as signed: each segment encoded once more, dots and doubled slashes resolved.

    A model's ARN with `%2F` in it therefore signs as `%252F`.
    """
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(quote(segment, safe=_UNRESERVED))
    slash = "/" if kept and path.endswith("/") else ""
    return "/" + "/".join(kept) + slash


def canonical_query(query: str) -> str:
    """The query as signed: decoded, encoded anew, sorted by name and value."""
    pairs = [part.partition("=")[::2] for part in query.split("&") if part]
    encoded = sorted((_encoded_anew(name), _encoded_anew(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def _encoded_anew(text: str) -> str:
    return quote(unquote(text), safe=_UNRESERVED)


def _covered(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The signed headers by name, values trimmed, their runs of blanks one blank, doubled ones joined."""
    merged: dict[str, list[str]] = {}
    for name, value in headers:
        if (lower := name.lower()) not in _UNSIGNED:
            merged.setdefault(lower, []).append(" ".join(value.split()))
    return [(name, ",".join(values)) for name, values in sorted(merged.items())]


def _signing_key(keys: AwsKeys, stamp: str, scope: Scope) -> bytes:
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in (stamp[:8], scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
