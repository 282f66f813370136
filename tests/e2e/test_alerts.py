"""An alert on a real server: it fires, reaches subscribers in the shape they asked for, and is over."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from application.sla import watch
from entrypoints import lifespan
from tests.e2e.event_world import until
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG
from tests.e2e.webhook_receiver import WebhookReceiver
from tests.unit.webhooks.test_shapes import pagerduty_takes, slack_takes

ROUTING_KEY = "R0" * 16
SLACK = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, receiver: WebhookReceiver) -> Iterator[Stack]:
    config = CONFIG + (
        f"egress: {{allow: ['127.0.0.1:{receiver.port}']}}\n"
        "webhooks: {http_allowed: true, timeout_s: 2}\n"
        "alerts: {rules: {budget-nearly-spent: {resolve_s: 0}}}\n"
        "budgets: [{name: small, scope: {tenant: default}, period: month, limit_usd: 1000000}]\n"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(watch, "LOOK_EVERY_S", 0.5)
        patched.setattr(lifespan, "FIGURES_EVERY_S", 0.5)
        with Stack(tmp_path_factory.mktemp("data"), config) as running:
            yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def spent(client: httpx.Client) -> None:
    body = {"model": "assistant", "messages": [{"role": "user", "content": "spend a little"}]}
    assert client.post("/v1/chat/completions", json=body).status_code == 200


def bodies(receiver: WebhookReceiver, path: str, count: int) -> list[bytes]:
    got = until(lambda: len(receiver.got[path]) >= count and receiver.got[path])
    return [each.body for each in got]


def subscribe(client: httpx.Client, receiver: WebhookReceiver, path: str, **said: Any) -> dict[str, Any]:
    body = {"url": receiver.url(path), "events": ["alert.*"], **said}
    made = client.post("/api/v1/webhooks", json=body)
    assert made.status_code == 201, made.text
    assert ROUTING_KEY not in made.text
    assert "XXXXXXXX" not in made.text
    return dict(made.json())


def test_an_alert_fires_once_in_every_shape_and_is_over_when_it_is_good_again(
    client: httpx.Client, receiver: WebhookReceiver
) -> None:
    plain = subscribe(client, receiver, "/plain")
    subscribe(client, receiver, SLACK, format="slack")
    subscribe(client, receiver, "/v2/enqueue", format="pagerduty", routing_key=ROUTING_KEY)
    budget = {"name": "tiny", "scope": {"tenant": "default"}, "period": "total", "limit_usd": "0.00001"}
    made = client.post("/api/v1/budgets", json=budget)
    assert made.status_code == 201, made.text
    spent(client)

    fired = bodies(receiver, "/plain", 1)[0]
    Webhook(plain["secret"]).verify(fired, receiver.got["/plain"][0].headers)
    told = json.loads(fired)
    assert told["type"] == "alert.fired"
    assert told["data"]["rule"] == "budget-nearly-spent"
    active = client.get("/api/v1/alerts").json()["alerts"]
    (alert,) = [each for each in active if each["rule"] == "budget-nearly-spent"]
    assert alert["state"] == "firing"
    assert "tiny" in slack_takes(bodies(receiver, SLACK, 1)[0])["text"]
    page = pagerduty_takes(bodies(receiver, "/v2/enqueue", 1)[0])
    assert (page["event_action"], page["routing_key"]) == ("trigger", ROUTING_KEY)

    changed = client.put(f"/api/v1/budgets/{made.json()['budget_id']}", json={**budget, "limit_usd": "1000"})
    assert changed.status_code == 200, changed.text

    resolved = pagerduty_takes(bodies(receiver, "/v2/enqueue", 2)[1])
    assert resolved["event_action"] == "resolve"
    assert resolved["dedup_key"] == page["dedup_key"]
    assert json.loads(bodies(receiver, "/plain", 2)[1])["type"] == "alert.resolved"
    slack_takes(bodies(receiver, SLACK, 2)[1])
    assert [len(receiver.got[path]) for path in ("/plain", SLACK, "/v2/enqueue")] == [2, 2, 2], (
        "told once each"
    )
    history = client.get("/api/v1/alerts/history").json()
    assert {"fired", "resolved"} <= {step["what"] for step in history["history"]}, history


def test_objectives_say_what_they_rest_on(client: httpx.Client) -> None:
    spent(client)
    found = client.get("/api/v1/sla").json()
    names = {each["name"] for each in found["objectives"]}
    assert {"availability", "error-rate", "cache-hit-ratio", "latency-p95", "overhead-p50"} <= names
