"""What clients send before they send what they mean: probes and compressed bodies."""

import gzip
import json
from collections.abc import Callable, Iterator

import httpx
import pytest
import zstandard

from tests.e2e.stack import Stack

CHAT = "/v1/chat/completions"
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hello " * 50}]}).encode()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with Stack(tmp_path_factory.mktemp("probes")) as stack, stack.client() as client:
        yield client


@pytest.mark.parametrize("path", ["/", CHAT, "/v1/messages", "/v1/models", "/v1/embeddings", "/health"])
def test_head_and_options_find_what_is_there(client: httpx.Client, path: str) -> None:
    head = client.head(path, headers={"authorization": f"{client.headers['authorization']}"})
    assert (head.status_code, head.content) == (200, b"")
    options = client.options(path)
    assert (options.status_code, options.content) == (204, b"")
    assert "OPTIONS" in options.headers["allow"]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_probe_of_nothing_finds_nothing(client: httpx.Client, method: str) -> None:
    assert client.request(method, "/v1/nothing").status_code == 404


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_compressed_request_is_answered(
    client: httpx.Client, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    answer = client.post(CHAT, content=compress(BODY), headers={"content-encoding": encoding})
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["prompt_tokens"] > 0


def test_a_large_compressed_request_is_answered(client: httpx.Client) -> None:
    image = "QUJD" * 700_000
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}}
    body = {"model": "auto", "messages": [{"role": "user", "content": [part]}], "max_tokens": 5}
    noise = gzip.compress(json.dumps(body).encode(), 0)
    answer = client.post(CHAT, content=noise, headers={"content-encoding": "gzip"})
    assert answer.status_code == 200, answer.text


def test_a_compressed_body_is_bounded_by_what_it_becomes(client: httpx.Client) -> None:
    bomb = zstandard.compress(b" " * (64 * 1024 * 1024))
    answer = client.post(CHAT, content=bomb, headers={"content-encoding": "zstd"})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"
