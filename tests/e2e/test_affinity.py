"""An agent's conversation of twenty turns keeps its prompt cache through a failover in the middle.

The same conversation is asked directly of a simulated provider of its own; the shares of the prompt that
came from the provider's cache are printed side by side (`pytest -s`).
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

TURNS = 20
FAILS_AT = 10
SYSTEM = "You are a careful agent. " * 300
SHARE_OF_DIRECT_MIN = 0.9

_MODEL = (
    "big: {input_usd_per_mtok: 3, output_usd_per_mtok: 15, cached_input_usd_per_mtok: 0.3, "
    "cache_write_usd_per_mtok: 3.75, context_tokens: 200000, max_output_tokens: 4096, "
    "capabilities: [text, streaming, function_calling]}"
)


def _provider(name: str, kind: str, path: str, more: str = "") -> str:
    return (
        f'  {name}:\n    kind: {kind}\n    base_url: "{{sim}}/{path}"\n    api_key: secret-{name}\n'
        f"    via: direct\n{more}    models:\n      {_MODEL}\n"
    )


def _evenly(*names: str) -> str:
    """Targets of one priority: without it, the order they are named in is theirs."""
    return "[" + ", ".join(f"{{target: {name}/big, priority: 1}}" for name in names) + "]"


CONFIG = (
    "providers:\n"
    + _provider("one", "openai", "one/v1")
    + _provider("two", "openai", "two/v1")
    + _provider("three", "openai", "three/v1")
    + _provider("left", "anthropic", "left")
    + _provider("right", "anthropic", "right")
    + _provider("paid", "openai", "paid/v1", "    reserved: {tokens_per_minute: 60, hourly_usd: 10}\n")
    + _provider("rebate", "openai", "rebate/v1", "    discount_percent: 12.5\n")
    + "routes:\n"
    + f"  openai-agent: {{strategy: weighted, targets: {_evenly('one', 'two', 'three')}, retries: 0}}\n"
    + f"  anthropic-agent: {{strategy: weighted, targets: {_evenly('left', 'right')}, retries: 0}}\n"
    + f"  spread: {{strategy: weighted, targets: {_evenly('one', 'two', 'three')}, "
    + "affinity: {enabled: false}}\n"
    + "  bought: {strategy: cost, targets: [rebate/big, paid/big]}\n"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("affinity"), CONFIG) as running:
        yield running


class Turn(NamedTuple):
    """Who answered, and how much of the prompt was in its cache."""

    provider: str
    input_tokens: int
    cached_tokens: int
    trace: str
    text: str


def _chat(client: httpx.Client, url: str, model: str, said: list[dict[str, Any]], **headers: str) -> Turn:
    body = {"model": model, "messages": [{"role": "system", "content": SYSTEM}, *said]}
    answer = client.post(f"{url}/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    return Turn(
        answer.headers.get("x-interchange-provider", ""),
        usage["prompt_tokens"],
        usage["prompt_tokens_details"]["cached_tokens"],
        answer.headers.get("x-interchange-trace", ""),
        answer.json()["choices"][0]["message"]["content"],
    )


def _messages(client: httpx.Client, url: str, model: str, said: list[dict[str, Any]], **headers: str) -> Turn:
    marked = [*said[:-1], {**said[-1], "content": [_marked(said[-1]["content"])]}]
    body = {"model": model, "max_tokens": 200, "system": [_marked(SYSTEM)], "messages": marked}
    answer = client.post(f"{url}/messages", json=body, headers={"anthropic-version": "2023-06-01", **headers})
    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return Turn(
        answer.headers.get("x-interchange-provider", ""),
        usage["input_tokens"] + read + written,
        read,
        answer.headers.get("x-interchange-trace", ""),
        answer.json()["content"][0]["text"],
    )


def _marked(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


ASK = {"openai": _chat, "anthropic": _messages}


def _converse(stack: Stack, wire: str, url: str, model: str, key: str, *, fails: bool) -> list[Turn]:
    """Twenty turns; with `fails`, who answered last refuses once in the middle."""
    said: list[dict[str, Any]] = []
    turns: list[Turn] = []
    headers = {"x-interchange-trace": "1", "authorization": f"Bearer {key}"}
    with httpx.Client(timeout=30.0) as client:
        for number in range(TURNS):
            said.append(
                {"role": "user", "content": f"Step {number} of {url[:4]}: " + "look at the file " * 40}
            )
            if fails and number == FAILS_AT:
                fault, broken = {"kind": "status", "status": 500}, {"provider": turns[-1].provider}
                simulate(stack, partial(stack.simulator.fault, fault, match=broken, times=1))
            turns.append(ASK[wire](client, url, model, said, **headers))
            said.append({"role": "assistant", "content": turns[-1].text})
    return turns


def _share(turns: list[Turn]) -> float:
    return sum(turn.cached_tokens for turn in turns) / sum(turn.input_tokens for turn in turns)


@pytest.mark.parametrize("wire", ["openai", "anthropic"])
def test_a_long_conversation_keeps_its_prompt_cache_but_for_the_forced_move(stack: Stack, wire: str) -> None:
    path = "v1" if wire == "openai" else ""
    direct_url = f"{stack.simulator.base_url}/direct-{wire}/{path or 'v1'}"
    direct = _converse(stack, wire, direct_url, "big", "secret", fails=False)

    ours = _converse(stack, wire, f"{stack.url}/v1", f"{wire}-agent", stack.key, fails=True)

    spread = [turn.provider for turn in ours]
    calm = [turn for number, turn in enumerate(ours) if number != FAILS_AT]
    calm_direct = [turn for number, turn in enumerate(direct) if number != FAILS_AT]
    print(
        f"\n{wire}: hit share direct {_share(direct):.1%}, through Interchange {_share(ours):.1%}, "
        f"without the forced move {_share(calm):.1%} (direct {_share(calm_direct):.1%})"
    )
    assert len(set(spread[:FAILS_AT])) == len(set(spread[FAILS_AT:])) == 1
    assert spread[0] != spread[-1]
    assert _share(calm) >= SHARE_OF_DIRECT_MIN * _share(calm_direct) > 0.5
    assert "affinity=new" in ours[0].trace
    assert "affinity=kept" in ours[5].trace and "tokens warm with p" in ours[5].trace
    assert "affinity=moved" in ours[FAILS_AT].trace and "failed (server_error)" in ours[FAILS_AT].trace
    assert "affinity=kept" in ours[FAILS_AT + 1].trace


def test_without_affinity_the_same_conversation_is_spread(stack: Stack) -> None:
    ours = _converse(stack, "openai", f"{stack.url}/v1", "spread", stack.key, fails=False)

    print(f"\naffinity off: hit share {_share(ours):.1%}")
    assert len({turn.provider for turn in ours}) > 1
    assert all("affinity=" not in turn.trace for turn in ours)


def test_a_session_is_known_by_its_header_whatever_the_body_says(stack: Stack) -> None:
    with httpx.Client(timeout=30.0) as client:
        headers = {"authorization": f"Bearer {stack.key}", "x-interchange-trace": "1", "session_id": "s-1"}
        question = [{"role": "user", "content": "hello " * 50}]
        first = _chat(client, f"{stack.url}/v1", "openai-agent", question, **headers)
        answers = [
            _chat(
                client,
                f"{stack.url}/v1",
                "openai-agent",
                [{"role": "user", "content": f"quite another beginning {number}"}],
                **headers,
            )
            for number in range(6)
        ]
        explained = client.post(
            f"{stack.url}/api/v1/routing/explain",
            json={"model": "openai-agent", "messages": [{"role": "system", "content": SYSTEM}, *question]},
            headers=headers,
        ).json()
        off = _chat(
            client,
            f"{stack.url}/v1",
            "openai-agent",
            question,
            **headers,
            **{"x-interchange-affinity": "off"},
        )

    assert {turn.provider for turn in answers} == {first.provider}
    assert explained["affinity"] == "kept"
    chosen = explained["candidates"][0]
    assert chosen["provider"] == first.provider
    assert chosen["warm_probability"] > 0.5 and chosen["prefix_tokens"] > 1024
    assert float(chosen["effective_cost_usd"]) < float(chosen["estimated_cost_usd"])
    assert "affinity=" not in off.trace


def test_conversations_are_known_again_after_a_restart(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "remember me " * 50}]
    with Stack(tmp_path, CONFIG) as running:
        headers = {"authorization": f"Bearer {running.key}", "x-interchange-trace": "1"}
        with httpx.Client(timeout=30.0) as client:
            first = _chat(client, f"{running.url}/v1", "openai-agent", said, **headers)
    with Stack(tmp_path, CONFIG) as again:
        headers = {"authorization": f"Bearer {again.key}", "x-interchange-trace": "1"}
        with httpx.Client(timeout=30.0) as client:
            turns = [_chat(client, f"{again.url}/v1", "openai-agent", said, **headers) for _ in range(4)]

    assert {turn.provider for turn in turns} == {first.provider}
    assert all("affinity=kept" in turn.trace for turn in turns)


def test_reserved_capacity_comes_first_and_costs_nothing_until_it_is_used_up(stack: Stack) -> None:
    answered: list[tuple[str, str]] = []
    with httpx.Client(timeout=30.0) as client:
        for number in range(12):
            body = {"model": "bought", "messages": [{"role": "user", "content": f"question {number} " * 5}]}
            answer = client.post(
                f"{stack.url}/v1/chat/completions",
                json=body,
                headers={"authorization": f"Bearer {stack.key}"},
            )
            answered.append(
                (answer.headers["x-interchange-provider"], answer.headers["x-interchange-cost-usd"])
            )

    paid = [cost for provider, cost in answered if provider == "paid"]
    rebate = [float(cost) for provider, cost in answered if provider == "rebate"]
    assert paid and {float(cost) for cost in paid} == {0.0}
    assert rebate and all(cost > 0 for cost in rebate)

    def billed() -> set[tuple[str, str]]:
        with closing(sqlite3.connect(stack.data_dir / "interchange.db")) as database:
            rows = database.execute("SELECT DISTINCT provider, billed_as FROM usage_attempts")
            return {(provider, as_what) for provider, as_what in rows if provider in ("paid", "rebate")}

    assert eventually(lambda: billed() == {("paid", "reserved"), ("rebate", "")})
