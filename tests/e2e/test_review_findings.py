"""What a hostile reader of an early version found; none of it may come back."""

import socket
import sqlite3
import time
from collections.abc import Iterator

import pytest

from domain.budgets.token_bounds import OVERHEAD_TOKENS
from tests.e2e.stack import Stack
from tests.e2e.three_wires import simulate

CONFIG = """
providers:
  alpha:
    kind: openai
    base_url: "{sim}/alpha/v1"
    api_key: k
    via: direct
    models:
      small: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 4000}
      embed: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0, context_tokens: 99, capabilities: [embeddings]}
  beta:
    kind: openai
    base_url: "{sim}/beta/v1"
    api_key: k
    via: direct
    models:
      small: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 4000}
  silent: &one-model
    kind: openai
    base_url: "{sim}/silent/v1"
    api_key: k
    via: direct
    models: {small: {input_usd_per_mtok: 1, output_usd_per_mtok: 2, context_tokens: 4000}}
  ignorant: {<<: *one-model, base_url: "{sim}/ignorant/v1"}
  dear: {<<: *one-model, base_url: "{sim}/dear/v1"}
  hop:
    kind: openai
    base_url: "{sim}/beta/v1"
    api_key: k
    via: portkey
    models: {small: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 4000}}
routes:
  silent-first: &in-order
    strategy: priority
    targets: [silent/small, beta/small]
    retries: 0
    timeouts: {first_token_s: 0.3, total_s: 4}
  ignorant-first: {<<: *in-order, targets: [ignorant/small, beta/small]}
  cheapest: {strategy: cost, targets: [hop/small, dear/small]}
"""
"""`silent` and `ignorant` fail in one test each, whose name they bear; nobody reaches `hop`."""
HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all of them: each looks at what is its own."""
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        yield stack


def rows(stack: Stack, count: int) -> list[tuple[str, str, int]]:
    """The recorded requests, once there are that many."""
    database = sqlite3.connect(stack.data_dir / "interchange.db")
    try:
        give_up = time.monotonic() + 5
        while True:
            found = database.execute(
                "select tenant_id, outcome, cost_nano_usd from usage_requests "
                "where client_request_id = 'same-id'"
            ).fetchall()
            if len(found) >= count or time.monotonic() > give_up:
                return found
            time.sleep(0.05)
    finally:
        database.close()


def test_a_callers_own_id_hides_no_spending_not_even_another_tenants(stack: Stack) -> None:
    with stack.client() as client:
        body = {"tenant_id": "other", "name": "theirs", "role": "developer"}
        theirs = client.post("/api/v1/keys", json=body).json()["key"]
        same = {"x-request-id": "same-id"}
        for key in (theirs, stack.key):
            headers = {**same, "authorization": f"Bearer {key}"}
            assert client.post("/v1/chat/completions", json={"model": "nobody", **HELLO}, headers=headers)
            for _ in range(3):
                ask = {"model": "alpha/small", **HELLO}
                assert client.post("/v1/chat/completions", json=ask, headers=headers).status_code == 200
    found = rows(stack, 8)
    assert sorted(row[:2] for row in found) == sorted(
        (tenant, outcome) for tenant in ("default", "other") for outcome in ("ok", "ok", "ok", "refused")
    )
    assert sum(1 for row in found if row[2]) == 6


def test_a_silent_provider_leaves_a_unary_call_time_for_its_fallback(stack: Stack) -> None:
    simulate(stack, lambda: stack.simulator.fault({"kind": "silence"}, match={"provider": "silent"}))
    with stack.client() as client:
        answer = client.post("/v1/chat/completions", json={"model": "silent-first", **HELLO})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-interchange-provider"] == "beta"
    assert answer.headers["x-interchange-fallback"] == "true"


def test_a_batch_of_embeddings_is_not_judged_by_its_sum(stack: Stack) -> None:
    with stack.client() as client:
        inputs = ["some words of one document " * 8] * 50
        answer = client.post("/v1/embeddings", json={"model": "alpha/embed", "input": inputs})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"]) == 50


def test_a_model_the_provider_does_not_know_is_left_alone_for_a_while(stack: Stack) -> None:
    fault = {"kind": "status", "status": 404, "code": "model_not_found"}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": "ignorant"}))
    with stack.client() as client:
        for attempts in ("2", "1"):
            answer = client.post("/v1/chat/completions", json={"model": "ignorant-first", **HELLO})
            assert answer.headers["x-interchange-provider"] == "beta"
            assert answer.headers["x-interchange-attempts"] == attempts


@pytest.mark.parametrize("value", [b'{"a":' * 2000 + b"1" + b"}" * 2000, b'{"a":"\xff\xfe"}'])
def test_odd_metadata_is_the_callers_mistake(stack: Stack, value: bytes) -> None:
    with stack.client() as client:
        answer = client.post(
            "/v1/chat/completions",
            json={"model": "alpha/small", **HELLO},
            headers={b"x-interchange-metadata": value},
        )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "x-interchange-metadata"


def test_who_pays_is_not_the_callers_to_choose(stack: Stack) -> None:
    headers = {"openai-organization": "org-x", "openai-project": "p-x", "openai-beta": "assistants=v2"}
    with stack.client() as client:
        client.post("/v1/chat/completions", json={"model": "alpha/small", **HELLO}, headers=headers)
    sent = {name.lower() for name in stack.simulator.requests[-1]["headers"]}
    assert "openai-beta" in sent
    assert not sent & {"openai-organization", "openai-project"}


def test_a_body_that_is_no_unicode_is_refused(stack: Stack) -> None:
    body = b'{"model":"alpha/small","messages":[{"role":"user","content":"\xff\xfe"}]}'
    with stack.client() as client:
        answer = client.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"


def test_a_body_that_stops_coming_is_given_up(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoints.http.asgi.BODY_IDLE_TIMEOUT_S", 0.2)
    host, port = stack.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as peer:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {stack.key}\r\n"
        peer.sendall(head.encode() + b"content-length: 1000\r\n\r\n{")
        assert b"400" in peer.recv(4096).split(b"\r\n", 1)[0]


def test_an_explanation_says_what_a_request_would_do(stack: Stack) -> None:
    ask = {"model": "cheapest", "max_tokens": 100, "n": 2, **HELLO}
    with stack.client() as client:
        told = client.post("/api/v1/routing/explain", json=ask).json()
        assert client.post("/v1/chat/completions", json=ask).headers["x-interchange-provider"] == "dear"
        body = client.build_request("POST", "/", json=ask).content
    shown = {candidate["target"]: candidate for candidate in told["candidates"]}
    assert (shown["dear/small"]["kept"], shown["dear/small"]["rank"]) == (True, 0)
    assert (shown["hop/small"]["kept"], shown["hop/small"]["reason"]) == (False, "unreachable")
    bound = ((len(body) + OVERHEAD_TOKENS) * 1 + 2 * 100 * 2) / 1e6
    assert float(shown["dear/small"]["price_bound_usd"]) == pytest.approx(bound)
