"""An installation that people have worked with for a while: one of everything that pages show.

Traffic of two providers with a failover, streams, errors and answers of the cache, budgets, routes,
integrations and webhooks of the file and of the API, a dead letter, an alert, advice, feedback.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from adapters.memory.connector import MemorySide
from adapters.sql.alerts import SqlAlertStore
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.opening import open_database
from adapters.sql.thread import BlockingThread
from application.ports.alerts import Saved
from domain.sla.alert import Alert, AlertState
from tests.e2e.memory_integrations import memory_integrations
from tests.e2e.stack import Stack
from tests.e2e.webhook_receiver import WebhookReceiver

PATIENCE_S: Final = 40.0
WORK: Final = 72
"""Requests of one route: enough for advice."""
ASKED: Final = WORK + 8
"""All that `_traffic` asks, with those that failed and the one that was stopped."""
CHAT: Final = "/v1/chat/completions"
ADVICE: Final = "/api/v1/analytics/recommendations"
SECRET: Final = "whsec_" + "MDEyMzQ1Njc4OUFCQ0RFRjAxMjM0NTY3ODlBQkNERUY="
_ABLE: Final = "context_tokens: 128000, max_output_tokens: 4096, capabilities: [text, streaming]"
CONFIG: Final = f"""
providers:
  alpha:
    kind: openai
    base_url: "{{sim}}/alpha/v1"
    api_key: key-of-alpha
    via: direct
    region: eu
    models:
      large: {{input_usd_per_mtok: 30, output_usd_per_mtok: 150, {_ABLE}}}
      small: {{input_usd_per_mtok: 0.4, output_usd_per_mtok: 1.6, {_ABLE}}}
      broken: {{input_usd_per_mtok: 0.4, output_usd_per_mtok: 1.6, {_ABLE}}}
  beta:
    kind: openai
    base_url: "{{sim}}/beta/v1"
    api_key: key-of-beta
    via: direct
    region: us
    models:
      middle: {{input_usd_per_mtok: 1, output_usd_per_mtok: 4, quality: 0.8, {_ABLE}}}
routes:
  assistant:
    targets: [alpha/broken, beta/middle]
    strategy: priority
    retries: 0
    record: {{prompts: true}}
  faq: {{targets: [alpha/small], cache: {{mode: exact, tags: [faq]}}}}
  lost: {{targets: [alpha/broken], retries: 0}}
budgets:
  - {{name: everything, scope: {{tenant: default}}, period: month, limit_usd: 100, hard: true}}
rate_limits:
  - {{name: plenty, scope: {{tenant: default}}, requests: 100000, per: minute}}
integrations:
  shelf: {{type: storage, configuration: {{endpoint: "memory://shelf", authentication: {{type: none}}}}}}
analytics: {{baseline: alpha/large}}
egress: {{allow: ["127.0.0.1"]}}
webhooks:
  http_allowed: true
  timeout_s: 2
  schedule_s: [0, 0.1]
  jitter: 0
  endpoints:
    from-file: {{url: "RECEIVER/file", secret: "{SECRET}", events: [key.*]}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`keys` are secrets by role. `failed_over` is a request whose first target failed."""

    stack: Stack
    receiver: WebhookReceiver
    keys: dict[str, str]
    failed_over: str


@contextmanager
def lived_in(directory: Path) -> Iterator[World]:
    """Started, used, and left as it then is."""
    sides = {"shelf": MemorySide(), "box": MemorySide(entries={"a.txt": b"a"}), "new": MemorySide()}
    with WebhookReceiver() as receiver, memory_integrations(sides):
        config = CONFIG.replace("RECEIVER", receiver.url(""))
        with Stack(directory, config) as stack, stack.client() as client:
            yield _lived(stack, receiver, client)


def until(found: Callable[[], Any]) -> Any:
    """What is found in the end."""
    give_up = time.monotonic() + PATIENCE_S
    while not (value := found()):
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.1)
    return value


def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), f"{answer.request.url}: {answer.text}"
    value: dict[str, Any] = answer.json()
    return value


def _lived(stack: Stack, receiver: WebhookReceiver, client: httpx.Client) -> World:
    keys = {"owner": stack.key, "viewer": _key(client, "the viewer", role="viewer")["key"]}
    soon = (datetime.fromtimestamp(time.time(), UTC) + timedelta(days=1)).isoformat()
    _key(client, "ends tomorrow", role="agent", expires_at=soon)
    _things(client, receiver)
    failed_over = _traffic(stack, client)
    until(lambda: _asked(client) >= ASKED)
    until(lambda: client.get(f"/api/v1/requests/{failed_over}").status_code == 200)
    made(client.post("/api/v1/feedback", json={"request_id": failed_over, "rating": 4}))
    assert made(client.post(f"{ADVICE}/refresh"))["recommendations"]
    until(lambda: client.get("/api/v1/webhooks/dead-letters").json()["deliveries"])
    stack.run(_alert(stack))
    until(lambda: client.get("/api/v1/alerts").json()["alerts"])
    return World(stack=stack, receiver=receiver, keys=keys, failed_over=failed_over)


def _key(client: httpx.Client, name: str, **said: Any) -> dict[str, Any]:
    return made(client.post("/api/v1/keys", json={"tenant_id": "default", "name": name, **said}))


def _things(client: httpx.Client, receiver: WebhookReceiver) -> None:
    """What people made through the API."""
    weighted = [{"target": "alpha/large", "weight": 2}, {"target": "alpha/small", "weight": 1}]
    made(client.put("/api/v1/routes/work", json={"strategy": "weighted", "targets": weighted}))
    scope = {"tenant": "default", "agent": "*"}
    budget = {"name": "each agent", "scope": scope, "period": "day", "limit_usd": 2, "alert_at": [0.5, 1]}
    made(client.post("/api/v1/budgets", json=budget))
    limit = {"name": "agents", "scope": scope, "per": "minute", "requests": 5000}
    made(client.post("/api/v1/limits", json=limit))
    arms = [{"name": "now", "route": "work"}, {"name": "other", "route": "work"}]
    trial = {"name": "on trial", "route": "work", "arms": arms, "unit": "request", "min_samples": 10}
    experiment_id = made(client.post("/api/v1/experiments", json=trial))["experiment_id"]
    made(client.post(f"/api/v1/experiments/{experiment_id}/start"))
    box = {"endpoint": "memory://box", "authentication": {"type": "none"}}
    made(
        client.post(
            "/api/v1/integrations", json={"integration_id": "box", "type": "storage", "configuration": box}
        )
    )
    made(client.put("/api/v1/tenants/default/projects/search", json={"description": "finds things"}))
    made(client.post("/api/v1/credentials", json={"name": "weather-service", "value": "v" * 20}))
    made(client.post("/api/v1/stops", json={"agent_id": "runaway", "reason": "it spends too much"}))
    receiver.behaviours["/down"] = lambda _: 503
    for path in ("/up", "/down"):
        body = {"url": receiver.url(path), "events": ["webhook.test"], "description": f"hears {path}"}
        endpoint = made(client.post("/api/v1/webhooks", json=body))
        made(client.post(f"/api/v1/webhooks/{endpoint['endpoint_id']}/test"))


async def _alert(stack: Stack) -> None:
    """One that fires: the monitor takes minutes to be sure, and nobody makes alerts through the API."""
    thread = BlockingThread("alert")
    database = open_database(stack.database_url, thread, connections_max=1)
    now_us = round(time.time() * 1e6)
    alert = Alert(
        rule="provider-failures",
        subject="alpha",
        tenant_id="default",
        state=AlertState.FIRING,
        since_us=now_us,
        fired_at_us=now_us,
        firings=(now_us,),
        episode=1,
        told=True,
        value=0.12,
        threshold=0.05,
        note="12.0% of the attempts at alpha failed",
    )
    try:
        await SqlAlertStore(ForEveryTenant(database)).save([Saved(alert)])
    finally:
        await database.aclose()
        await thread.aclose()


def _traffic(stack: Stack, client: httpx.Client) -> str:
    """The id of a request that failed over."""
    fault = {"fault": {"kind": "status", "status": 503}, "match": {"model": "broken"}}
    httpx.put(f"{stack.simulator.base_url}/_sim/faults", json=fault, timeout=10).raise_for_status()
    first = _ask(client, "assistant", "Why is the sky blue?", agent="planner", user="ada")
    for number in range(WORK):
        text = f"{number} " + "river signal garden " * (number % 9 + 1)
        _ask(client, "work", text, agent=("planner", "writer")[number % 2], user=f"user-{number % 3}")
    for _ in range(3):
        _ask(client, "faq", "When are you open?", user="ada")
    _ask(client, "beta/middle", "Count to ten.", stream=True, agent="writer")
    for number in range(2):
        _ask(client, "lost", f"Is anybody there? {number}", agent="planner")
    _ask(client, "beta/middle", "I may not ask.", agent="runaway")
    return first


def _asked(client: httpx.Client) -> int:
    return sum(row["requests"] for row in client.get("/api/v1/usage").json()["rows"])


def _ask(
    client: httpx.Client, model: str, text: str, *, stream: bool = False, agent: str = "", user: str = ""
) -> str:
    """The id of the request; what comes of it does not matter."""
    body = {
        "model": model,
        "stream": stream,
        "max_tokens": 60,
        "messages": [{"role": "user", "content": text}],
    }
    said = {"x-interchange-agent-id": agent, "x-interchange-user-id": user}
    answer = client.post(CHAT, json=body, headers={name: value for name, value in said.items() if value})
    assert answer.status_code != 400, answer.text
    return str(answer.headers["x-request-id"])
