"""Requests that two servers in a row could end at different bytes, byte by byte on a socket.

Whatever is in doubt is answered once, with 400, and the connection is closed: what follows it on the same
connection is never taken for a request.
"""

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.security.attack_world import still_well

HIDDEN = b"GET /api/v1/keys HTTP/1.1\r\nhost: a\r\n\r\n"
"""What is smuggled: a second answer would show that it was seen."""
BODY = b'{"model":"both","messages":[{"role":"user","content":"hello"}]}'
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"


def exchanged(stack: Stack, sent: bytes, *, wait_s: float = 0.7) -> tuple[int, bytes, bool]:
    """The first status (0: none), everything received, and whether the server closed the connection."""
    parts = urlsplit(stack.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5) as connection:
        connection.settimeout(wait_s)
        received, closed = b"", True
        try:
            connection.sendall(sent)
            while got := connection.recv(65536):
                received += got
        except TimeoutError:
            closed = False
        except ConnectionError:
            pass
    first = received.split(b" ", 2)
    return (int(first[1]) if len(first) > 1 else 0), received, closed


def request(stack: Stack, head: bytes, *, start: bytes = b"POST /v1/chat/completions HTTP/1.1") -> bytes:
    return start + b"\r\nauthorization: Bearer " + stack.key.encode() + b"\r\n" + head + b"\r\n"


AMBIGUOUS = {
    "length and chunks": b"host: a\r\n" + LENGTH + CHUNKED,
    "chunks and length": b"host: a\r\n" + CHUNKED + LENGTH,
    "two lengths": b"host: a\r\ncontent-length: 0\r\n" + LENGTH,
    "lengths in one line": b"host: a\r\ncontent-length: 5, 5\r\n",
    "a signed length": b"host: a\r\ncontent-length: +5\r\n",
    "a negative length": b"host: a\r\ncontent-length: -5\r\n",
    "a length in hexadecimal": b"host: a\r\ncontent-length: 0x5\r\n",
    "a length past 64 bits": b"host: a\r\ncontent-length: 18446744073709551621\r\n",
    "a length with a space in it": b"host: a\r\ncontent-length: 1 0\r\n",
    "an underscored length": b"host: a\r\ncontent-length: 1_0\r\n",
    "other digits": "host: a\r\ncontent-length: \u0665\r\n".encode(),
    "chunks twice": b"host: a\r\n" + CHUNKED + CHUNKED,
    "chunks of chunks": b"host: a\r\ntransfer-encoding: chunked, chunked\r\n",
    "unknown framing": b"host: a\r\ntransfer-encoding: xchunked\r\n",
    "framing that ends otherwise": b"host: a\r\ntransfer-encoding: chunked, identity\r\n",
    "quoted framing": b'host: a\r\ntransfer-encoding: "chunked"\r\n',
    "a tab in the framing": b"host: a\r\ntransfer-encoding:\x0bchunked\r\n",
    "a space before the colon": b"host: a\r\ntransfer-encoding : chunked\r\n",
    "a folded line": b"host: a\r\nx-a: b\r\n transfer-encoding: chunked\r\n" + LENGTH,
    "a line that begins with a tab": b"host: a\r\n\ttransfer-encoding: chunked\r\n" + LENGTH,
    "a carriage return alone": b"host: a\r\nx-a: b\rtransfer-encoding: chunked\r\n" + LENGTH,
    "a NUL": b"host: a\r\nx-a: b\x00c\r\n" + LENGTH,
    "a line without a colon": b"host: a\r\nnonsense\r\n" + LENGTH,
    "a nameless header": b"host: a\r\n: b\r\n" + LENGTH,
    "two hosts": b"host: a\r\nhost: b\r\n" + LENGTH,
    "no host": LENGTH,
    "two keys": b"host: a\r\nauthorization: Bearer other\r\n" + LENGTH,
    "two of ours": b"host: a\r\nx-interchange-user-id: a\r\nx-interchange-user-id: b\r\n" + LENGTH,
    "two types": b"host: a\r\ncontent-type: text/plain\r\ncontent-type: application/json\r\n" + LENGTH,
}


@pytest.mark.parametrize("what", AMBIGUOUS)
def test_what_could_end_in_two_places_is_400_and_the_end(target: Stack, what: str) -> None:
    for body in (BODY + HIDDEN, b"0\r\n\r\n" + HIDDEN, b"5\r\nhello\r\n0\r\n\r\n" + HIDDEN):
        status, received, closed = exchanged(target, request(target, AMBIGUOUS[what]) + body)

        assert status == 400, (what, received[:300])
        assert closed, what
        assert received.count(b"HTTP/1.1 ") == 1, what


BAD_CHUNKS = {
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size past 64 bits": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "a size that lies low": b"2\r\nhello\r\n0\r\n\r\n",
    "a size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a space for a size": b" \r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a size with a newline alone": b"5\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", BAD_CHUNKS)
def test_bad_chunks_let_nothing_behind_them_in(target: Stack, what: str) -> None:
    head = request(target, b"host: a\r\n" + CHUNKED)
    status, received, _ = exchanged(target, head + BAD_CHUNKS[what] + HIDDEN)

    assert status in (0, 400), (what, received[:300])
    assert received.count(b"HTTP/1.1 ") <= 1, what
    assert b'"keys"' not in received


def test_chunk_extensions_and_trailers_change_nothing(target: Stack) -> None:
    """They are read past: no trailer becomes a header, and the next request begins where it should."""
    size = b"%x" % len(BODY)
    chunks = size + b';a=b;c="\r\n'.replace(b"\r\n", b'"\r\n') + BODY + b"\r\n0\r\n"
    trailers = b"authorization: Bearer other\r\nx-interchange-user-id: someone\r\n\r\n"
    head = request(target, b"host: a\r\n" + CHUNKED + b"connection: close\r\n")
    status, received, _ = exchanged(target, head + chunks + trailers, wait_s=5)

    assert status in (200, 400), received[:300]
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"someone" not in received


@pytest.mark.parametrize(
    "start",
    [
        b"GET  /api/v1/keys HTTP/1.1",
        b"GET /api/v1/keys HTTP/1.1 x",
        b"GET /api/v1/keys HTTP/9.9",
        b"GET /api/v1/keys\x00 HTTP/1.1",
        b"GET /api/v1/keys\x0bx HTTP/1.1",
        b"G\x00T /api/v1/keys HTTP/1.1",
        b"get(){} /api/v1/keys HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0",
    ],
)
def test_a_first_line_that_is_none_is_refused(target: Stack, start: bytes) -> None:
    status, received, _ = exchanged(target, request(target, b"host: a\r\n", start=start) + HIDDEN)

    assert status in (0, 400, 404, 405, 505), received[:300]
    assert b'"keys"' not in received


def test_lines_that_end_with_a_newline_alone_hide_no_request(target: Stack) -> None:
    bare = request(target, b"host: a\r\n" + LENGTH).replace(b"\r\n", b"\n")
    status, received, _ = exchanged(target, bare + BODY + HIDDEN)

    assert status in (0, 200, 400), received[:300]
    assert b'"keys"' not in received


@pytest.mark.parametrize(
    "target_form", [b"http://evil.example/api/v1/keys", b"//evil.example/api/v1/keys", b"*"]
)
def test_an_address_in_the_first_line_leads_nowhere_else(target: Stack, target_form: bytes) -> None:
    """No redirect and no link goes to a host of the caller's choice."""
    start = b"GET " + target_form + b" HTTP/1.1"
    _, received, _ = exchanged(target, request(target, b"host: evil.example\r\n", start=start))

    assert b"evil.example" not in received.partition(b"\r\n\r\n")[0]
    assert b"\nlocation:" not in received.lower()


def test_upgrades_are_not_made(target: Stack) -> None:
    for wanted in (
        b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        b"upgrade: websocket\r\n",
    ):
        head = b"host: a\r\nconnection: upgrade\r\n" + wanted
        status, received, _ = exchanged(
            target, request(target, head, start=b"GET /v1/models HTTP/1.1") + HIDDEN
        )
        assert status != 101, received[:200]


@pytest.mark.parametrize(
    "name",
    [
        "x-request-id",
        "x-interchange-metadata",
        "x-interchange-session-id",
        "x-interchange-cache-tags",
        "x-interchange-strategy",
        "x-interchange-residency",
        "idempotency-key",
        "origin",
        "anthropic-version",
    ],
)
def test_nothing_that_is_given_back_brings_a_header_along(target: Stack, name: str) -> None:
    """Bytes that some proxies turn into a line's end: percent-encoded, in Latin-1 above, as a bare CR."""
    for value in (
        b"a%0d%0aset-cookie:%20stolen=1",
        "a\u560d\u560aset-cookie: stolen=1".encode(),
        b"a\rset-cookie: s=1",
    ):
        head = b"host: a\r\nx-interchange-trace: 1\r\n" + name.encode() + b": " + value + b"\r\n" + LENGTH
        _, received, _ = exchanged(target, request(target, head) + BODY)
        headers = received.partition(b"\r\n\r\n")[0].lower()
        assert b"\nset-cookie" not in headers
        assert b"\rset-cookie" not in headers


def test_after_all_of_it_the_server_is_well(target: Stack, owner: httpx.Client) -> None:
    still_well(target, owner)
