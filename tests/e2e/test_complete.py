"""`POST /api/v1/llm/complete`, the published interface: whole answers, streams and every error."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import WEATHER_SCHEMA, eventually, pixel, sent, simulate, sse_events

PATH = "/api/v1/llm/complete"
CONFIG = """
health: {minimum_samples: 100000, unavailable_consecutive_failures: 100000}
breaker: {consecutive_failures: 1000, minimum_calls: 100000}
providers:
  alpha:
    kind: openai
    base_url: "{sim}/alpha/v1"
    api_key: k
    via: direct
    region: eu-west
    models:
      small: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 128000,
              capabilities: [text, streaming, function_calling, vision, structured_output]}
      tiny: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 1000, capabilities: [text]}
      broken: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, capabilities: [text, streaming]}
      slow: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, capabilities: [text, streaming]}
  beta:
    kind: anthropic
    base_url: "{sim}/beta"
    api_key: k
    via: direct
    region: us-east
    models:
      small: {input_usd_per_mtok: 3, output_usd_per_mtok: 15, context_tokens: 200000,
              capabilities: [text, streaming, function_calling]}
routes:
  auto: {strategy: cost, targets: [alpha/small, beta/small]}
  failing: {targets: [alpha/broken], retries: 0}
  two: {strategy: priority, targets: [alpha/broken, beta/small], retries: 0}
  hasty: {targets: [alpha/slow], retries: 0, timeouts: {total_s: 0.3, stream_total_s: 0.3}}
  deaf: {targets: [alpha/slow], retries: 0, timeouts: {headers_s: 0.2, first_token_s: 0.2}}
"""


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def body(**request: Any) -> dict[str, Any]:
    """A body that is fine; `request` replaces or adds fields of `request`."""
    return {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"prompt": "hello there", **request},
        "context": {"agent_id": "agent-1", "tenant_id": "default"},
    }


def demanding(**requirements: Any) -> dict[str, Any]:
    """A body with these `model_requirements` beside `capabilities: [text]`."""
    wanted = body()
    wanted["model_requirements"].update(requirements)
    return wanted


def test_a_prompt_is_completed_with_everything_the_interface_names(client: httpx.Client) -> None:
    answer = client.post(PATH, json=body(max_tokens=200, temperature=0.5))
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert "hello there" in said["completion"]
    assert said["model_used"] == "small"
    assert said["provider"] == "alpha"
    assert isinstance(said["cost"], float)
    assert isinstance(said["latency_ms"], int)
    assert said["cache_hit"] is False
    usage = said["usage"]
    assert said["cost"] == pytest.approx(
        (usage["input_tokens"] * 100 + usage["output_tokens"] * 400) / 1e9, abs=1.1e-9
    )
    assert said["request_id"] == answer.headers["x-request-id"]


def test_the_parameters_arrive_at_the_provider(client: httpx.Client, stack: Stack) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}
    answer = client.post(PATH, json=body(max_tokens=77, temperature=0.25, tools=[tool]))
    assert answer.status_code == 200
    arrived = sent(stack, "alpha")
    assert arrived["max_tokens"] == 77
    assert arrived["temperature"] == 0.25
    assert arrived["tools"] == [tool]
    assert arrived["messages"] == [{"role": "user", "content": "hello there"}]


def test_messages_tools_and_formats_are_accepted_too(client: httpx.Client) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel()}"}}
    seen = body(messages=[{"role": "user", "content": [{"type": "text", "text": "what?"}, picture]}])
    del seen["request"]["prompt"]
    assert "I see one image" in client.post(PATH, json=seen).json()["completion"]

    tool = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}
    called = client.post(PATH, json=body(prompt="use get_weather", tools=[tool])).json()
    assert called["tool_calls"][0]["function"]["name"] == "get_weather"
    assert called["finish_reason"] == "tool_calls"

    schema = {"type": "json_schema", "json_schema": {"name": "w", "schema": WEATHER_SCHEMA}}
    assert '"city"' in client.post(PATH, json=body(response_format=schema)).json()["completion"]


def test_a_translated_provider_answers_in_the_same_shape(client: httpx.Client) -> None:
    said = client.post(PATH, json=body(model="beta/small")).json()
    assert said["provider"] == "beta"
    assert "hello there" in said["completion"]


@pytest.mark.parametrize("model", ["alpha/small", "beta/small"])
def test_a_stream_gives_deltas_then_all_fields_then_done(
    client: httpx.Client, stack: Stack, model: str
) -> None:
    whole = client.post(PATH, json=body(model=model)).json()
    simulate(stack, lambda: stack.simulator.latency(per_token_ms=2))
    answer = client.post(PATH, json=body(model=model, stream=True))
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, final, done = sse_events(answer.text)
    assert done == "[DONE]"
    assert all(set(delta) == {"delta"} for delta in deltas)
    text = "".join(delta["delta"] for delta in deltas)
    assert text == final["completion"] == whole["completion"]
    assert set(final) == set(whole)
    assert final["cost"] == whole["cost"]
    assert final["model_used"] == "small"
    assert len(deltas) > 3


def test_a_fallback_is_shown(client: httpx.Client, stack: Stack) -> None:
    simulate(
        stack, lambda: stack.simulator.fault({"kind": "status", "status": 500}, match={"provider": "alpha"})
    )
    for stream in (False, True):
        answer = client.post(PATH, json=body(model="two", stream=stream))
        said = sse_events(answer.text)[-2] if stream else answer.json()
        assert said["provider"] == "beta"
        assert said["fallback"] is True
        assert said["attempts"] == 2
        assert answer.headers["x-interchange-fallback"] == "true"


def test_the_agent_and_workflow_are_recorded(client: httpx.Client, stack: Stack) -> None:
    asked = body()
    asked["context"] = {"agent_id": "agent-recorded", "workflow_id": "flow-7", "tenant_id": "default"}
    assert client.post(PATH, json=asked).status_code == 200

    def rows() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get("/api/v1/usage?group_by=agent,workflow").json()["rows"]
        return [row for row in found if row["agent"] == "agent-recorded"]

    recorded = eventually(rows)
    assert recorded[0]["workflow"] == "flow-7"
    assert recorded[0]["requests"] == 1


# Errors


def refused(answer: httpx.Response, status: int, code: str, param: str | None) -> dict[str, Any]:
    """Asserts the error and returns it."""
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    assert error["param"] == param
    assert error["message"]
    assert error["request_id"] == answer.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    ("wanted", "code", "param"),
    [
        (
            {"capabilities": ["mind_reading"]},
            "invalid_model_requirements",
            "model_requirements.capabilities[0]",
        ),
        ({"capabilities": "text"}, "invalid_model_requirements", "model_requirements.capabilities"),
        ({"max_cost_per_token": -1}, "invalid_model_requirements", "model_requirements.max_cost_per_token"),
        (
            {"max_cost_per_token": "much"},
            "invalid_model_requirements",
            "model_requirements.max_cost_per_token",
        ),
        ({"max_latency_ms": 0}, "invalid_model_requirements", "model_requirements.max_latency_ms"),
        ({"max_latency_ms": 1.5}, "invalid_model_requirements", "model_requirements.max_latency_ms"),
        ({"data_residency": 7}, "invalid_model_requirements", "model_requirements.data_residency"),
        ({"colour": "blue"}, "invalid_model_requirements", "model_requirements"),
    ],
)
def test_malformed_requirements_are_400(
    client: httpx.Client, wanted: dict[str, Any], code: str, param: str
) -> None:
    refused(client.post(PATH, json=demanding(**wanted)), 400, code, param)


def test_an_unknown_capability_names_the_allowed_ones(client: httpx.Client) -> None:
    error = client.post(PATH, json=demanding(capabilities=["mind_reading"])).json()["error"]
    assert "function_calling" in error["message"]


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        ({"capabilities": ["text", "rerank"]}, "model_requirements.capabilities"),
        ({"max_cost_per_token": 1e-12}, "model_requirements.max_cost_per_token"),
    ],
)
def test_requirements_nothing_can_ever_satisfy_are_400(
    client: httpx.Client, wanted: dict[str, Any], param: str
) -> None:
    error = refused(client.post(PATH, json=demanding(**wanted)), 400, "invalid_model_requirements", param)
    assert error["details"]["dropped"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"context": None}, "context"),
        ({"context": {"tenant_id": "default"}}, "context.agent_id"),
        ({"context": {"agent_id": "a"}}, "context.tenant_id"),
        ({"context": {"agent_id": "", "tenant_id": "default"}}, "context.agent_id"),
        ({"context": {"agent_id": 7, "tenant_id": "default"}}, "context.agent_id"),
        ({"request": {}}, "request.prompt"),
        ({"request": {"prompt": 7}}, "request.prompt"),
        ({"request": {"prompt": "x", "max_tokens": 0}}, "request.max_tokens"),
        ({"request": {"prompt": "x", "max_tokens": "many"}}, "request.max_tokens"),
        ({"request": {"prompt": "x", "temperature": 3}}, "request.temperature"),
        ({"request": {"prompt": "x", "stream": "yes"}}, "request.stream"),
        ({"request": {"messages": []}}, "request.messages"),
        ({"request": {"messages": [{"content": "x"}]}}, "request.messages[0].role"),
        ({"request": {"prompt": "x", "messages": [{"role": "user", "content": "x"}]}}, "request.prompt"),
        ({"request": {"prompt": "x", "model": ""}}, "request.model"),
    ],
)
def test_a_malformed_request_names_its_field(
    client: httpx.Client, change: dict[str, Any], param: str
) -> None:
    refused(client.post(PATH, json={**body(), **change}), 400, "invalid_request", param)


def test_missing_requirements_are_named(client: httpx.Client) -> None:
    asked = body()
    del asked["model_requirements"]
    refused(client.post(PATH, json=asked), 400, "invalid_model_requirements", "model_requirements")
    refused(
        client.post(PATH, json={**body(), "model_requirements": {}}),
        400,
        "invalid_model_requirements",
        "model_requirements.capabilities",
    )


def test_another_tenants_id_is_403(client: httpx.Client) -> None:
    asked = body()
    asked["context"]["tenant_id"] = "somebody-else"
    refused(client.post(PATH, json=asked), 403, "forbidden", "context.tenant_id")


def test_residency_is_kept(client: httpx.Client) -> None:
    said = client.post(PATH, json=demanding(data_residency="us-east")).json()
    assert said["provider"] == "beta", "the cheaper one answers from elsewhere"


def test_a_place_nobody_answers_from_is_403(client: httpx.Client, stack: Stack) -> None:
    error = refused(
        client.post(PATH, json=demanding(data_residency="apac")),
        403,
        "residency_violation",
        "model_requirements.data_residency",
    )
    assert "apac" in error["message"]
    assert stack.simulator.requests == []


def test_an_unknown_region_is_400_and_names_the_known_ones(client: httpx.Client) -> None:
    error = refused(
        client.post(PATH, json=demanding(data_residency="atlantis")),
        400,
        "invalid_model_requirements",
        "model_requirements.data_residency",
    )
    for region in ("us-east", "us-west", "eu-west", "eu-central", "apac", "global"):
        assert region in error["message"]


def test_an_unknown_model_is_404_with_the_nearest_names(client: httpx.Client) -> None:
    error = refused(client.post(PATH, json=body(model="alpha/smal")), 404, "model_not_found", "request.model")
    assert "alpha/small" in error["details"]["nearest"]


def test_a_closed_provider_is_503(client: httpx.Client) -> None:
    shut = client.put("/api/v1/providers/beta/state", json={"state": "maintenance"})
    assert shut.status_code == 200
    try:
        refused(client.post(PATH, json=body(model="beta/small")), 503, "no_provider_available", None)
    finally:
        client.put("/api/v1/providers/beta/state", json={"state": "auto"})


@pytest.mark.parametrize("stream", [False, True])
def test_a_failing_provider_is_503(client: httpx.Client, stack: Stack, stream: bool) -> None:
    simulate(stack, lambda: stack.simulator.fault({"kind": "status", "status": 500}))
    answer = client.post(PATH, json=body(model="failing", stream=stream))
    refused(answer, 503, "upstream_server_error", None)
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("route", "stream"), [("hasty", False), ("hasty", True), ("deaf", True)])
def test_a_provider_that_takes_too_long_is_504(
    client: httpx.Client, stack: Stack, route: str, stream: bool
) -> None:
    simulate(stack, lambda: stack.simulator.fault({"kind": "silence"}, match={"model": "slow"}))
    answer = client.post(PATH, json=body(model=route, stream=stream))
    assert answer.status_code == 504, answer.text
    assert answer.json()["error"]["code"] in ("request_timeout", "upstream_timeout")
    assert answer.headers["x-should-retry"] == "false"


def test_a_cut_stream_ends_with_an_error_and_without_done(client: httpx.Client, stack: Stack) -> None:
    simulate(
        stack, lambda: stack.simulator.fault({"kind": "cut_after", "tokens": 4}, match={"model": "small"})
    )
    events = sse_events(client.post(PATH, json=body(stream=True)).text)
    assert "[DONE]" not in events
    assert events[0]["delta"]
    assert events[-1]["error"]["code"] == "stream_interrupted"


def test_no_key_and_a_wrong_key_are_401(stack: Stack) -> None:
    for headers in ({}, {"authorization": "Bearer nonsense"}):
        answer = httpx.post(stack.url + PATH, json=body(), headers=headers)
        refused(answer, 401, "invalid_api_key", None)
