"""Whatever a caller sends, the answer is the right 4xx in the caller's family's shape: never a 500."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.calls import CHAT, COMPLETE, COMPLETIONS, COUNT, EMBEDDINGS, EXPLAIN, GOOD, KEYS, LLM, MESSAGES
from tests.e2e.stack import Stack

ANTHROPIC = {MESSAGES, COUNT}


@pytest.fixture(scope="module")
def client(module_stack: Stack) -> Iterator[httpx.Client]:
    with module_stack.client() as http:
        yield http


def refused(answer: httpx.Response, path: str, status: int, code: str, param: str | None) -> dict[str, Any]:
    """Asserts the error in the shape of the path's family, and returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    whole = answer.json()
    error: dict[str, Any] = whole["error"]
    request_id = whole["request_id"] if path in ANTHROPIC else error["request_id"]
    if path in ANTHROPIC:
        assert whole["type"] == "error"
    assert error["code"] == code
    assert error["param"] == param
    assert error["type"].endswith("error") or error["type"] == "request_too_large"
    assert request_id == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return error


@pytest.mark.parametrize("path", [*LLM, EXPLAIN, KEYS])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model": "alpha/small",',
        b"nonsense",
        b"[]",
        b'"text"',
        b"null",
        b"7",
        b"\xff\xfe\x00",
        b'{"model": "\xff"}',
        b'{"model": 1e999}',
        b'{"a": NaN}',
        b"{} {}",
        b'{"model": "\\ud800"}',
    ],
)
def test_what_is_no_json_object_is_400(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] in ("invalid_request", "invalid_model_requirements")
    assert error["param"]
    assert error["message"]


@pytest.mark.parametrize(
    ("path", "change", "param"),
    [
        (CHAT, {"model": None}, "model"),
        (CHAT, {"model": 7}, "model"),
        (CHAT, {"model": ""}, "model"),
        (CHAT, {"model": "m" * 600}, "model"),
        (CHAT, {"messages": []}, "messages"),
        (CHAT, {"messages": "hello"}, "messages"),
        (CHAT, {"messages": ["hello"]}, "messages[0]"),
        (CHAT, {"messages": [{"content": "x"}]}, "messages[0].role"),
        (CHAT, {"messages": [{"role": 7, "content": "x"}]}, "messages[0].role"),
        (CHAT, {"messages": [{"role": "user", "content": [7]}]}, "messages[0].content[0]"),
        (CHAT, {"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
        (CHAT, {"stream": "yes"}, "stream"),
        (CHAT, {"n": 0}, "n"),
        (CHAT, {"n": 1000}, "n"),
        (CHAT, {"max_tokens": -1}, "max_tokens"),
        (CHAT, {"max_tokens": "many"}, "max_tokens"),
        (CHAT, {"max_completion_tokens": 0}, "max_completion_tokens"),
        (CHAT, {"tools": "all"}, "tools"),
        (CHAT, {"response_format": "json"}, "response_format"),
        (CHAT, {"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        (COMPLETIONS, {"prompt": 7}, "prompt"),
        (COMPLETIONS, {"prompt": [{"a": 1}]}, "prompt[0]"),
        (EMBEDDINGS, {"input": []}, "input"),
        (EMBEDDINGS, {"input": ""}, "input"),
        (EMBEDDINGS, {"input": {"a": 1}}, "input"),
        (EMBEDDINGS, {"input": ["a", 7]}, "input[1]"),
        (MESSAGES, {"max_tokens": 0}, "max_tokens"),
        (MESSAGES, {"max_tokens": None}, "max_tokens"),
        (MESSAGES, {"messages": []}, "messages"),
        (MESSAGES, {"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        (MESSAGES, {"stream": 1}, "stream"),
        (COUNT, {"messages": 7}, "messages"),
    ],
)
def test_a_wrong_type_names_its_field(
    client: httpx.Client, path: str, change: dict[str, Any], param: str
) -> None:
    refused(client.post(path, json={**GOOD[path], **change}), path, 400, "invalid_request", param)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (CHAT, "model"),
        (CHAT, "messages"),
        (COMPLETIONS, "prompt"),
        (EMBEDDINGS, "input"),
        (MESSAGES, "model"),
        (MESSAGES, "max_tokens"),
        (COUNT, "messages"),
        (KEYS, "role"),
        (EXPLAIN, "model"),
    ],
)
def test_a_missing_field_is_named(client: httpx.Client, path: str, name: str) -> None:
    body = {key: value for key, value in GOOD[path].items() if key != name}
    refused(client.post(path, json=body), path, 400, "invalid_request", name)


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS, MESSAGES, COUNT])
@pytest.mark.parametrize(
    ("model", "nearest"), [("alpha/smal", "alpha/small"), ("asistant", "assistant"), ("small2", "small")]
)
def test_an_unknown_model_is_404_with_the_nearest_names(
    client: httpx.Client, path: str, model: str, nearest: str
) -> None:
    answer = client.post(path, json={**GOOD[path], "model": model})
    error = refused(answer, path, 404, "model_not_found", "model")
    assert nearest in error["message"]


def test_an_unknown_provider_never_falls_back_to_a_default(client: httpx.Client) -> None:
    answer = client.post(CHAT, json={**GOOD[CHAT], "model": "nobody/small"})
    error = refused(answer, CHAT, 404, "model_not_found", "model")
    assert "no provider 'nobody'" in error["message"]


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-interchange-capabilities", "telepathy"),
        ("x-interchange-capabilities", ",,"),
        ("x-interchange-max-cost-per-token", "cheap"),
        ("x-interchange-max-cost-per-token", "-1"),
        ("x-interchange-max-cost-usd", "0"),
        ("x-interchange-max-cost-usd", "NaN"),
        ("x-interchange-max-cost-usd", "1e-12"),
        ("x-interchange-max-cost-usd", "1e500"),
        ("x-interchange-max-cost-usd", "1e999999"),
        ("x-interchange-max-cost-per-token", "1e-9999999"),
        ("x-interchange-max-latency-ms", "soon"),
        ("x-interchange-max-latency-ms", "-5"),
        ("x-interchange-max-latency-ms", "9" * 30),
        ("x-interchange-max-latency-ms", "9" * 5000),
        ("x-interchange-quality-floor", "2"),
        ("x-interchange-quality-floor", "high"),
        ("x-interchange-strategy", "coin-flip"),
        ("x-interchange-residency", "atlantis"),
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_demand_that_cannot_be_read_names_its_header(
    client: httpx.Client, path: str, header: str, value: str
) -> None:
    answer = client.post(path, json=GOOD[path], headers={header: value})
    refused(answer, path, 400, "invalid_model_requirements", header)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_cost_per_token", b"1e308"),
        ("max_cost_per_token", b"1e400"),
        ("max_cost_per_token", b"0"),
        ("max_cost_per_token", b"true"),
        ("max_latency_ms", b"9" * 30),
        ("max_latency_ms", b"9" * 5000),
    ],
)
def test_numbers_beyond_reason_are_400(client: httpx.Client, field: str, value: bytes) -> None:
    body = (
        json.dumps(GOOD[COMPLETE])
        .encode()
        .replace(b'["text"]', b'["text"],"%s":%s' % (field.encode(), value))
    )
    answer = client.post(COMPLETE, content=body)
    assert answer.status_code == 400, answer.text
    assert len(answer.text) < 1000


def test_what_is_allowed_is_in_the_message(client: httpx.Client) -> None:
    def message(header: str, value: str) -> str:
        answer = client.post(CHAT, json=GOOD[CHAT], headers={header: value})
        text: str = answer.json()["error"]["message"]
        return text

    assert "eu-west" in message("x-interchange-residency", "atlantis")
    assert "balanced" in message("x-interchange-strategy", "coin-flip")
    assert "function_calling" in message("x-interchange-capabilities", "telepathy")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_impossible_demands_are_400_with_the_reason(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json=GOOD[path], headers={"x-interchange-capabilities": "rerank"})
    error = refused(answer, path, 400, "invalid_model_requirements", "capabilities")
    assert "rerank" in error["message"]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_a_known_place_nobody_answers_from_is_403(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json=GOOD[path], headers={"x-interchange-residency": "apac"})
    refused(answer, path, 403, "residency_violation", "x-interchange-residency")


@pytest.mark.parametrize("path", [CHAT, MESSAGES, COMPLETE, EXPLAIN, KEYS])
@pytest.mark.parametrize("opening", [b'{"a":', b"["])
def test_a_deeply_nested_body_is_400(client: httpx.Client, path: str, opening: bytes) -> None:
    closing = b"1" + (b"}" if opening.startswith(b"{") else b"]") * 100_000
    answer = client.post(path, content=b'{"deep":' + opening * 100_000 + closing + b"}")
    assert answer.status_code == 400, answer.text[:300]
    assert answer.json()["error"]["message"]


def test_a_deeply_nested_field_of_an_admin_body_is_400(client: httpx.Client) -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    answer = client.post(
        KEYS, content=b'{"tenant_id":"default","name":"n","role":"agent","budget":' + deep + b"}"
    )
    refused(answer, KEYS, 400, "invalid_request", "body")


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
def test_nesting_a_parser_would_bear_is_bounded_too(client: httpx.Client, path: str) -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    error = refused(
        client.post(path, json={**GOOD[path], "metadata_like": deep}), path, 400, "invalid_request", "body"
    )
    assert "64" in error["message"]


def test_an_over_long_context_is_400(client: httpx.Client) -> None:
    long = [{"role": "user", "content": "word " * 200_000}]
    answer = client.post(CHAT, json={**GOOD[CHAT], "messages": long})
    refused(answer, CHAT, 400, "context_length_exceeded", "messages")


@pytest.mark.parametrize("path", [CHAT, MESSAGES, COMPLETE])
def test_an_over_long_body_is_413_before_it_is_read(module_stack: Stack, path: str) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {module_stack.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {64 * 1024 * 1024}\r\n\r\n"
    )
    port = int(module_stack.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + b'{"model":')
        reply = connection.recv(65536).decode()
    assert " 413 " in reply.splitlines()[0]
    assert "request_too_large" in reply


@pytest.mark.parametrize("path", [CHAT, MESSAGES, COMPLETE, KEYS, EXPLAIN])
@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Transfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "2\r\n{}garbage\r\n0\r\n\r\n"),
        ("Content-Length: -5", "{}"),
        ("Content-Length: many", "{}"),
    ],
)
def test_a_body_whose_framing_is_broken_is_400(
    module_stack: Stack, path: str, header: str, body: str
) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {module_stack.key}\r\n{header}\r\n\r\n"
    port = int(module_stack.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall((head + body).encode())
        reply = connection.recv(65536).decode()
    assert " 400 " in reply.splitlines()[0]


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("GET /" + "a" * 200_000 + " HTTP/1.1\r\nHost: x\r\n\r\n", "414"),
        ("GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + "a" * 2_000_000 + "\r\n\r\n", "431"),
        ("GET /health HTTP/1.1\r\nHost: x\r\n" + "X-Many: a\r\n" * 5000 + "\r\n", "431"),
        ("nonsense\r\n\r\n", "400"),
    ],
    ids=["long address", "long header", "many headers", "no HTTP"],
)
def test_what_is_hardly_http_is_refused(module_stack: Stack, start: str, status: str) -> None:
    port = int(module_stack.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(start.encode())
            reply = connection.recv(65536).decode()
        except OSError:
            reply = ""  # a reset may overtake the refusal while more is being sent
    assert not reply or f" {status} " in reply.splitlines()[0]
    assert httpx.get(module_stack.url + "/health/live").status_code == 200


def test_a_body_without_declared_length_is_bounded_too(client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * (1024 * 1024)

    answer = client.post(CHAT, content=pieces())
    refused(answer, CHAT, 413, "request_too_large", "body")


def test_an_over_long_admin_body_is_413(client: httpx.Client) -> None:
    answer = client.post(KEYS, content=b" " * (5 * 1024 * 1024))
    refused(answer, KEYS, 413, "request_too_large", "body")


def test_an_unknown_content_encoding_is_refused_with_what_is_accepted(client: httpx.Client) -> None:
    answer = client.post(CHAT, content=b"\x1f\x8b", headers={"content-encoding": "br"})
    error = refused(answer, CHAT, 400, "invalid_request", "content-encoding")
    assert "identity" in error["message"]


@pytest.mark.parametrize("path", LLM)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Basic abc"},
        {"authorization": "Bearer sk-of-somebody"},
        {"x-api-key": "ik_live_AAAAAAAAAAAA_BBBBBBBBBBBBBBBB_CCCCCC"},
        {"x-api-key": "k" * 5000},
        {"authorization": "Bearer caf\xe9"},
    ],
)
def test_a_bad_key_is_401(module_stack: Stack, path: str, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = httpx.post(module_stack.url + path, json=GOOD[path], headers=raw)  # type: ignore[arg-type]
    error = refused(answer, path, 401, "invalid_api_key", None)
    for value in headers.values():
        secret = value.removeprefix("Bearer ").strip()
        assert secret in ("Bearer", "Basic abc") or secret not in error["message"]


def test_a_foreign_tenant_in_the_context_is_403(client: httpx.Client) -> None:
    body = {**GOOD[COMPLETE], "context": {"agent_id": "a", "tenant_id": "other"}}
    refused(client.post(COMPLETE, json=body), COMPLETE, 403, "forbidden", "context.tenant_id")


@pytest.mark.parametrize("value", ["[1]", "{", "x" * 5000, '"text"'])
def test_metadata_that_is_no_small_object_is_400(client: httpx.Client, value: str) -> None:
    answer = client.post(CHAT, json=GOOD[CHAT], headers={"x-interchange-metadata": value})
    refused(answer, CHAT, 400, "invalid_request", "x-interchange-metadata")


def test_unknown_paths_and_methods_have_the_same_shape(client: httpx.Client) -> None:
    refused(client.get("/v1/nothing"), "/v1/nothing", 404, "route_not_found", None)
    assert client.patch(KEYS).headers["allow"] == "GET, POST"
    assert client.post("/api/v1/keys/some-key").headers["allow"] == "DELETE, GET, PUT"
    refused(client.post(KEYS + "/", json=GOOD[KEYS]), KEYS, 404, "route_not_found", None)
    wrong = client.get(CHAT)
    error = refused(wrong, CHAT, 405, "method_not_allowed", None)
    assert "POST" in error["message"]
    assert wrong.headers["allow"] == "POST"
    theirs = client.get("/v1/nothing", headers={"anthropic-version": "2023-06-01"}).json()
    assert theirs["type"] == "error"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_anthropics_routes_speak_its_shape_for_wrong_methods_too(client: httpx.Client, path: str) -> None:
    refused(client.get(path), path, 405, "method_not_allowed", None)
