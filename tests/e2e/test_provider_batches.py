"""Batches handed over to providers of both shapes, at batch prices, found again after a crash."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final, NamedTuple

import openai
import pytest

from benchmarks.batch_proof import World, world, write_input
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


SHAPES: Final = {"openai": "/v1/batches", "anthropic": "/v1/messages/batches"}
"""Of each batch API: where a batch is made."""
LINES: Final = 50


class Ended(NamedTuple):
    """What is left of a batch: what its command printed, its rows and their cost, the provider's bill."""

    summary: dict[str, Any]
    rows: int
    cost_nano_usd: int
    bill: dict[str, Any]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """A batch of each shape, of one server: starts are dear."""
    folder = tmp_path_factory.mktemp("killed")
    with world(folder, latency_ms=0) as here:
        here.config.write_text("providers:\n" + "".join(_killed_provider(here, shape) for shape in SHAPES))
        # No provider tells how far its batch is, so that both work until the server is killed.
        untold = {"fault": {"kind": "status", "status": 503}, "match": {"path": "*/batches/?*"}}
        here.simulated("PUT", "/_sim/faults", untold)
        here.start_server()
        running = {}
        for shape in SHAPES:
            write_input(folder / f"{shape}.jsonl", LINES, model=f"{shape}/small")
            source, output = str(folder / f"{shape}.jsonl"), str(folder / f"{shape}.out.jsonl")
            running[shape] = here.command("run", source, "-o", output, "--json", "--mode", "provider")
        give_up, made = time.monotonic() + 60, set(SHAPES.values())
        while made := made - _posted(here):
            assert time.monotonic() < give_up, f"nobody posted to {made}"
            time.sleep(0.005)
        here.kill_server()
        here.simulated("DELETE", "/_sim/faults")
        here.start_server()
        printed = {shape: each.communicate(timeout=120)[0] for shape, each in running.items()}
        here.stop_server_gently()
        bills = {one["provider"]: one["answered"] for one in here.simulated("GET", "/_sim/bill")["models"]}
    rows = "SELECT count(DISTINCT request_id), sum(cost_nano_usd) FROM usage_attempts WHERE provider = ?"
    ended = {}
    with closing(sqlite3.connect(here.data_dir / "interchange.db")) as database:
        for shape, text in printed.items():
            count, cost = database.execute(rows, (shape,)).fetchone()
            ended[shape] = Ended(json.loads(text.splitlines()[-1]), count, cost, bills[shape])
    return ended


def _killed_provider(here: World, shape: str) -> str:
    path = "/v1" if shape == "openai" else ""
    return (
        f'  {shape}:\n    kind: {shape}\n    base_url: "{here.simulator_url}/{shape}{path}"\n    api_key: k\n'
        f"    via: direct\n    batch_api: {shape}\n    models:\n"
        "      small: {input_usd_per_mtok: 0.13, output_usd_per_mtok: 0.57, max_output_tokens: 4096, "
        "context_tokens: 128000, batch_multiplier_percent: 50, capabilities: [text, streaming]}\n"
    )


def _posted(here: World) -> set[str]:
    seen: list[Any] = here.simulated("GET", "/_sim/requests")["requests"]
    return {str(one["path"]) for one in seen if one["method"] == "POST"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_server_killed_while_the_provider_works_finds_its_batch_again(
    killed: dict[str, Ended], shape: str
) -> None:
    summary, rows, cost_nano_usd, bill = killed[shape]
    assert (summary["status"], summary["completed"]) == ("completed", LINES), summary
    assert (int(bill["requests"]), rows) == (LINES, LINES)
    assert cost_nano_usd == int(bill["cost_nano_usd"])
