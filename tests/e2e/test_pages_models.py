"""Playground, providers, routes, models, quality, cache and alerts at `/ui`: seen, and changed by forms."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from application.sla import watch
from tests.e2e.page_visits import Visit
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

_PRICE = (
    "{input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4, context_tokens: 128000, max_output_tokens: 4096, "
    "capabilities: [text, streaming]}"
)
CONFIG = f"""
residency: {{home: eu-west, groups: {{eu: [eu-west, eu-central]}}}}
providers:
  alpha:
    kind: openai
    base_url: "{{sim}}/alpha/v1"
    api_key: k
    via: direct
    region: eu-west
    models: {{small: {_PRICE}}}
  beta:
    kind: anthropic
    base_url: "{{sim}}/beta"
    api_key: k
    via: direct
    models: {{small: {_PRICE}}}
routes:
  assistant: {{strategy: priority, targets: [alpha/small, beta/small], retries: 0}}
  faq: {{targets: [alpha/small], cache: {{mode: exact, ttl_s: 3600}}}}
"""
PAGES = ("playground", "providers", "routes", "models", "quality", "cache", "alerts")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(watch, "LOOK_EVERY_S", 0.5)
        with Stack(tmp_path_factory.mktemp("data") / "data", CONFIG) as running:
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


def asked(api: httpx.Client, model: str, text: str = "hello") -> str:
    """A request that is in the usage; its id."""
    answer = api.post("/v1/chat/completions", json={"model": model, "messages": _said(text)})
    assert answer.status_code == 200, answer.text
    request_id = answer.headers["x-request-id"]
    assert eventually(lambda: api.get(f"/api/v1/requests/{request_id}").status_code == 200)
    return request_id


def _said(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_seen_before_anything_happened(owner: Visit, name: str) -> None:
    page = owner.look(name)

    assert "<h1>" in page and "notice warn" not in page


def test_a_prompt_is_planned_looked_up_and_sent(owner: Visit, api: httpx.Client) -> None:
    form = {
        "request__model": "assistant",
        "system": "Be brief.",
        "prompt": "Say <b>hello</b>",
        "request__max_tokens": 20,
        "context__tenant_id": "default",
    }

    plan = owner.done("playground/plan", **form)
    cache = owner.done("playground/cache", **form)
    before = api.get("/api/v1/requests", params={"agent_id": "playground"}).json()["requests"]
    sent = owner.done("playground/send", **form)

    assert "alpha/small would be asked first, then beta/small" in plan and "Estimated cost" in plan
    assert "The cache is off for this route" in cache
    assert before == []
    assert '<h2 id="answer">Answer</h2>' in sent and "Why it went there" in sent
    assert "<b>hello</b>" not in sent and "Say &lt;b&gt;hello&lt;/b&gt;" in sent  # what was written stays
    rows = eventually(
        lambda: api.get("/api/v1/requests", params={"agent_id": "playground"}).json()["requests"]
    )
    assert (rows[0]["route"], rows[0]["output_tokens"] <= 20) == ("assistant", True)
    assert f"/ui/requests/{rows[0]['request_id']}" in sent


def test_what_is_wrong_with_a_prompt_is_told_and_what_was_written_stays(owner: Visit) -> None:
    form = {"request__model": "none-such", "prompt": "keep me", "context__tenant_id": "default"}
    answer = owner.send("playground/send", **form)

    assert answer.status_code == 404 and "keep me" in answer.text and "none-such" in answer.text
    assert "must be a whole number" in owner.refused("playground/plan", **form, request__max_tokens="x")
    assert "tenant" in owner.refused("playground/send", **{**form, "context__tenant_id": "acme"})


def test_a_viewer_cannot_send_a_prompt(viewer: Visit) -> None:
    page = viewer.look("playground")
    form = {"request__model": "auto", "prompt": "hello", "context__tenant_id": "default"}

    assert 'class="primary">Send' not in page and "Your role may not call models" in page
    assert "llm.call" in viewer.refused("playground/send", **form)


def test_a_provider_is_put_into_maintenance_and_released(owner: Visit, api: httpx.Client) -> None:
    def state() -> tuple[str, str | None]:
        rows = {row["provider"]: row for row in api.get("/api/v1/providers/status").json()["providers"]}
        return rows["beta"]["state"], rows["beta"]["forced"]

    assert owner.done("providers/maintenance", name="beta", state="maintenance").endswith("done=maintenance")
    assert state() == ("maintenance", "maintenance")
    page = owner.look("providers")
    assert ">Release</button>" in page and "maintenance" in page
    owner.done("providers/auto", name="beta", state="auto")
    assert state()[1] is None

    owner.done("providers/breaker", name="beta", action="open", _item="beta")
    assert ">open</span>" in owner.look("providers/beta")
    owner.done("providers/reset", name="beta", action="reset")
    assert ">open</span>" not in owner.look("providers/beta")
    assert "is unknown" in owner.refused("providers/state", name="beta", state="asleep", _item="beta")


def test_a_viewer_sees_providers_and_steers_none(viewer: Visit) -> None:
    page = viewer.look("providers")

    assert "alpha" in page and ">Maintenance</button>" not in page
    assert viewer.send("providers/maintenance", name="beta", state="maintenance").status_code == 403


def test_providers_stand_where_they_are(owner: Visit, api: httpx.Client) -> None:
    page = owner.look("providers")
    regions = owner.get("providers", export="regions", **{"as": "json"}).json()

    assert "this installation; in eu" in page
    assert [(row["region"], row["providers"], row["meets"]) for row in regions] == [
        ("eu-west", "alpha", "eu-west, eu"),
        ("not known", "beta", "none: what is not known to be inside is outside"),
    ]
    targets = api.get("/api/v1/providers/status").json()["providers"][0]["targets"]
    assert targets[0]["region"] == "eu-west"


def test_a_route_is_made_changed_and_removed(owner: Visit, api: httpx.Client) -> None:
    body = {"strategy": "cost", "targets": ["alpha/small", {"target": "beta/small", "weight": 2}]}

    assert owner.done("routes/make", name="mine", **{"*": json.dumps(body)}).endswith("done=make")
    assert api.get("/api/v1/routes/mine").json()["route"]["strategy"] == "cost"
    one = owner.look("routes/mine")
    assert "beta/small" in one and "Read only" not in one

    changed = {**body, "strategy": "latency"}
    owner.done("routes/change", name="mine", _item="mine", **{"*": json.dumps(changed)})
    assert api.get("/api/v1/routes/mine").json()["route"]["strategy"] == "latency"
    assert owner.done("routes/remove", name="mine") == "/ui/routes?done=remove"
    assert api.get("/api/v1/routes/mine").status_code == 404


def test_what_a_route_cannot_be_is_told(owner: Visit) -> None:
    assert "must be JSON" in owner.refused("routes/make", name="bad", **{"*": "{"})
    assert "targets" in owner.refused("routes/make", name="bad", **{"*": '{"targets": []}'})


def test_a_route_of_the_file_is_read_only_and_says_where_it_is(owner: Visit) -> None:
    page = owner.look("routes/assistant")
    body = json.dumps({"targets": ["beta/small"]})

    assert "Read only" in page and "interchange.yaml:" in page and "act-change" not in page
    assert owner.send("routes/change", name="assistant", **{"*": body}).status_code == 409
    assert owner.send("routes/remove", name="assistant").status_code == 409


def test_models_show_what_they_cost_and_two_are_compared(owner: Visit, api: httpx.Client) -> None:
    for model in ("alpha/small", "beta/small"):
        for _ in range(3):
            asked(api, model)
    rows = eventually(
        lambda: [
            row
            for row in owner.get("models", export="models", **{"as": "json"}).json()
            if row["name"] == "beta/small" and row["requests"] >= 3
        ]
    )

    compared = owner.look("models", first="alpha/small", second="beta/small")

    assert rows[0]["usd_per_1k_tokens"] > 0 and rows[0]["failed"] == 0
    assert "alpha/small against beta/small" in compared and "nobody can say" in compared
    found = owner.get("models", export="catalogue", q="claude", **{"as": "json"}).json()
    assert found and all("claude" in row["id"] for row in found)
    assert "Used in the last 7 days" in owner.look("models", days="nonsense")


def test_an_answer_is_rated_and_stands_under_its_task(owner: Visit, viewer: Visit, api: httpx.Client) -> None:
    request_id = asked(api, "alpha/small")

    assert (
        "exactly one"
        in owner.refused("quality/feedback", request_id=request_id, rating=4, thumbs="up").lower()
    )
    owner.done("quality/feedback", request_id=request_id, rating=4, comment="short & right")

    page = owner.look("quality")
    assert "short &amp; right" in page and "alpha/small" in page
    assert f'value="{request_id}"' in owner.look("quality", request_id=request_id)
    assert viewer.send("quality/feedback", request_id=request_id, rating=1).status_code == 403


def test_answers_are_seen_warmed_and_taken_out(owner: Visit, viewer: Visit, api: httpx.Client) -> None:
    line = json.dumps({"model": "faq", "messages": _said("What is your return policy?")})
    warmed = owner.done("cache/warm", max_cost_usd="1", lines=line)
    key = api.post("/api/v1/cache/explain", json=json.loads(line)).json()["key"]

    assert "What was kept" in warmed and "kept" in warmed
    asked(api, "faq", "What is your return policy?")
    assert eventually(lambda: "hit-l1" in owner.look("cache"))
    assert "A kept answer" in owner.look(f"cache/{key}")

    assert owner.done("cache/drop", key=key) == "/ui/cache?done=drop"
    assert owner.get(f"cache/{key}").status_code == 404
    owner.done("cache/invalidate", kind="route", value="faq")
    assert "must be one of" in owner.refused("cache/invalidate", kind="nothing", value="faq")
    assert viewer.send("cache/invalidate", kind="everything", value="").status_code == 403


def test_objectives_and_rules_stand_beside_alerts(owner: Visit) -> None:
    page = owner.look("alerts")
    rules = owner.get("alerts", export="rules", **{"as": "json"}).json()
    objectives = owner.get("alerts", export="objectives", **{"as": "json"}).json()

    assert "Error budget left" in page and "Rules in force" in page
    assert {"provider-failures", "latency-p95"} <= {rule["rule"] for rule in rules}
    assert "availability" in {each["name"] for each in objectives}
    assert owner.get("alerts/al_none").status_code == 404


def test_a_part_of_a_page_is_shown_again_by_itself(owner: Visit) -> None:
    for name in ("providers", "cache", "alerts"):
        part = owner.look(name, part="live")
        assert part.lstrip().startswith('<div id="live"') and "<html" not in part


def test_an_alert_is_looked_after_silenced_and_told_again(
    owner: Visit, viewer: Visit, api: httpx.Client
) -> None:
    budget = {"name": "tiny", "scope": {"tenant": "default"}, "period": "total", "limit_usd": "0.00001"}
    made = api.post("/api/v1/budgets", json=budget)
    assert made.status_code == 201, made.text
    asked(api, "alpha/small", "spend a little")
    found = eventually(
        lambda: [
            each
            for each in api.get("/api/v1/alerts").json()["alerts"]
            if each["rule"] == "budget-nearly-spent" and each["state"] == "firing"
        ],
        within_s=15,
    )
    alert_id = found[0]["alert_id"]

    def alert() -> dict[str, Any]:
        shown: dict[str, Any] = api.get(f"/api/v1/alerts/{alert_id}").json()
        return shown

    page = owner.look("alerts")
    assert (
        "A budget is nearly spent" in page and ">firing</span>" in page and ">Look after it</button>" in page
    )
    assert ">Look after it</button>" not in viewer.look("alerts")

    owner.done("alerts/acknowledge", alert_id=alert_id, _item=alert_id)
    assert alert()["acknowledged_by"]
    owner.done("alerts/silence", alert_id=alert_id, for_s=600, reason="we know")
    assert alert()["silence_reason"] == "we know"
    one = owner.look(f"alerts/{alert_id}")
    assert ">End silence</button>" in one and "we know" in one and ">acknowledged</span>" in one
    owner.done("alerts/unsilence", alert_id=alert_id, for_s=0)
    assert alert()["silenced_until"] is None
    assert "for_s" in owner.refused("alerts/silence", alert_id=alert_id, for_s=-1, _item=alert_id)
    assert viewer.send("alerts/silence", alert_id=alert_id, for_s=600).status_code == 403
    api.delete(f"/api/v1/budgets/{made.json()['budget_id']}")
