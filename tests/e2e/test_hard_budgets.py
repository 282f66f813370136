"""A whole server under hard budgets: what is spent, what is refused, and what the provider's bill says."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.money import parse_usd
from tests.e2e.stack import Stack

CONFIG = """
providers:
  acme:
    kind: openai
    base_url: {sim}/v1
    api_key: k
    via: direct
    models:
      small: {input_usd_per_mtok: 100, output_usd_per_mtok: 200, max_output_tokens: 4096}
routes:
  assistant: {targets: [acme/small]}
budgets:
  - {name: all, scope: {tenant: default}, period: total, limit_usd: 1, hard: true, contact: m@example.org}
  - {name: each-agent, scope: {tenant: default, agent: "*"}, period: total, limit_usd: 0.3, hard: true}
"""
LIMIT = parse_usd("1")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path / "data", CONFIG) as running:
        yield running


def ask(client: httpx.Client, **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {"model": "assistant", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    return client.post("/v1/chat/completions", json=body | more, headers=headers)


def test_the_bill_never_passes_the_limit_whoever_calls_at_once(stack: Stack) -> None:
    statuses: list[int] = []

    def caller() -> None:
        with stack.client() as client:
            for _ in range(60):
                answer = ask(client)
                statuses.append(answer.status_code)
                if answer.status_code != 200:
                    return

    threads = [threading.Thread(target=caller) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(statuses) <= {200, 402} and 402 in statuses and 200 in statuses
    with stack.client() as client:
        refusal = ask(client)
    assert (refusal.status_code, refusal.headers["x-should-retry"]) == (402, "false")
    error = refusal.json()["error"]
    assert error["code"] == "budget_exceeded" and "m@example.org" in error["message"]


def test_an_answer_tells_what_is_left(stack: Stack) -> None:
    with stack.client() as client:
        answer = ask(client)
        left = parse_usd(answer.headers["x-interchange-budget-remaining-usd"])
        cost = parse_usd(answer.headers["x-interchange-cost-usd"])
        assert left == LIMIT - cost
        streamed = client.post(
            "/v1/chat/completions",
            json={
                "model": "assistant",
                "max_tokens": 8,
                "stream": True,
                "messages": [{"role": "user", "content": "x"}],
            },
        )
        assert parse_usd(streamed.headers["x-interchange-budget-remaining-usd"]) <= left


def test_one_agents_spending_stops_only_that_agent(stack: Stack) -> None:
    with stack.client() as client:
        wasteful = {"x-interchange-agent-id": "wasteful"}
        for _ in range(60):
            if (answer := ask(client, headers=wasteful, max_tokens=1000)).status_code != 200:
                break
        assert answer.status_code == 402
        assert "agent=wasteful" in answer.json()["error"]["message"]
        assert ask(client, headers={"x-interchange-agent-id": "thrifty"}).status_code == 200


def test_what_was_spent_is_still_spent_after_a_restart(tmp_path: Path) -> None:
    config = CONFIG.replace("limit_usd: 1,", "limit_usd: 0.2,")
    with Stack(tmp_path / "data", config) as stack, stack.client() as client:
        while (answer := ask(client)).status_code == 200:
            left = answer.headers["x-interchange-budget-remaining-usd"]
    with Stack(tmp_path / "data", config) as stack, stack.client() as client:
        again = ask(client)
        assert again.status_code == 402
        assert parse_usd(left) < parse_usd("0.13")
