"""Failovers, streams, hits and callers who leave: metrics, rows, budgets and the provider's bill agree."""

import json
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from domain.money import parse_usd
from tests.e2e.stack import Stack
from tests.e2e.test_metrics_page import Shown, read
from tests.e2e.three_wires import eventually, simulate

CALLERS, AT_ONCE = 120, 12
LEAVERS = 12
PATIENCE_S = 20.0
PRICES = {
    "alpha/m": {"input_usd_per_mtok": "0.37", "output_usd_per_mtok": "1.91"},
    "beta/m": {"input_usd_per_mtok": "3.3", "output_usd_per_mtok": "14.7"},
    "gamma/m": {"input_usd_per_mtok": "1.3", "output_usd_per_mtok": "5.9"},
}
MODELS = {
    name.partition("/")[0]: ", ".join(f"{key}: {value}" for key, value in prices.items())
    for name, prices in PRICES.items()
}
CONFIG = "\n".join(
    [
        "health: {minimum_samples: 10000, unavailable_consecutive_failures: 10000}",
        "breaker: {consecutive_failures: 10000, minimum_calls: 10000}",
        "providers:",
        *(
            f'  {name}: {{kind: openai, base_url: "{{sim}}/{name}/v1", api_key: k, via: direct, '
            f"models: {{m: {{{prices}, context_tokens: 100000, capabilities: [text, streaming]}}}}}}"
            for name, prices in MODELS.items()
        ),
        "routes:",
        "  both: {targets: [alpha/m, beta/m], strategy: priority, retries: 0}",
        "  kept: {targets: [alpha/m, beta/m], strategy: priority, retries: 0, cache: {mode: exact}}",
        "  slow: {targets: [gamma/m], retries: 0}",
        "budgets: [{name: all, scope: {tenant: default}, period: total, limit_usd: 100, hard: true}]",
    ]
)
ATTEMPTS = ("provider", "model", "outcome")


class Totals:
    """What was counted, recorded and billed, once everybody was answered."""

    def __init__(self, stack: Stack) -> None:
        with stack.client() as client:
            self.page = read(client.get("/metrics").text)
            self.usage = client.get("/api/v1/usage").json()["rows"][0]
            self.budget = client.get("/api/v1/budgets/file:all/accounts").json()["accounts"][0]
        self.bill: dict[str, Any] = simulate(stack, lambda: stack.simulator.bill)
        with sqlite3.connect(stack.data_dir / "interchange.db") as database:
            database.row_factory = sqlite3.Row
            self.requests = [dict(row) for row in database.execute("SELECT * FROM usage_requests")]
            self.attempts = [dict(row) for row in database.execute("SELECT * FROM usage_attempts")]
        database.close()

    def counted(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        """A metric by some of its labels, whole numbers only; what is 0 is left out."""
        found: Counter[tuple[str, ...]] = Counter()
        for series, value in self.page.get(name, Shown("", set(), {})).values.items():
            assert value.isdigit(), (series, value)
            inside = dict(
                part.split('="') for part in series.partition("{")[2].rstrip('"}').split('",') if part
            )
            found[tuple(inside[label] for label in labels)] += int(value)
        return +found


def recorded(rows: list[dict[str, Any]], column: str, *by: str) -> Counter[tuple[str, ...]]:
    """Sums of a column (empty: how many rows) by others; what is 0 is left out."""
    found: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        found[tuple(str(row[name] or "") for name in by)] += 1 if not column else row[column] or 0
    return +found


def _body(model: str, text: str, *, stream: bool) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": model, "messages": messages, "max_tokens": 4000, "stream": stream}


def _ask(stack: Stack, number: int) -> int:
    """One caller: every third question was asked before, every second answer is a stream."""
    model, text = ("kept", f"question {number % 9}") if number % 3 == 0 else ("both", f"question {number}")
    with stack.client() as client:
        body = _body(model, text, stream=number % 2 == 0)
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            answer.read()
            return answer.status_code


def _leave(stack: Stack, number: int) -> None:
    """A caller who is gone after the first words of a stream."""
    content = json.dumps(_body("slow", f"leaver {number}", stream=True)).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stack.key}\r\n"
    head += f"Content-Length: {len(content)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(stack.url.rpartition(":")[2])), timeout=10) as caller:
        caller.sendall(head.encode() + content)
        seen = b""
        while seen.count(b'"content"') < 2:
            seen += caller.recv(65536)


def _settled(stack: Stack) -> bool:
    with stack.client() as client:
        rows = client.get("/api/v1/usage").json()["rows"]
    asked = CALLERS + LEAVERS
    return bool(rows) and rows[0]["requests"] == asked


@pytest.fixture(scope="module")
def totals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Totals]:
    with Stack(tmp_path_factory.mktemp("totals"), CONFIG) as stack:
        simulate(stack, lambda: _misbehave(stack))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            leaving = [pool.submit(_leave, stack, number) for number in range(LEAVERS)]
            statuses = Counter(pool.map(lambda number: _ask(stack, number), range(CALLERS)))
            for one in leaving:
                one.result()
        assert set(statuses) == {200}
        assert eventually(lambda: _settled(stack), PATIENCE_S), "rows are missing"
        yield Totals(stack)


def _misbehave(stack: Stack) -> None:
    stack.simulator.set_prices(PRICES)
    stack.simulator.fault({"kind": "status", "status": 500, "p": 0.3, "seed": 1}, match={"provider": "alpha"})
    fault = {"kind": "reset_before_headers", "p": 0.1, "seed": 2}
    stack.simulator.fault(fault, match={"provider": "alpha"})
    stack.simulator.latency(ttft_ms=5, per_token_ms=10, match={"provider": "beta"})
    stack.simulator.answer(tokens=60, match={"provider": "beta"})
    stack.simulator.latency(per_token_ms=10, match={"provider": "gamma"})
    stack.simulator.answer(tokens=3000, match={"provider": "gamma"})


def test_everything_happened(totals: Totals) -> None:
    outcomes = recorded(totals.requests, "", "outcome")
    caches = recorded(totals.requests, "", "cache")

    assert outcomes["ok",] > 80 and outcomes["cancelled",] == LEAVERS
    assert caches["hit-l1",] > 0 and caches["miss",] > 0
    assert totals.counted("interchange_failovers_total", "original", "fallback")["alpha", "beta"] > 10


def test_requests_are_counted_as_they_are_recorded(totals: Totals) -> None:
    assert len(totals.requests) == CALLERS + LEAVERS == totals.usage["requests"]
    labels = ("provider", "model", "route", "operation", "outcome")
    assert totals.counted("interchange_requests_total", *labels) == recorded(totals.requests, "", *labels)
    assert totals.counted("interchange_tenant_requests_total", "tenant") == recorded(
        totals.requests, "", "tenant_id"
    )


def test_attempts_and_tokens_are_counted_as_they_are_recorded(totals: Totals) -> None:
    assert totals.counted("interchange_attempts_total", *ATTEMPTS) == recorded(totals.attempts, "", *ATTEMPTS)
    counted = totals.counted("interchange_tokens_total", "provider", "model", "type")
    for kind in ("input", "output"):
        mine = recorded(totals.attempts, f"{kind}_tokens", "provider", "model")
        assert {key[:2]: value for key, value in counted.items() if key[2] == kind} == mine


def test_money_is_the_same_in_metrics_rows_usage_and_budgets(totals: Totals) -> None:
    by_target = recorded(totals.attempts, "cost_nano_usd", "provider", "model")
    assert totals.counted("interchange_cost_nano_usd_total", "provider", "model") == by_target
    whole = sum(by_target.values())
    assert sum(recorded(totals.requests, "cost_nano_usd").values()) == whole > 0
    assert totals.counted("interchange_tenant_cost_nano_usd_total", "tenant") == {("default",): whole}
    assert totals.counted("interchange_operation_cost_nano_usd_total", "operation") == {("chat",): whole}
    assert round(float(totals.usage["cost_usd"]) * 1e9) == whole


def test_budgets_have_spent_what_is_known_and_hold_the_worst_of_what_is_not(totals: Totals) -> None:
    spent, unresolved = (parse_usd(totals.budget[f"{name}_usd"]) for name in ("spent", "unresolved"))
    known = [row for row in totals.attempts if not row["estimated"]]
    unknown = [row for row in totals.attempts if row["estimated"]]

    assert spent == sum(recorded(known, "cost_nano_usd").values())
    assert unresolved >= sum(recorded(unknown, "cost_nano_usd").values()) > 0
    assert unresolved >= totals.bill["interrupted"]["cost_nano_usd"]


def test_what_caches_saved_is_the_same(totals: Totals) -> None:
    saved = recorded(totals.requests, "saved_nano_usd", "route")

    assert totals.counted("interchange_cache_saved_nano_usd_total", "route") == saved
    assert saved["kept",] > 0


def test_answers_are_on_the_providers_bill_to_the_nano_dollar(totals: Totals) -> None:
    told = [row for row in totals.attempts if row["outcome"] == "ok"]
    assert not any(row["estimated"] for row in told)
    requests, cost = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for line in totals.bill["models"]:
        if line["provider"] == "gamma":  # whom every caller left
            assert line["answered"]["requests"] == 0
            continue
        requests[line["provider"], line["model"]] = line["answered"]["requests"]
        cost[line["provider"], line["model"]] = line["answered"]["cost_nano_usd"]

    assert recorded(told, "", "provider", "model") == requests
    assert recorded(told, "cost_nano_usd", "provider", "model") == cost


def test_calls_that_callers_left_are_on_the_bill_and_not_forgotten(totals: Totals) -> None:
    left = [row for row in totals.attempts if row["outcome"] == "cancelled"]
    cut = totals.bill["interrupted"]

    assert len(left) == cut["requests"] == LEAVERS
    assert all(row["estimated"] and row["cost_nano_usd"] > 0 for row in left)
