"""Addresses, paths and file names of an attacker's choice lead nowhere: no connection, no file.

A server of our own listens where no request may ever arrive. Its address, in every spelling, is put into
every place of every operation; afterwards nobody must have called.
"""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.security.attack_world import (
    OPERATIONS,
    WITH_JSON,
    Operation,
    attack,
    in_order,
    places,
    send,
    still_well,
)
from tests.thorough import some_of

LLM_HEADERS = (
    "x-portkey-custom-host",
    "x-portkey-config",
    "x-portkey-provider",
    "x-interchange-base-url",
    "x-interchange-provider",
    "x-forwarded-host",
    "x-host",
    "x-original-host",
    "x-callback-url",
    "x-webhook-url",
    "x-wap-profile",
    "referer",
    "x-proxy-url",
    "proxy",
)


class Canary:
    """Listens on loopback and counts whoever comes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.callers = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.callers += 1
            connection.close()

    def addresses(self) -> list[str]:
        port = self.port
        hosts = [
            "127.0.0.1",
            "localhost",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
        ]
        return [f"http://{host}:{port}/" for host in hosts] + [
            f"http://api.openai.com@127.0.0.1:{port}/",
            f"//127.0.0.1:{port}/",
            f"gopher://127.0.0.1:{port}/_x",
            f"file://127.0.0.1:{port}/etc/passwd",
        ]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    opened = Canary()
    yield opened
    opened.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_no_place_makes_the_server_call_an_address(
    owner: httpx.Client, canary: Canary, operation: Operation
) -> None:
    for place in places(operation):
        addresses = canary.addresses()
        for address in some_of(addresses, place, 2) if place.kind == "body" else addresses[:1]:
            in_order(attack(owner, place, address))

    assert canary.callers == 0


WITH_MODELS = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings", "/v1/batches")
HEADERS_EACH = 4


def header_turn(path: str, number: int) -> str:
    """Of an address by its number: the port in it is another one each time."""
    return f"{path} {number}"


def test_addresses_take_turns_until_every_header_had_several(canary: Canary) -> None:
    turns = [header_turn(path, number) for path in WITH_MODELS for number in range(len(canary.addresses()))]
    sent = Counter(name for turn in turns for name in some_of(LLM_HEADERS, turn, HEADERS_EACH))
    assert all(sent[name] >= 8 for name in LLM_HEADERS), sent


@pytest.mark.parametrize("path", WITH_MODELS)
def test_no_header_and_no_content_does_either(owner: httpx.Client, canary: Canary, path: str) -> None:
    operation = next(each for each in WITH_JSON if each.path == path)
    for number, address in enumerate(canary.addresses()):
        for name in some_of(LLM_HEADERS, header_turn(path, number), HEADERS_EACH):
            in_order(send(owner, operation, headers={name: address}))
        in_order(send(owner, operation, headers={"host": address.split("/")[2] or "x"}))
        parts = [
            {"type": "image_url", "image_url": {"url": address}},
            {"type": "image", "source": {"type": "url", "url": address}},
            {"type": "input_file", "file_url": address},
            {"type": "document", "source": {"type": "url", "url": address}},
        ]
        for part in parts:
            message = {"role": "user", "content": [part]}
            in_order(send(owner, operation, {**operation.base, "messages": [message], "input": [message]}))
        tools = [{"type": "mcp", "server_label": "x", "server_url": address}]
        in_order(send(owner, operation, {**operation.base, "tools": tools, "webhook": address}))

    assert canary.callers == 0


PATHS = (
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..%252f..%252fetc%252fpasswd",
    "%2e%2e%2f%2e%2e%2fadmin.key",
    "..%c0%af..%c0%afetc/passwd",
    "....//....//etc/passwd",
    "..\\..\\admin.key",
    "/etc/passwd",
    "file:///etc/passwd",
    "admin.key",
    "admin.key%00.json",
    "%00",
    ".",
    "..",
    "~root",
    "CON",
    "a%0d%0aset-cookie:%20a=b",
)
WITH_NAMES = [operation for operation in OPERATIONS if operation.path_names]


@pytest.mark.parametrize("operation", WITH_NAMES, ids=str)
def test_no_path_leads_out_of_where_names_are(
    target: Stack, owner: httpx.Client, operation: Operation
) -> None:
    for name in operation.path_names:
        for word in some_of(PATHS, f"{operation} {name}", 5):
            path = operation.filled(**{name: "WORD"}).replace("WORD", word)
            request = owner.build_request(
                operation.method,
                target.url,
                json=operation.base if operation in WITH_JSON else None,
                headers={"authorization": f"Bearer {target.key}"},
            )
            request.url = request.url.copy_with(raw_path=path.encode())
            answer = in_order(owner.send(request))
            assert target.key not in answer.text, path
            assert "root:" not in answer.text, path


@pytest.mark.parametrize(
    "name", [*PATHS, "a" * 5_000, 'a"; filename="b', "a\u202etxt.exe", "-rf", "$(id)", ""]
)
def test_a_file_name_is_a_label(target: Stack, owner: httpx.Client, name: str) -> None:
    before = _below(target.data_dir)
    uploaded = in_order(
        owner.post("/v1/files", files={"file": (name, b'{"custom_id": "a"}\n')}, data={"purpose": "batch"})
    )
    if uploaded.status_code == 200:
        found = owner.get(f"/v1/files/{uploaded.json()['id']}/content")
        assert found.content == b'{"custom_id": "a"}\n'
        disposition = found.headers.get("content-disposition", "")
        assert "\r" not in disposition and "\n" not in disposition
    new = _below(target.data_dir) - before
    assert all(path.startswith("files/") or "interchange.db" in path for path in new), new


def _below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_after_all_of_it_nobody_was_called_and_the_server_is_well(
    target: Stack, owner: httpx.Client, canary: Canary
) -> None:
    still_well(target, owner)
    assert canary.callers == 0
    with httpx.Client() as outside, pytest.raises(httpx.HTTPError):
        outside.get(f"http://127.0.0.1:{canary.port}/")
    assert canary.callers == 1, "it would have been seen"
