"""Budgets as people see them: made over the API, shown, refused by, alerted of, and read from the file."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from granian.errors import FatalError

from entrypoints import lifespan
from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import eventually

PRICE = "input_usd_per_mtok: {}, output_usd_per_mtok: {}, context_tokens: 128000, max_output_tokens: 4096"
CONFIG = f"""
providers:
  acme:
    kind: openai
    base_url: {{sim}}/v1
    api_key: k
    via: direct
    models:
      large: {{{PRICE.format(100, 200)}, capabilities: [text, streaming]}}
      small: {{{PRICE.format(1, 2)}, capabilities: [text, streaming]}}
routes:
  assistant: {{targets: [acme/large]}}
  cheap: {{targets: [acme/small]}}
budgets:
  - {{name: declared, scope: {{tenant: default, agent: declared}}, period: day, limit_usd: 1, hard: true}}
  - name: thrift
    scope: {{tenant: default, agent: spender}}
    period: total
    limit_usd: 0.02
    alert_at: [0.5, 1]
    on_threshold: {{at: 0.5, route: cheap}}
"""
DOCUMENT = Document()
SPENT = {"limit_usd": "0.001", "hard": True, "contact": "money@acme.example", "period": "month"}
"""Less than any request may cost."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """What metrics and health tell of budgets is counted so often that nobody waits for it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lifespan, "FIGURES_EVERY_S", 0.5)
        with Stack(tmp_path_factory.mktemp("budgets") / "data", CONFIG) as running:
            yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    hooks = {"response": [lambda answer: (answer.read(), DOCUMENT.check(answer))]}
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http


def ask(client: httpx.Client, agent: str = "", **more: Any) -> httpx.Response:
    body = {"model": "assistant", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"x-interchange-agent-id": agent} if agent else {}
    return client.post("/v1/chat/completions", json=body | more, headers=headers)


def make(client: httpx.Client, name: str, **more: Any) -> dict[str, Any]:
    body = {
        "name": name,
        "scope": {"tenant": "default", "agent": name},
        "period": "day",
        "limit_usd": 1,
        **more,
    }
    answer = client.post("/api/v1/budgets", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_budget_is_made_shown_changed_and_removed(client: httpx.Client) -> None:
    made = make(client, "life", limit_usd="2.5", time_zone="Europe/Paris", alert_at=[0.5], hard=True)
    path = f"/api/v1/budgets/{made['budget_id']}"
    assert (made["owner"], made["tenant_id"], made["limit_usd"]) == ("api", "default", "2.5")
    assert client.get(path).json() == made
    assert made in client.get("/api/v1/budgets").json()["budgets"]

    def spent() -> list[dict[str, Any]]:
        assert ask(client, "life").status_code == 200  # again: a day of the budget may just have begun
        return [account for account in accounts(client, made) if account["spent_usd"] != "0"]

    (account,) = eventually(spent)
    assert account["subject"] == "" and float(account["spent_usd"]) > 0
    assert account["resets_at"] is not None
    body = {"name": "life", "scope": made["scope"], "period": "day", "limit_usd": 3, "hard": True}
    changed = client.put(path, json=body)
    assert changed.status_code == 200 and changed.json()["limit_usd"] == "3"

    assert client.delete(path).json() == {"budget_id": made["budget_id"], "removed": True}
    for gone in (client.get(path), client.put(path, json=body), client.delete(path)):
        assert gone.status_code == 404


def accounts(client: httpx.Client, made: dict[str, Any]) -> list[dict[str, Any]]:
    path = f"/api/v1/budgets/{made['budget_id']}/accounts"
    return list(client.get(path).json()["accounts"])


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"limit_usd": -1}, "limit_usd"),
        ({"limit_usd": "1e99"}, "limit_usd"),
        ({"limit_usd": True}, "limit_usd"),
        ({"limit_usd": None}, "limit_usd"),
        ({"period": "fortnight"}, "period"),
        ({"scope": {}}, "scope"),
        ({"scope": {"tenant": "default", "galaxy": "x"}}, "scope"),
        ({"scope": {"tenant": "default", "key": "nobody"}}, "scope.key"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"rolling": True, "period": "total"}, "rolling"),
        ({"alert_at": [0.9, 0.5]}, "alert_at"),
        ({"on_threshold": {"at": 0.5, "route": "nowhere"}}, "on_threshold.route"),
        ({"on_threshold": {"at": 5, "route": "cheap"}}, "on_threshold.at"),
        ({"on_threshold": {"at": 0.5}}, "on_threshold.route"),
        ({"name": ""}, "name"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_what_could_not_work_is_refused_by_its_field(
    client: httpx.Client, change: dict[str, Any], param: str
) -> None:
    body = {"name": "bad", "scope": {"tenant": "default"}, "period": "day", "limit_usd": 1, **change}
    refused = client.post("/api/v1/budgets", json=body)
    assert refused.status_code == 400, refused.text
    assert refused.json()["error"]["param"] == param


def test_what_the_file_declares_is_shown_and_the_files(client: httpx.Client) -> None:
    shown = client.get("/api/v1/budgets/file:declared").json()
    assert (shown["owner"], shown["declared_in"]) == ("file", "interchange.yaml:15")
    again = {"name": "declared", "scope": {"tenant": "default"}, "period": "day", "limit_usd": 1}
    for refused in (
        client.post("/api/v1/budgets", json=again),
        client.put("/api/v1/budgets/file:declared", json=again),
        client.delete("/api/v1/budgets/file:declared"),
    ):
        assert refused.status_code == 409
        assert refused.json()["error"]["code"] == "owned_by_file"


def test_a_new_hard_budget_refuses_the_next_request_and_says_everything(client: httpx.Client) -> None:
    assert ask(client, "soon-poor").status_code == 200
    made = make(client, "soon-poor", **SPENT)

    refused = ask(client, "soon-poor")

    assert refused.status_code == 402
    error = refused.json()["error"]
    assert error["type"] == "budget_error"
    assert "soon-poor" in error["message"] and "money@acme.example" in error["message"]
    details = error["details"]
    told = (details["budget_id"], details["limit_usd"], details["spent_usd"])
    assert told == (made["budget_id"], "0.001", "0")
    assert details["scope"] == "tenant=default, agent=soon-poor"
    assert float(details["needed_usd"]) > 0.001 and float(details["held_usd"]) == 0
    assert details["resets_at"].endswith("T00:00:00Z") and details["period"] == "month"
    assert details["contact"] == "money@acme.example"
    raised = {"name": "soon-poor", "scope": made["scope"], **SPENT, "limit_usd": 5}
    client.put(f"/api/v1/budgets/{made['budget_id']}", json=raised)
    assert ask(client, "soon-poor").status_code == 200


def test_a_refusal_has_the_shape_of_the_callers_family(client: httpx.Client) -> None:
    make(client, "shapes", **SPENT)
    agent = {"x-interchange-agent-id": "shapes"}
    hello = [{"role": "user", "content": "hello"}]

    messages = client.post(
        "/v1/messages", json={"model": "assistant", "max_tokens": 64, "messages": hello}, headers=agent
    )
    gemini = client.post(
        "/v1beta/models/assistant:generateContent",
        json={"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
        headers=agent,
    )
    streamed = ask(client, "shapes", stream=True)
    complete = client.post(
        "/api/v1/llm/complete",
        json={
            "model_requirements": {"capabilities": ["text"]},
            "request": {"prompt": "hello", "max_tokens": 64},
            "context": {"agent_id": "shapes", "tenant_id": "default"},
        },
    )

    assert {a.status_code for a in (messages, gemini, streamed, complete)} == {402}
    assert messages.json()["type"] == "error"
    assert messages.json()["error"]["type"] == "billing_error"
    assert "shapes" in gemini.json()["error"]["message"]
    assert streamed.json()["error"]["code"] == complete.json()["error"]["code"] == "budget_exceeded"


def test_each_agent_has_its_own(client: httpx.Client) -> None:
    session = {"name": "per-session", "scope": {"tenant": "default", "session": "*"}, "period": "total"}
    made = client.post("/api/v1/budgets", json={**session, "limit_usd": "0.2", "hard": True}).json()

    def in_session(name: str) -> int:
        body = {"model": "assistant", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"x-interchange-session-id": name}
        return client.post("/v1/chat/completions", json=body, headers=headers).status_code

    while (status := in_session("first")) == 200:
        continue
    assert status == 402
    assert in_session("second") == 200
    assert ask(client).status_code == 200
    subjects = {account["subject"] for account in accounts(client, made)}
    assert {"session=first", "session=second"} <= subjects
    client.delete(f"/api/v1/budgets/{made['budget_id']}")


def test_near_its_end_a_budget_moves_requests_to_a_cheaper_route_and_alerts_once(
    stack: Stack, client: httpx.Client
) -> None:
    def used() -> str:
        answer = ask(client, "spender")
        assert answer.status_code == 200
        return answer.headers["x-interchange-model"]

    assert used() == "large"
    eventually(lambda: used() == "small")

    alerts = eventually(lambda: outbox(stack, "thrift"))
    assert {alert["threshold"] for alert in alerts} <= {0.5, 1.0}
    assert len(alerts) == len({alert["threshold"] for alert in alerts})
    first = min(alerts, key=lambda alert: float(alert["threshold"]))
    assert (first["tenant_id"], first["period"], first["budget_limit"]) == ("default", "total", 0.02)
    assert first["current_spend"] >= 0.01 and first["utilization_percentage"] >= 50
    assert first["timestamp"].endswith("Z")


def outbox(stack: Stack, budget: str) -> list[dict[str, Any]]:
    with sqlite3.connect(stack.data_dir / "interchange.db") as database:
        rows = database.execute("SELECT payload FROM outbox WHERE topic = 'cost.budget_alert'").fetchall()
    told = [json.loads(payload) for (payload,) in rows]
    return [alert for alert in told if alert["budget_name"] == budget]


def test_a_key_can_be_made_with_a_budget_and_knows_what_is_left(stack: Stack, client: httpx.Client) -> None:
    made = new_key(client, name="bounded", budget={"limit_usd": "0.5"})
    budget = client.get(f"/api/v1/budgets/{made['budget_id']}").json()
    assert budget["scope"] == {"tenant": "default", "key": made["key_id"]}
    assert (budget["hard"], budget["period"]) == (True, "month")

    with with_key(stack, made["key"]) as mine:
        before = DOCUMENT.check(mine.get("/api/v1/key")).json()["data"]
        assert (before["limit"], before["limit_remaining"]) == (0.5, 0.5)
        assert ask(mine).status_code == 200

        def lower() -> dict[str, Any] | None:
            ask(mine)  # again, and whatever comes of it: a month may just have begun
            key: dict[str, Any] = mine.get("/api/v1/key").json()["data"]
            return key if key["limit_remaining"] < 0.5 else None

        after = eventually(lower)
    assert after is not None
    assert after["budget"]["hard"] is True and after["limit_reset"] is not None
    assert float(after["budget"]["spent_usd"]) == pytest.approx(0.5 - after["limit_remaining"])


def test_a_check_tells_what_concerns_somebody(client: httpx.Client) -> None:
    found = client.post("/api/v1/budgets/check", json={"agent": "declared", "model": "large"}).json()[
        "budgets"
    ]
    assert [one["budget"]["name"] for one in found] == ["declared"]
    assert found[0]["account"]["limit_usd"] == "1"
    assert client.post("/api/v1/budgets/check", json={"agent": "nobody"}).json() == {"budgets": []}


def test_nothing_is_unresolved_and_nothing_can_be_resolved(client: httpx.Client) -> None:
    assert client.get("/api/v1/budgets/unresolved").json() == {"unresolved": []}
    body = {"attempt_id": "req_none.0", "cost_usd": "0.1"}
    assert client.post("/api/v1/budgets/unresolved/resolve", json=body).status_code == 404
    bad = client.post("/api/v1/budgets/unresolved/resolve", json={**body, "cost_usd": "much"})
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "cost_usd")


def test_tenants_do_not_see_each_others_budgets(stack: Stack, client: httpx.Client) -> None:
    admin = new_key(client, tenant_id="beta", role="admin")
    agent = new_key(client, tenant_id="beta", role="agent")
    mine = make(client, "secret")
    with with_key(stack, agent["key"]) as nobody:
        assert nobody.get("/api/v1/budgets").status_code == 403
    with with_key(stack, admin["key"]) as theirs:
        assert theirs.get("/api/v1/budgets").json() == {"budgets": []}
        for path in ("", "/accounts"):
            assert theirs.get(f"/api/v1/budgets/{mine['budget_id']}{path}").status_code == 404
        body = {"name": "b", "scope": {"agent": "*"}, "period": "day", "limit_usd": 1}
        assert theirs.post("/api/v1/budgets", json=body).status_code == 403
        body["scope"] = {"tenant": "default"}
        assert theirs.post("/api/v1/budgets", json=body).status_code == 403
        body["scope"] = {"tenant": "beta"}
        assert theirs.post("/api/v1/budgets", json=body).status_code == 201
        assert theirs.get("/api/v1/budgets?tenant_id=default").status_code == 403
        for path in ("budgets", "budgets/unresolved", f"budgets/{mine['budget_id']}/accounts", "stops"):
            misspelt = theirs.get(f"/api/v1/{path}?tenant=default")
            assert (misspelt.status_code, misspelt.json()["error"]["param"]) == (400, "tenant")
        assert theirs.post("/api/v1/budgets/check", json={"tenant": "default"}).status_code == 403


def test_metrics_and_health_tell_of_budgets_without_subjects(client: httpx.Client) -> None:
    make(client, "watched", **SPENT)
    assert ask(client, "watched").status_code == 402

    told = 'interchange_budget_refusals_total{budget="watched",tenant="default"} 1'
    assert eventually(lambda: told in client.get("/metrics").text, within_s=20)
    page = client.get("/metrics").text
    health = client.get("/health").json()
    assert "interchange_ledger_reachable{} 1" in page
    assert "agent=" not in page and "session=" not in page
    assert health["ledger"] == "ok" and health["budgets"]["hard"] >= 1


def test_a_limit_lowered_in_the_file_acts_and_a_name_taken_by_the_api_is_refused(tmp_path: Path) -> None:
    with Stack(tmp_path / "data", CONFIG) as stack, stack.client() as client:
        file = stack.data_dir / "interchange.yaml"
        good = file.read_text()
        assert ask(client, "declared").status_code == 200

        file.write_text(good.replace("period: day, limit_usd: 1,", "period: day, limit_usd: 0.0001,"))
        eventually(lambda: ask(client, "declared").status_code == 402)

        make(client, "mine")
        file.write_text(good.replace("name: thrift", "name: mine"))
        told = eventually(lambda: client.get("/api/v1/config").json()["reload"]["problems"])
        assert "'mine' is declared in the file and also made through the API" in told[0]
        assert ask(client, "declared").status_code == 402

        file.write_text(good)
        eventually(lambda: ask(client, "declared").status_code == 200)


def test_a_budget_survives_a_restart_and_clashes_with_the_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Stack(tmp_path, CONFIG) as stack, stack.client() as client:
        made = make(client, "kept", **SPENT)
    with Stack(tmp_path, CONFIG) as stack, stack.client() as client:
        assert ask(client, "kept").status_code == 402

    clash = CONFIG.replace("name: thrift", "name: kept")
    with pytest.raises(FatalError), Stack(tmp_path, clash) as stack:
        pass
    assert f"'kept' is declared in the file and also made through the API ({made['budget_id']}" in caplog.text
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(tmp_path))
    checked = CliRunner().invoke(
        interchange, ["config", "check", "--config", str(tmp_path / "interchange.yaml")]
    )
    assert checked.exit_code == 1 and "'kept' is declared in the file" in checked.output
    # The stores can be put right while no server runs, whatever the file says.
    command("delete", made["budget_id"], "--config", str(tmp_path / "interchange.yaml"))
    with Stack(tmp_path, clash):
        pass


def test_the_command_line_works_on_the_stores_and_the_server_follows(
    stack: Stack, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(stack.data_dir))
    monkeypatch.setenv("INTERCHANGE_CONFIG", str(stack.data_dir / "interchange.yaml"))
    scope = ("--scope", "tenant=default", "--scope", "agent=by-hand")
    limit = ("--limit", "0.0001", "--period", "day", "--hard")

    made = command("set", "by-hand", *limit, *scope, "--json")
    eventually(lambda: ask(client, "by-hand").status_code == 402)
    listed = command("list", "--url", stack.url, "--key", stack.key)
    shown = command("show", "by-hand", "--url", stack.url, "--key", stack.key, "--json")
    spent = CliRunner().invoke(interchange, ["budget", "check", "--agent", "by-hand"])
    raised = command("set", "by-hand", "--limit", "5", "--url", stack.url, "--key", stack.key)

    assert json.loads(shown)["budget_id"] == json.loads(made)["budget_id"]
    assert "by-hand" in listed and "interchange.yaml:15" in listed
    assert spent.exit_code == 0 and "$0.0001" in spent.output
    assert "changed" in raised and ask(client, "by-hand").status_code == 200
    assert "is removed" in command("delete", "by-hand")
    assert command("unresolved") == "no unresolved charges\n"


def command(*arguments: str) -> str:
    result = CliRunner().invoke(interchange, ["budget", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout
