"""Some clients send a body with every request; where nobody reads it, their connection still lives on."""

import http.client
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from entrypoints.http.permissions import PUBLIC, ROUTE_PERMISSIONS
from tests.e2e.stack import Stack

# Nobody can log in here, so pages of logins are not there.
OPEN_PAGES = sorted(
    path
    for (method, path), permission in ROUTE_PERMISSIONS.items()
    if (method, permission) == ("GET", PUBLIC) and not path.startswith("/ui")
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("unread")) as stack:
        yield stack


@pytest.fixture
def connection(stack: Stack) -> Iterator[socket.socket]:
    with stack.client() as client:
        address = urlsplit(str(client.base_url))
    assert address.hostname and address.port
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def status_of(connection: socket.socket) -> int:
    """Of the next answer, which is read to its end."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    assert answer.getheader("connection") != "close"
    return answer.status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", path, 404 if path.startswith("/auth/") else 200) for path in OPEN_PAGES),
        ("GET", "/metrics", 401),
        ("DELETE", "/api/v1/keys/k", 401),
        ("POST", "/nowhere", 404),
        ("PUT", "/v1/models", 405),
    ],
)
def test_a_body_that_nobody_reads_does_not_end_the_connection(
    connection: socket.socket, method: str, path: str, status: int
) -> None:
    connection.sendall(f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n".encode())
    time.sleep(0.01)
    connection.sendall(b"{}")
    assert status_of(connection) == status
    connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
    assert status_of(connection) == 200


def test_a_body_that_never_comes_is_not_waited_for_long(connection: socket.socket) -> None:
    connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n")
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert answer.status == 200


@pytest.mark.parametrize("begun", [b"", b"{"], ids=["nothing", "one byte"])
def test_a_body_that_is_needed_and_never_comes_is_refused(
    stack: Stack, connection: socket.socket, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr("entrypoints.http.asgi.BODY_IDLE_TIMEOUT_S", 0.05)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {stack.key}\r\n"
    connection.sendall(head.encode() + b"content-length: 1000\r\n\r\n" + begun)
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    assert answer.status == 400
    assert b"did not arrive in time" in answer.read()
