"""Stopping agents: by hand, by guards, on every wire, in every worker, for one tenant only."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.databases_laid import lay_database
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG, eventually, simulate, sse_events

STOPS = "/api/v1/stops"
GUARDED = (
    CONFIG + "  unwatched: {targets: [alpha/small], guards: {repeated_tool_call: off, spend_rate: off}}\n"
    "guards:\n"
    "  repeated_tool_call: {times: 3, window: 6}\n"
    "  spend_rate: {usd: 0.001, per_s: 60, scope: session}\n"
)
SCHEMA = {"type": "object", "properties": {}}
DOCUMENT = Document()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack whose agents are watched, for all tests of this module."""
    with Stack(tmp_path_factory.mktemp("data"), GUARDED) as running:
        yield running


def documented(answer: httpx.Response) -> None:
    """Answers of models have what their vendors add; everything else is as the document says."""
    answer.read()
    if answer.status_code >= 400 or answer.request.url.path.startswith(STOPS):
        DOCUMENT.check(answer)


@pytest.fixture
def client(guarded: Stack) -> Iterator[httpx.Client]:
    simulate(guarded, guarded.simulator.clear_rules)
    hooks = {"response": [documented]}
    headers = {"authorization": f"Bearer {guarded.key}"}
    with httpx.Client(base_url=guarded.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http
        for stop in http.get(STOPS).json()["stops"]:
            http.delete(f"{STOPS}/{stop['stop_id']}")


def chat(calls: int, model: str = "assistant") -> tuple[str, dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for n in range(calls):
        call = {"id": f"c{n}", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{n}", "content": f"nothing {n}"})
    tools = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
    return "/v1/chat/completions", {"model": model, "messages": messages, "tools": tools}


def anthropic(calls: int) -> tuple[str, dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for n in range(calls):
        use = {"type": "tool_use", "id": f"c{n}", "name": "look", "input": {"at": 1}}
        result = {"type": "tool_result", "tool_use_id": f"c{n}", "content": f"nothing {n}"}
        messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    tools = [{"name": "look", "input_schema": SCHEMA}]
    body = {"model": "assistant", "max_tokens": 9, "messages": messages, "tools": tools}
    return "/v1/messages", body


def responses(calls: int) -> tuple[str, dict[str, Any]]:
    items: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    for n in range(calls):
        called = {"type": "function_call", "call_id": f"c{n}", "name": "look", "arguments": '{"at":1}'}
        items += [called, {"type": "function_call_output", "call_id": f"c{n}", "output": f"nothing {n}"}]
    tools = [{"type": "function", "name": "look", "parameters": SCHEMA}]
    return "/v1/responses", {"model": "assistant", "input": items, "tools": tools}


def gemini(calls: int) -> tuple[str, dict[str, Any]]:
    contents: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "go"}]}]
    for n in range(calls):
        answer = {"name": "look", "response": {"result": f"nothing {n}"}}
        contents.append({"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"at": 1}}}]})
        contents.append({"role": "user", "parts": [{"functionResponse": answer}]})
    tools = [{"functionDeclarations": [{"name": "look", "parameters": {"type": "OBJECT", "properties": {}}}]}]
    return "/v1beta/models/assistant:generateContent", {"contents": contents, "tools": tools}


WIRES = {"chat": chat, "messages": anthropic, "responses": responses, "gemini": gemini}


def ask(
    client: httpx.Client, asked: tuple[str, dict[str, Any]], agent: str = "", session: str = ""
) -> httpx.Response:
    who = {"x-interchange-agent-id": agent, "x-interchange-session-id": session}
    path, body = asked
    return client.post(path, json=body, headers={name: value for name, value in who.items() if value})


def in_flight(stack: Stack) -> int:
    return int(httpx.get(f"{stack.url}/health", timeout=5).json()["in_flight"])


def error_of(answer: httpx.Response) -> str:
    """Our own code, in whichever family's shape."""
    error = answer.json()["error"]
    return str(error["details"][0]["reason"].lower() if isinstance(error.get("code"), int) else error["code"])


@pytest.mark.parametrize("wire", WIRES)
def test_a_loop_is_stopped_in_its_session_and_goes_on_once_it_was_lifted(
    client: httpx.Client, wire: str
) -> None:
    asked, agent = WIRES[wire], f"looper-{wire}"
    assert ask(client, asked(2), agent, "s1").status_code == 200

    refused = ask(client, asked(3), agent, "s1")

    assert (refused.status_code, error_of(refused)) == (403, "agent_stopped")
    assert "'look' was called 3 times" in refused.text and "--lift stop_" in refused.text
    assert ask(client, asked(0), agent, "s1").status_code == 403, "the session is stopped, whatever it asks"
    assert ask(client, asked(0), agent, "s2").status_code == 200
    assert ask(client, asked(0), "another", "s1").status_code == 200

    (stop,) = eventually(lambda: [s for s in client.get(STOPS).json()["stops"] if s["agent_id"] == agent])
    assert (stop["session_id"], stop["cause"]) == ("s1", "repeated_tool_call")
    assert stop["made_by"] == "guard:repeated_tool_call"
    assert client.delete(f"{STOPS}/{stop['stop_id']}").json()["lifted_at"] is not None
    assert ask(client, asked(3), agent, "s1").status_code == 200
    assert ask(client, asked(5), agent, "s1").status_code == 200
    assert ask(client, asked(6), agent, "s1").status_code == 403, "three more of the same are a new loop"


def test_a_route_may_be_left_unwatched(client: httpx.Client) -> None:
    answer = ask(client, chat(6, "unwatched"), "looper", "u1")

    assert answer.status_code == 200, answer.text


def test_who_spends_too_fast_is_stopped_and_others_are_not(client: httpx.Client) -> None:
    path, body = chat(0)
    costly = (path, {**body, "messages": [{"role": "user", "content": "word " * 4000}]})
    statuses = [ask(client, costly, "spender", "rich").status_code for _ in range(8)]

    assert 200 in statuses and statuses[-1] == 403
    assert statuses == sorted(statuses)
    assert ask(client, chat(0), "spender", "poor").status_code == 200
    (stop,) = [s for s in client.get(STOPS).json()["stops"] if s["cause"] == "spend_rate"]
    assert (stop["session_id"], stop["agent_id"]) == ("rich", None)
    assert "USD within 60 s" in stop["reason"]


def test_an_operator_stops_an_agent_of_its_own_tenant_only(client: httpx.Client, guarded: Stack) -> None:
    theirs = [new_key(client, tenant_id=tenant, role="operator") for tenant in ("acme", "other")]
    with with_key(guarded, theirs[0]["key"]) as acme, with_key(guarded, theirs[1]["key"]) as other:
        made = DOCUMENT.check(acme.post(STOPS, json={"agent_id": "crawler", "reason": "too costly"}))
        assert made.status_code == 201 and made.json()["tenant_id"] == "acme"

        refused = ask(acme, chat(0), "crawler")
        assert refused.status_code == 403
        error = refused.json()["error"]
        assert (error["type"], error["code"]) == ("permission_error", "agent_stopped")
        assert "too costly" in error["message"]
        assert error["details"]["stop_id"] == made.json()["stop_id"]
        assert ask(acme, chat(0), "reader").status_code == 200
        assert ask(other, chat(0), "crawler").status_code == 200
        assert other.get(STOPS).json() == {"stops": []}
        assert other.delete(f"{STOPS}/{made.json()['stop_id']}").status_code == 404
        assert other.post(STOPS, json={"agent_id": "x", "tenant_id": "acme"}).status_code == 403

        (seen,) = client.get(STOPS, params={"tenant_id": "acme"}).json()["stops"]
        assert seen == made.json()
        assert acme.delete(f"{STOPS}/{made.json()['stop_id']}").status_code == 200
        assert ask(acme, chat(0), "crawler").status_code == 200
        ended = acme.get(STOPS, params={"ended": "true"}).json()["stops"]
        assert [each["stop_id"] for each in ended] == [made.json()["stop_id"]]


def test_an_agents_key_may_stop_nobody(client: httpx.Client, guarded: Stack) -> None:
    made = new_key(client)
    with with_key(guarded, made["key"]) as agent:
        for answer in (
            agent.get(STOPS),
            agent.post(STOPS, json={"agent_id": "x"}),
            agent.delete(f"{STOPS}/stop_x"),
        ):
            assert DOCUMENT.check(answer).status_code == 403


def test_a_key_and_a_route_can_be_stopped_for_a_while(client: httpx.Client, guarded: Stack) -> None:
    made = new_key(client)
    with with_key(guarded, made["key"]) as agent:
        client.post(STOPS, json={"key_id": made["key_id"], "route": "assistant", "for_s": 5})
        assert ask(agent, chat(0)).status_code == 403
        assert ask(agent, chat(0, "alpha/small")).status_code == 200
        assert ask(client, chat(0)).status_code == 200
        assert eventually(lambda: ask(agent, chat(0)).status_code == 200)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "agent_id"),
        ({"agent_id": "x" * 300}, "agent_id"),
        ({"agent_id": "x", "for_s": -1}, "for_s"),
        ({"agent_id": "x", "reason": "a\nb"}, "reason"),
        ({"agent_id": 7}, "agent_id"),
        ({"agent": "x"}, "agent"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(
    client: httpx.Client, body: dict[str, Any], param: str
) -> None:
    answer = client.post(STOPS, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


def test_running_answers_may_finish_unless_they_are_to_end_now(client: httpx.Client, guarded: Stack) -> None:
    simulate(guarded, lambda: guarded.simulator.latency(ttft_ms=1, per_token_ms=30))
    seen: dict[str, str] = {}

    def listen(agent: str, path: str, body: dict[str, Any]) -> None:
        named = {"x-interchange-agent-id": agent}
        with guarded.client(**named) as http, http.stream("POST", path, json=body) as answer:
            seen[agent] = ""
            for text in answer.iter_text():
                seen[agent] += text

    path, body = chat(0)
    del body["tools"]
    body |= {"stream": True, "messages": [{"role": "user", "content": "word " * 60}]}
    asked = {
        "patient": (path, body),
        "chat-now": (path, body),
        "messages-now": ("/v1/messages", {**body, "max_tokens": 500}),
        "responses-now": ("/v1/responses", {"model": "assistant", "input": "word " * 60, "stream": True}),
    }
    threads = [threading.Thread(target=listen, args=(agent, *call)) for agent, call in asked.items()]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(seen) == len(asked) and all("word" in text for text in seen.values()))

    for agent in asked:
        client.post(STOPS, json={"agent_id": agent, "now": agent.endswith("-now")})
    for thread in threads:
        thread.join(20)

    assert "agent_stopped" not in seen["patient"] and seen["patient"].endswith("data: [DONE]\n\n")
    for agent in ("chat-now", "messages-now", "responses-now"):
        last = sse_events(seen[agent])[-1]
        assert f"agent '{agent}' is stopped" in json.dumps(last), agent
    rows = eventually(
        lambda: [
            row
            for row in client.get("/api/v1/requests", params={"agent_id": "chat-now"}).json()["requests"]
            if row["streamed"]
        ]
    )
    assert (rows[0]["outcome"], rows[0]["error_code"], rows[0]["status"]) == ("error", "agent_stopped", 403)
    assert rows[0]["attempts_made"] == 1
    assert eventually(lambda: in_flight(guarded) == 0)


def test_a_whole_answer_that_is_to_end_now_is_refused(client: httpx.Client, guarded: Stack) -> None:
    simulate(guarded, lambda: guarded.simulator.latency(ttft_ms=20_000))
    answers: list[httpx.Response] = []

    def wait() -> None:
        with guarded.client() as http:
            answers.append(ask(http, chat(0), "slow"))

    thread = threading.Thread(target=wait)
    thread.start()
    assert eventually(lambda: in_flight(guarded) == 1)

    client.post(STOPS, json={"agent_id": "slow", "now": True})
    thread.join(10)

    assert (answers[0].status_code, error_of(answers[0])) == (403, "agent_stopped")


def test_stops_are_counted_by_what_made_them(client: httpx.Client) -> None:
    client.post(STOPS, json={"agent_id": "counted"})

    page = client.get("/metrics").text

    assert 'interchange_stops_in_force{reason="operator"} 1' in page
    (line,) = [
        one for one in page.splitlines() if one.startswith('interchange_stops_total{reason="operator"}')
    ]
    assert int(line.split()[-1]) >= 1


def test_two_workers_on_one_database_both_stop(tmp_path: Path) -> None:
    """Within a second on an idle machine; a busy one is waited for."""
    shared = f"storage: {{database_url: 'sqlite:///{lay_database(tmp_path, 'shared.db')}'}}\n"
    environ = {"INTERCHANGE_KEY_PEPPER": "1:" + "0" * 64}
    with Stack(tmp_path / "one", GUARDED + shared, environ=environ) as one, one.client() as first:
        (tmp_path / "two").mkdir()
        (tmp_path / "two" / "admin.key").write_text(one.key)
        with Stack(tmp_path / "two", GUARDED + shared, environ=environ) as two, two.client() as second:
            assert ask(first, chat(3), "looper", "s1").status_code == 403
            assert eventually(lambda: ask(second, chat(0), "looper", "s1").status_code == 403)
            assert ask(second, chat(0), "looper", "s2").status_code == 200

            (stop,) = second.get(STOPS).json()["stops"]
            second.delete(f"{STOPS}/{stop['stop_id']}")
            assert eventually(lambda: ask(first, chat(3), "looper", "s1").status_code == 200)


def test_guards_are_taken_over_from_a_changed_file(tmp_path: Path) -> None:
    with Stack(tmp_path, CONFIG) as stack, stack.client() as http:
        assert ask(http, chat(5), "looper", "s1").status_code == 200
        text = (tmp_path / "interchange.yaml").read_text()

        (tmp_path / "interchange.yaml").write_text(text + "guards: {repeated_tool_call: {times: 4}}\n")

        assert eventually(lambda: ask(http, chat(5), "looper", "s1").status_code == 403)
