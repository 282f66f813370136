"""What others count wrongly, through the whole server: our bill is the provider's to the nano-dollar, and the
bound told beforehand is never below it."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.money import parse_usd
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, sent, simulate

_CLAUDE = {
    "input_usd_per_mtok": "3",
    "output_usd_per_mtok": "15",
    "cached_input_usd_per_mtok": "0.3",
    "cache_write_usd_per_mtok": "3.75",
    "cache_write_long_usd_per_mtok": "6",
}
_GPT = {"input_usd_per_mtok": "2.5", "output_usd_per_mtok": "10", "cached_input_usd_per_mtok": "1.25"}
_MODELS: dict[str, dict[str, Any]] = {
    "alpha": {
        "gpt-small": _GPT,
        "gpt-think": _GPT,
        "gpt-dear": {"input_usd_per_mtok": "25", "output_usd_per_mtok": "100"},
        "gpt-free": {"input_usd_per_mtok": 0, "output_usd_per_mtok": 0},
        "gpt-tiered": {
            **_GPT,
            "tiers": [{"above_input_tokens": 1500, "input_usd_per_mtok": 5, "output_usd_per_mtok": 20}],
        },
        "nobody-knows": {},
    },
    "beta": {"claude-small": _CLAUDE},
}
_ABLE = {"context_tokens": 128_000, "max_output_tokens": 4096}
_CONFIG = {
    "health": {"minimum_samples": 100_000, "unavailable_consecutive_failures": 100_000},
    "providers": {
        "alpha": {"kind": "openai", "base_url": "{sim}/alpha/v1", "api_key": "k", "via": "direct"},
        "beta": {"kind": "anthropic", "base_url": "{sim}/beta", "api_key": "k", "via": "direct"},
    },
    "routes": {
        "limited": {"targets": ["alpha/gpt-small"], "max_output_tokens": 20},
        "claude-limited": {"targets": ["beta/claude-small"], "max_output_tokens": 20},
        "then-dear": {
            "strategy": "priority",
            "retries": 0,
            "targets": ["alpha/gpt-small", {"target": "alpha/gpt-dear", "priority": 1}],
        },
        "clamped": {"targets": ["alpha/gpt-small"], "clamp_to_budget": True},
    },
    "budgets": [
        {
            "name": "agents",
            "scope": {"tenant": "default", "agent": "*"},
            "period": "total",
            "limit_usd": 0.005,
            "hard": True,
        }
    ],
}


def config() -> str:
    whole: dict[str, Any] = json.loads(json.dumps(_CONFIG))
    for name, models in _MODELS.items():
        whole["providers"][name]["models"] = {model: {**_ABLE, **rates} for model, rates in models.items()}
    return json.dumps(whole)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("traps") / "data", config()) as running:
        prices = {
            f"{provider}/{model}": {name: rate for name, rate in rates.items() if name != "tiers"}
            for provider, models in _MODELS.items()
            for model, rates in models.items()
            if rates
        }
        simulate(running, lambda: running.simulator.set_prices(prices))
        yield running


def billed(stack: Stack) -> int:
    """Everything the simulated provider charges so far, what was cut off included."""
    lines: list[dict[str, Any]] = simulate(stack, lambda: stack.simulator.bill)["models"]
    return sum(line[kind]["cost_nano_usd"] or 0 for line in lines for kind in ("answered", "interrupted"))


def chat(client: httpx.Client, model: str, text: str = "hello", **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {"model": model, "max_tokens": 60, "messages": [{"role": "user", "content": text}]} | more
    body = {name: value for name, value in body.items() if value is not None}
    return client.post("/v1/chat/completions", json=body, headers=headers)


def bound(client: httpx.Client, model: str, text: str = "hello", **more: Any) -> int:
    body = {"model": model, "max_tokens": 60, "messages": [{"role": "user", "content": text}]} | more
    body = {name: value for name, value in body.items() if value is not None}
    told = client.post("/api/v1/routing/explain", json=body).json()["candidates"]
    return int(parse_usd(told[0]["price_bound_usd"]))


def cost_of(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    return int(parse_usd(answer.headers["x-interchange-cost-usd"]))


def row(stack: Stack, request_id: str) -> sqlite3.Row:
    """The row of the only attempt of a request."""

    def look() -> sqlite3.Row | None:
        with sqlite3.connect(stack.data_dir / "interchange.db") as database:
            database.row_factory = sqlite3.Row
            found: sqlite3.Row | None = database.execute(
                "SELECT * FROM usage_attempts WHERE request_id = ?", (request_id,)
            ).fetchone()
            return found

    found = eventually(look)
    assert found is not None
    return found


class TestBills:
    def test_a_prompt_that_is_read_from_the_cache_is_billed_once(self, stack: Stack) -> None:
        """Row 6."""
        text = "look at the file " * 500
        with stack.client() as client:
            before, costs = billed(stack), [cost_of(chat(client, "alpha/gpt-small", text)) for _ in range(2)]
            most = bound(client, "alpha/gpt-small", text)

        assert costs[1] < costs[0] <= most
        assert sum(costs) == billed(stack) - before

    @pytest.mark.parametrize("ttl", [{}, {"ttl": "1h"}])
    def test_writing_and_reading_a_marked_prompt_costs_what_the_provider_says(
        self, stack: Stack, ttl: dict[str, str]
    ) -> None:
        """Row 6."""
        marked = {"type": "text", "text": f"{ttl} look " * 900, "cache_control": {"type": "ephemeral", **ttl}}
        body = {
            "model": "beta/claude-small",
            "max_tokens": 60,
            "messages": [{"role": "user", "content": [marked]}],
        }
        before = billed(stack)
        with stack.client() as client:
            costs = [cost_of(client.post("/v1/messages", json=body)) for _ in range(2)]

        assert costs[1] < costs[0]
        assert sum(costs) == billed(stack) - before

    def test_a_prompt_beyond_the_threshold_costs_the_tiers_price_as_a_whole(self, stack: Stack) -> None:
        """Row 7. (The simulator has no tiers: it bills half.)"""
        text = "tiers and tiers " * 700
        with stack.client() as client:
            answer = chat(client, "alpha/gpt-tiered", text)
            most = bound(client, "alpha/gpt-tiered", text)
        usage = answer.json()["usage"]

        assert usage["prompt_tokens"] > 1500
        assert cost_of(answer) == usage["prompt_tokens"] * 5_000 + usage["completion_tokens"] * 20_000 <= most

    def test_reasoning_is_billed_as_output_and_bounded_by_the_limit(self, stack: Stack) -> None:
        """Row 7."""
        with stack.client() as client:
            before, answer = billed(stack), chat(client, "alpha/gpt-think", "why?", max_tokens=200)
            most = bound(client, "alpha/gpt-think", "why?", max_tokens=200)

        assert answer.json()["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
        assert cost_of(answer) == billed(stack) - before <= most

    def test_a_stream_that_breaks_without_usage_leaves_a_row_that_says_so(self, stack: Stack) -> None:
        """Row 5."""
        fault = {"kind": "cut_after", "tokens": 5}
        simulate(stack, lambda: stack.simulator.fault(fault, match={"model": "gpt-dear"}, times=1))
        with stack.client() as client:
            answer = chat(client, "alpha/gpt-dear", stream=True)
            most = bound(client, "alpha/gpt-dear")
        kept = row(stack, answer.headers["x-request-id"])

        assert kept["estimated"]
        assert 0 < kept["cost_nano_usd"] <= most

    def test_after_a_failover_the_bill_is_that_of_the_dearer_model(self, stack: Stack) -> None:
        """Row 3."""
        fault = {"kind": "status", "status": 500}
        simulate(stack, lambda: stack.simulator.fault(fault, match={"model": "gpt-small"}, times=1))
        with stack.client() as client:
            before, answer = billed(stack), chat(client, "then-dear")

        assert answer.headers["x-interchange-model"] == "gpt-dear"
        assert cost_of(answer) == billed(stack) - before

    def test_an_explicit_zero_is_free_and_an_unknown_price_unknown(self, stack: Stack) -> None:
        """Rows 3 and 8."""
        with stack.client() as client:
            assert cost_of(chat(client, "alpha/gpt-free", headers={"x-interchange-agent-id": "poor"})) == 0
            assert chat(client, "alpha/nobody-knows").headers["x-interchange-cost-usd"] == "unknown"
            refused = chat(client, "alpha/nobody-knows", headers={"x-interchange-agent-id": "poor"})

        assert refused.status_code == 402
        assert "no price is known" in refused.json()["error"]["message"]


class TestLimits:
    def test_a_route_limits_the_answers_of_callers_who_set_no_limit(self, stack: Stack) -> None:
        with stack.client() as client:
            answer = chat(client, "limited", "tell me everything", max_tokens=None)
            own = chat(client, "limited", max_tokens=50)
            told = client.post(
                "/api/v1/routing/explain",
                json={"model": "limited", "messages": [{"role": "user", "content": "hello"}]},
            ).json()["candidates"][0]

        assert answer.headers["x-interchange-max-tokens"] == "20"
        assert answer.json()["usage"]["completion_tokens"] <= 20
        assert "x-interchange-max-tokens" not in own.headers
        assert (told["max_tokens_set"], told["price_bound_by"]) == (20, "bytes")

    def test_the_limit_is_said_in_the_providers_words_and_told_to_streams_too(self, stack: Stack) -> None:
        with stack.client() as client:
            answer = chat(client, "claude-limited", max_tokens=None, stream=True)

        assert answer.headers["x-interchange-max-tokens"] == "20"
        assert sent(stack, "beta")["max_tokens"] == 20

    def test_an_answer_is_cut_to_what_the_budget_affords_where_the_route_says_so(self, stack: Stack) -> None:
        headers = {"x-interchange-agent-id": "cutter"}
        with stack.client() as client:
            refused = chat(client, "alpha/gpt-small", max_tokens=4000, headers=headers)
            cut = chat(client, "clamped", max_tokens=4000, headers=headers)
            with_tools = chat(
                client,
                "clamped",
                max_tokens=4000,
                headers=headers,
                tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
            )

        assert refused.status_code == 402
        assert cut.status_code == 200
        assert 16 <= int(cut.headers["x-interchange-max-tokens"]) < 500
        assert sent(stack, "alpha")["max_tokens"] == int(cut.headers["x-interchange-max-tokens"])
        assert with_tools.status_code == 402


def test_a_long_conversation_goes_on_where_its_bytes_alone_would_not_be_affordable(tmp_path: Path) -> None:
    """The first turn is held at its bytes, the second at what the provider counted of the first."""
    text = "look at the file " * 500
    said: list[dict[str, str]] = [{"role": "user", "content": text}]
    limits = json.loads(config())
    limits["budgets"][0]["limit_usd"] = 0.03
    with Stack(tmp_path / "data", json.dumps(limits)) as stack, stack.client() as client:
        headers = {"x-interchange-agent-id": "talker"}

        def turn() -> httpx.Response:
            return chat(client, "alpha/gpt-small", messages=said, max_tokens=16, headers=headers)

        first = turn()
        assert first.status_code == 200, first.text
        said += [first.json()["choices"][0]["message"], {"role": "user", "content": "and now?"}]
        said[1] = {"role": "assistant", "content": said[1]["content"]}
        by_bytes = bound(client, "alpha/gpt-small", messages=said, max_tokens=16)
        left = parse_usd(first.headers["x-interchange-budget-remaining-usd"])
        second = turn()

    assert left < by_bytes
    assert second.status_code == 200, second.text
