"""Calls beside requests, over the whole server: fresh answers for stale ones, and audits of similar ones."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

CONFIG = """
cache: {embedder: hashing}
providers:
  acme:
    kind: openai
    base_url: "{sim}/openai/v1"
    api_key: k
    via: direct
    models:
      m:
        input_usd_per_mtok: 1
        output_usd_per_mtok: 4
        context_tokens: 100000
        capabilities: [text, streaming]
routes:
  stale: {targets: [acme/m], cache: {mode: exact, ttl_s: 0.2, stale_s: 3600}}
  similar:
    targets: [acme/m]
    cache: {mode: threshold, similarity_threshold: 0.6, audit_share: 1, shadow_usd_per_day: 10}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("beside"), CONFIG) as running:
        yield running


def ask(stack: Stack, model: str, text: str) -> tuple[str, str]:
    """The outcome, and the answer."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    with stack.client() as client:
        answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-interchange-cache"], answer.json()["choices"][0]["message"]["content"]


def provider_says(stack: Stack, text: str) -> None:
    url = f"{stack.simulator.base_url}/_sim/answers"
    httpx.delete(url).raise_for_status()
    httpx.put(url, json={"answer": {"text": text}}).raise_for_status()


def recorded(stack: Stack, route: str) -> Counter[str]:
    """Requests by what the cache did."""
    with stack.client() as client:
        rows: list[dict[str, Any]] = client.get("/api/v1/requests").json()["requests"]
    return Counter(row["cache"] for row in rows if row["route"] == route)


def test_a_stale_answer_is_served_at_once_and_a_fresh_one_is_fetched_beside_it(stack: Stack) -> None:
    provider_says(stack, "the first")
    assert ask(stack, "stale", "what is new?") == ("miss", "the first")
    provider_says(stack, "the second")

    def refreshed() -> bool:
        outcome, text = ask(stack, "stale", "what is new?")
        assert outcome in ("hit-l1", "hit-stale") and text in ("the first", "the second")
        return text == "the second"

    assert eventually(refreshed), "nobody fetched a fresh one"
    assert eventually(lambda: recorded(stack, "stale")["refresh"]), "the call beside is not recorded"


def test_hits_on_similar_questions_are_asked_again_to_measure_errors(stack: Stack) -> None:
    provider_says(stack, "in the oven")
    assert ask(stack, "similar", "How do I bake the large apples?")[0] == "miss"

    def hit() -> bool:
        return ask(stack, "similar", "How do I bake large apples?")[0] == "hit-semantic"

    assert eventually(hit), "the questions are not similar"
    assert eventually(lambda: recorded(stack, "similar")["audit"]), "nobody audits"
