"""Costs, forecasts, advice, budgets, limits and users at `/ui`: seen as people see them, changed by forms."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks.recommendation_replay import CONFIG, replay
from tests.e2e import kept_responses_world
from tests.e2e.page_visits import Visit
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually
from tests.thorough import THOROUGH

PAGES = ("costs", "forecast", "recommendations", "budgets", "limits", "users")
DIMENSIONS = ("model", "agent", "key", "credential")
TIMES = ("24 hours", "7 days", "30 days", "90 days", "last month", "this year")
BUCKETS = ("hour", "day", "month")
OBJECTS = """
budgets:
  - {name: everything, scope: {tenant: default}, period: month, limit_usd: 900, hard: true}
  - {name: agents, scope: {tenant: default, agent: "*"}, period: day, limit_usd: 5}
rate_limits:
  - {name: each-key, scope: {tenant: default, key: "*"}, per: minute, requests: 100000}
"""
BUDGETS = "\nbudgets: [{name: rich, scope: {agent: rich}, period: month, limit_usd: 50, hard: true}]\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("money"), CONFIG + OBJECTS) as running:
        replay(running, 60, seed=5)
        yield running


@pytest.fixture(scope="module")
def api(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


@pytest.fixture(scope="module")
def owner(stack: Stack) -> Iterator[Visit]:
    with Visit(stack, stack.key) as visit:
        yield visit


@pytest.fixture(scope="module")
def viewer(stack: Stack, api: httpx.Client) -> Iterator[Visit]:
    made = api.post("/api/v1/keys", json={"tenant_id": "default", "name": "viewer", "role": "viewer"})
    with Visit(stack, made.json()["key"]) as visit:
        yield visit


@pytest.fixture(scope="module")
def unused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("unused"), kept_responses_world.CONFIG + BUDGETS) as running:
        yield running


def exported(visit: Visit, page: str, table: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = visit.get(page, export=table, **{**query, "as": "json"}).json()
    return found


def until(found: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + 20
    while not (value := found()):
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.1)
    return value


def test_costs_agree_with_the_usage_of_the_api(owner: Visit, api: httpx.Client) -> None:
    # Rows reach the database in groups, a little later: also between these two questions.
    def agreed() -> list[Any]:
        rows = exported(owner, "costs", "groups", by="model", time="24 hours")
        told = api.get("/api/v1/usage", params={"by": "model"}).json()["rows"]
        shown = {row["group"]: row["cost_nano_usd"] for row in rows}
        return rows if shown == {row["model"]: row["cost_nano_usd"] for row in told} else []

    rows = eventually(agreed)
    assert sum(row["share"] for row in rows) == pytest.approx(1)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("by", DIMENSIONS)
def test_costs_can_be_told_by_any_dimension_and_time(owner: Visit, by: str, time: str) -> None:
    # In turns, so that each dimension and each time is told in every size of steps.
    turn = (DIMENSIONS.index(by) + TIMES.index(time)) % len(BUCKETS)
    for bucket in BUCKETS if THOROUGH else BUCKETS[turn : turn + 1]:
        owner.look("costs", by=by, time=time, bucket=bucket)


def test_a_group_without_a_name_is_on_the_chart_too(owner: Visit) -> None:
    page = owner.look("costs", by="agent", time="24 hours", model="large")

    assert "(no agent)" in page and "no agent</span>" not in page and "all others" not in page
    assert '"titles": ["no agent"' in page


def test_a_filter_on_costs_keeps_its_own_requests_only(owner: Visit) -> None:
    rows = exported(owner, "costs", "groups", by="model", time="7 days", model="small")

    assert [row["group"] for row in rows] == ["small"]
    assert 'name="model" value="large"' in owner.look("costs", model="large", time="7 days")


def test_savings_are_told_by_part_and_add_up(owner: Visit, api: httpx.Client) -> None:
    page = owner.look("costs", time="7 days")
    parts = exported(owner, "costs", "savings", time="7 days")
    saved = api.get("/api/v1/analytics/savings").json()["saved"]

    assert "On alpha/large" in page and "No baseline is declared" not in page
    assert {part["part"] for part in parts} == {"Routing", "Caching", "Coalescing", "Prompt caching"}
    assert sum(float(part["expected_usd"]) for part in parts) == pytest.approx(float(saved["expected_usd"]))


def test_every_export_of_costs_can_be_taken(owner: Visit, stack: Stack, api: httpx.Client) -> None:
    page = owner.look("costs", time="7 days")
    links = [part.partition('"')[0].replace("&amp;", "&") for part in page.split('href="/api/v1/usage?')[1:]]

    assert len(links) == 5
    for link in links:
        answer = api.get(f"/api/v1/usage?{link}")
        assert answer.status_code == 200 and answer.content, answer.text


def test_a_forecast_is_drawn_and_says_what_keeps_it_from_being_sure(owner: Visit) -> None:
    for metric in ("cost", "requests", "tokens"):
        page = owner.look("forecast", metric=metric, by="model", days="7")
        assert "What keeps this from being sure" in page
    assert "Nothing left what is usual" in owner.look("forecast")


def test_advice_is_accepted_dismissed_and_opened_again_by_forms(owner: Visit, api: httpx.Client) -> None:
    assert "done=refresh" in owner.done("recommendations/refresh")
    advice = api.get("/api/v1/analytics/recommendations").json()["recommendations"][0]
    known = {"optimization_id": advice["optimization_id"]}

    for act, status in (("dismiss", "dismissed"), ("accept", "accepted"), ("reopen", "open")):
        page = owner.look("recommendations", status="any")
        assert advice["sentence"].replace("'", "&#39;") in page
        owner.done(f"recommendations/{act}", **known, status=status)
        now = api.get("/api/v1/analytics/recommendations").json()["recommendations"]
        assert [one["status"] for one in now if one["optimization_id"] == advice["optimization_id"]] == [
            status
        ]


def test_a_budget_is_made_changed_and_removed_by_forms(owner: Visit, api: httpx.Client) -> None:
    said = {"scope__tenant": "default", "scope__agent": "*", "period": "day", "hard": "1", "time_zone": "UTC"}
    more = {"alert_at": "[0.5, 0.9]", "on_threshold__at": "0.8", "on_threshold__route": "work"}
    owner.done("budgets/create", name="by hand", limit_usd="2.5", **said, **more)
    (made,) = [one for one in api.get("/api/v1/budgets").json()["budgets"] if one["name"] == "by hand"]

    assert made["scope"] == {"tenant": "default", "agent": "*"} and made["hard"] is True
    assert made["alert_at"] == [0.5, 0.9] and made["on_threshold"] == {"at": 0.8, "route": "work"}
    page = owner.look(f"budgets/{made['budget_id']}")
    assert 'value="2.5"' in page and 'name="scope.agent" value="*"' in page

    known = {"budget_id": made["budget_id"], "_item": made["budget_id"]}
    place = owner.done("budgets/change", **known, name="by hand", limit_usd="3.75", **said)
    changed = api.get(f"/api/v1/budgets/{made['budget_id']}").json()
    assert place == f"/ui/budgets/{made['budget_id']}?done=change"
    assert (changed["limit_usd"], changed["on_threshold"]) == ("3.75", None)

    assert owner.done("budgets/remove", **known).startswith("/ui/budgets")
    assert api.get(f"/api/v1/budgets/{made['budget_id']}").status_code == 404


def test_what_is_wrong_with_a_budget_is_told_at_its_form(owner: Visit) -> None:
    told = owner.refused("budgets/create", name="x", limit_usd="much", period="day", scope__tenant="default")

    assert "limit_usd is not an amount" in told


@pytest.mark.parametrize(
    ("place", "line"), [("budgets/file:everything", "budget"), ("limits/file:each-key", "rate limit")]
)
def test_what_the_file_declares_is_read_only_and_says_why(owner: Visit, place: str, line: str) -> None:
    page = owner.look(place)

    assert f"This {line} is declared in interchange.yaml:" in page
    assert 'id="act-change"' not in page and 'id="act-remove"' not in page


def test_a_limit_is_made_changed_and_removed_by_forms(owner: Visit, api: httpx.Client) -> None:
    said = {"name": "calm", "scope__tenant": "default", "scope__agent": "*", "per": "minute"}
    owner.done("limits/create", **said, requests="5000")
    (made,) = [one for one in api.get("/api/v1/limits").json()["limits"] if one["name"] == "calm"]
    known = {"limit_id": made["limit_id"]}

    assert "5,000 requests per minute" in owner.look(f"limits/{made['limit_id']}")
    owner.done("limits/change", **known, **said, requests="6000", tokens="100000")
    changed = api.get(f"/api/v1/limits/{made['limit_id']}").json()
    assert (changed["requests"], changed["tokens"]) == (6000, 100_000)
    owner.done("limits/remove", **known)
    assert api.get(f"/api/v1/limits/{made['limit_id']}").status_code == 404


def test_users_are_the_costliest_first_and_one_of_them_is_told_in_full(stack: Stack, owner: Visit) -> None:
    with stack.client() as client:
        for agent, count in (("planner", 3), ("coder/a b", 1)):
            for _ in range(count):
                body = {
                    "model": "alpha/small",
                    "max_tokens": 9,
                    "messages": [{"role": "user", "content": "a"}],
                }
                client.post(
                    "/v1/chat/completions", json=body, headers={"x-interchange-agent-id": agent}
                ).raise_for_status()

    def all_four() -> list[dict[str, Any]]:
        found = exported(owner, "users", "users", by="agent")
        return found if sum(row["requests"] for row in found if row["agent"]) == 4 else []

    rows = until(all_four)
    named = [row for row in rows if row["agent"]]

    assert [(row["group"], row["requests"]) for row in named] == [("planner", 3), ("coder/a b", 1)]
    assert all(row["last_seen"] for row in named)
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
    page = owner.look("users", by="agent")
    assert "by=agent&amp;time=7+days&amp;of=coder%2Fa%20b" in page and "of the cost: planner" in page

    # Nobody said for which user: so that the first look is not one line without a name.
    first = owner.look("users")
    assert "this is by key" in first and "by=key&amp;time=7+days&amp;of=" in first
    assert "(no user)" in owner.look("users", by="user")

    one = owner.look("users", by="agent", of="coder/a b")
    assert "<h1>Agent coder/a b</h1>" in one and "agent_id=coder%2Fa+b" in one
    assert 'id="chart-cost"' in one and 'name="of" value="coder/a b"' in one
    of_one = {"by": "agent", "of": "planner"}
    [model] = exported(owner, "users", "models", **of_one)
    assert (model["group"], model["requests"], model["share"]) == ("small", 3, 1.0)
    [key] = exported(owner, "users", "keys", **of_one)
    assert key["requests"] == 3
    assert exported(owner, "users", "outcomes", **of_one)[0]["group"]
    assert "Nothing in this time" in owner.look("users", by="agent", of="nobody-of-this-name")


def test_a_viewer_sees_everything_and_is_offered_nothing(viewer: Visit) -> None:
    for page in (*PAGES, "budgets/file:agents", "limits/file:each-key"):
        text = viewer.look(page)
        assert 'method="post" action="/ui/' not in text, page
    assert viewer.send("budgets/create", name="x", limit_usd="1", period="day").status_code == 403


def test_pages_where_nothing_happened_teach_what_to_do(unused: Stack) -> None:
    taught = {
        "costs": ("No baseline is declared", "baseline: openai/gpt-4o"),
        "forecast": ("nothing was used yet",),
        "recommendations": ("Use is looked at once a day",),
        "limits": ("rate_limits:",),
        "users": ("x-interchange-user-id",),
        "budgets": ("Every bill is known",),
    }
    with Visit(unused, unused.key) as visit:
        for page, sentences in taught.items():
            text = visit.look(page)
            assert [each for each in sentences if each not in text] == [], page


def test_a_bill_that_nobody_knows_is_stated_on_the_page(unused: Stack) -> None:
    with (
        kept_responses_world.client_of(unused) as sdk,
        unused.client() as client,
        Visit(unused, unused.key) as visit,
    ):
        sdk.responses.create(
            model="both",
            input="take your time",
            background=True,
            max_output_tokens=50,
            extra_headers={"x-interchange-agent-id": "rich"},
        )
        (charge,) = until(lambda: client.get("/api/v1/budgets/unresolved").json()["unresolved"])
        page = visit.look("budgets")
        assert charge["attempt_id"] in page and 'id="act-settle"' in page

        assert "attempt_id" in visit.refused("budgets/settle", cost_usd="0.01")
        visit.done("budgets/settle", attempt_id=charge["attempt_id"], cost_usd="0.0125")

        (account,) = client.get("/api/v1/budgets/file:rich/accounts").json()["accounts"]
        assert (account["spent_usd"], account["unresolved_usd"]) == ("0.0125", "0")
        assert client.get("/api/v1/budgets/unresolved").json() == {"unresolved": []}


def test_tables_of_these_pages_can_be_exported(owner: Visit) -> None:
    for page, table in (
        ("costs", "not_counted"),
        ("forecast", "days"),
        ("budgets", "budgets"),
        ("limits", "limits"),
    ):
        assert isinstance(json.loads(owner.get(page, export=table, **{"as": "json"}).text), list)
        assert owner.get(page, export=table).headers["content-type"].startswith("text/csv")
