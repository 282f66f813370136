"""Single requests can be read back, by whoever may, within the tenant."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import eventually

CHAT = "/v1/chat/completions"
DOCUMENT = Document()


def body(model: str = "alpha/small") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    hooks = {"response": [lambda answer: (answer.read(), DOCUMENT.check(answer))]}
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http


def listed(client: httpx.Client, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get("/api/v1/requests", params=query).json()["requests"]
    return rows


def test_a_request_is_listed_with_who_what_cost_and_outcome(client: httpx.Client) -> None:
    agent = {"x-interchange-agent-id": "lister", "x-interchange-session-id": "s-1"}
    answer = client.post(CHAT, json=body("assistant"), headers=agent)
    (row,) = eventually(lambda: listed(client, agent_id="lister"))

    assert row["request_id"] == answer.headers["x-request-id"]
    assert (row["model_asked"], row["provider"], row["model"]) == ("assistant", "alpha", "small")
    assert (row["outcome"], row["session_id"], row["tenant_id"]) == ("ok", "s-1", "default")
    assert row["cost_usd"] is not None
    assert row["finished_at"] > row["started_at"]


def test_one_request_shows_its_attempts(client: httpx.Client) -> None:
    answer = client.post(CHAT, json=body(), headers={"x-interchange-agent-id": "single"})
    eventually(lambda: listed(client, agent_id="single"))

    shown = client.get(f"/api/v1/requests/{answer.headers['x-request-id']}").json()

    assert [attempt["ordinal"] for attempt in shown["attempts"]] == [0]
    assert shown["attempts"][0]["provider"] == "alpha"
    assert client.get("/api/v1/requests/req_none").status_code == 404


def test_pages_follow_one_another(client: httpx.Client) -> None:
    for _ in range(5):
        client.post(CHAT, json=body(), headers={"x-interchange-agent-id": "pager"})
    everything = eventually(
        lambda: rows if len(rows := listed(client, agent_id="pager")) == 5 else [], within_s=10
    )

    first = client.get("/api/v1/requests", params={"agent_id": "pager", "limit": "3"}).json()
    rest = client.get(
        "/api/v1/requests", params={"agent_id": "pager", "limit": "3", "after": first["next"]}
    ).json()

    assert first["requests"] + rest["requests"] == everything
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"after": "yesterday"}, "after"),
        ({"after": "²." + "x"}, "after"),
        ({"from": "noon"}, "from"),
        ({"failed": "perhaps"}, "failed"),
        ({"status": "4xx"}, "status"),
    ],
)
def test_a_bad_question_names_its_field(client: httpx.Client, query: dict[str, str], param: str) -> None:
    answer = client.get("/api/v1/requests", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_another_tenants_requests_do_not_exist(client: httpx.Client, stack: Stack) -> None:
    ours = client.post(CHAT, json=body()).headers["x-request-id"]
    made = new_key(client, tenant_id="tenant-r", role="developer", name="r")
    with with_key(stack, made["key"]) as theirs:
        theirs.post(CHAT, json=body())
        rows = eventually(lambda: theirs.get("/api/v1/requests").json()["requests"])
        assert {row["tenant_id"] for row in rows} == {"tenant-r"}
        assert theirs.get(f"/api/v1/requests/{ours}").status_code == 404
        assert theirs.get("/api/v1/requests", params={"tenant_id": "default"}).status_code == 403
        assert eventually(lambda: client.get(f"/api/v1/requests/{ours}").status_code == 200)


def test_the_row_of_a_refusal_has_the_status_its_caller_got(client: httpx.Client, stack: Stack) -> None:
    ours = {"tenant": "default"}
    budget = {
        "scope": {**ours, "agent": "broke"},
        "period": "total",
        "limit_usd": "0.000000001",
        "hard": True,
    }
    limit = {"scope": {**ours, "agent": "hasty"}, "per": "hour", "requests": 1}
    assert client.post("/api/v1/budgets", json={"name": "nothing", **budget}).status_code == 201
    assert client.post("/api/v1/limits", json={"name": "one an hour", **limit}).status_code == 201
    looks = new_key(client, role="viewer", name="looks only")["key"]
    for agent, key, model, status in (
        ("reader", looks, "assistant", 403),
        ("lost", stack.key, "alpha/none", 404),
        ("broke", stack.key, "assistant", 402),
        ("hasty", stack.key, "assistant", 429),
    ):
        refused = until_refused(stack, agent, key, model)
        assert refused.status_code == status, refused.text
        (row,) = eventually(partial(listed, client, agent_id=agent, status=str(status)))
        assert row["request_id"] == refused.headers["x-request-id"]
        assert row["error_code"] == refused.json()["error"]["code"]


def until_refused(stack: Stack, agent: str, key: str, model: str) -> httpx.Response:
    with with_key(stack, key) as caller:
        for _ in range(5):
            answer = caller.post(CHAT, json=body(model), headers={"x-interchange-agent-id": agent})
            if answer.status_code != 200:
                break
    return answer
