"""`prompt_caching: auto` through the whole server: what one turn wrote the next one reads, and what that
saved stands in the usage."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from domain.money import parse_usd
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

RULES = "You are a careful agent. " * 300
_MODEL = {
    "input_usd_per_mtok": "3",
    "output_usd_per_mtok": "15",
    "cached_input_usd_per_mtok": "0.3",
    "cache_write_usd_per_mtok": "3.75",
    "cache_write_long_usd_per_mtok": "6",
    "context_tokens": 200_000,
    "max_output_tokens": 4096,
    "capabilities": ["text", "streaming", "function_calling"],
}
_BEDROCK = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def _provider(kind: str, url: str, model: str) -> dict[str, Any]:
    return {"kind": kind, "base_url": url, "api_key": "k", "via": "direct", "models": {model: _MODEL}}


CONFIG = {
    "providers": {
        "claude": _provider("anthropic", "{sim}/claude", "big"),
        "rock": _provider("bedrock", "{sim}/rock", _BEDROCK),
        "gpt": _provider("openai", "{sim}/gpt/v1", "big"),
    },
    "routes": {
        "agents": {"targets": ["claude/big"], "prompt_caching": "auto"},
        "long": {"targets": ["claude/big"], "prompt_caching": {"mode": "auto", "ttl": "1h"}},
        "plain": {"targets": ["claude/big"]},
        "amazon": {"targets": [f"rock/{_BEDROCK}"], "prompt_caching": "auto"},
        "marked": {"targets": [f"rock/{_BEDROCK}"]},
        "implicit": {"targets": ["gpt/big"], "prompt_caching": "auto"},
    },
    "budgets": [
        {"name": "all", "scope": {"tenant": "default"}, "period": "total", "limit_usd": 100, "hard": True}
    ],
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("prompt_caching"), json.dumps(CONFIG)) as running:
        price = {name: rate for name, rate in _MODEL.items() if name.endswith("_usd_per_mtok")}
        simulate(running, lambda: running.simulator.set_prices({"*": price}))
        yield running


@pytest.fixture
def claude(stack: Stack) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0) as client:
        yield client


def rows_of(stack: Stack, route: str) -> list[sqlite3.Row]:
    """Attempts of a route in the order they were made."""
    with sqlite3.connect(Path(stack.data_dir) / "interchange.db") as database:
        database.row_factory = sqlite3.Row
        return database.execute(
            "SELECT a.* FROM usage_attempts a JOIN usage_requests r USING (request_id)"
            " WHERE r.route = ? ORDER BY a.started_at_us",
            (route,),
        ).fetchall()


def conversed(claude: anthropic.Anthropic, route: str, rules: str) -> list[anthropic.types.Usage]:
    """The usage of three turns, the last one streamed."""
    said: list[Any] = []
    told: list[anthropic.types.Usage] = []
    for number in range(3):
        said.append({"role": "user", "content": f"step {number}: " + "look at the file " * 100})
        asked: Any = {"model": route, "max_tokens": 50, "system": rules, "messages": said}
        if number < 2:
            answer = claude.messages.create(**asked)
        else:
            with claude.messages.stream(**asked) as stream:
                answer = stream.get_final_message()
        told.append(answer.usage)
        said.append({"role": "assistant", "content": answer.content[0].text})
    return told


def test_the_second_turn_reads_what_the_first_wrote(stack: Stack, claude: anthropic.Anthropic) -> None:
    first, second, third = conversed(claude, "agents", "agents: " + RULES)

    assert (first.cache_read_input_tokens, second.cache_read_input_tokens) == (
        0,
        first.cache_creation_input_tokens,
    )
    assert first.cache_creation_input_tokens and first.cache_creation_input_tokens >= 1024
    # The turn itself is written as soon as there is a conversation, and read by the next one.
    assert second.cache_creation_input_tokens
    assert (
        third.cache_read_input_tokens
        == first.cache_creation_input_tokens + second.cache_creation_input_tokens
    )


def test_what_it_saved_stands_in_the_usage(stack: Stack, claude: anthropic.Anthropic) -> None:
    told = conversed(claude, "long", "long: " + RULES)

    assert eventually(lambda: len(rows_of(stack, "long")) == 3)
    for usage, row in zip(told, rows_of(stack, "long"), strict=True):
        read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
        assert row["cache_write_long_tokens"] == written and row["cache_write_tokens"] == 0
        # $3 - $0.30 saved for each token read, $6 - $3 more paid for each written for an hour.
        assert row["prompt_cache_saved_nano_usd"] == read * 2_700 - written * 3_000
        plain = (usage.input_tokens + read + written) * 3_000 + usage.output_tokens * 15_000
        assert row["cost_nano_usd"] + row["prompt_cache_saved_nano_usd"] == plain
    assert rows_of(stack, "long")[0]["prompt_cache_saved_nano_usd"] < 0


def test_without_the_option_the_same_conversation_is_billed_in_full(
    stack: Stack, claude: anthropic.Anthropic
) -> None:
    told = conversed(claude, "plain", "plain: " + RULES)

    assert all(not usage.cache_read_input_tokens and not usage.cache_creation_input_tokens for usage in told)


def test_a_chat_at_anthropic_is_marked_in_its_translation(stack: Stack) -> None:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0) as client:
        counted = [
            client.chat.completions.create(
                model="agents",
                max_tokens=20,
                messages=[
                    {"role": "system", "content": "chat: " + RULES},
                    {"role": "user", "content": f"question {number}"},
                ],
            ).usage
            for number in range(2)
        ]

    read = [usage.prompt_tokens_details.cached_tokens for usage in counted]  # type: ignore[union-attr]
    assert read[0] == 0 and (read[1] or 0) >= 1024


def test_amazons_cache_points_are_put_in_and_carried_over(stack: Stack, claude: anthropic.Anthropic) -> None:
    ours = conversed(claude, "amazon", "amazon: " + RULES)
    system: Any = [{"type": "text", "text": "own: " + RULES, "cache_control": {"type": "ephemeral"}}]
    own = [
        claude.messages.create(
            model="marked", max_tokens=9, system=system, messages=[{"role": "user", "content": f"q {number}"}]
        ).usage
        for number in range(2)
    ]

    assert ours[1].cache_read_input_tokens == ours[0].cache_creation_input_tokens != 0
    assert own[1].cache_read_input_tokens == own[0].cache_creation_input_tokens != 0


def test_a_server_that_is_not_openais_own_gets_no_key(stack: Stack) -> None:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0) as client:
        for number in range(2):
            answer = client.chat.completions.create(
                model="implicit",
                max_tokens=9,
                messages=[{"role": "user", "content": "implicit: " + RULES + f"question {number}"}],
            )
    assert answer.usage is not None and answer.usage.prompt_tokens_details is not None
    assert (answer.usage.prompt_tokens_details.cached_tokens or 0) >= 1024
    requests = simulate(stack, lambda: stack.simulator.requests)
    bodies = [one["body"] for one in requests if one["provider"] == "gpt"]
    assert bodies and all("prompt_cache_key" not in body for body in bodies)
    assert eventually(lambda: len(rows_of(stack, "implicit")) == 2)
    assert rows_of(stack, "implicit")[1]["prompt_cache_saved_nano_usd"] > 0


def test_bounds_that_are_told_hold_for_writing_too(stack: Stack) -> None:
    def bound(route: str) -> int:
        body = {"model": route, "max_tokens": 20, "messages": [{"role": "user", "content": RULES}]}
        with stack.client() as client:
            told = client.post("/api/v1/routing/explain", json=body).json()["candidates"]
        return int(parse_usd(told[0]["price_bound_usd"]))

    assert bound("plain") < bound("agents") < bound("long")
    assert simulate(stack, lambda: stack.simulator.bill)["answered"]["requests"] > 0
