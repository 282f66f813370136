"""Tenant A with one of everything, and tenant B who wants it.

Whatever A has carries the word MARK, so that it is recognised wherever it turns up.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from adapters.memory.connector import MemorySide
from adapters.sql.alerts import SqlAlertStore
from adapters.sql.everywhere import ForEveryTenant
from adapters.sql.opening import open_database
from adapters.sql.thread import BlockingThread
from application.ports.alerts import Saved
from domain.analytics.recommendation import Kind, optimization_id
from domain.sla.alert import Alert, AlertState
from tests.e2e.kept_responses_world import CONFIG as KEPT
from tests.e2e.stack import Stack

MARK = "marka7q"
TENANT_A, TENANT_B = MARK, "tenant-b"
CONFIG = KEPT.replace(
    "routes:\n",
    "routes:\n  cached: {targets: [first/small], cache: {mode: exact}, record: {prompts: true}}\n",
).replace("api_key: key-of-first,", "api_key: key-of-first, batch_api: openai,")
# Whoever tries every route must not have to wait for one that would go on for an hour.
CONFIG += "events: {stream_s_max: 0.3}\n"
PATIENCE_S = 20.0

LIMIT = {
    "name": f"limit {MARK}",
    "scope": {"tenant": TENANT_A, "key": "*"},
    "per": "hour",
    "requests": 100_000,
}
SIDES = {MARK: MemorySide(token=f"secret {MARK}"), "nobodys": MemorySide()}
INTEGRATION = {
    "integration_id": f"box-{MARK}",
    "type": "storage",
    "configuration": {
        "endpoint": f"memory://{MARK}",
        "authentication": {"type": "token", "token": f"secret {MARK}"},
    },
}
EXPERIMENT = {
    "name": f"experiment {MARK}",
    "route": "both",
    "arms": [{"name": f"now {MARK}", "route": "both"}, {"name": "other", "route": "kept"}],
}
BUDGET = {"name": f"budget {MARK}", "scope": {"tenant": TENANT_A}, "period": "month", "limit_usd": 1000}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """`given` are A's things by name, `missing` names of the same shape that nobody has.

    `before` is for what A had at first, `tried` for what B has asked for since, by route and case.
    """

    stack: Stack
    a: httpx.Client
    b: httpx.Client
    given: dict[str, str]
    missing: dict[str, str]
    before: dict[str, Any] = field(default_factory=dict)
    tried: set[tuple[tuple[str, str], int]] = field(default_factory=set)

    def as_a_sees_it(self) -> dict[str, Any]:
        """Everything A has, without what changes by itself."""
        return {path: stripped(self.a.get(path).json()) for path in STATE_OF_A}


STATE_OF_A = (
    "/api/v1/keys",
    "/api/v1/budgets",
    "/api/v1/limits",
    "/api/v1/experiments",
    "/api/v1/stops",
    "/api/v1/roles",
    f"/api/v1/tenants/{TENANT_A}",
    f"/api/v1/tenants/{TENANT_A}/projects",
    "/api/v1/credentials",
    "/api/v1/integrations",
    "/api/v1/webhooks",
    "/v1/files",
    "/v1/batches",
)
_MOVING = frozenset(
    {"last_used_at", "last_check", "accounts", "spent_usd", "utilization", "request_counts", "remaining"}
)


def stripped(value: Any) -> Any:
    """Without figures that move while nobody changes anything."""
    if isinstance(value, dict):
        return {name: stripped(inner) for name, inner in value.items() if name not in _MOVING}
    return [stripped(each) for each in value] if isinstance(value, list) else value


def until(found: Callable[[], Any]) -> Any:
    """What is found in the end."""
    give_up = time.monotonic() + PATIENCE_S
    while not (value := found()) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert value, "it never came"
    return value


def made(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code in (200, 201), answer.text
    value: dict[str, Any] = answer.json()
    return value


def client_of(stack: Stack, key: str) -> httpx.Client:
    # What is asked is whether it is answered, not how soon: machines that run tests are busy.
    return httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=120.0)


def make_world(stack: Stack, role: str = "owner") -> World:
    """A's key is an owner's; B's has this role."""
    with stack.client() as operator:
        a_key = made(_key(operator, TENANT_A, "owner", f"owner {MARK}"))
        b_key = made(_key(operator, TENANT_B, role, "b"))
    a, b = client_of(stack, a_key["key"]), client_of(stack, b_key["key"])
    given = {"tenant": TENANT_A, "key": a_key["key_id"], "alert": stack.run(_alert(stack)), **_things(a)}
    missing = {name: _of_the_same_shape(name, value) for name, value in given.items()}
    return World(stack=stack, a=a, b=b, given=given, missing=missing)


def _key(client: httpx.Client, tenant: str, role: str, name: str) -> httpx.Response:
    return client.post("/api/v1/keys", json={"tenant_id": tenant, "name": name, "role": role})


async def _alert(stack: Stack) -> str:
    """One of A's that fires and was told: nobody makes alerts through the API, and whoever judges them never
    forgets what is silenced."""
    thread = BlockingThread("alert")
    database = open_database(stack.database_url, thread, connections_max=1)
    alert = Alert(
        rule="key-expiring",
        subject=MARK,
        tenant_id=TENANT_A,
        state=AlertState.FIRING,
        fired_at_us=1,
        told=True,
        note=MARK,
        silenced_until_us=2**52,  # it is remembered also once it is found that nothing is the matter
    )
    try:
        assert await SqlAlertStore(ForEveryTenant(database)).save([Saved(alert)]) == 1
    finally:
        await database.aclose()
        await thread.aclose()
    return alert.alert_id


def _things(a: httpx.Client) -> dict[str, str]:
    made(a.put(f"/api/v1/tenants/{TENANT_A}/projects/project-{MARK}", json={"description": f"for {MARK}"}))
    made(
        a.post(
            "/api/v1/roles",
            json={"name": f"role-{MARK}", "permissions": ["usage.read"], "description": MARK},
        )
    )
    # First, because it takes A's kept answers along.
    erasure = a.delete(f"/api/v1/privacy/subjects/forgotten-{MARK}").json()["erasure_id"]
    until(lambda: a.get(f"/api/v1/privacy/erasures/{erasure}").json()["state"] == "done")
    chat = {"model": "cached", "messages": [{"role": "user", "content": f"the secret is {MARK}"}]}
    named = {"x-interchange-agent-id": f"agent-{MARK}", "x-interchange-user-id": f"user-{MARK}"}
    answer = a.post("/v1/chat/completions", json=chat, headers=named)
    assert answer.status_code == 200, answer.text
    kept = made(a.post("/v1/responses", json={"model": "kept", "input": f"keep {MARK}"}))
    request_id = answer.headers["x-request-id"]
    until(lambda: a.get(f"/api/v1/requests/{request_id}").status_code == 200)
    file_id = made(_upload(a))["id"]
    batch = made(
        a.post(
            "/v1/batches",
            json={"input_file_id": file_id, "endpoint": "/v1/responses", "completion_window": "24h"},
        )
    )
    until(lambda: a.get(f"/v1/batches/{batch['id']}").json()["status"] in ("completed", "failed"))
    credential = made(a.post("/api/v1/credentials", json={"name": f"cred-{MARK}", "value": f"value {MARK}"}))
    audited = until(lambda: a.get("/api/v1/audit").json()["entries"])
    endpoint_id, delivery_id = _webhook(a)
    return {
        "budget": made(a.post("/api/v1/budgets", json=BUDGET))["budget_id"],
        "integration": made(a.post("/api/v1/integrations", json=INTEGRATION))["integration_id"],
        "limit": made(a.post("/api/v1/limits", json=LIMIT))["limit_id"],
        "experiment": made(a.post("/api/v1/experiments", json=EXPERIMENT))["experiment_id"],
        "webhook": endpoint_id,
        "delivery": delivery_id,
        "stop": made(a.post("/api/v1/stops", json={"agent_id": f"gone-{MARK}", "reason": MARK}))["stop_id"],
        # As A's would be called: what use of so few requests advises is nothing.
        "recommendation": optimization_id(TENANT_A, Kind.MOVE, MARK),
        "project": f"project-{MARK}",
        "role": f"role-{MARK}",
        "request": request_id,
        "attempt": f"{request_id}.0",
        "cached": answer.headers["x-interchange-cache-key"],
        "response": kept["id"],
        "file": file_id,
        "batch": batch["id"],
        "credential": credential["credential_id"],
        "secret_name": f"cred-{MARK}",
        "entry": audited[0]["id"],
        "user": f"user-{MARK}",
        "erasure": erasure,
    }


def _webhook(a: httpx.Client) -> tuple[str, str]:
    """A paused endpoint, and something that waits for it."""
    body = {"url": f"https://{MARK}.invalid/in", "events": ["key.created"], "description": f"for {MARK}"}
    endpoint_id = str(made(a.post("/api/v1/webhooks", json=body))["endpoint_id"])
    made(a.post(f"/api/v1/webhooks/{endpoint_id}/pause"))
    made(_key(a, TENANT_A, "viewer", f"told of {MARK}"))
    path = f"/api/v1/webhooks/{endpoint_id}/deliveries"
    (waiting,) = until(lambda: a.get(path).json()["deliveries"])
    return endpoint_id, str(waiting["delivery_id"])


def _upload(client: httpx.Client) -> httpx.Response:
    line = {
        "custom_id": f"line-{MARK}",
        "method": "POST",
        "url": "/v1/responses",
        "body": {"model": "both", "input": MARK},
    }
    return client.post(
        "/v1/files", files={"file": (f"{MARK}.jsonl", json.dumps(line).encode())}, data={"purpose": "batch"}
    )


def _of_the_same_shape(name: str, value: str) -> str:
    if name in ("tenant", "role", "project", "integration"):
        return f"none-{'x' * (len(value) - 5)}"
    if name == "entry":
        tenant, _, number = value.rpartition(".")
        return f"{'x' * len(tenant)}.{number}"
    if name == "attempt":
        request_id, _, number = value.rpartition(".")
        return f"{_of_the_same_shape('request', request_id)}.{number}"
    if name == "delivery":
        begin, _, number = value.rpartition("_")
        return f"{_of_the_same_shape('webhook', begin)}_{number}"
    head, separator, tail = value.rpartition("_")
    turned = tail.translate(str.maketrans("0123456789abcdef", "1032547698badcfe"))
    return f"{head}{separator}{turned}"
