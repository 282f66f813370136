"""Whoever is shut out stays out: with a body that comes late, with what runs, and with what was begun."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, eventually, simulate

KEYS = "/api/v1/keys"
CHAT = "/v1/chat/completions"
GOOD = {"model": "assistant", "messages": [{"role": "user", "content": "hello"}]}
WAITED_S = 0.4
"""Longer than anybody is taken for let in without being looked at again."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("shut-out"), CONFIG) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def made(client: httpx.Client, tenant: str, role: str = "admin", **more: Any) -> dict[str, Any]:
    answer = client.post(KEYS, json={"tenant_id": tenant, "name": "k", "role": role, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


class Held:
    """A request whose head was sent and whose body is held back until somebody says so."""

    def __init__(
        self, stack: Stack, key: str, path: str, body: bytes, content_type: str = "application/json"
    ) -> None:
        host, port = stack.url.removeprefix("http://").split(":")
        self._line = socket.create_connection((host, int(port)), timeout=15)
        self._rest = body[1:]
        head = (
            f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\n"
            f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        self._line.sendall(head.encode() + body[:1])
        time.sleep(WAITED_S / 2)  # it is let in, and waits for its body

    def send(self) -> int:
        """The rest of it; the status of its answer."""
        time.sleep(WAITED_S / 2)
        with self._line as line:
            line.sendall(self._rest)
            answer = b""
            while part := line.recv(65536):
                answer += part
        return int(answer.split(b" ", 2)[1])


def admin_body(tenant: str) -> bytes:
    return json.dumps({"tenant_id": tenant, "name": "back door", "role": "admin"}).encode()


def names(client: httpx.Client, tenant: str) -> list[str]:
    return [key["name"] for key in client.get(KEYS, params={"tenant_id": tenant}).json()["keys"]]


def test_a_revoked_key_makes_no_other_with_a_body_that_comes_late(stack: Stack, client: httpx.Client) -> None:
    key = made(client, "late-1")
    held = Held(stack, key["key"], KEYS, admin_body("late-1"))
    client.delete(f"{KEYS}/{key['key_id']}")
    assert held.send() == 401
    assert "back door" not in names(client, "late-1")


def test_a_secret_that_was_turned_away_makes_no_key_with_a_body_that_comes_late(
    stack: Stack, client: httpx.Client
) -> None:
    key = made(client, "late-2")
    held = Held(stack, key["key"], KEYS, admin_body("late-2"))
    turned = client.post(f"{KEYS}/{key['key_id']}/rotate", json={"overlap_seconds": 0})
    assert turned.status_code == 200
    assert held.send() == 401
    assert "back door" not in names(client, "late-2")


def test_a_key_that_may_do_less_now_does_no_more_with_a_body_that_comes_late(
    stack: Stack, client: httpx.Client
) -> None:
    key = made(client, "late-3")
    held = Held(stack, key["key"], KEYS, admin_body("late-3"))
    assert client.put(f"{KEYS}/{key['key_id']}", json={"role": "viewer"}).status_code == 200
    assert held.send() == 403
    assert "back door" not in names(client, "late-3")


def test_a_suspended_tenant_calls_no_model_with_a_body_that_comes_late(
    stack: Stack, client: httpx.Client
) -> None:
    key = made(client, "late-4")
    held = Held(stack, key["key"], CHAT, json.dumps(GOOD).encode())
    before = len(stack.simulator.requests)
    client.put("/api/v1/tenants/late-4", json={"state": "suspended"})
    assert held.send() == 403
    assert len(stack.simulator.requests) == before


def test_a_revoked_key_leaves_no_file_with_a_form_that_comes_late(stack: Stack, client: httpx.Client) -> None:
    key, other = made(client, "late-5"), made(client, "late-5")
    form = (
        b'--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--x\r\ncontent-disposition: '
        b'form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\r\n--x--\r\n'
    )
    held = Held(stack, key["key"], "/v1/files", form, "multipart/form-data; boundary=x")
    client.delete(f"{KEYS}/{key['key_id']}")
    assert held.send() == 401
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {other['key']}"}) as own:
        assert own.get("/v1/files").json()["data"] == []


def test_a_tenant_that_is_suspended_hears_no_more_of_its_streams(stack: Stack, client: httpx.Client) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=1, per_token_ms=40))
    headers = {"authorization": f"Bearer {made(client, 'streams', 'agent')['key']}"}
    long = {**GOOD, "stream": True, "messages": [{"role": "user", "content": "word " * 200}]}
    seen: list[str] = []

    def listen() -> None:
        with (
            httpx.Client(base_url=stack.url, timeout=20, headers=headers) as http,
            http.stream("POST", CHAT, json=long) as answer,
        ):
            seen.extend(answer.iter_text())

    listening = threading.Thread(target=listen)
    listening.start()
    assert eventually(lambda: len(seen) > 2)
    client.put("/api/v1/tenants/streams", json={"state": "suspended"})
    listening.join(10)
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=0, per_token_ms=0))
    assert not listening.is_alive()
    assert "suspended" in "".join(seen)

    client.put("/api/v1/tenants/streams", json={"state": "active"})
    again = httpx.post(f"{stack.url}{CHAT}", json=GOOD, headers=headers, timeout=20)
    assert again.status_code == 200
