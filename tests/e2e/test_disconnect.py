"""A caller who leaves: the provider's call is cancelled, and what happened is on record."""

import json
import socket
from typing import Any

import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import WIRES, eventually, simulate

CALLERS = ["chat", "messages", "complete"]


def _asked(caller: str, wire: str, agent: str, *, stream: bool) -> tuple[str, dict[str, Any]]:
    messages = [{"role": "user", "content": "hello"}]
    if caller == "chat":
        return "/v1/chat/completions", {"model": f"{wire}/small", "messages": messages, "stream": stream}
    if caller == "messages":
        body = {"model": f"{wire}/small", "max_tokens": 200, "messages": messages, "stream": stream}
        return "/v1/messages", body
    return "/api/v1/llm/complete", {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"prompt": "hello", "model": f"{wire}/small", "stream": stream},
        "context": {"agent_id": agent, "tenant_id": "default"},
    }


def _send(stack: Stack, path: str, body: dict[str, Any], agent: str) -> socket.socket:
    """A request on a connection of its own, whose answer nobody has read yet."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stack.key}\r\n"
        f"X-Interchange-Agent-Id: {agent}\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", int(stack.url.rpartition(":")[2])), timeout=10)
    connection.sendall(head.encode() + content)
    return connection


def _provider(stack: Stack, wire: str) -> dict[str, int]:
    counters: dict[str, int] = stack.simulator.stats["providers"].get(wire, {})
    return counters


def _row(stack: Stack, agent: str) -> dict[str, Any]:
    """The usage of one agent by outcome, once it is in the database."""

    def look() -> list[dict[str, Any]]:
        with stack.client() as http:
            rows = http.get("/api/v1/usage", params={"group_by": "agent,outcome"}).json()["rows"]
        return [row for row in rows if row["agent"] == agent]

    rows = eventually(look)
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("caller", CALLERS)
def test_leaving_before_a_whole_answer_cancels_the_upstream_call(
    stack: Stack, caller: str, wire: str
) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=20_000))
    agent = f"unary-{caller}-{wire}"
    left_before = _provider(stack, wire).get("client_disconnects", 0)

    with _send(stack, *_asked(caller, wire, agent, stream=False), agent):
        assert eventually(lambda: _provider(stack, wire).get("in_flight")), "it arrived upstream"

    assert eventually(lambda: _provider(stack, wire)["client_disconnects"] > left_before)
    assert eventually(lambda: _provider(stack, wire)["in_flight"] == 0)
    row = _row(stack, agent)
    assert row["outcome"] == "cancelled"
    assert row["requests"] == row["attempts"] == 1
    assert row["estimated_requests"] == 1, "nobody told what it cost, so the worst is not forgotten"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("caller", CALLERS)
def test_leaving_in_the_middle_of_a_stream_cancels_the_upstream_call(
    stack: Stack, caller: str, wire: str
) -> None:
    simulate(stack, lambda: stack.simulator.latency(per_token_ms=100))
    simulate(stack, lambda: stack.simulator.answer(tokens=200))
    agent = f"stream-{caller}-{wire}"
    left_before = _provider(stack, wire).get("client_disconnects", 0)

    with _send(stack, *_asked(caller, wire, agent, stream=True), agent) as connection:
        seen = b""
        while seen.count(b"word") < 2:
            seen += connection.recv(65536)

    assert b"200 OK" in seen
    assert eventually(lambda: _provider(stack, wire)["client_disconnects"] > left_before)
    assert eventually(lambda: _provider(stack, wire)["in_flight"] == 0)
    row = _row(stack, agent)
    assert row["outcome"] == "cancelled"
    assert row["requests"] == row["attempts"] == 1
    assert row["output_tokens"] > 0, "what was delivered is counted"
    assert row["estimated_requests"] == 1


@pytest.mark.parametrize("wire", WIRES)
def test_leaving_before_the_first_token_of_a_stream_cancels_the_upstream_call(
    stack: Stack, wire: str
) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=20_000))
    agent = f"early-{wire}"
    left_before = _provider(stack, wire).get("client_disconnects", 0)

    with _send(stack, *_asked("chat", wire, agent, stream=True), agent):
        assert eventually(lambda: _provider(stack, wire).get("in_flight"))

    assert eventually(lambda: _provider(stack, wire)["client_disconnects"] > left_before)
    row = _row(stack, agent)
    assert row["outcome"] == "cancelled"
    assert row["attempts"] == 1


def test_a_leaving_caller_does_not_blame_the_provider(stack: Stack) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=20_000))
    with stack.client() as http:
        before = http.get("/api/v1/providers/status").json()["providers"][0]
        with _send(stack, *_asked("chat", "alpha", "blameless", stream=False), "blameless"):
            eventually(lambda: _provider(stack, "alpha").get("in_flight"))
        _row(stack, "blameless")
        after = http.get("/api/v1/providers/status").json()["providers"][0]
    assert after["provider"] == "alpha"
    assert after["consecutive_failures"] == before["consecutive_failures"]
    assert after["samples"] == before["samples"]
    assert all(target["in_flight"] == 0 for target in after["targets"])


def test_the_slot_of_a_caller_who_left_is_free_again(stack: Stack) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=20_000))
    with _send(stack, *_asked("chat", "alpha", "slot", stream=False), "slot"):
        eventually(lambda: _provider(stack, "alpha").get("in_flight"))
    with stack.client() as http:
        assert eventually(lambda: http.get("/health").json()["in_flight"] == 0)


def test_a_caller_who_leaves_within_its_own_body_leaves_nothing_behind(stack: Stack) -> None:
    port = int(stack.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stack.key}\r\n"
            f'Content-Length: 1000\r\n\r\n{{"model":'.encode()
        )
    with stack.client() as http:
        assert eventually(lambda: http.get("/health").json()["in_flight"] == 0)
        body = {"model": "alpha/small", "messages": [{"role": "user", "content": "hello"}]}
        assert http.post("/v1/chat/completions", json=body).status_code == 200
    assert len(stack.simulator.requests) == 1
