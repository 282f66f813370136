"""Keys that are nearly right, and callers who say they are somebody or somewhere else."""

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from domain.tenancy.key import format_key, parse_key
from tests.e2e.stack import Stack
from tests.security.attack_world import BODIES
from tests.security.tenant_world import CONFIG, client_of, made, until

CHAT = "/v1/chat/completions"
ELSEWHERE = "203.0.113.7"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """As everywhere, but one that does not tire of bad keys."""
    config = CONFIG + "auth: {failures_per_minute: 100000}\n"
    with Stack(tmp_path_factory.mktemp("keys"), config) as stack:
        yield stack


def status_of(target: Stack, headers: dict[str, str], path: str = "/v1/models") -> int:
    with httpx.Client(base_url=target.url, timeout=10) as client:
        answer = client.get(path, headers=headers)
    if answer.status_code == 401:
        assert answer.json()["error"]["code"] in ("invalid_api_key", "invalid_token"), answer.text
    return answer.status_code


def nearly(key: str) -> list[str]:
    """Keys that share a beginning, an end, an id or a checksum with a good one."""
    parsed = parse_key(key)
    assert parsed is not None
    env, key_id = parsed.env, parsed.key_id
    other_secret = format_key(env, key_id, b"\x07" * 32)
    body, _, check = key.rpartition("_")
    same_beginning = f"{body[:-4]}AAAA"
    return [
        key[:-1],
        key[:20],
        key[:40],
        key[: len(key) // 2],
        key[1:],
        f"{key}x",
        f"{key} x",
        key + key,
        key.swapcase(),
        key.lower(),
        key_id,
        f"ik_{env}_{key_id}",
        parsed.secret,
        f"{body}_",
        body,
        other_secret,
        f"{same_beginning}_{check}",
        format_key("test", key_id, b"\x07" * 32),
        f"{key[:20]}{other_secret[20:]}",
        key.replace("_", "-"),
        f"{key}%00",
        f"{key}\t{key}",
        f"Bearer {key}",
        "0" * 43,
        "null",
        "undefined",
        "admin",
        "' OR '1'='1",
        "*",
        "%",
        key.replace(key[-8], "*"),
    ]


def test_only_the_whole_key_lets_in_also_after_it_was_just_used(target: Stack) -> None:
    """The incident behind it: a cache of tokens by their first twenty characters."""
    assert status_of(target, {"authorization": f"Bearer {target.key}"}) == 200

    for wrong in nearly(target.key):
        assert status_of(target, {"authorization": f"Bearer {wrong}"}) == 401, wrong
        assert status_of(target, {"x-api-key": wrong}) == 401, wrong

    assert status_of(target, {"authorization": f"Bearer {target.key}"}) == 200


def test_what_the_database_keeps_of_a_key_lets_nobody_in(target: Stack) -> None:
    """The incident behind it: hashes that could be shown in place of keys."""
    with sqlite3.connect(Path(target.data_dir) / "interchange.db") as database:
        rows = database.execute("SELECT * FROM api_keys").fetchall()
    kept = [value for row in rows for value in row if value]
    shown = [str(value) for value in kept if not isinstance(value, bytes)]
    for value in kept:
        if isinstance(value, bytes):
            shown += [value.hex(), base64.b64encode(value).decode(), base64.urlsafe_b64encode(value).decode()]
    parsed = parse_key(target.key)
    assert parsed is not None
    shown += [
        hashlib.sha256(target.key.encode()).hexdigest(),
        hashlib.sha256(parsed.secret.encode()).hexdigest(),
    ]

    assert any(len(value) > 40 for value in shown)
    assert target.key not in shown and parsed.secret not in "".join(shown)
    for value in shown:
        if value.isascii() and value.isprintable() and "\n" not in value:
            assert status_of(target, {"authorization": f"Bearer {value}"}) == 401, value


@pytest.mark.parametrize(
    "name",
    [
        "cookie",
        "proxy-authorization",
        "x-auth-token",
        "x-user",
        "x-remote-user",
        "x-forwarded-user",
        "x-auth-request-user",
        "x-ms-client-principal",
        "from",
    ],
)
def test_no_other_header_lets_anybody_in(target: Stack, name: str) -> None:
    for value in (target.key, f"Bearer {target.key}", f"session={target.key}", "admin", "owner"):
        assert status_of(target, {name: value}) == 401


def test_other_schemes_and_addresses_carry_no_key(target: Stack) -> None:
    basic = base64.b64encode(f"{target.key}:".encode()).decode()
    for value in (f"Basic {basic}", f"Digest {target.key}", target.key, "Bearer", f"bearer{target.key}"):
        assert status_of(target, {"authorization": value}) == 401, value
    for query in (f"?api_key={target.key}", f"?access_token={target.key}", f"?token={target.key}"):
        assert status_of(target, {}, f"/v1/models{query}") == 401


SPOOFED = {
    "x-forwarded-for": ELSEWHERE,
    "forwarded": f"for={ELSEWHERE}",
    "x-real-ip": ELSEWHERE,
    "true-client-ip": ELSEWHERE,
    "cf-connecting-ip": ELSEWHERE,
    "x-client-ip": ELSEWHERE,
    "x-cluster-client-ip": ELSEWHERE,
    "x-originating-ip": ELSEWHERE,
    "x-remote-addr": ELSEWHERE,
    "x-forwarded-host": "localhost",
    "x-envoy-external-address": ELSEWHERE,
    "fastly-client-ip": ELSEWHERE,
    "client-ip": ELSEWHERE,
    "x-forwarded": f"for={ELSEWHERE}",
    "via": f"1.1 {ELSEWHERE}",
}


def test_nobody_comes_from_where_a_header_says(target: Stack) -> None:
    with target.client() as owner:
        wanted = {"tenant_id": "acme", "name": "n", "role": "agent", "networks": ["203.0.113.0/24"]}
        key = made(owner.post("/api/v1/keys", json=wanted))["key"]
    for name, value in {**SPOOFED, "host": ELSEWHERE}.items():
        with httpx.Client(base_url=target.url, timeout=10) as client:
            answer = client.get("/v1/models", headers={"authorization": f"Bearer {key}", name: value})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), name


def test_a_key_names_nobody_it_may_not_name_wherever_the_name_stands(target: Stack) -> None:
    with target.client() as owner:
        wanted = {
            "tenant_id": "acme",
            "name": "n",
            "role": "agent",
            "assertable": ["user:bob", "agent:robot"],
        }
        key = made(owner.post("/api/v1/keys", json=wanted))["key"]
    messages = {"model": "both", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
    complete, in_acme = BODIES["CompleteRequest"], {"agent_id": "robot", "tenant_id": "acme"}
    with client_of(target, key) as client:
        refused = [
            client.post(CHAT, json=messages, headers={"x-interchange-user-id": "alice"}),
            client.post(CHAT, json=messages, headers={"x-interchange-agent-id": "other"}),
            client.post("/v1/messages", json=messages, headers={"x-interchange-user-id": "alice"}),
            client.post(
                "/api/v1/llm/complete", json={**complete, "context": {**in_acme, "user_id": "alice"}}
            ),
            client.post(
                "/api/v1/llm/complete", json={**complete, "context": {**in_acme, "agent_id": "other"}}
            ),
        ]
        for answer in refused:
            assert answer.status_code == 403, answer.text
            assert "identity_not_allowed" in answer.text
        for name in ("ALICE", "bob ", "bob\u200b", "b\u043eb", "bob/../alice", "user:bob"):
            spoken = {**complete, "context": {**in_acme, "user_id": name}}
            answer = client.post("/api/v1/llm/complete", json=spoken)
            assert answer.status_code in (400, 403), (name, answer.text)
        elsewhere = {**complete, "context": {"agent_id": "robot", "tenant_id": "default"}}
        assert client.post("/api/v1/llm/complete", json=elsewhere).status_code == 403


def test_a_tenant_in_headers_metadata_or_bodies_moves_no_cost(target: Stack) -> None:
    with target.client() as owner:
        key = made(owner.post("/api/v1/keys", json={"tenant_id": "acme", "name": "n", "role": "developer"}))
    body = {**BODIES["ChatCompletionRequest"], "user": "default", "metadata": {"tenant_id": "default"}}
    headers = {
        "x-interchange-tenant-id": "default",
        "x-interchange-tenant": "default",
        "x-tenant-id": "default",
        "openai-organization": "default",
        "x-interchange-metadata": '{"tenant_id": "default"}',
    }
    with client_of(target, key["key"]) as client:
        answer = client.post(CHAT, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        page = f"/api/v1/requests/{answer.headers['x-request-id']}"
        found = _until_there(client, page)
    assert found["tenant_id"] == "acme"
    assert found["key_id"] == key["key_id"]


def _until_there(client: httpx.Client, page: str) -> dict[str, str]:
    until(lambda: client.get(page).status_code == 200)
    whole = client.get(page).json()
    found: dict[str, str] = whole.get("request", whole)
    return found
