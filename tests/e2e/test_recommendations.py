"""Advice over the whole server: found, decided about, and true when it is followed."""

from collections.abc import Iterator

import httpx
import pytest

from benchmarks.recommendation_replay import ADVICE, CONFIG, Replayed, replay
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key

DOCUMENT = Document()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def replayed(stack: Stack) -> Replayed:
    """What was claimed of 160 requests, and what came of following it."""
    return replay(stack, 160, seed=3)


@pytest.fixture
def client(stack: Stack, replayed: Replayed) -> Iterator[httpx.Client]:
    """Every JSON answer this client gets is held to the document."""
    hooks = {"response": [lambda answer: (answer.read(), DOCUMENT.check(answer))]}
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        yield http


def test_a_move_that_is_followed_saves_what_was_claimed(replayed: Replayed) -> None:
    low, expected, high = replayed.claimed

    assert low <= replayed.real <= high
    assert replayed.real > 0.8 * replayed.before
    assert abs(replayed.real - expected) < 0.02 * expected


def test_a_decision_stays_when_the_server_looks_again(client: httpx.Client) -> None:
    (move,) = client.get(ADVICE, params={"kind": "move"}).json()["recommendations"]
    decided = client.put(f"{ADVICE}/{move['optimization_id']}", json={"status": "accepted"})
    assert decided.status_code == 200
    again = client.post(f"{ADVICE}/refresh").json()["recommendations"]

    (kept,) = [one for one in again if one["optimization_id"] == move["optimization_id"]]
    # The route has no other target any more, so either its reason is gone, or history still shows it.
    assert kept["status"] in ("accepted", "done")
    assert kept["decided_by"]
    assert client.get(ADVICE, params={"status": "dismissed"}).json() == {"recommendations": []}


def test_what_cannot_be_decided_is_refused(client: httpx.Client) -> None:
    (move,) = client.get(ADVICE, params={"kind": "move"}).json()["recommendations"]
    path = f"{ADVICE}/{move['optimization_id']}"

    for body in ({"status": "done"}, {"status": "maybe"}, {}):
        assert client.put(path, json=body).status_code == 400
    assert client.put(f"{ADVICE}/nothing", json={"status": "dismissed"}).status_code == 404
    assert client.get(ADVICE, params={"kind": "magic"}).status_code == 400
    assert client.get(ADVICE, params={"nothing": "1"}).status_code == 400


def test_another_tenant_sees_and_decides_nothing_of_it(stack: Stack, client: httpx.Client) -> None:
    (move,) = client.get(ADVICE, params={"kind": "move"}).json()["recommendations"]
    other = new_key(client, tenant_id="other", role="admin")
    viewer = new_key(client, role="viewer")

    with with_key(stack, other["key"]) as theirs:
        path = f"{ADVICE}/{move['optimization_id']}"
        assert theirs.get(ADVICE).json() == {"recommendations": []}
        assert theirs.get(ADVICE, params={"tenant_id": "default"}).status_code == 403
        assert theirs.put(path, json={"status": "dismissed"}).status_code == 404
    with with_key(stack, viewer["key"]) as sees:
        assert len(sees.get(ADVICE).json()["recommendations"]) >= 1
        assert sees.post(f"{ADVICE}/refresh").status_code == 403


def test_savings_against_the_baseline_add_up(client: httpx.Client) -> None:
    found = client.get("/api/v1/analytics/savings").json()

    parts = found["parts"]
    assert found["baseline"] == "alpha/large"
    assert found["saved"]["expected_nano_usd"] == (
        found["on_baseline"]["expected_nano_usd"] - found["spent"]["nano_usd"]
    )
    assert found["saved"]["expected_nano_usd"] == parts["routing"]["expected_nano_usd"] + sum(
        parts[name]["nano_usd"] for name in ("caching", "coalescing", "prompt_caching")
    )
    (usage,) = client.get("/api/v1/usage").json()["rows"]
    assert found["spent"]["nano_usd"] == usage["cost_nano_usd"]
    assert found["requests_behind_token_ratios"] > 0
    assert found["saved"]["low_nano_usd"] < found["saved"]["high_nano_usd"]


def test_another_baseline_may_be_asked_for(client: httpx.Client) -> None:
    small = client.get("/api/v1/analytics/savings", params={"baseline": "alpha/small"}).json()

    assert small["saved"]["expected_nano_usd"] < 0, "most was answered by the dear one"
    for wrong in ({"baseline": "alpha/none"}, {"agent_id": "a"}, {"cache": "hit-l1"}, {"bucket": "day"}):
        assert client.get("/api/v1/analytics/savings", params=wrong).status_code == 400


def test_patterns_tell_when_and_who(client: httpx.Client) -> None:
    found = client.get("/api/v1/analytics/patterns", params={"of": "model,route", "top": 1}).json()

    assert sum(hour["requests"] for hour in found["by_hour"]) == found["total"]["requests"]
    assert found["by_weekday"][0]["weekday"] == "monday"
    assert [one["name"] for one in found["leaders"]["model"]["top"]] == ["large"]
    assert found["leaders"]["model"]["names"] == 2
    assert found["trend"] is None
    for wrong in ({"of": "day"}, {"of": "model,model"}, {"top": "0"}, {"from": "2020-01-01"}):
        assert client.get("/api/v1/analytics/patterns", params=wrong).status_code == 400


def test_a_period_is_reported_with_its_savings(client: httpx.Client) -> None:
    asked = client.get("/api/v1/usage", params={"by": "month"}).json()["rows"]
    by_month = {row["month"]: row["requests"] for row in asked}  # two, where one ends while this runs
    (month, *_) = client.get("/api/v1/usage", params={"by": "month", "model": "large"}).json()["rows"]
    found = client.get("/api/v1/analytics/report", params={"period": month["month"]}).json()

    assert (found["month"], found["total"]["requests"]) == (month["month"], by_month[month["month"]])
    assert found["savings"]["requests"] == found["total"]["requests"]
    assert "large" in {row["model"] for row in found["by_model"]}
    assert client.get("/api/v1/analytics/report", params={"period": "2026-13"}).status_code == 400
    last = client.get("/api/v1/analytics/report").json()
    assert last["total"]["requests"] == by_month.get(last["month"], 0)
