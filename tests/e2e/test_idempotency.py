"""`idempotency-key`: one effect however often a request is repeated."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
COMPLETE = "/api/v1/llm/complete"
HELLO = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": "alpha/small", "messages": HELLO},
    MESSAGES: {"model": "beta/small", "max_tokens": 100, "messages": HELLO},
    COMPLETE: {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"prompt": "hello", "model": "alpha/small"},
        "context": {"agent_id": "a", "tenant_id": "default"},
    },
}
EVERY_PATH = pytest.mark.parametrize("path", list(BODIES))


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


@EVERY_PATH
def test_a_repeated_request_gets_the_same_answer_without_a_second_call(
    client: httpx.Client, stack: Stack, path: str
) -> None:
    headers = {"idempotency-key": f"same-{path}"}
    first = client.post(path, json=BODIES[path], headers=headers)
    second = client.post(path, json=BODIES[path], headers=headers)
    assert first.status_code == second.status_code == 200
    assert second.content == first.content
    assert second.headers["x-interchange-idempotent-replay"] == "true"
    assert "x-interchange-idempotent-replay" not in first.headers
    assert second.headers["x-request-id"] == first.headers["x-request-id"]
    assert len(stack.simulator.requests) == 1


def test_a_repeated_stream_is_replayed_whole(client: httpx.Client, stack: Stack) -> None:
    body = {**BODIES[CHAT], "stream": True}
    headers = {"idempotency-key": "a-stream"}
    first = client.post(CHAT, json=body, headers=headers)
    second = client.post(CHAT, json=body, headers=headers)
    assert second.text == first.text
    assert second.text.rstrip().endswith("data: [DONE]")
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-interchange-attempts"] == "1"
    assert len(stack.simulator.requests) == 1


def test_another_body_under_the_same_key_is_422(client: httpx.Client) -> None:
    headers = {"idempotency-key": "reused"}
    assert client.post(CHAT, json=BODIES[CHAT], headers=headers).status_code == 200
    other = client.post(CHAT, json={**BODIES[CHAT], "temperature": 0}, headers=headers)
    assert other.status_code == 422
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert other.json()["error"]["param"] == "idempotency-key"


def test_the_same_key_on_another_route_is_422_in_that_routes_shape(client: httpx.Client) -> None:
    headers = {"idempotency-key": "routes"}
    assert client.post(CHAT, json=BODIES[CHAT], headers=headers).status_code == 200
    other = client.post(MESSAGES, json=BODIES[MESSAGES], headers=headers)
    assert other.status_code == 422
    assert other.json()["type"] == "error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_repeat_while_the_first_runs_is_409(client: httpx.Client, stack: Stack, stream: bool) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=700))
    headers = {"idempotency-key": f"running-{stream}"}
    body = {**BODIES[CHAT], "stream": stream}
    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(client.post(CHAT, json=body, headers=headers)))
    first.start()
    eventually(lambda: stack.simulator.requests)
    second = client.post(CHAT, json=body, headers=headers)
    first.join(10)
    assert second.status_code == 409
    assert second.json()["error"]["code"] == "request_in_progress"
    assert int(second.headers["retry-after"]) >= 1
    assert answers[0].status_code == 200
    third = client.post(CHAT, json=body, headers=headers)
    assert third.content == answers[0].content
    assert len(stack.simulator.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_failed_request_may_be_repeated(client: httpx.Client, stack: Stack, stream: bool) -> None:
    fault = {"kind": "status", "status": 500}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": "alpha"}, times=1))
    headers = {"idempotency-key": f"failed-{stream}"}
    body = {**BODIES[CHAT], "model": "alpha-fail-500", "stream": stream}
    assert client.post(CHAT, json=body, headers=headers).status_code == 500
    again = client.post(CHAT, json=body, headers=headers)
    assert again.status_code == 200
    assert "x-interchange-idempotent-replay" not in again.headers


def test_a_cut_stream_is_not_kept(client: httpx.Client, stack: Stack) -> None:
    fault = {"kind": "cut_after", "tokens": 3}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": "alpha"}, times=1))
    headers = {"idempotency-key": "cut"}
    body = {**BODIES[CHAT], "stream": True}
    assert "[DONE]" not in client.post(CHAT, json=body, headers=headers).text
    again = client.post(CHAT, json=body, headers=headers)
    assert "[DONE]" in again.text
    assert "x-interchange-idempotent-replay" not in again.headers


def test_a_refused_request_leaves_its_key_free(client: httpx.Client) -> None:
    headers = {"idempotency-key": "refused"}
    wrong = {**BODIES[CHAT], "model": "alpha/none-such"}
    assert client.post(CHAT, json=wrong, headers=headers).status_code == 404
    assert client.post(CHAT, json=BODIES[CHAT], headers=headers).status_code == 200


def test_keys_of_different_callers_do_not_meet(client: httpx.Client, stack: Stack) -> None:
    new = {"tenant_id": "default", "name": "other", "role": "agent"}
    other_key = client.post("/api/v1/keys", json=new).json()["key"]
    headers = {"idempotency-key": "shared-text"}
    client.post(CHAT, json=BODIES[CHAT], headers=headers)
    theirs = client.post(CHAT, json=BODIES[CHAT], headers={**headers, "authorization": f"Bearer {other_key}"})
    assert "x-interchange-idempotent-replay" not in theirs.headers
    assert len(stack.simulator.requests) == 2


@pytest.mark.parametrize("value", ["", "k" * 300, "caf\x81e"])
def test_an_empty_or_over_long_key_is_400(stack: Stack, value: str) -> None:
    with stack.client() as http:
        answer = http.post(CHAT, json=BODIES[CHAT], headers={b"idempotency-key": value.encode("latin-1")})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == "idempotency-key"
