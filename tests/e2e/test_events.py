"""Events from their cause to whoever follows them, in one server."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from contracts.events import envelope_schema, schemas
from tests.e2e.documented import Document
from tests.e2e.event_world import EVENTS, listening, until
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key
from tests.e2e.three_wires import CONFIG, simulate

DOCUMENT = Document()
CHAT = {"model": "assistant", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as running:
        yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    simulate(stack, stack.simulator.clear_rules)
    with stack.client() as http:
        yield http


def keeps_its_schema(event: dict[str, Any]) -> None:
    bare = {name: value for name, value in event.items() if name != "seq"}
    Draft202012Validator(envelope_schema()).validate(bare)
    Draft202012Validator(schemas()[event["type"]]).validate(event["data"])


def test_the_schemas_of_all_events_are_published(client: httpx.Client) -> None:
    answer = client.get(f"{EVENTS}/schemas")

    DOCUMENT.check(answer)
    told = answer.json()
    assert set(told["events"]) == set(schemas())
    for each in told["events"].values():
        Draft202012Validator(each["schema"]).validate(each["example"])


def test_a_request_is_told_to_who_listens(stack: Stack, client: httpx.Client) -> None:
    with listening(stack, query="?types=integration.request_completed") as listener:
        answer = client.post("/v1/chat/completions", json=CHAT, headers={"x-interchange-agent-id": "planner"})
        assert answer.status_code == 200
        (event,) = listener.wait("integration.request_completed")

    keeps_its_schema(event)
    data = event["data"]
    assert (data["tool_name"], data["success"], data["agent_id"]) == ("llm.complete", True, "planner")
    assert data["request_id"] == answer.headers["x-request-id"]
    assert data["integration_id"] == answer.headers["x-interchange-provider"]
    assert event["tenant_id"] == "default"


def test_keys_tell_of_themselves_and_events_are_looked_up_by_name_and_place(
    stack: Stack, client: httpx.Client
) -> None:
    made = client.post("/api/v1/keys", json={"tenant_id": "default", "name": "told", "role": "agent"}).json()
    client.post(f"/api/v1/keys/{made['key_id']}/rotate", json={"overlap_seconds": 60})
    client.request("DELETE", f"/api/v1/keys/{made['key_id']}")

    def told() -> list[dict[str, Any]]:
        answer = client.get(EVENTS, params={"types": "key.*", "limit": 3})
        DOCUMENT.check(answer)
        found: list[dict[str, Any]] = answer.json()["events"]
        mine = [each for each in found if each["data"]["key_id"] == made["key_id"]]
        return mine if len(mine) == 3 else []

    newest_first = until(told)
    for event in newest_first:
        keeps_its_schema(event)
    assert [each["type"] for each in newest_first] == ["key.revoked", "key.rotated", "key.created"]
    seqs = [each["seq"] for each in newest_first]
    before = client.get(EVENTS, params={"types": "key.*", "before": seqs[0], "limit": 1}).json()["events"]
    assert [each["seq"] for each in before] == [seqs[1]]
    behind = client.get(EVENTS, params={"types": "key.*", "after": seqs[2]}).json()
    assert [each["seq"] for each in behind["events"]] == [seqs[1], seqs[0]]
    assert behind["next"] is None


def test_stops_and_breakers_tell_of_themselves(stack: Stack, client: httpx.Client) -> None:
    provider = "alpha"
    with listening(
        stack, query="?types=agent.*,provider.breaker_opened&types=provider.breaker_closed"
    ) as heard:
        stop = client.post("/api/v1/stops", json={"agent_id": "nobody", "user_id": "somebody"}).json()
        client.delete(f"/api/v1/stops/{stop['stop_id']}")
        assert client.put(f"/api/v1/providers/{provider}/breaker", json={"action": "open"}).status_code == 200
        opened = heard.wait("provider.breaker_opened")
        assert (
            client.put(f"/api/v1/providers/{provider}/breaker", json={"action": "reset"}).status_code == 200
        )
        closed = heard.wait("provider.breaker_closed")
        told = [*heard.wait("agent.stopped"), *heard.wait("agent.released")]

    for event in (*opened, *closed, *told):
        keeps_its_schema(event)
    assert {event["data"]["stop_id"] for event in told} == {stop["stop_id"]}
    assert "somebody" not in json.dumps(told)
    assert opened[0]["data"]["provider"] == provider


def test_whoever_comes_back_misses_nothing(stack: Stack, client: httpx.Client) -> None:
    with listening(stack, query="?types=integration.*") as first:
        client.post("/v1/chat/completions", json=CHAT)
        first.wait("integration.request_completed")
        last = max(frame.place for frame in first.frames)

    ids = [client.post("/v1/chat/completions", json=CHAT).headers["x-request-id"] for _ in range(3)]
    with listening(stack, query="?types=integration.*", **{"last-event-id": str(last)}) as again:
        events = again.wait("integration.request_completed", 3)

    assert [event["data"]["request_id"] for event in events] == ids
    assert len({event["id"] for event in events}) == 3


def test_a_tenant_hears_its_own_alone(stack: Stack, client: httpx.Client) -> None:
    other = new_key(client, tenant_id="other", role="owner")["key"]
    with listening(stack, key=other) as heard:
        begun = heard.frames[0].place
        client.post("/api/v1/keys", json={"tenant_id": "default", "name": "theirs", "role": "agent"})
        client.post("/api/v1/keys", json={"tenant_id": "other", "name": "ours", "role": "agent"})
        until(lambda: [each for each in heard.events() if each["data"].get("name") == "ours"])
        events = heard.events()
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {other}"}) as theirs:
        page = theirs.get(EVENTS, params={"after": 0, "limit": 1000}).json()["events"]
        past = theirs.get(EVENTS, params={"after": begun}).json()["events"]

    assert {event["tenant_id"] for event in (*events, *page)} == {"other"}
    assert past[-1]["data"]["name"] == "ours"
    assert all(event["seq"] > begun for event in past)


def test_a_stream_ends_where_its_key_is_revoked(
    stack: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.http.guard.LET_IN_FOR_S", 0.0)
    made = client.post(
        "/api/v1/keys", json={"tenant_id": "default", "name": "brief", "role": "viewer"}
    ).json()
    with listening(stack, key=made["key"]) as heard:
        client.request("DELETE", f"/api/v1/keys/{made['key_id']}")
        (end,) = until(lambda: [frame for frame in heard.frames if frame.event == "end"])

    assert end.data["reason"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("path", "param"),
    [
        (f"{EVENTS}?types=nothing.such", "types"),
        (f"{EVENTS}?types=", "types"),
        (f"{EVENTS}?limit=0", "limit"),
        (f"{EVENTS}?after=x", "after"),
        (f"{EVENTS}?from=yesterday", "from"),
        (f"{EVENTS}?tenant_id=other", "tenant_id"),
        (f"{EVENTS}/stream?after=-1", "after"),
        (f"{EVENTS}/stream?types=key", "types"),
    ],
)
def test_what_cannot_be_understood_is_refused(client: httpx.Client, path: str, param: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_so_many_listen_and_no_more(
    stack: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.use_cases.follow_events.LISTENERS_PER_TENANT_MAX", 1)
    with listening(stack):
        refused = client.get(f"{EVENTS}/stream")
        assert refused.status_code == 503
        assert "retry-after" in refused.headers

    def again() -> bool:
        with listening(stack) as heard:
            return heard.status == 200

    assert until(again)


def test_a_listener_that_takes_nothing_is_let_go_and_costs_nobody_anything(
    stack: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("entrypoints.http.events.SEND_TIMEOUT_S", 0.2)
    rows = [
        (f"long {n}", "key.revoked", "default", json.dumps({"reason": "x" * 20_000}), n) for n in range(600)
    ]
    with socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect(("127.0.0.1", int(stack.url.rpartition(":")[2])))
        idle.sendall(
            f"GET {EVENTS}/stream HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {stack.key}\r\n\r\n".encode()
        )
        until(lambda: listeners(client) == 1)
        with sqlite3.connect(stack.data_dir / "interchange.db", timeout=20) as database:
            database.executemany(
                "INSERT INTO outbox (key, topic, tenant_id, payload, created_at_us) VALUES (?, ?, ?, ?, ?)",
                rows,
            )
        database.close()

        until(lambda: listeners(client) == 0)


def listeners(client: httpx.Client) -> int:
    (line,) = (
        each
        for each in client.get("/metrics").text.splitlines()
        if each.startswith("interchange_event_listeners")
    )
    return int(line.rpartition(" ")[2])
