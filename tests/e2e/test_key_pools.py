"""Several keys of one provider: one limited, one revoked, one good. Callers notice nothing."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import pytest

from entrypoints.simulator.state import fingerprint
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

REVOKED = "bad-key"
"""The simulated provider refuses this one."""
LIMITS = {"first": 40, "second": 60}
MODEL = "models: {small: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}"
CONFIG = f"""
providers:
  pooled:
    kind: openai
    base_url: "{{sim}}/pooled/v1"
    via: direct
    keys:
      - {{key: sk-limited, name: limited}}
      - {{key: {REVOKED}, name: revoked}}
      - {{key: sk-good, name: good}}
    {MODEL}
  declared:
    kind: anthropic
    base_url: "{{sim}}/declared"
    via: direct
    keys:
      - {{key: sk-first, name: first, rpm: {LIMITS["first"]}, weight: 100}}
      - {{key: sk-second, name: second, rpm: {LIMITS["second"]}, weight: 100}}
      - {{key: sk-open}}
    {MODEL}
  spent:
    kind: openai
    base_url: "{{sim}}/spent/v1"
    via: direct
    keys: [{{key: sk-spent-1}}, {{key: sk-spent-2}}]
    {MODEL}
routes:
  only-spent: {{targets: [spent/small], retries: 0}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("pools"), CONFIG) as running:
        yield running


def ask(client: httpx.Client, model: str, **more: Any) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, **more}
    return client.post("/v1/chat/completions", json=body)


def attempts(stack: Stack, provider: str, at_least: int, *, ok: bool = True) -> list[tuple[str, str]]:
    """(credential, outcome) of the provider's attempts, once so many (of those that are `ok`) have rows."""

    def look() -> list[tuple[str, str]]:
        with closing(sqlite3.connect(stack.data_dir / "interchange.db")) as rows:
            query = "SELECT credential, outcome FROM usage_attempts WHERE provider = ?"
            found = rows.execute(query, (provider,)).fetchall()
        counted = [outcome for _, outcome in found if outcome == "ok" or not ok]
        return found if len(counted) >= at_least else []

    return eventually(look)


def keys_of(client: httpx.Client, provider: str) -> dict[str, dict[str, Any]]:
    listed = client.get("/api/v1/providers/status").json()["providers"]
    return {key["id"]: key for one in listed if one["provider"] == provider for key in one["keys"]}


def test_a_limited_and_a_revoked_key_are_stepped_over(stack: Stack) -> None:
    """SPEC L8: rotation on failures of a key; no caller sees one."""
    limited = {"kind": "status", "status": 429, "code": "rate_limit_exceeded", "retry_after_s": 30}
    simulate(
        stack,
        lambda: stack.simulator.fault(limited, match={"provider": "pooled", "provider_key": "sk-limited"}),
    )
    with stack.client() as client:
        answers = [ask(client, "pooled/small", stream=number % 2 == 1) for number in range(24)]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers.get("x-interchange-fallbacks", "0") for answer in answers} == {"0"}
        seen = Counter(attempts(stack, "pooled", 24))
        assert seen["good", "ok"] == 24
        assert seen["limited", "rate_limit"] <= 1
        assert seen["revoked", "auth"] <= 1
        keys = keys_of(client, "pooled")
        for key_id, outcome, state in (
            ("limited", "rate_limit", "rate_limited"),
            ("revoked", "auth", "refused"),
        ):
            if seen[key_id, outcome]:
                assert keys[key_id]["state"] == state
                assert keys[key_id]["back_after_s"] > 0
        assert (keys["good"]["state"], keys["good"]["success_rate"]) == ("ready", 1.0)
        assert "sk-" not in client.get("/api/v1/providers/status").text
        usage = client.get("/api/v1/usage", params={"group_by": "credential"}).json()
        assert {"good"} <= {row["credential"] for row in usage["rows"]}
        metrics = client.get("/metrics").text
        assert 'interchange_provider_key_ready{provider="pooled",key="good"} 1' in metrics


def test_declared_limits_hold_under_many_requests_at_once(stack: Stack) -> None:
    with stack.client() as client, ThreadPoolExecutor(40) as threads:
        answers = list(threads.map(lambda _: ask(client, "declared/small").status_code, range(200)))
    assert Counter(answers) == {200: 200}
    used = Counter(credential for credential, _ in attempts(stack, "declared", 200))
    assert used["first"] <= LIMITS["first"]
    assert used["second"] <= LIMITS["second"]
    assert sum(used.values()) == 200
    reached = Counter(
        one["headers"]["x-api-key"] for one in stack.simulator.requests if one["provider"] == "declared"
    )
    assert reached[f"[redacted {fingerprint('sk-first')}]"] <= LIMITS["first"]


def test_without_a_key_left_the_caller_is_told_when_to_come_back(stack: Stack) -> None:
    fault = {"kind": "status", "status": 429, "code": "rate_limit_exceeded", "retry_after_s": 20}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": "spent"}))
    with stack.client() as client:
        answer = ask(client, "only-spent")
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 20
        assert Counter(attempts(stack, "spent", 2, ok=False)) == {
            ("key1", "rate_limit"): 1,
            ("key2", "rate_limit"): 1,
        }
        again = ask(client, "only-spent")
        assert again.status_code == 503
        assert 1 <= int(again.headers["retry-after"]) <= 20
