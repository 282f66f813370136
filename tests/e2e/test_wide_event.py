"""What the explorer tells of requests that took every kind of way, end to end."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from entrypoints.cli.requests import requests as requests_command
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, eventually, simulate

DOCUMENT = Document()
EMAIL = "bob.stone@example.com"
STAGES = ("entry_us", "admit_us", "cache_us", "plan_us", "hold_us")
WIDE = (
    CONFIG.replace(
        "  assistant: {strategy",
        "  second: {strategy: priority, targets: [alpha/fail-503, beta/small], retries: 0}\n"
        "  picky: {strategy: priority, targets: [alpha/think, alpha/small, beta/small]}\n"
        "  hidden: {targets: [alpha/small], privacy: redact}\n"
        "  warned: {targets: [alpha/small], guardrails: [words]}\n"
        "  blocked: {targets: [alpha/small], guardrails: [stops]}\n"
        "  cached: {targets: [alpha/small], cache: {mode: exact}}\n"
        "  slow: {targets: [gamma/small]}\n"
        "  assistant: {strategy",
        1,
    )
    + "guardrails:\n"
    "  words: {kind: patterns, deny: ['zeus'], action: warn}\n"
    "  stops: {kind: patterns, deny: ['zeus']}\n"
    "budgets:\n"
    "  - {name: all of it, scope: {tenant: default}, limit_usd: 100, period: month, hard: true}\n"
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), WIDE) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as opened:
        yield opened


def ask(client: httpx.Client, model: str, text: str = "hello", **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return client.post("/v1/chat/completions", json=body, headers=headers)


def told(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """The request as the explorer has it, once its row is written."""
    path = f"/api/v1/requests/{answer.headers['x-request-id']}"

    def look() -> httpx.Response | None:
        found = client.get(path)
        return found if found.status_code == 200 else None

    found = eventually(look)
    assert found is not None
    DOCUMENT.check(found)
    row: dict[str, Any] = found.json()
    return row


def listed(client: httpx.Client, **where: Any) -> list[str]:
    answer = client.get("/api/v1/requests", params=where)
    assert answer.status_code == 200, answer.text
    DOCUMENT.check(answer)
    return [row["request_id"] for row in answer.json()["requests"]]


def test_a_whole_answer_tells_its_stages_its_plan_and_what_is_left(client: httpx.Client) -> None:
    row = told(client, ask(client, "assistant"))

    assert row["task"] == "chat"
    assert row["planned"] == "alpha/small,beta/small"
    assert (row["left_out"], row["demands"], row["privacy"], row["guardrails"], row["checks"]) == ("",) * 5
    assert (row["chunks"], row["gap_max_us"], row["cache_us"], row["breaker_skips"]) == (0, None, 0, 0)
    assert all(row[name] > 0 for name in ("entry_us", "admit_us", "plan_us", "hold_us"))
    within = sum(row[name] for name in STAGES[1:]) + row["attempts"][0]["duration_us"]
    assert within <= row["duration_us"]
    assert 0 < row["budget_left_nano_usd"] < 100 * 10**9
    assert row["decision"]["planned"] == ["alpha/small", "beta/small"]


def test_the_timeline_covers_the_request_from_its_head_to_its_end(client: httpx.Client) -> None:
    row = told(client, ask(client, "assistant"))

    parts = row["timeline"]
    assert [part["name"] for part in parts] == ["entry", "admit", "plan", "hold", "alpha/small", "finish"]
    assert parts[0]["start_us"] == 0
    assert parts[-1]["start_us"] + parts[-1]["duration_us"] == row["entry_us"] + row["duration_us"]


def test_a_stream_tells_its_blocks_and_its_longest_pause(stack: Stack, client: httpx.Client) -> None:
    simulate(stack, lambda: stack.simulator.latency(per_token_ms=5, match={"provider": "gamma"}))
    simulate(stack, lambda: stack.simulator.answer(tokens=12, match={"provider": "gamma"}))

    row = told(client, ask(client, "slow", stream=True))

    assert row["chunks"] >= 12
    assert row["gap_max_us"] > 0
    assert any(part["name"] == "first token" and part["kind"] == "mark" for part in row["timeline"])


def test_a_failover_tells_both_attempts_in_its_timeline(stack: Stack, client: httpx.Client) -> None:
    simulate(
        stack, lambda: stack.simulator.fault({"kind": "status", "status": 503}, match={"model": "fail-503"})
    )

    row = told(client, ask(client, "second"))

    attempts = [part for part in row["timeline"] if part["kind"] == "attempt"]
    assert [part["name"] for part in attempts] == ["alpha/fail-503", "beta/small"]
    assert attempts[0]["outcome"] != "ok"
    assert attempts[1]["outcome"] == "ok"
    assert attempts[1]["start_us"] >= attempts[0]["start_us"] + attempts[0]["duration_us"]
    assert (row["fallbacks"], row["decision"]["fallbacks"]) == (1, 1)
    assert row["request_id"] in listed(client, has_fallback="true")
    assert row["request_id"] not in listed(client, has_fallback="false")


def test_what_was_demanded_and_whom_that_left_out_is_told(client: httpx.Client) -> None:
    answer = ask(client, "picky", headers={"x-interchange-capabilities": "vision"})
    refused = ask(
        client,
        "picky",
        headers={"x-interchange-capabilities": "vision", "x-interchange-max-cost-usd": "1e-9"},
    )

    row, none = told(client, answer), told(client, refused)

    assert row["demands"] == "capabilities=vision"
    assert row["decision"]["left_out"] == {"capability": 1}
    assert none["outcome"] == "refused"
    assert none["decision"]["demands"] == {"capabilities": "vision", "max_cost_nano_usd": "1"}
    assert none["decision"]["left_out"] == {"capability": 1, "cost_ceiling": 2}
    assert none["request_id"] in listed(client, outcome="refused")


def test_what_policies_did_is_told_without_what_they_found(client: httpx.Client) -> None:
    hidden = told(client, ask(client, "hidden", f"write to {EMAIL} and again to {EMAIL}"))
    warned = told(client, ask(client, "warned", "zeus"))
    blocked = told(client, ask(client, "blocked", "zeus"))

    assert re.fullmatch(r"redact:\w+=2", hidden["privacy"]), hidden["privacy"]
    assert EMAIL not in str(hidden)
    assert (warned["guardrails"], warned["outcome"]) == ("words", "ok")
    assert (blocked["guardrails"], blocked["outcome"]) == ("stops", "refused")
    assert blocked["admit_us"] > 0
    assert blocked["plan_us"] == 0


def test_a_hit_tells_how_long_the_cache_was_looked_into(client: httpx.Client) -> None:
    first = told(client, ask(client, "cached", "the same"))
    again = told(client, ask(client, "cached", "the same"))

    assert (first["cache"], again["cache"]) == ("miss", "hit-l1")
    assert min(first["cache_us"], again["cache_us"]) > 0
    assert (again["planned"], again["hold_us"], again["checks"]) == ("", 0, "")
    assert again["request_id"] in listed(client, cache="hit")
    assert first["request_id"] not in listed(client, cache="hit")


def test_an_answer_at_its_limit_is_found_truncated(stack: Stack, client: httpx.Client) -> None:
    simulate(stack, lambda: stack.simulator.answer(tokens=50, match={"provider": "beta"}))

    row = told(client, ask(client, "beta/small", max_tokens=4))

    assert (row["finish_reason"], row["checks"]) == ("length", "truncated")


def test_the_list_is_filtered_by_everything_people_look_for(client: httpx.Client) -> None:
    headers = {"x-interchange-user-id": "someone", "x-interchange-session-id": "talk"}
    row = told(client, ask(client, "alpha/small", "```python\nprint(1)\n```", headers=headers))
    mine = row["request_id"]

    for where in (
        {"user_id": "someone"},
        {"session_id": "talk"},
        {"task": "code"},
        {"route": row["route"]},
        {"outcome": "ok"},
        {"min_cost_usd": row["cost_usd"]},
        {"min_duration_ms": 0},
    ):
        assert mine in listed(client, **where), where
    for where in ({"user_id": "x"}, {"task": "vision"}, {"min_cost_usd": "5"}, {"min_duration_ms": 600_000}):
        assert mine not in listed(client, **where), where


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("outcome", "good"),
        ("task", "?"),
        ("min_cost_usd", "much"),
        ("min_duration_ms", "-1"),
        ("has_fallback", "1"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_by_name(client: httpx.Client, name: str, value: str) -> None:
    answer = client.get("/api/v1/requests", params={name: value})

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == name


def test_the_command_prints_the_decision_and_the_waterfall(stack: Stack, client: httpx.Client) -> None:
    row = told(client, ask(client, "picky", headers={"x-interchange-capabilities": "vision"}))

    printed = CliRunner().invoke(
        requests_command, ["show", row["request_id"], "--url", stack.url, "--key", stack.key]
    )

    assert printed.exit_code == 0, printed.output
    assert re.search(r"planned:\s+alpha/small, beta/small", printed.output)
    assert re.search(r"left_out:\s+capability=1", printed.output)
    assert re.search(r"demands:\s+capabilities=vision", printed.output)
    assert re.search(r"=\s+alpha/small\n", printed.output)
