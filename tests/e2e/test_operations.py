"""Running it: providers, health, metrics, catalogue, usage, first pages."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually, simulate

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "alpha/small", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


# Providers


def test_providers_show_what_traffic_showed(client: httpx.Client) -> None:
    for _ in range(3):
        client.post(CHAT, json=BODY)
    providers = {p["provider"]: p for p in client.get("/api/v1/providers/status").json()["providers"]}
    alpha = providers["alpha"]
    assert set(providers) == {"alpha", "beta", "gamma"}
    assert alpha["state"] == "healthy"
    assert alpha["success_rate"] > 0
    assert alpha["latency_ms"] > 0
    assert alpha["breaker"] == "closed"
    assert alpha["usable"] is True
    assert {target["id"] for target in alpha["targets"]} >= {"alpha/small", "alpha/embed"}


def test_a_provider_in_maintenance_gets_no_request_until_it_is_back(
    client: httpx.Client, stack: Stack
) -> None:
    assert client.put("/api/v1/providers/gamma/state", json={"state": "maintenance"}).status_code == 200
    try:
        refused = client.post(CHAT, json={**BODY, "model": "gamma/small"})
        assert refused.status_code == 503
        assert "maintenance" in refused.json()["error"]["message"]
        shown = client.get("/api/v1/providers/status").json()["providers"]
        assert next(p for p in shown if p["provider"] == "gamma")["forced"] == "maintenance"
    finally:
        client.put("/api/v1/providers/gamma/state", json={"state": "auto"})
    assert client.post(CHAT, json={**BODY, "model": "gamma/small"}).status_code == 200


def test_a_breaker_opened_by_hand_stays_open_until_reset(client: httpx.Client) -> None:
    opened = client.put("/api/v1/providers/gamma/breaker", json={"action": "open"}).json()
    assert opened["breaker"] == "open"
    try:
        assert client.post(CHAT, json={**BODY, "model": "gamma/small"}).status_code == 503
    finally:
        reset = client.put("/api/v1/providers/gamma/breaker", json={"action": "reset"}).json()
    assert reset["breaker"] == "closed"
    assert client.post(CHAT, json={**BODY, "model": "gamma/small"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("/api/v1/providers/nobody/state", {"state": "auto"}, 404, "provider"),
        ("/api/v1/providers/alpha/state", {"state": "sleepy"}, 400, "state"),
        ("/api/v1/providers/alpha/state", {}, 400, "state"),
        ("/api/v1/providers/alpha/breaker", {"action": "kick"}, 400, "action"),
        ("/api/v1/providers/alpha/breaker", {"action": 7}, 400, "action"),
    ],
)
def test_steering_wrongly_names_the_field_and_what_is_allowed(
    client: httpx.Client, path: str, body: dict[str, Any], status: int, param: str
) -> None:
    error = client.put(path, json=body)
    assert error.status_code == status
    assert error.json()["error"]["param"] == param


# Health, metrics


def test_health_is_public_and_true(client: httpx.Client, stack: Stack) -> None:
    health = httpx.get(stack.url + "/health").json()
    assert health["status"] == "ok"
    assert health["profile"] == "embedded"
    assert health["providers"] == {"configured": 3, "usable": 3}, "names are for whoever holds a key"
    assert "gateways" not in health["portkey"] and "warnings" not in health
    seen = client.get("/health").json()
    assert sorted(seen["providers"]["names"]) == ["alpha", "beta", "gamma"]
    assert seen["portkey"]["gateways"] == [] and seen["warnings"] == []
    assert health["portkey"]["status"] == "not_configured"
    assert health["usage_log"] == "ok"
    assert httpx.get(stack.url + "/health/live").json() == {"status": "alive"}
    assert httpx.get(stack.url + "/cache-status").json()["mode"] == "off"
    assert stack.simulator.requests == [], "no paid probe"


@pytest.mark.parametrize("path", ["/ready", "/health/ready"])
def test_readiness_ends_when_no_provider_is_usable(client: httpx.Client, stack: Stack, path: str) -> None:
    assert httpx.get(stack.url + path).status_code == 200
    for name in ("alpha", "beta", "gamma"):
        client.put(f"/api/v1/providers/{name}/state", json={"state": "maintenance"})
    try:
        assert httpx.get(stack.url + path).status_code == 503
        assert httpx.get(stack.url + "/health/live").status_code == 200
        assert httpx.get(stack.url + "/health").json()["status"] == "degraded"
    finally:
        for name in ("alpha", "beta", "gamma"):
            client.put(f"/api/v1/providers/{name}/state", json={"state": "auto"})
    assert httpx.get(stack.url + path).status_code == 200


def test_metrics_count_requests_tokens_and_money(client: httpx.Client) -> None:
    def value(name: str) -> float:
        page = client.get("/metrics").text
        lines = [
            line for line in page.splitlines() if line.startswith(name + "{") and 'model="small"' in line
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines if 'provider="alpha"' in line)

    before = {name: value(name) for name in ("interchange_requests_total", "interchange_cost_usd_total")}
    answer = client.post(CHAT, json=BODY)
    assert value("interchange_requests_total") == before["interchange_requests_total"] + 1
    cost = value("interchange_cost_usd_total") - before["interchange_cost_usd_total"]
    assert cost == pytest.approx(float(answer.headers["x-interchange-cost-usd"]))
    page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'interchange_breaker_state{target="alpha/small"} 0' in page.text


def test_metrics_carry_nothing_a_caller_typed(client: httpx.Client) -> None:
    client.post(CHAT, json={**BODY, "model": "typed-by-a-caller", "user": "someone-private"})
    client.post(CHAT, json=BODY, headers={"x-interchange-agent-id": "agent-private"})
    page = client.get("/metrics").text
    assert "typed-by-a-caller" not in page
    assert "private" not in page


# Catalogue


def test_the_catalogue_is_large_and_can_be_searched(client: httpx.Client) -> None:
    statistics = client.get("/api/v1/catalog/statistics").json()
    assert statistics["offerings"] >= 1600
    assert statistics["providers"] >= 40
    page = client.get("/api/v1/catalog", params={"q": "gpt-4o", "capability": "vision", "limit": 3}).json()
    assert 0 < len(page["offerings"]) <= 3 <= page["total"]
    assert all("gpt-4o" in offering["id"] for offering in page["offerings"])
    one = next(offering for offering in page["offerings"] if offering["usd_per_mtok"])
    assert client.get(f"/api/v1/catalog/{one['id']}").json() == one
    assert one["price_source"]
    second = client.get(
        "/api/v1/catalog", params={"q": "gpt-4o", "capability": "vision", "limit": 1, "offset": 1}
    ).json()
    assert second["offerings"] == page["offerings"][1:2]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("capability=telepathy", "capability"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("limit=" + "9" * 5000, "limit"),
        ("limit=%C2%B2", "limit"),
    ],
)
def test_a_wrong_question_to_the_catalogue_names_its_parameter(
    client: httpx.Client, query: str, param: str
) -> None:
    answer = client.get(f"/api/v1/catalog?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


def test_an_unknown_offering_is_404(client: httpx.Client) -> None:
    answer = client.get("/api/v1/catalog/nobody/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["param"] == "id"


# Usage


def test_usage_sums_up_to_what_the_answers_said(client: httpx.Client) -> None:
    agent = f"agent-{uuid.uuid4()}"
    answers = [
        client.post(CHAT, json={**BODY, "model": model}, headers={"x-interchange-agent-id": agent})
        for model in ("alpha/small", "alpha/small", "beta/small")
    ]

    def rows() -> list[dict[str, Any]]:
        found = client.get("/api/v1/usage", params={"group_by": "agent,provider"}).json()["rows"]
        mine = [row for row in found if row["agent"] == agent]
        return mine if sum(row["requests"] for row in mine) == 3 else []

    by_provider = {row["provider"]: row for row in eventually(rows)}
    assert by_provider["alpha"]["requests"] == by_provider["alpha"]["ok_requests"] == 2
    assert by_provider["beta"]["attempts"] == 1
    total = sum(row["cost_nano_usd"] for row in by_provider.values())
    assert total == round(sum(float(a.headers["x-interchange-cost-usd"]) for a in answers) * 1e9)


def test_usage_can_be_narrowed(client: httpx.Client, stack: Stack) -> None:
    client.post(CHAT, json=BODY)
    eventually(lambda: client.get("/api/v1/usage?provider=alpha").json()["rows"][0]["requests"])
    future = client.get("/api/v1/usage", params={"from": "2999-01-01T00:00:00Z"}).json()["rows"]
    assert future[0]["requests"] == 0
    past = client.get("/api/v1/usage", params={"from": "2001-01-01", "provider": "alpha"}).json()["rows"]
    assert past[0]["requests"] >= 1


def test_a_failed_request_is_on_record_too(client: httpx.Client, stack: Stack) -> None:
    agent = f"agent-{uuid.uuid4()}"
    simulate(stack, lambda: stack.simulator.fault({"kind": "status", "status": 500}))
    client.post(CHAT, json={**BODY, "model": "alpha-fail-500"}, headers={"x-interchange-agent-id": agent})
    client.post(CHAT, json={**BODY, "model": "none-such"}, headers={"x-interchange-agent-id": agent})

    def rows() -> dict[str, int]:
        found = client.get("/api/v1/usage", params={"group_by": "agent,outcome"}).json()["rows"]
        mine = {row["outcome"]: row["requests"] for row in found if row["agent"] == agent}
        return mine if len(mine) == 2 else {}

    assert eventually(rows) == {"error": 1, "refused": 1}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("group_by=colour", "group_by"),
        ("group_by=model,model", "group_by"),
        ("from=yesterday", "from"),
        ("to=7", "to"),
    ],
)
def test_a_wrong_question_about_usage_names_its_parameter(
    client: httpx.Client, query: str, param: str
) -> None:
    answer = client.get(f"/api/v1/usage?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


# First pages


def test_the_first_page_and_the_reference_are_public_and_locked_down(stack: Stack) -> None:
    for path in ("/", "/docs"):
        page = httpx.get(stack.url + path)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/v1/chat/completions" in httpx.get(stack.url + "/docs").text
