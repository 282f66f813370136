"""Keys as attackers try them, and what a key is bound to, over HTTP."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from domain.tenancy.key import format_key
from tests.e2e.calls import CHAT, COMPLETE, EXPLAIN, GOOD, KEYS, LLM
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

WHO = "/api/v1/key"
GEMINI = "/v1beta/models/gamma/small:generateContent"
GEMINI_BODY: dict[str, Any] = {"contents": [{"parts": [{"text": "hello"}]}]}
RESPONSES = "/v1/responses"


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def made(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    answer = client.post(KEYS, json={"tenant_id": "default", "name": "test", "role": "agent", **fields})
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def holding(stack: Stack, key: str, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}", **headers}, timeout=20)


def raw(stack: Stack, *headers: bytes, path: str = WHO) -> tuple[int, bytes]:
    """A request whose headers are sent byte by byte as they stand."""
    host, port = stack.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        head = [f"GET {path} HTTP/1.1".encode(), b"host: x", b"connection: close", *headers, b"", b""]
        line.sendall(b"\r\n".join(head))
        answer = b""
        while part := line.recv(65536):
            answer += part
    return int(answer.split(b" ", 2)[1]), answer


def code_of(answer: httpx.Response) -> str:
    body = answer.json()
    found: str = body["error"].get("code") or body["error"].get("status")
    return found


def test_nothing_that_resembles_a_key_lets_anybody_in(stack: Stack, client: httpx.Client) -> None:
    one, other = made(client), made(client)
    env, key_id, secret, check = one["key"].split("_")[1:]
    other_secret = other["key"].split("_")[3]
    digest = hashlib.sha256(one["key"].encode()).hexdigest()
    nearly = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    tokens = [
        f"ik_{env}_{key_id}_{other_secret}_{check}",
        format_key(env, key_id, bytes(32)),
        f"ik_{env}_{key_id}_{nearly}_{check}",
        one["key"][:-1],
        one["key"] + "0",
        one["key"].swapcase(),
        one["key"] + one["key"],
        one["key"].replace("ik_", "\u0456k_", 1),
        digest,
        hashlib.sha256(secret.encode()).hexdigest(),
        key_id,
        f"{key_id}:{secret}",
        one["key"][: len(one["key"]) // 2],
        "' OR 1=1 --",
        "x" * 5000,
    ]
    for token in tokens:
        status, answer = raw(stack, b"authorization: Bearer " + token.encode())
        assert status == 401, token
        assert secret.encode() not in answer
    for odd in (b"\x00", b"\xff\xfe", b"\xc2\xa0"):
        status, _ = raw(stack, b"authorization: Bearer " + one["key"].encode() + odd)
        assert status in (400, 401)
    assert raw(stack, b"authorization: Bearer " + one["key"].encode())[0] == 200


def test_keys_that_share_their_beginning_are_told_apart(stack: Stack) -> None:
    """A memory of tokens by their beginning once let callers in as somebody else."""
    from entrypoints.http.app import Application

    assert isinstance(stack.application, Application)
    ring = stack.application.faces.hot[("POST", CHAT)]._gate.entrance._key_ring  # type: ignore[union-attr]
    with stack.client() as client:
        key = made(client)["key"]
    forged = format_key("live", key.split("_")[2], b"\x01" * 32)
    shared = forged[:30]
    assert key[:20] == shared[:20]
    with holding(stack, key) as good, holding(stack, forged) as bad:
        for _ in range(2):
            assert good.get(WHO).status_code == 200
            assert bad.get(WHO).status_code == 401
    assert all(len(digest) == 32 for digest in ring._warm)


def test_two_keys_in_one_request_are_refused(stack: Stack, client: httpx.Client) -> None:
    one, other = made(client)["key"].encode(), made(client)["key"].encode()
    assert raw(stack, b"authorization: Bearer " + one, b"authorization: Bearer " + other)[0] == 400
    assert raw(stack, b"authorization: Bearer " + one, b"x-api-key: " + other)[0] == 400
    assert raw(stack, b"x-api-key: " + one, b"X-Api-Key: bad")[0] == 400
    assert raw(stack, b"authorization: Bearer " + one, b"x-api-key: " + one)[0] == 200
    assert raw(stack, b"authorization: Bearer " + one, b"Authorization: Bearer " + one)[0] == 400
    assert raw(stack, b"authorization: Bearer " + one + b", Bearer " + other)[0] == 401
    assert raw(stack, b"x-interchange-key: " + one, b"authorization: Bearer sk-theirs")[0] == 200


def test_bad_keys_wait_and_good_ones_never_do(stack: Stack, client: httpx.Client) -> None:
    bad = b"authorization: Bearer " + format_key("live", "0" * 12, bytes(32)).encode()

    def until_told_to_wait() -> bytes:
        status, answer = raw(stack, bad)
        return answer if status == 429 else b""

    told = eventually(until_told_to_wait, within_s=20)

    assert b"too_many_failures" in told and b"retry-after: " in told.lower()
    assert client.get(WHO).status_code == 200


BODIES = {
    **{path: GOOD[path] for path in LLM},
    GEMINI: GEMINI_BODY,
    RESPONSES: {"model": "alpha/small", "input": "x"},
}


@pytest.mark.parametrize("path", [*BODIES, EXPLAIN, "/api/v1/cache/explain"])
def test_no_route_takes_a_forged_identity(stack: Stack, client: httpx.Client, path: str) -> None:
    key = made(client, role="admin", assertable=["user:alice", "agent:a"])["key"]
    body = BODIES.get(path, GOOD[CHAT])
    with holding(stack, key) as bound:
        assert bound.post(path, json=body).status_code == 200
        for header in ("x-interchange-user-id", "x-interchange-agent-id"):
            answer = bound.post(path, json=body, headers={header: "mallory"})
            if path == COMPLETE and header == "x-interchange-agent-id":
                continue  # the body names the agent there
            assert (answer.status_code, "identity_not_allowed" in answer.text) == (403, True), header
        last = bound.post(path, json=body)
    if path in BODIES:  # what is recorded at all; rows come in the order of their ends
        assert eventually(lambda: _row(client, last.headers["x-request-id"]))
    rows = client.get("/api/v1/requests", params={"limit": 100}).json()["requests"]
    assert not [row for row in rows if "mallory" in (row["user_id"], row["agent_id"])]


def test_section_nines_context_is_held_to_it_too(stack: Stack, client: httpx.Client) -> None:
    key = made(client, assertable=["user:alice", "agent:a"])["key"]
    with holding(stack, key) as bound:
        for field in ("agent_id", "user_id"):
            body = json.loads(json.dumps(GOOD[COMPLETE]))
            body["context"][field] = "mallory"
            answer = bound.post(COMPLETE, json=body)
            assert (answer.status_code, answer.json()["error"]["param"]) == (403, f"context.{field}")


def test_whoever_is_bound_to_one_user_calls_for_that_one(stack: Stack, client: httpx.Client) -> None:
    key = made(client, assertable=["user:only-alice"])["key"]
    with holding(stack, key, **{"x-interchange-session-id": "s"}) as bound:
        request_id = bound.post(CHAT, json=GOOD[CHAT]).headers["x-request-id"]

    row = eventually(lambda: _row(client, request_id))
    assert row["user_id"] == "only-alice"
    assert row["session_id"].endswith("/s") and row["session_id"] != "s"


def _row(client: httpx.Client, request_id: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/requests/{request_id}")
    found = answer.json() if answer.status_code == 200 else {}
    row: dict[str, Any] = found.get("request", found)
    return row


def test_a_revoked_key_ends_what_runs_for_it(stack: Stack, client: httpx.Client) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=1, per_token_ms=40))
    key = made(client)
    seen: list[str] = []

    def listen() -> None:
        body = {**GOOD[CHAT], "stream": True, "messages": [{"role": "user", "content": "word " * 200}]}
        with holding(stack, key["key"]) as http, http.stream("POST", CHAT, json=body) as answer:
            seen.extend(answer.iter_text())

    listening = threading.Thread(target=listen)
    listening.start()
    assert eventually(lambda: len(seen) > 2)

    client.delete(f"{KEYS}/{key['key_id']}", params={"reason": "leaked"})
    listening.join(10)

    assert not listening.is_alive()
    assert "was revoked while its request was running" in "".join(seen)


def test_a_key_turns_while_it_is_used(stack: Stack, client: httpx.Client) -> None:
    key = made(client, env="test")
    rotated = client.post(f"{KEYS}/{key['key_id']}/rotate").json()
    assert rotated["key_id"] == key["key_id"] and rotated["old_secret_until"]
    for text in (key["key"], rotated["key"]):
        assert raw(stack, b"x-api-key: " + text.encode())[0] == 200
    assert client.post(f"{KEYS}/{key['key_id']}/rotate", json={"overlap_seconds": 60}).status_code == 409
    last = client.post(f"{KEYS}/{key['key_id']}/rotate", json={"overlap_seconds": 0}).json()
    assert raw(stack, b"x-api-key: " + last["key"].encode())[0] == 200
    for text in (key["key"], rotated["key"]):
        assert raw(stack, b"x-api-key: " + text.encode())[0] in (401, 429)


def test_a_key_is_changed_shown_and_found(stack: Stack, client: httpx.Client) -> None:
    key = made(client, name="findable one")
    changed = client.put(
        f"{KEYS}/{key['key_id']}", json={"name": "findable two", "networks": ["10.9.0.0/16"]}
    )
    assert changed.status_code == 200
    shown = client.get(f"{KEYS}/{key['key_id']}").json()
    assert (shown["name"], shown["networks"], shown["state"]) == ("findable two", ["10.9.0.0/16"], "live")
    assert "hash" not in json.dumps(shown)
    with holding(stack, key["key"]) as elsewhere:
        assert code_of(elsewhere.get(WHO)) == "forbidden"
    freed = client.put(f"{KEYS}/{key['key_id']}", json={"networks": None, "allowed_models": None})
    assert (freed.json()["networks"], freed.json()["allowed_models"]) == ([], None)
    page = client.get(KEYS, params={"name": "FINDABLE", "limit": 1}).json()
    assert [found["key_id"] for found in page["keys"]] == [key["key_id"]] and page["next_cursor"] is None
    first = client.get(KEYS, params={"limit": 1}).json()
    second = client.get(KEYS, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["keys"][0]["key_id"] != second["keys"][0]["key_id"]
    for wrong in ({"limit": "0"}, {"cursor": "x"}, {"state": "dead"}, {"nmae": "x"}):
        assert client.get(KEYS, params=wrong).status_code == 400
    for body in ({"env": "test"}, {"tenant_id": "x"}, {"networks": ["10.9.0.1/16"]}, {"assertable": ["x"]}):
        assert client.put(f"{KEYS}/{key['key_id']}", json=body).status_code == 400


def test_another_tenant_sees_and_touches_none_of_them(stack: Stack, client: httpx.Client) -> None:
    ours = made(client, role="agent")
    theirs = made(client, tenant_id="keys-of-b", role="owner")
    with holding(stack, theirs["key"]) as b:
        listed = b.get(KEYS).json()["keys"]
        assert {key["tenant_id"] for key in listed} == {"keys-of-b"}
        assert b.get(KEYS, params={"tenant_id": "default"}).status_code == 403
        path = f"{KEYS}/{ours['key_id']}"
        for answer in (
            b.get(path),
            b.put(path, json={"name": "mine"}),
            b.delete(path),
            b.post(f"{path}/rotate", json={"overlap_seconds": 0}),
        ):
            assert answer.status_code == 404
    assert raw(stack, b"x-api-key: " + ours["key"].encode())[0] == 200


def test_a_key_manages_only_the_budgets_it_is_bound_to(stack: Stack, client: httpx.Client) -> None:
    key = made(client, role="admin", managed_budgets=["crew-*"])["key"]
    budget = {"scope": {"tenant": "default", "team": "t"}, "limit_usd": 5, "period": "month"}
    with holding(stack, key) as bound:
        refused = bound.post("/api/v1/budgets", json={**budget, "name": "company"})
        allowed = bound.post("/api/v1/budgets", json={**budget, "name": "crew-1"})
    assert refused.status_code == 403, refused.text
    assert allowed.status_code == 201, allowed.text
