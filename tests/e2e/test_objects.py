"""Objects of storage through the whole server: bytes both ways, conditions, limits, what breaks off."""

import hashlib
import http.client
import os
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

MEBIBYTE = 1024 * 1024
ROOT = "/api/v1/integrations/files/objects"


def config(folder: Path) -> str:
    return f"""
profile: embedded
simulator: {{enabled: false}}
connectors: {{folders: [{folder}]}}
integrations:
  files:
    type: storage
    configuration: {{endpoint: "file://{folder}/shared", authentication: {{type: none}}}}
  narrow:
    type: storage
    configuration:
      endpoint: "file://{folder}/narrow"
      authentication: {{type: none}}
      content_types: ["text/*"]
      size_bytes_max: 1000
  looking:
    type: storage
    configuration: {{endpoint: "file://{folder}/shared", authentication: {{type: none}}, read_only: true}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("objects")
    for name in ("shared", "narrow"):
        (made / name).mkdir()
    return made


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), config(folder)) as running:
        yield running


@pytest.fixture
def api(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def execute(api: httpx.Client, tool: str, integration: str = "files", **parameters: Any) -> httpx.Response:
    asked = {"integration_id": integration, "tool_name": tool, "parameters": parameters}
    return api.post("/api/v1/tools/execute", json=asked)


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_an_object_goes_in_and_comes_out_as_http_says_it(api: httpx.Client) -> None:
    digest = b64encode(hashlib.sha256(b"hello").digest()).decode()
    headers = {
        "content-type": "text/plain",
        "x-interchange-meta-author": "Zo%C3%AB",
        "content-digest": f"sha-256=:{digest}:",
    }

    made = api.put(f"{ROOT}/folder/a%20b.txt", content=b"hello", headers=headers)

    assert made.status_code == 200, made.text
    about = made.json()
    assert (about["key"], about["size_bytes"], about["metadata"]) == (
        "folder/a b.txt",
        5,
        {"author": "Zoë"},
    )
    got = api.get(f"{ROOT}/folder/a%20b.txt")
    assert (got.status_code, got.content) == (200, b"hello")
    assert got.headers["content-type"] == "text/plain"
    assert got.headers["etag"] == f'"{about["etag"]}"'
    assert got.headers["content-disposition"] == "attachment"
    assert got.headers["x-content-type-options"] == "nosniff"
    head = api.head(f"{ROOT}/folder/a%20b.txt")
    assert (head.status_code, head.headers["content-length"]) == (200, "5")
    assert head.headers["x-interchange-meta-author"] == "Zo%C3%AB"
    listed = execute(api, "list_objects", prefix="folder/").json()["result"]
    assert [each["key"] for each in listed["objects"]] == ["folder/a b.txt"]
    assert api.delete(f"{ROOT}/folder/a%20b.txt").json()["deleted"] is True
    assert api.get(f"{ROOT}/folder/a%20b.txt").status_code == 404


def test_ranges_and_conditions_are_those_of_http(api: httpx.Client) -> None:
    first = api.put(f"{ROOT}/r", content=b"0123456789", headers={"if-none-match": "*"}).json()["etag"]

    part = api.get(f"{ROOT}/r", headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert api.get(f"{ROOT}/r", headers={"range": "bytes=7-"}).content == b"789"
    assert api.get(f"{ROOT}/r", headers={"range": "lines=1-2"}).content == b"0123456789"
    beyond = api.get(f"{ROOT}/r", headers={"range": "bytes=10-"})
    assert (beyond.status_code, code(beyond)) == (416, "range_not_satisfiable")
    again = api.put(f"{ROOT}/r", content=b"x", headers={"if-none-match": "*"})
    assert (again.status_code, code(again)) == (412, "precondition_failed")
    assert api.put(f"{ROOT}/r", content=b"y", headers={"if-match": f'"{first}"'}).status_code == 200
    assert api.get(f"{ROOT}/r", headers={"if-match": f'"{first}"'}).status_code == 412
    assert api.delete(f"{ROOT}/r", headers={"if-match": f'"{first}"'}).status_code == 412


def test_bytes_that_are_not_what_was_announced_are_refused(api: httpx.Client, folder: Path) -> None:
    other = b64encode(hashlib.sha256(b"other").digest()).decode()
    refused = api.put(f"{ROOT}/c", content=b"x", headers={"content-digest": f"sha-256=:{other}:"})
    assert (refused.status_code, code(refused)) == (422, "checksum_mismatch")
    assert not (folder / "shared" / "c").exists()


@pytest.mark.parametrize(
    "key",
    ["..%2f..%2fescape", "%2e%2e/escape", "a/%2e%2e/%2e%2e/escape", "%5c..%5cescape", "a%00b", "%2fetc"],
)
def test_no_key_leads_out_of_the_folder(stack: Stack, folder: Path, key: str) -> None:
    place = urlsplit(stack.url)
    for method, body in (("PUT", b"x"), ("GET", None), ("DELETE", None)):
        # httpx would tidy the path up before it is sent.
        connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=10)
        connection.request(
            method, f"{ROOT}/{key}", body=body, headers={"authorization": f"Bearer {stack.key}"}
        )
        assert 400 <= connection.getresponse().status < 500
        connection.close()
    assert not (folder / "escape").exists() and not (folder.parent / "escape").exists()


def test_type_and_size_are_held_to(api: httpx.Client, folder: Path) -> None:
    place = "/api/v1/integrations/narrow/objects/x"
    for content, kind in ((b"x", "application/x-sh"), (b"x" * 1001, "text/plain")):
        refused = api.put(place, content=content, headers={"content-type": kind})
        assert (refused.status_code, code(refused)) == (422, "tool_refused")

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    refused = api.put(place, content=endless(), headers={"content-type": "text/plain"})
    assert (refused.status_code, code(refused)) == (422, "tool_refused")
    assert not list((folder / "narrow").glob("[!.]*"))
    assert not list((folder / "narrow").glob(".interchange/incoming/*"))


def test_what_only_looks_has_no_tools_that_write(api: httpx.Client) -> None:
    tools = api.get("/api/v1/tools", params={"integration_id": "looking"}).json()["tools"]
    assert {each["tool_name"] for each in tools} == {
        "list_objects",
        "get_object",
        "get_metadata",
        "download_object",
    }
    assert api.put("/api/v1/integrations/looking/objects/x", content=b"x").status_code == 404


def test_small_objects_are_tools_of_json(api: httpx.Client) -> None:
    assert execute(api, "put_object", key="j", content={"a": [1]}, encoding="json").status_code == 200
    got = execute(api, "get_object", key="j").json()["result"]
    assert (got["content"], got["encoding"], got["content_type"]) == (
        {"a": [1]},
        "json",
        "application/json",
    )
    missing = execute(api, "get_object", key="nothing")
    assert (missing.status_code, code(missing)) == (404, "object_not_found")


def test_an_upload_that_breaks_off_leaves_nothing(stack: Stack, api: httpx.Client, folder: Path) -> None:
    place = urlsplit(stack.url)
    with socket.create_connection((place.hostname, place.port)) as connection:
        connection.sendall(
            f"PUT {ROOT}/cut HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {stack.key}\r\n"
            f"content-length: {50 * MEBIBYTE}\r\n\r\n".encode()
        )
        connection.sendall(os.urandom(3 * MEBIBYTE))
        assert eventually(lambda: list((folder / "shared").glob(".interchange/incoming/*")))

    assert eventually(lambda: list((folder / "shared").glob(".interchange/incoming/*")) == [])
    assert api.get(f"{ROOT}/cut").status_code == 404


def test_large_objects_pass_in_constant_memory(api: httpx.Client) -> None:
    size = 64 * MEBIBYTE
    piece = os.urandom(MEBIBYTE)
    digest = hashlib.sha256()
    process = psutil.Process()  # the server runs in this one

    def content() -> Iterator[bytes]:
        for _ in range(size // MEBIBYTE):
            yield piece

    api.put(f"{ROOT}/warm", content=piece)
    before, most = process.memory_info().rss, 0
    made = api.put(f"{ROOT}/large", content=content(), timeout=60)
    assert made.json()["size_bytes"] == size
    with api.stream("GET", f"{ROOT}/large", timeout=60) as got:
        assert got.headers["content-length"] == str(size)
        for chunk in got.iter_bytes(MEBIBYTE):
            digest.update(chunk)
            most = max(most, process.memory_info().rss)

    assert digest.hexdigest() == made.json()["checksums"]["sha256"]
    assert most - before < 40 * MEBIBYTE, (before, most)


def test_every_transfer_is_a_row(api: httpx.Client) -> None:
    api.put(f"{ROOT}/row", content=b"x")

    def rows() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = api.get("/api/v1/requests", params={"limit": 50}).json()["requests"]
        return [row for row in found if "upload_object" in str(row)]

    assert eventually(rows)
