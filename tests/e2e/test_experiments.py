"""Experiments from outside: who gets which arm, what it shows, guardrails, promotion, both owners."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from entrypoints import experimenting
from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.page_visits import Visit
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import CONFIG, eventually, simulate

PATH = "/api/v1/experiments"
CONFIGURED = (
    CONFIG + "  declared-route: {targets: [alpha/small], retries: 0}\n"
    # So that what is kept is kept from the first request on, and not from the next look at the routes on.
    "  keeps: {targets: [alpha/small], cache: {mode: exact}}\n"
    "experiments:\n"
    "  - name: declared\n"
    "    route: declared-route\n"
    "    arms: [{name: now, route: declared-route}, {name: other, route: assistant-translated-first}]\n"
    "    guardrails: [{metric: errors, worse_by: 0.1}]\n"
    "    min_samples: 20\n"
)
DOCUMENT = Document()
USERS = [f"user-{number}" for number in range(80)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Guardrails are looked at so often that nobody waits for the next look."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(experimenting, "LOOK_EVERY_S", 1.0)
        with Stack(tmp_path_factory.mktemp("data"), CONFIGURED) as running:
            fault = {"kind": "status", "status": 500}
            simulate(running, lambda: running.simulator.fault(fault, match={"model": "fail-500"}))
            yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {stack.key}"}
    hooks = {"response": [documented]}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=20, event_hooks=hooks) as http:
        for name, target in (("tried", "alpha/small"), ("tried-other", "beta/small")):
            made = http.put(f"/api/v1/routes/{name}", json={"targets": [target], "retries": 0})
            assert made.status_code in (200, 201), made.text
        yield http
        for experiment in http.get(PATH).json()["experiments"]:
            if experiment["owner"] == "api":
                http.post(f"{PATH}/{experiment['experiment_id']}/stop")
                http.delete(f"{PATH}/{experiment['experiment_id']}")


def documented(answer: httpx.Response) -> None:
    answer.read()
    if answer.request.url.path.startswith(PATH):
        DOCUMENT.check(answer)


def made(client: httpx.Client, name: str, other: str, **said: Any) -> str:
    """A running experiment of two arms on the route `tried`."""
    body = {
        "name": name,
        "route": "tried",
        "arms": [{"name": "now", "route": "tried"}, {"name": "other", "route": other}],
        "metric": "errors",
        "min_samples": 20,
        "salt": "always the same",
        **said,
    }
    answer = client.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    experiment_id = str(answer.json()["experiment_id"])
    started = client.post(f"{PATH}/{experiment_id}/start")
    assert started.status_code == 200, started.text
    return experiment_id


def ask(client: httpx.Client, user: str, route: str = "tried") -> httpx.Response:
    body = {"model": route, "max_tokens": 900, "messages": [{"role": "user", "content": "hi"}]}
    return client.post(
        "/v1/chat/completions", json=body, headers={"x-interchange-user-id": user} if user else {}
    )


def results(client: httpx.Client, experiment_id: str, requests: int) -> dict[str, Any]:
    """As soon as so many requests were counted."""
    found: dict[str, Any] = {}

    def there() -> bool:
        found.update(client.get(f"{PATH}/{experiment_id}").json())
        counted: int = sum(arm["requests"] for arm in found["results"]["arms"])
        return counted >= requests

    assert eventually(there, within_s=20), found
    return found


def test_what_an_arm_can_never_answer_is_answered_by_the_route_as_it_is(client: httpx.Client) -> None:
    assert client.put("/api/v1/routes/embeds", json={"targets": ["alpha/embed"]}).is_success
    experiment_id = made(client, "never", "embeds")

    answers = [ask(client, user) for user in USERS[:12]]

    assert {answer.status_code for answer in answers} == {200}
    last = f"/api/v1/requests/{answers[-1].headers['x-request-id']}"
    assert eventually(lambda: client.get(last).is_success)
    assert [arm["requests"] for arm in client.get(f"{PATH}/{experiment_id}").json()["results"]["arms"]] == [
        0,
        0,
    ]


def test_users_keep_their_arm_and_results_tell_of_both(client: httpx.Client) -> None:
    experiment_id = made(client, "sticky", "tried-other")

    providers = {user: ask(client, user).headers["x-interchange-provider"] for user in USERS}
    again = {user: ask(client, user).headers["x-interchange-provider"] for user in USERS}
    nobody = ask(client, "")

    assert providers == again
    assert set(providers.values()) == {"alpha", "beta"}
    assert nobody.headers["x-interchange-provider"] == "alpha"
    found = results(client, experiment_id, 2 * len(USERS))
    arms = {arm["name"]: arm for arm in found["results"]["arms"]}
    assert arms["now"]["units"] == list(providers.values()).count("alpha")
    assert arms["other"]["units"] == list(providers.values()).count("beta")
    assert arms["now"]["requests"] + arms["other"]["requests"] == 2 * len(USERS)
    assert arms["other"]["metrics"]["cost"]["mean"] > 0
    assert found["results"]["decision"] in ("keep_going", "no_difference")
    row = client.get("/api/v1/requests", params={"user_id": USERS[0], "limit": 1}).json()["requests"][0]
    assert (row["experiment"], row["route"]) == (experiment_id, "tried")
    assert row["arm"] == ("now" if providers[USERS[0]] == "alpha" else "other")


def test_a_guardrail_stops_a_failing_arm_and_its_users_are_answered_by_control(
    client: httpx.Client,
) -> None:
    rule = [{"metric": "errors", "worse_by": 0.05}]
    experiment_id = made(client, "failing", "beta-fail-500", guardrails=rule)
    statuses = {user: ask(client, user).status_code for user in USERS}
    assert set(statuses.values()) == {200, 502}

    eventually(
        lambda: client.get(f"{PATH}/{experiment_id}").json()["arms"][1]["stopped_at"] is not None,
        within_s=60,
    )

    found = client.get(f"{PATH}/{experiment_id}").json()
    assert "worse by at least" in found["arms"][1]["stopped_because"]
    assert found["results"]["decision"] == "stopped_by_guardrail"
    assert {ask(client, user).status_code for user in USERS} == {200}
    assert eventually(
        lambda: experiment_id in client.get("/api/v1/events", params={"types": "experiment.stopped"}).text,
        within_s=20,
    )


def test_a_better_arm_is_found_and_promoted(client: httpx.Client) -> None:
    made_route = client.put("/api/v1/routes/tried", json={"targets": ["alpha/fail-500"], "retries": 0})
    assert made_route.status_code == 200
    experiment_id = made(client, "better", "tried-other")
    for user in USERS:
        ask(client, user)
    found = results(client, experiment_id, len(USERS))
    assert (found["results"]["decision"], found["results"]["winner"]) == ("better", "other")
    assert found["results"]["decision_text"].startswith("other is better")

    promoted = client.post(f"{PATH}/{experiment_id}/promote", json={"arm": "other"})

    assert promoted.status_code == 200, promoted.text
    assert (promoted.json()["status"], promoted.json()["promoted"]) == ("promoted", "other")
    assert client.get("/api/v1/routes/tried").json()["route"]["targets"] == [
        client.get("/api/v1/routes/tried-other").json()["route"]["targets"][0]
    ]
    assert {ask(client, user).status_code for user in USERS[:20]} == {200}


def test_what_the_file_declares_is_the_files(client: httpx.Client) -> None:
    (declared,) = [each for each in client.get(PATH).json()["experiments"] if each["owner"] == "file"]
    assert declared["declared_in"].startswith("interchange.yaml:")
    one = f"{PATH}/{declared['experiment_id']}"
    for act in ("start", "stop"):
        refused = client.post(f"{one}/{act}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "owned_by_file")
    providers = {ask(client, user, "declared-route").headers["x-interchange-provider"] for user in USERS[:30]}
    assert providers == {"alpha", "beta"}
    results(client, declared["experiment_id"], 30)


def test_a_route_of_the_file_is_promoted_in_the_file(client: httpx.Client) -> None:
    experiment_id = made(
        client,
        "of a file's route",
        "tried-other",
        route="assistant",
        arms=[{"name": "now", "route": "assistant"}, {"name": "other", "route": "tried-other"}],
    )
    refused = client.post(f"{PATH}/{experiment_id}/promote", json={"arm": "other"})
    assert refused.status_code == 409
    assert "give `routes.assistant` there what `routes.tried-other` says" in refused.text


def test_two_on_one_route_and_wrong_arms_are_refused(client: httpx.Client) -> None:
    made(client, "first", "tried-other")
    arms = [{"name": "a", "route": "tried"}, {"name": "b", "route": "tried-other"}]
    second = client.post(PATH, json={"name": "second", "route": "tried", "arms": arms}).json()
    refused = client.post(f"{PATH}/{second['experiment_id']}/start")
    assert (refused.status_code, refused.json()["error"]["param"]) == (409, "route")
    arms[1]["route"] = "nowhere"
    wrong = client.post(PATH, json={"name": "third", "route": "tried", "arms": arms})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "arms.1.route")


def test_a_viewer_looks_and_changes_nothing(stack: Stack, client: httpx.Client) -> None:
    experiment_id = made(client, "seen", "tried-other")
    with with_key(stack, new_key(client, role="viewer")["key"]) as viewer:
        assert viewer.get(f"{PATH}/{experiment_id}").status_code == 200
        assert viewer.post(f"{PATH}/{experiment_id}/stop").status_code == 403


def test_usage_can_be_summed_by_arm(client: httpx.Client) -> None:
    experiment_id = made(client, "sums", "tried-other")
    for user in USERS[:20]:
        ask(client, user)
    results(client, experiment_id, 20)
    rows = client.get("/api/v1/usage", params={"group_by": "experiment,arm"}).json()["rows"]
    mine = {row["arm"]: row["requests"] for row in rows if row["experiment"] == experiment_id}
    assert sum(mine.values()) == 20
    assert set(mine) == {"now", "other"}


def test_the_command_line_does_the_same(stack: Stack, client: httpx.Client) -> None:
    server = ["--url", stack.url, "--key", stack.key]
    run = CliRunner().invoke
    done = run(
        interchange,
        ["experiment", "create", "by hand", "--route", "tried", "--arm", "now=tried", "--arm",
         "other=tried-other:3", "--guardrail", "errors=0.1", "--start", *server],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    listed = run(interchange, ["experiment", "list", *server])
    assert "by hand" in listed.output
    assert "running" in listed.output
    shown = json.loads(run(interchange, ["experiment", "show", "by hand", "--json", *server]).output)
    assert [arm["weight"] for arm in shown["arms"]] == [1, 3]
    assert "Keep going" in run(interchange, ["experiment", "show", "by hand", *server]).output
    assert run(interchange, ["experiment", "stop", "by hand", *server]).exit_code == 0
    assert run(interchange, ["experiment", "start", "by hand", *server]).exit_code == 0
    promoted = run(interchange, ["experiment", "promote", "by hand", "other", *server])
    assert promoted.exit_code == 0, promoted.output
    assert run(interchange, ["experiment", "delete", "by hand", *server]).exit_code == 0
    assert run(interchange, ["experiment", "show", "by hand", *server]).exit_code == 1


def test_people_make_start_and_promote_on_the_page(stack: Stack, client: httpx.Client) -> None:
    with Visit(stack, stack.key) as owner:
        assert "declared" in owner.look("experiments")
        said = {"name": "by form", "route": "tried", "unit": "user", "metric": "errors", "min_samples": "20"}
        assert "arms.1.route" in owner.refused(
            "experiments/create", **said, arms="now = tried\nother = nowhere", guardrails=""
        )
        owner.done(
            "experiments/create", **said, arms="now = tried\nother = tried-other * 2", guardrails="errors 0.1"
        )
        (one,) = [each for each in client.get(PATH).json()["experiments"] if each["name"] == "by form"]
        experiment_id = one["experiment_id"]
        assert [arm["weight"] for arm in one["arms"]] == [1, 2]
        owner.done("experiments/start", experiment_id=experiment_id)
        page = owner.look(f"experiments/{experiment_id}")
        assert "Keep going" in page
        assert "errors at most 10 points worse" in page
        owner.done("experiments/stop", experiment_id=experiment_id)
        owner.done("experiments/promote", experiment_id=experiment_id, arm="other")
        assert client.get(f"{PATH}/{experiment_id}").json()["promoted"] == "other"
        owner.done("experiments/remove", experiment_id=experiment_id)


def test_the_page_of_a_declared_experiment_says_where_to_change_it(
    stack: Stack, client: httpx.Client
) -> None:
    (declared,) = [each for each in client.get(PATH).json()["experiments"] if each["owner"] == "file"]
    with Visit(stack, stack.key) as owner:
        page = owner.look(f"experiments/{declared['experiment_id']}")
    assert "change it there" in page
    assert 'action="/ui/experiments/stop"' not in page


def test_arms_keep_their_answers_apart(client: httpx.Client) -> None:
    cached = {"targets": ["alpha/small"], "retries": 0, "cache": {"mode": "exact"}}
    assert client.put("/api/v1/routes/tried", json=cached).status_code == 200
    made(client, "kept apart", "tried-other")
    first = {user: ask(client, user).headers for user in USERS[:30]}
    again = {user: ask(client, user).headers for user in USERS[:30]}
    for user, headers in again.items():
        assert headers["x-interchange-cache"].startswith("hit")
        assert headers["x-interchange-provider"] == first[user]["x-interchange-provider"]
    assert len({headers["x-interchange-cache-key"] for headers in again.values()}) == 2


def test_a_session_that_was_under_way_stays_with_the_route_as_it_is(client: httpx.Client) -> None:
    def said(session: str, user: str) -> str:
        answer = client.post(
            "/v1/chat/completions",
            json={"model": "tried", "max_tokens": 20, "messages": [{"role": "user", "content": "hi"}]},
            headers={"x-interchange-user-id": user, "x-interchange-session-id": session},
        )
        return str(answer.headers["x-interchange-provider"])

    two = ["alpha/small", "alpha/ctx40"]  # a conversation is remembered where there is a choice of targets
    assert client.put("/api/v1/routes/tried", json={"targets": two, "retries": 0}).status_code == 200
    before = {user: said(f"old {user}", user) for user in USERS[:20]}
    assert set(before.values()) == {"alpha"}
    made(client, "underway", "tried-other")
    assert {said(f"old {user}", user) for user in USERS[:20]} == {"alpha"}
    assert {said(f"new {user}", user) for user in USERS[:20]} == {"alpha", "beta"}


def test_what_the_file_says_now_is_in_force_without_a_restart(tmp_path: Path) -> None:
    with Stack(tmp_path / "data", CONFIGURED) as running:
        headers = {"authorization": f"Bearer {running.key}"}
        with httpx.Client(base_url=running.url, headers=headers, timeout=20) as client:
            (before,) = client.get(PATH).json()["experiments"]
            assert before["status"] == "running"
            file = running.data_dir / "interchange.yaml"
            text = file.read_text()
            file.write_text(
                text.replace("    min_samples: 20\n", "    min_samples: 20\n    status: stopped\n")
            )

            def stopped() -> bool:
                (now,) = client.get(PATH).json()["experiments"]
                return bool(now["status"] == "stopped")

            assert eventually(stopped, within_s=20)
            providers = {
                ask(client, user, "declared-route").headers["x-interchange-provider"] for user in USERS[:20]
            }
            assert providers == {"alpha"}
            (now,) = client.get(PATH).json()["experiments"]
            assert now["experiment_id"] == before["experiment_id"]
