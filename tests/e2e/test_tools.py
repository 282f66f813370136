"""Tools through the whole server: money, limits, privacy, caches, records, repeats, streams."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from dependency_injector import providers

from adapters.memory.function_tools import FunctionToolsKind, MemoryStream
from application.tools.kinds import ConnectorKinds
from domain.connectors.tool import Tool, ToolCall
from domain.errors import IntegrationUnavailable, ToolFailed
from entrypoints.containers import Container
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

CONFIG = """
profile: embedded
simulator: {enabled: false}
privacy:
  policies:
    strict: {default: "off", kinds: {EMAIL_ADDRESS: redact}}
integrations:
  plain:
    type: api
    configuration: {endpoint: "functions://x", authentication: {type: none}, cost_usd_per_call: 0.01}
  private:
    type: api
    configuration: {endpoint: "functions://x", authentication: {type: none}, privacy: strict}
  dear:
    type: api
    configuration: {endpoint: "functions://x", authentication: {type: none}, cost_usd_per_call: 0.6}
budgets:
  - {name: dear-things, scope: {provider: dear}, period: month, limit_usd: 1, hard: true}
rate_limits:
  - {name: slow-things, scope: {model: rare}, requests: 2, per: hour}
"""
ANYTHING = {"type": "object"}
CALLS: list[ToolCall] = []
STARTED: list[str] = []


async def echo(call: ToolCall) -> Mapping[str, Any]:
    CALLS.append(call)
    return {"said": dict(call.parameters), "by": "ann@example.com"}


async def fail(call: ToolCall) -> Mapping[str, Any]:
    raise IntegrationUnavailable("away")


async def slow(call: ToolCall) -> Mapping[str, Any]:
    STARTED.append(call.tool.name)
    await asyncio.sleep(30)
    return {}


def tool(name: str, **more: Any) -> Tool:
    return Tool(name=name, description=f"Does {name}.", parameters=ANYTHING, **more)


WORKS = {
    "echo": (tool("echo"), echo),
    "look": (tool("look", read_only=True, cache_ttl_s=60), echo),
    "rare": (tool("rare"), echo),
    "fail": (tool("fail"), fail),
    "slow": (tool("slow", idempotent=True), slow),
    "once": (tool("once"), slow),
    "pieces": (tool("pieces", streams=frozenset({"text/csv"})), echo),
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    kinds = ConnectorKinds([FunctionToolsKind(WORKS)])
    with (
        Container.connector_kinds.override(providers.Object(kinds)),
        Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack,
        stack.client() as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def _forget_calls() -> None:
    CALLS.clear()
    STARTED.clear()


def run(
    api: httpx.Client,
    name: str,
    integration: str = "plain",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    body = {"tool_name": name, "integration_id": integration, "parameters": {"a": 1}, **more}
    return api.post("/api/v1/tools/execute", json=body, headers=dict(headers or {}))


def rows(api: httpx.Client, request_id: str) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        answer = api.get(f"/api/v1/requests/{request_id}")
        return dict(answer.json()) if answer.status_code == 200 else {}

    return eventually(look)


def test_a_call_answers_as_published_and_leaves_a_row(api: httpx.Client) -> None:
    answer = run(api, "echo", headers={"x-interchange-agent-id": "a1"})

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["result"]["said"] == {"a": 1}
    assert (body["cost"], body["cached"]) == (0.01, False)
    assert body["execution_time_ms"] >= 0
    row = rows(api, answer.headers["x-request-id"])
    assert (row["operation"], row["provider"], row["model"], row["agent_id"]) == (
        "tool",
        "plain",
        "echo",
        "a1",
    )


def test_all_tools_are_listed_with_their_schemas(api: httpx.Client) -> None:
    listed = api.get("/api/v1/tools?integration_id=plain").json()

    assert [each["tool_name"] for each in listed["tools"]] == sorted(WORKS)
    assert listed["unavailable"] == []
    one = api.get("/api/v1/tools/plain/look").json()
    assert (one["read_only"], one["idempotent"], one["parameters"]) == (True, True, ANYTHING)


def test_equal_questions_are_answered_again(api: httpx.Client) -> None:
    first, second = (
        run(api, "look", parameters={"x": 1, "y": 2}),
        run(api, "look", parameters={"y": 2, "x": 1}),
    )

    assert [first.json()["cached"], second.json()["cached"]] == [False, True]
    assert second.json()["cost"] == 0
    assert len(CALLS) == 1
    assert not run(api, "look", parameters={"x": 1, "y": None}).json()["cached"]
    assert not run(
        api, "look", headers={"x-interchange-cache": "no-cache"}, parameters={"x": 1, "y": 2}
    ).json()["cached"]


def test_what_changes_something_is_never_answered_again(api: httpx.Client) -> None:
    assert [run(api, "echo").json()["cached"] for _ in range(2)] == [False, False]


def test_a_repeat_gets_the_first_answer(api: httpx.Client) -> None:
    first, second = (run(api, "echo", headers={"idempotency-key": "once"}) for _ in range(2))

    assert first.json() == second.json()
    assert len(CALLS) == 1
    other = run(api, "echo", headers={"idempotency-key": "once"}, parameters={"a": 2})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_personal_data_is_taken_out_of_parameters_and_results(api: httpx.Client) -> None:
    answer = run(api, "echo", "private", parameters={"to": "bob@example.com", "n": 3})

    assert CALLS[0].parameters["n"] == 3
    assert "bob@example.com" not in str(CALLS[0].parameters)
    assert "ann@example.com" not in answer.text


def test_a_stream_that_fails_before_its_first_piece_is_an_error_and_no_broken_answer(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(self: MemoryStream) -> bytes:
        raise ToolFailed("division by zero", details={"sqlstate": "22012"})

    monkeypatch.setattr(MemoryStream, "next_chunk", failing)

    answer = run(api, "pieces", format="text/csv")

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "tool_failed")
    assert "division by zero" in answer.json()["error"]["message"]


def test_bytes_nobody_can_read_do_not_pass_a_policy(api: httpx.Client) -> None:
    streamed = run(api, "pieces", format="text/csv")
    refused = run(api, "pieces", "private", format="text/csv")

    assert (streamed.status_code, streamed.headers["content-type"]) == (200, "text/csv")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "pii_blocked")


def test_a_budget_holds_for_tools(api: httpx.Client) -> None:
    first, second = run(api, "echo", "dear"), run(api, "echo", "dear")

    assert (first.status_code, second.status_code) == (200, 402)
    assert second.json()["error"]["code"] == "budget_exceeded"
    assert len(CALLS) == 1


def test_a_rate_limit_holds_for_tools(api: httpx.Client) -> None:
    assert [run(api, "rare").status_code for _ in range(3)] == [200, 200, 429]


def test_a_tool_that_takes_too_long_is_cancelled(api: httpx.Client) -> None:
    began = time.monotonic()
    answer = run(api, "slow", timeout_seconds=0.1)

    assert (answer.status_code, answer.json()["error"]["code"]) == (408, "execution_timeout")
    assert answer.headers["x-should-retry"] == "true"
    assert time.monotonic() - began < 20  # it sleeps for 30


@pytest.mark.parametrize(("name", "times"), [("once", 1), ("slow", 2)])
def test_a_key_keeps_what_may_have_been_done_from_being_done_again(
    api: httpx.Client, name: str, times: int
) -> None:
    headers = {"idempotency-key": f"late-{name}"}

    answers = [run(api, name, headers=headers, timeout_seconds=0.1) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [408, 408]
    assert STARTED.count(name) == times


@pytest.mark.parametrize(
    ("more", "status", "param"),
    [
        ({"integration_id": "nobody"}, 404, "integration_id"),
        ({"tool_name": "nothing"}, 404, "tool_name"),
        ({"parameters": []}, 422, "parameters"),
        ({"timeout_seconds": 0}, 400, "timeout_seconds"),
        ({"timeout_seconds": 99999}, 400, "timeout_seconds"),
        ({"surprise": 1}, 400, "surprise"),
        ({"format": "text/csv"}, 422, "format"),
    ],
)
def test_mistakes_are_named(api: httpx.Client, more: dict[str, Any], status: int, param: str) -> None:
    body = {"tool_name": "echo", "integration_id": "plain", "parameters": {}, **more}
    answer = api.post("/api/v1/tools/execute", json=body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert CALLS == []


def test_what_is_away_says_so(api: httpx.Client) -> None:
    answer = run(api, "fail")

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "integration_unavailable")
