"""Batches handed over to providers of both shapes, at batch prices."""

import time
from collections.abc import Iterator

import openai
import pytest

from tests.e2e.stack import Stack
from tests.e2e.test_batches import begin, chat, ended, rows, used
from tests.e2e.three_wires import simulate

PRICE = "input_usd_per_mtok: 1.1, output_usd_per_mtok: 2.3, context_tokens: 128000, max_output_tokens: 4096"
BATCHED = f"{{{PRICE}, batch_multiplier_percent: 50, capabilities: [text, streaming]}}"
CONFIG = "breaker: {consecutive_failures: 1000, minimum_calls: 100000}\nproviders:\n" + "".join(
    f'  {name}:\n    kind: {kind}\n    base_url: "{{sim}}/{name}{path}"\n    api_key: k-{name}\n'
    f"    via: direct\n    batch_api: {api}\n    models:\n      small: {BATCHED}\n"
    f"      full: {{{PRICE}, capabilities: [text]}}\n"
    for name, kind, path, api in (
        ("alpha", "openai", "/v1", "openai"),
        ("beta", "anthropic", "", "anthropic"),
        ("gamma", "openai", "/v1", "none"),
    )
)


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        usd = {"input_usd_per_mtok": "1.1", "output_usd_per_mtok": "2.3"}
        simulate(stack, lambda: stack.simulator.set_prices({"*": usd}))
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


def paths(stack: Stack) -> list[str]:
    return [f"{one['method']} {one['path']}" for one in stack.simulator.requests]


def billed(stack: Stack) -> int:
    return int(stack.simulator.bill["answered"]["cost_nano_usd"] or 0)


@pytest.mark.parametrize("provider", ["alpha", "beta"])
def test_a_batch_is_answered_by_the_providers_batch_at_half_the_price(
    client: openai.OpenAI, stack: Stack, provider: str
) -> None:
    before = billed(stack)
    lines = [chat(n, model=f"{provider}/small") for n in range(20)]
    batch = ended(client, begin(client, lines, mode="provider"))
    assert batch.status == "completed" and batch.interchange["answered_by"] == f"{provider}/small"
    answers = rows(client, batch.output_file_id)
    assert len(answers) == 20
    body = answers["c-7"]["response"]["body"]
    assert body["object"] == "chat.completion" and "n 7" in body["choices"][0]["message"]["content"]
    assert not any(path.endswith(("/chat/completions", "/v1/messages")) for path in paths(stack))
    mine = used(stack, batch.id, requests=20)
    assert mine["requests"] == 20
    assert round(float(batch.interchange["cost_usd"]) * 1e9) == billed(stack) - before
    usage = body["usage"]
    whole = usage["prompt_tokens"] * 1100 + usage["completion_tokens"] * 2300
    assert billed(stack) - before <= whole * 20 * 0.6


def test_auto_takes_the_providers_batch_where_it_is_cheaper_and_else_asks_itself(
    client: openai.OpenAI, stack: Stack
) -> None:
    cheap = ended(client, begin(client, [chat(n) for n in range(3)], mode="auto"))
    assert cheap.interchange["answered_by"] == "alpha/small"
    for model in ("alpha/full", "gamma/small"):
        own = ended(client, begin(client, [chat(n, model=model) for n in range(3)], mode="auto"))
        assert own.status == "completed" and own.interchange["answered_by"] is None
    mixed = [chat(0), chat(1, model="beta/small")]
    assert ended(client, begin(client, mixed, mode="auto")).interchange["answered_by"] is None


@pytest.mark.parametrize("model", ["gamma/small", "alpha/none"])
def test_without_a_batch_api_a_demanded_one_is_refused_with_the_line(
    client: openai.OpenAI, stack: Stack, model: str
) -> None:
    batch = ended(client, begin(client, [chat(0), chat(1, model=model)], mode="provider"))
    assert batch.status == "failed"
    assert [(one.code, one.line) for one in batch.errors.data] == [("provider_batch_not_possible", 2)]


@pytest.mark.parametrize("provider", ["alpha", "beta"])
def test_lines_that_the_provider_refused_or_never_reached_are_told(
    client: openai.OpenAI, stack: Stack, provider: str
) -> None:
    wrong = [{"role": "user", "content": "x [expire]"}]
    lines = [chat(0), chat(1, messages=wrong), chat(2)]
    for line in lines:
        line["body"]["model"] = f"{provider}/small"
    batch = ended(client, begin(client, lines, mode="provider"))
    assert (batch.status, batch.request_counts.completed, batch.request_counts.failed) == ("completed", 2, 1)
    (row,) = rows(client, batch.error_file_id).values()
    assert row["custom_id"] == "c-1" and row["error"]["code"] == "batch_expired"


def test_a_cancelled_batch_is_cancelled_at_the_provider(client: openai.OpenAI, stack: Stack) -> None:
    stack.simulator._answering._batches.delay_s = 1.0
    try:
        batch_id = begin(client, [chat(n) for n in range(5)], mode="provider")
        give_up = time.monotonic() + 10
        while not any(path == "POST /v1/batches" for path in paths(stack)) and time.monotonic() < give_up:
            time.sleep(0.02)
        client.batches.cancel(batch_id)
        batch = ended(client, batch_id)
    finally:
        stack.simulator._answering._batches.delay_s = 0.2
    assert batch.status == "cancelled" and any(path.endswith("/cancel") for path in paths(stack))
    assert len(rows(client, batch.error_file_id)) == 5


def test_a_hand_over_in_doubt_is_looked_for_before_it_is_repeated(
    client: openai.OpenAI, stack: Stack
) -> None:
    fault = {"kind": "truncated_body"}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"path": "/v1/batches"}, times=1))
    before = billed(stack)
    batch = ended(client, begin(client, [chat(n) for n in range(4)], mode="provider"))
    assert batch.request_counts.completed == 4
    assert paths(stack).count("POST /v1/batches") == 1
    assert round(float(batch.interchange["cost_usd"]) * 1e9) == billed(stack) - before
