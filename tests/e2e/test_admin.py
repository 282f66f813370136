"""Who may do what: models, keys, tenants, roles, and why a request goes where it goes."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

CHAT = "/v1/chat/completions"
BODY: dict[str, Any] = {"model": "alpha/small", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as http:
        yield http


def new_key(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    """A new key; an agent of the default tenant unless told otherwise."""
    wanted = {"tenant_id": "default", "name": "test", "role": "agent", **fields}
    answer = client.post("/api/v1/keys", json=wanted)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


def with_key(stack: Stack, key: str) -> httpx.Client:
    return httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=20)


# Models


def test_models_are_listed_in_the_callers_familys_shape(client: httpx.Client) -> None:
    ours = client.get("/v1/models").json()
    theirs = client.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).json()
    names = [model["id"] for model in ours["data"]]
    assert ours["object"] == "list"
    assert names[0] == "assistant"
    assert names.index("auto") < names.index("alpha/small")
    assert [model["id"] for model in theirs["data"]] == names
    assert theirs["first_id"] == names[0]
    assert theirs["has_more"] is False
    small = next(model for model in ours["data"] if model["id"] == "alpha/small")
    assert small["context_window"] == 128000
    assert "vision" in small["capabilities"]


def test_a_key_sees_and_calls_only_its_models(client: httpx.Client, stack: Stack) -> None:
    made = new_key(client, allowed_models=["alpha/small", "gamma/*"])
    with with_key(stack, made["key"]) as limited:
        names = {model["id"] for model in limited.get("/v1/models").json()["data"]}
        assert "alpha/small" in names
        assert "gamma/embed" in names
        assert not [name for name in names if name.startswith("beta/")]
        assert limited.get("/v1/models/beta/small").status_code == 404
        assert limited.post(CHAT, json=BODY).status_code == 200
        refused = limited.post(CHAT, json={**BODY, "model": "beta/small"})
    assert refused.status_code == 403
    assert refused.json()["error"]["param"] == "model"


# Keys


def test_a_key_is_shown_once_works_at_once_and_stops_when_revoked(client: httpx.Client, stack: Stack) -> None:
    name = f"key-{uuid.uuid4()}"
    made = new_key(client, name=name)
    listed = client.get("/api/v1/keys")
    assert made["key"] not in listed.text
    record = next(key for key in listed.json()["keys"] if key["name"] == name)
    assert record["key_id"] == made["key_id"]
    assert record["role"] == "agent"
    assert record["revoked_at"] is None
    with with_key(stack, made["key"]) as theirs:
        assert theirs.post(CHAT, json=BODY).status_code == 200
        revoked = client.delete(f"/api/v1/keys/{made['key_id']}")
        assert revoked.json()["revoked_at"] is not None
        again = theirs.post(CHAT, json=BODY)
    assert again.status_code == 401
    assert again.json()["error"]["code"] == "invalid_api_key"
    assert client.delete(f"/api/v1/keys/{made['key_id']}").status_code == 200, "revoking twice is no error"


def test_an_expired_key_is_401(client: httpx.Client, stack: Stack) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)  # noqa: TID251 - the stack runs on the real clock
    made = new_key(client, expires_at=soon.isoformat())
    with with_key(stack, made["key"]) as theirs:
        assert eventually(lambda: theirs.get("/v1/models").status_code == 401)


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"role": "emperor"}, 400, "role"),
        ({"tenant_id": ""}, 400, "tenant_id"),
        ({"tenant_id": "No Spaces Please"}, 400, "tenant_id"),
        ({"name": ""}, 400, "name"),
        ({"name": 7}, 400, "name"),
        ({"scopes": []}, 400, "scopes"),
        ({"scopes": ["fly"]}, 400, "scopes"),
        ({"scopes": ["keys.write"]}, 400, "scopes"),
        ({"allowed_models": []}, 400, "allowed_models"),
        ({"expires_at": "yesterday"}, 400, "expires_at"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, 400, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, 400, "expires_at"),
        ({"budget": {"limit_usd": -5}}, 400, "budget.limit_usd"),
        ({"budget": {"limit_usd": 5, "period": "moon"}}, 400, "budget.period"),
        ({"budget": {"colour": "blue"}}, 400, "budget.colour"),
        ({"colour": "blue"}, 400, "colour"),
    ],
)
def test_a_bad_key_request_names_its_field(
    client: httpx.Client, change: dict[str, Any], status: int, param: str
) -> None:
    answer = client.post(
        "/api/v1/keys", json={"tenant_id": "default", "name": "n", "role": "agent", **change}
    )
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param


def test_an_unknown_key_cannot_be_revoked(client: httpx.Client) -> None:
    assert client.delete("/api/v1/keys/none-such").status_code == 404


def test_tenants_do_not_see_each_other(client: httpx.Client, stack: Stack) -> None:
    theirs = new_key(client, tenant_id="tenant-b", role="admin", name="b-admin")
    ours = new_key(client, name="of-default")
    with with_key(stack, theirs["key"]) as b:
        names = [key["name"] for key in b.get("/api/v1/keys").json()["keys"]]
        assert names == ["b-admin"]
        assert b.get("/api/v1/keys", params={"tenant_id": "default"}).status_code == 403
        assert b.delete(f"/api/v1/keys/{ours['key_id']}").status_code == 404
        wanted = {"tenant_id": "default", "name": "n", "role": "agent"}
        assert b.post("/api/v1/keys", json=wanted).status_code == 403
        assert b.get("/api/v1/usage", params={"tenant_id": "default"}).status_code == 403
        assert b.get("/metrics").status_code == 403
        assert b.put("/api/v1/providers/alpha/state", json={"state": "maintenance"}).status_code == 403
        b.post(CHAT, json=BODY)
        rows = eventually(lambda: b.get("/api/v1/usage?group_by=tenant").json()["rows"])
    assert {row["tenant"] for row in rows} == {"tenant-b"}


ROLE_MAY = [
    ("agent", "GET", "/v1/models", 200),
    ("agent", "GET", "/api/v1/keys", 403),
    ("agent", "GET", "/api/v1/usage", 403),
    ("agent", "GET", "/api/v1/catalog", 403),
    ("agent", "GET", "/metrics", 403),
    ("viewer", "GET", "/api/v1/usage", 200),
    ("viewer", "POST", CHAT, 403),
    ("viewer", "GET", "/api/v1/keys", 403),
    ("developer", "GET", "/api/v1/providers/status", 200),
    ("developer", "PUT", "/api/v1/providers/alpha/breaker", 403),
    ("auditor", "GET", "/api/v1/keys", 200),
    ("auditor", "POST", "/api/v1/keys", 403),
    ("operator", "GET", "/metrics", 200),
    ("operator", "POST", "/api/v1/keys", 403),
]


@pytest.mark.parametrize(("role", "method", "path", "status"), ROLE_MAY)
def test_a_role_may_do_what_the_table_says_and_nothing_else(
    client: httpx.Client, stack: Stack, role: str, method: str, path: str, status: int
) -> None:
    made = new_key(client, role=role, name=f"as-{role}")
    with with_key(stack, made["key"]) as theirs:
        answer = theirs.request(method, path, json=BODY if path == CHAT else None)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["error"]["code"] == "forbidden"


def test_every_route_but_the_public_ones_wants_a_key(stack: Stack) -> None:
    from entrypoints.http.permissions import PUBLIC, ROUTE_PERMISSIONS

    for (method, path), permission in ROUTE_PERMISSIONS.items():
        concrete = re.sub(r"\{[^}]+\}", "x", path)
        body: dict[str, str] | None = {} if method in ("POST", "PUT") else None
        status = httpx.request(method, stack.url + concrete, json=body).status_code
        assert (status == 401) == (permission != PUBLIC), (method, path, status)


# Explanation


def test_an_explanation_shows_every_candidate_and_sends_nothing(client: httpx.Client, stack: Stack) -> None:
    shown = client.post("/api/v1/routing/explain", json={"model": "assistant"}).json()
    assert shown["route"] == "assistant"
    assert shown["strategy"] == "priority"
    assert shown["refusal"] is None
    assert [c["target"] for c in shown["candidates"]] == ["alpha/small", "beta/small"]
    assert [c["rank"] for c in shown["candidates"]] == [0, 1]
    assert all(c["kept"] and c["price_bound_usd"] for c in shown["candidates"])
    assert stack.simulator.requests == []


def test_an_explanation_says_why_a_candidate_was_dropped(client: httpx.Client) -> None:
    shown = client.post(
        "/api/v1/routing/explain",
        json={"model": "auto", "input": "a text to embed"},
    ).json()
    dropped = next(c for c in shown["candidates"] if c["target"] == "alpha/small")
    kept = next(c for c in shown["candidates"] if c["target"] == "alpha/embed")
    assert kept["kept"] is True
    assert dropped["kept"] is False
    assert dropped["reason"] == "capability"
    assert "embeddings" in dropped["explanation"]


def test_an_explanation_of_an_impossible_request_shows_the_refusal(client: httpx.Client) -> None:
    shown = client.post(
        "/api/v1/routing/explain",
        json={
            "model_requirements": {"capabilities": ["text"], "data_residency": "apac"},
            "request": {"prompt": "hello"},
            "context": {"agent_id": "a", "tenant_id": "default"},
        },
    ).json()
    assert shown["refusal"]["code"] == "residency_violation"


def test_an_explanation_of_an_unknown_model_is_404(client: httpx.Client) -> None:
    answer = client.post("/api/v1/routing/explain", json={"model": "alpha/smal"})
    assert answer.status_code == 404
    assert "alpha/small" in answer.json()["error"]["details"]["nearest"]


def test_an_explanation_names_the_fields_of_the_body_it_was_given(client: httpx.Client) -> None:
    of_headers = client.post(
        "/api/v1/routing/explain", json={"model": "auto"}, headers={"x-interchange-residency": "atlantis"}
    )
    assert of_headers.json()["error"]["param"] == "x-interchange-residency"
    body = {
        "model_requirements": {"capabilities": ["text"], "data_residency": "atlantis"},
        "request": {"prompt": "hello"},
        "context": {"agent_id": "a", "tenant_id": "default"},
    }
    of_body = client.post("/api/v1/routing/explain", json=body)
    assert of_body.status_code == of_headers.status_code == 400
    assert of_body.json()["error"]["param"] == "model_requirements.data_residency"
