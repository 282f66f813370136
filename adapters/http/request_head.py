"""Turning a request into the bytes before its body, refusing whatever could be read as something else.

A header value with a line break in it is a second header, or a second request. Such a request is refused
before anything is sent, as are headers that decide framing: those belong to the transport.
"""

import re
from typing import Final

from application.ports.http import Endpoint, Headers, HttpRequest, TransportFailed, TransportStage

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TARGET: Final = re.compile(r"/[\x21\x22\x24-\x7e]*")
_CLIMBS: Final = re.compile(r"^[^?]*/\.\.?(?:[/?]|$)")
_HOST: Final = re.compile(
    r"[0-9A-Za-z_](?:[0-9A-Za-z_.\-]{0,252})|[0-9A-Fa-f:.]{2,45}(?:%[0-9A-Za-z_.\-]{1,32})?"
)

_TRANSPORT_OWNED: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "expect", "te",
     "trailer", "proxy-connection", "proxy-authorization")
)  # fmt: skip
_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))

_PLAIN, _ACCEPT_ENCODING = 1, 2
_NAMES_REMEMBERED_MAX: Final = 4096
_names: dict[str, int] = {}
"""Header names seen to be valid. Names repeat endlessly, so each is matched against the grammar once."""


def refused(reason: str) -> TransportFailed:
    """The failure of a request that must not leave."""
    return TransportFailed(TransportStage.REFUSED, reason)


def not_allowed(host: str, port: int) -> TransportFailed:
    """A failure that was decided by a rule of egress, before anything was sent."""
    reason = f"the egress rule does not allow {host}:{port}"
    return TransportFailed(TransportStage.REFUSED, reason, by_rule=True)


def check_endpoint(endpoint: Endpoint) -> None:
    """Raises TransportFailed (REFUSED) unless this is somewhere HTTP can go."""
    if endpoint.scheme not in ("http", "https"):
        raise refused("the scheme is neither http nor https")
    if not 1 <= endpoint.port <= 65535:
        raise refused("the port is out of range")
    if not _HOST.fullmatch(endpoint.host):
        raise refused("the host is not a name or an IP address")


def request_head(
    request: HttpRequest, authority: str, *, target_prefix: str = "", extra: str = "", bytes_max: int = 65536
) -> bytes:
    """Request line and headers, with the empty line that ends them.

    `target_prefix` makes the absolute form for a proxy; `extra` is header lines of the transport itself.
    `accept-encoding: identity` is added unless the caller names encodings, because nobody here decodes.

    Raises:
        TransportFailed: REFUSED; the message names the offending header, never a value.
    """
    method, path, body = request.method, request.path, request.body
    if method not in _WITH_BODY and not _TOKEN.fullmatch(method):
        raise refused("the method is not a token")
    # A name out of an answer or a feed that climbs up would reach what nobody meant to ask.
    if not _TARGET.fullmatch(path) or ("/." in path and _CLIMBS.search(path)):
        raise refused("the path is not a clean request target")
    lines = [f"{method} {target_prefix}{path} HTTP/1.1\r\nhost: {authority}"]
    encodings_named = _append_headers(lines, request.headers)
    if not encodings_named:
        lines.append("accept-encoding: identity")
    if request.source is not None:
        lines.append(f"content-length: {request.source.size_bytes}")
    elif body or method in _WITH_BODY:
        lines.append(f"content-length: {len(body)}")
    lines.append(extra + "\r\n")
    try:
        head = "\r\n".join(lines).encode("latin-1")
    except UnicodeEncodeError:
        raise refused("a header value has characters outside Latin-1") from None
    if len(head) > bytes_max:
        raise refused("the request headers are too large")
    return head


def _append_headers(lines: list[str], headers: Headers) -> bool:
    """Whether the caller asked for content encodings."""
    encodings_named = False
    for name, value in headers:
        kind = _names.get(name) or _checked_name(name)
        # Two C-level checks accept nearly every value; the grammar decides the rest (tab, Latin-1).
        if not (value.isascii() and value.isprintable()) and not _VALUE.fullmatch(value):
            raise refused(f"the value of header {name} has control characters or is not Latin-1")
        if kind == _ACCEPT_ENCODING:
            encodings_named = True
        lines.append(f"{name}: {value}")
    return encodings_named


def _checked_name(name: str) -> int:
    if not _TOKEN.fullmatch(name):
        raise refused("a header name is not a token")
    lower = name.lower()
    if lower in _TRANSPORT_OWNED:
        raise refused(f"header {lower} is the transport's to set")
    kind = _ACCEPT_ENCODING if lower == "accept-encoding" else _PLAIN
    if len(_names) < _NAMES_REMEMBERED_MAX:
        _names[name] = kind
    return kind
