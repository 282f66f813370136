"""Real answers, good and bad, are what the OpenAPI document says, to the last field."""

from collections.abc import Iterator
from typing import Any

import httpx
import openapi_spec_validator
import pytest

from contracts.http.openapi import openapi_document
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import WIRES, eventually, simulate, sse_events

HELLO = [{"role": "user", "content": "hello"}]
CHAT: dict[str, Any] = {"model": "auto", "messages": HELLO}
COMPLETE: dict[str, Any] = {
    "model_requirements": {"capabilities": ["text"]},
    "request": {"prompt": "hello"},
    "context": {"agent_id": "a", "tenant_id": "default"},
}
ANTHROPIC = {"anthropic-version": "2023-06-01"}
DOCUMENT = Document()


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """Every answer this client gets is held to the document."""
    hooks = {"response": [lambda answer: (answer.read(), DOCUMENT.check(answer))]}
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http


def test_the_served_document_is_the_contract(client: httpx.Client) -> None:
    served = client.get("/openapi.json").json()
    openapi_spec_validator.validate(served)
    assert served == openapi_document()


def test_the_application_answers_exactly_the_documented_routes(stack: Stack) -> None:
    paths = openapi_document()["paths"]
    routes = {(method, path.replace(":path}", "}")) for method, path in stack.routes()}
    assert routes == {(method.upper(), path) for path in paths for method in paths[path]}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("stream", [False, True])
def test_answers_of_models_are_as_documented(client: httpx.Client, wire: str, stream: bool) -> None:
    chat = {"model": f"{wire}/small", "messages": HELLO, "stream": stream}
    traced = {"x-interchange-trace": "1", "idempotency-key": f"{wire}-{stream}"}
    wish = {**COMPLETE["request"], "model": f"{wire}/small", "stream": stream}
    for answer in (
        client.post("/v1/chat/completions", json=chat),
        client.post("/v1/chat/completions", json={**chat, "unknown_option": 1}),
        client.post("/v1/chat/completions", json=chat, headers=traced),
        client.post("/v1/chat/completions", json=chat, headers=traced),
        client.post("/v1/messages", json={**chat, "max_tokens": 50}),
        client.post("/v1/completions", json={"model": f"{wire}/small", "prompt": "x", "stream": stream}),
        client.post("/api/v1/llm/complete", json={**COMPLETE, "request": wish}),
        client.post("/v1/messages/count_tokens", json={"model": f"{wire}/small", "messages": HELLO}),
    ):
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_embeddings_are_as_documented(client: httpx.Client, wire: str) -> None:
    for encoding in ("float", "base64"):
        body = {"model": f"{wire}/embed", "input": ["a", "b"], "encoding_format": encoding}
        assert client.post("/v1/embeddings", json=body).status_code == 200


def test_the_last_event_of_a_streamed_completion_is_the_documented_response(client: httpx.Client) -> None:
    wish = {**COMPLETE["request"], "stream": True}
    answer = client.post("/api/v1/llm/complete", json={**COMPLETE, "request": wish})
    final = sse_events(answer.text)[-2]
    DOCUMENT.validate({"$ref": "#/components/schemas/CompleteResponse"}, final)


def test_an_error_inside_a_stream_is_the_documented_error(client: httpx.Client, stack: Stack) -> None:
    simulate(
        stack, lambda: stack.simulator.fault({"kind": "cut_after", "tokens": 3}, match={"model": "small"})
    )
    chat = {"model": "alpha/small", "messages": HELLO, "stream": True, "max_tokens": 50}
    wish = {**COMPLETE["request"], "model": "alpha/small", "stream": True}
    ours = sse_events(client.post("/api/v1/llm/complete", json={**COMPLETE, "request": wish}).text)[-1]
    DOCUMENT.validate({"$ref": "#/components/schemas/Error"}, ours)
    theirs = sse_events(client.post("/v1/messages", json=chat).text)[-1]
    assert theirs["error"]["code"] == "stream_interrupted"


BAD: list[tuple[str, str, Any, dict[str, str], int]] = [
    ("POST", "/v1/chat/completions", {}, {}, 400),
    ("POST", "/v1/chat/completions", {"model": "none", "messages": HELLO}, {}, 404),
    ("POST", "/v1/chat/completions", {}, {"authorization": "Bearer x"}, 401),
    ("POST", "/v1/chat/completions", CHAT, {"x-interchange-residency": "apac"}, 403),
    ("POST", "/v1/messages", {**CHAT, "max_tokens": 5}, {"x-interchange-residency": "apac"}, 403),
    ("POST", "/v1/messages", {}, {}, 400),
    ("POST", "/v1/messages", {"model": "none", "max_tokens": 5, "messages": HELLO}, {}, 404),
    ("POST", "/v1/messages", {}, {"authorization": "Bearer x"}, 401),
    ("POST", "/v1/embeddings", {"model": "alpha/embed"}, {}, 400),
    ("POST", "/api/v1/llm/complete", {}, {}, 400),
    ("POST", "/api/v1/routing/explain", {"model": "none"}, {}, 404),
    ("POST", "/api/v1/routing/explain", {"model": 7}, {}, 400),
    ("POST", "/api/v1/keys", {"tenant_id": "default", "name": "n", "role": "none"}, {}, 400),
    ("GET", "/v1/models/none", None, {}, 404),
    ("GET", "/v1/models/none", None, ANTHROPIC, 404),
    ("GET", "/v1/models", None, {"authorization": "Bearer x"}, 401),
    ("GET", "/v1/models", None, {"authorization": "Bearer x", **ANTHROPIC}, 401),
    ("DELETE", "/api/v1/keys/none", None, {}, 404),
    ("GET", "/api/v1/keys", None, {"authorization": "Bearer x"}, 401),
    ("PUT", "/api/v1/providers/none/state", {"state": "auto"}, {}, 404),
    ("PUT", "/api/v1/providers/alpha/state", {"state": "none"}, {}, 400),
    ("PUT", "/api/v1/providers/alpha/breaker", {}, {}, 400),
    ("GET", "/api/v1/catalog?limit=x", None, {}, 400),
    ("GET", "/api/v1/catalog/none", None, {}, 404),
    ("GET", "/api/v1/usage?group_by=x", None, {}, 400),
    ("GET", "/metrics", None, {"authorization": "Bearer x"}, 401),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "headers", "status"), BAD)
def test_refusals_are_as_documented(
    client: httpx.Client, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    assert client.request(method, path, json=body, headers=headers).status_code == status


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("status", [400, 404, 413, 418, 422, 429, 500, 503, 529])
def test_errors_of_providers_are_as_documented(
    client: httpx.Client, stack: Stack, wire: str, status: int
) -> None:
    """A provider's own status goes through to its family; another family's 500 is a 502 of ours."""
    fault = {"kind": "status", "status": status, "retry_after_s": 0.01}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": wire}))
    model = f"{wire}-fail-{status}"
    wish = {**COMPLETE["request"], "model": f"{model}-streamed"}
    answer = client.post("/v1/chat/completions", json={"model": model, "messages": HELLO})
    own = {} if wire == "alpha" else {500: 502, 529: 503}
    assert answer.status_code == own.get(status, status)
    messages = {"model": f"{model}-again", "max_tokens": 5, "messages": HELLO}
    answer = client.post("/v1/messages", json=messages)
    assert answer.status_code == (status if wire == "beta" else {500: 502}.get(status, status))
    assert client.post("/api/v1/llm/complete", json={**COMPLETE, "request": wish}).status_code in (400, 503)


def test_the_routes_around_the_calls_are_as_documented(client: httpx.Client) -> None:
    client.post("/v1/chat/completions", json={"model": "alpha/small", "messages": HELLO})
    key = {"tenant_id": "default", "name": "n", "role": "agent", "scopes": ["llm.call"],
           "allowed_models": ["alpha/*"], "expires_at": "2999-01-01T00:00:00Z"}  # fmt: skip
    made = client.post("/api/v1/keys", json=key)
    assert made.status_code == 201
    offering = client.get("/api/v1/catalog?q=claude&limit=1000").json()["offerings"][0]["id"]
    for method, path, body in [
        ("GET", "/", None),
        ("GET", "/docs", None),
        ("GET", "/health", None),
        ("GET", "/health/live", None),
        ("GET", "/health/ready", None),
        ("GET", "/ready", None),
        ("GET", "/cache-status", None),
        ("GET", "/metrics", None),
        ("GET", "/v1/models", None),
        ("GET", "/v1/models/alpha/small", None),
        ("GET", "/v1/models/assistant", None),
        ("POST", "/api/v1/routing/explain", {"model": "auto", "messages": HELLO}),
        ("POST", "/api/v1/routing/explain", {"model": "auto", "input": "x"}),
        ("POST", "/api/v1/routing/explain", COMPLETE),
        ("GET", "/api/v1/providers/status", None),
        ("PUT", "/api/v1/providers/beta/state", {"state": "maintenance"}),
        ("GET", "/api/v1/providers/status", None),
        ("PUT", "/api/v1/providers/beta/state", {"state": "auto"}),
        ("PUT", "/api/v1/providers/beta/breaker", {"action": "open"}),
        ("PUT", "/api/v1/providers/beta/breaker", {"action": "reset"}),
        ("GET", "/api/v1/keys", None),
        ("DELETE", f"/api/v1/keys/{made.json()['key_id']}", None),
        ("GET", "/api/v1/catalog/statistics", None),
        ("GET", "/api/v1/catalog?limit=1000&offset=1000", None),
        ("GET", f"/api/v1/catalog/{offering}", None),
        ("GET", "/api/v1/usage", None),
        ("GET", "/api/v1/usage?group_by=tenant,key,agent,user,session,workflow,route", None),
        ("GET", "/api/v1/usage?group_by=provider,model,outcome,day,hour", None),
    ]:
        assert client.request(method, path, json=body).status_code == 200, path
    assert client.get("/v1/models", headers=ANTHROPIC).status_code == 200
    assert client.get("/v1/models/alpha/small", headers=ANTHROPIC).status_code == 200


def test_unreadiness_is_as_documented(client: httpx.Client) -> None:
    for name in WIRES:
        client.put(f"/api/v1/providers/{name}/state", json={"state": "maintenance"})
    try:
        assert eventually(lambda: client.get("/ready").status_code == 503)
        chat = {"model": "alpha/small", "messages": HELLO}
        assert client.post("/v1/chat/completions", json=chat).status_code == 503
    finally:
        for name in WIRES:
            client.put(f"/api/v1/providers/{name}/state", json={"state": "auto"})
