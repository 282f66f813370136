"""Callers who take their time on purpose: they hold their own connection, never the server."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.security.attack_world import still_well

SLOW_ONES = 200
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
BEGINNINGS = {
    "nothing at all": b"",
    "half a first line": b"GET /v1/mod",
    "half a head": HEAD + b"x-a: ",
    "a head and no body": HEAD + b"content-length: 1000000\r\n\r\n",
    "half a body": HEAD + b'content-length: 1000000\r\n\r\n{"model":',
    "half a chunk": HEAD + b'transfer-encoding: chunked\r\n\r\n3e8\r\n{"model":',
    "a chunk of one byte each": HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 500,
}


@pytest.mark.parametrize("what", BEGINNINGS)
def test_slow_callers_keep_nobody_else_waiting(target: Stack, owner: httpx.Client, what: str) -> None:
    parts = urlsplit(target.url)
    beginning = BEGINNINGS[what].replace(
        b"host: a\r\n", b"host: a\r\nauthorization: Bearer " + target.key.encode() + b"\r\n"
    )
    with ExitStack() as opened:
        for _ in range(SLOW_ONES):
            held = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)
            opened.enter_context(held)
            held.sendall(beginning)
        for _ in range(3):
            still_well(target, owner)
    still_well(target, owner)


def test_callers_who_do_not_read_their_stream_keep_nobody_waiting(target: Stack, owner: httpx.Client) -> None:
    parts = urlsplit(target.url)
    body = b'{"model":"both","stream":true,"messages":[{"role":"user","content":"hello"}]}'
    key = b"authorization: Bearer " + target.key.encode() + b"\r\n"
    with ExitStack() as opened:
        for _ in range(SLOW_ONES // 4):
            held = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)
            opened.enter_context(held)
            held.sendall(HEAD + key + b"content-length: %d\r\n\r\n" % len(body) + body)
        still_well(target, owner)
    still_well(target, owner)
