"""Shadows from outside: the caller is answered by control, both are billed, and what differs is told."""

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
from tests.e2e.three_wires import CONFIG, eventually, simulate

PATH = "/api/v1/experiments"
CONFIGURED = (
    CONFIG + "  live: {targets: [alpha/small], retries: 0}\n"
    "  mirror: {targets: [beta/small], retries: 0}\n"
    "  hanging: {targets: [beta/ctx40], retries: 0}\n"
    "  declared-route: {targets: [alpha/small], retries: 0}\n"
    "experiments:\n"
    "  - name: declared\n"
    "    route: declared-route\n"
    "    unit: request\n"
    "    arms: [{name: now, route: declared-route}, {name: other, route: mirror, shadow: true, share: 1}]\n"
    "    min_samples: 10\n"
)
DOCUMENT = Document()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Guardrails are looked at so often that nobody waits for the next look."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(experimenting, "LOOK_EVERY_S", 1.0)
        with Stack(tmp_path_factory.mktemp("data"), CONFIGURED) as running:
            failing = {"kind": "status", "status": 500}
            simulate(running, lambda: running.simulator.fault(failing, match={"model": "fail-500"}))
            silent = {"kind": "silence"}
            simulate(running, lambda: running.simulator.fault(silent, match={"model": "ctx40"}))
            yield running


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(
        base_url=stack.url, headers=headers, timeout=20, event_hooks={"response": [documented]}
    ) as http:
        yield http
        for experiment in http.get(PATH).json()["experiments"]:
            if experiment["owner"] == "api":
                http.post(f"{PATH}/{experiment['experiment_id']}/stop")
                http.delete(f"{PATH}/{experiment['experiment_id']}")


def documented(answer: httpx.Response) -> None:
    answer.read()
    if answer.request.url.path.startswith(PATH):
        DOCUMENT.check(answer)


def shadowed(client: httpx.Client, name: str, route: str = "mirror", **said: Any) -> str:
    """A running experiment on the route `live` with one shadow."""
    shadow = {"name": "other", "route": route, "shadow": True, "share": 1.0, "usd_per_day": 5.0}
    body = {
        "name": name,
        "route": "live",
        "arms": [{"name": "now", "route": "live"}, {**shadow, **said.pop("shadow", {})}],
        "unit": "request",
        "min_samples": 10,
        **said,
    }
    made = client.post(PATH, json=body)
    assert made.status_code == 201, made.text
    experiment_id = str(made.json()["experiment_id"])
    started = client.post(f"{PATH}/{experiment_id}/start")
    assert started.status_code == 200, started.text
    return experiment_id


def ask(client: httpx.Client, prompt: str = "hi", route: str = "live", **more: Any) -> httpx.Response:
    body = {"model": route, "max_tokens": 40, "messages": [{"role": "user", "content": prompt}], **more}
    return client.post("/v1/chat/completions", json=body)


def shadow_of(client: httpx.Client, experiment_id: str) -> dict[str, Any]:
    """What is told of the shadow."""
    arms = client.get(f"{PATH}/{experiment_id}").json()["results"]["arms"]
    (found,) = [arm for arm in arms if arm["shadow"]]
    return dict(found)


def compared(client: httpx.Client, experiment_id: str, pairs: int) -> dict[str, Any]:
    """As soon as so many pairs were counted."""
    return eventually(
        lambda: (
            found if (found := shadow_of(client, experiment_id))["requests"] >= pairs else dict[str, Any]()
        )
    )


def metric(client: httpx.Client, name: str) -> float:
    """The value of a line of the metrics page; 0: there is none."""
    for line in client.get("/metrics").text.splitlines():
        if line.startswith((f"{name} ", f"{name}{{}} ")):
            return float(line.rpartition(" ")[2])
    return 0.0


def left_out(client: httpx.Client, why: str) -> float:
    return metric(client, f'interchange_shadow_requests_total{{result="left out: {why}"}}')


def asked_models(stack: Stack, provider: str) -> list[dict[str, Any]]:
    return [one["body"] for one in stack.simulator.requests if one["provider"] == provider]


def test_control_answers_and_the_shadow_is_asked_compared_and_billed(
    stack: Stack, client: httpx.Client
) -> None:
    experiment_id = shadowed(client, "mirrored")
    before = len(asked_models(stack, "beta"))

    answers = [ask(client, f"question {number}") for number in range(12)]

    assert {answer.headers["x-interchange-provider"] for answer in answers} == {"alpha"}
    found = compared(client, experiment_id, 12)
    assert len(asked_models(stack, "beta")) == before + 12
    assert (found["units"], found["requests"]) == (12, 12)
    assert found["metrics"]["cost"]["mean"] > 0
    assert found["control_means"]["cost"] > 0
    assert found["metrics"]["errors"]["mean"] == found["control_means"]["errors"] == 0
    assert found["answers"]["compared"] == 12
    assert 0 <= found["answers"]["words_in_common"] <= 1
    assert found["answers"]["length_ratio"] > 0
    usage = client.get("/api/v1/usage", params={"group_by": "experiment,arm,cache"}).json()["rows"]
    mine = {
        (row["arm"], row["cache"]): row["requests"] for row in usage if row["experiment"] == experiment_id
    }
    assert mine == {("now", "off"): 12, ("other", "shadow"): 12}
    costs = [row["cost_usd"] for row in usage if row["experiment"] == experiment_id]
    assert all(float(cost) > 0 for cost in costs)


def test_a_stream_is_relayed_and_its_shadow_is_asked_whole(stack: Stack, client: httpx.Client) -> None:
    experiment_id = shadowed(client, "streamed")

    with client.stream(
        "POST",
        "/v1/chat/completions",
        json={"model": "live", "stream": True, "messages": [{"role": "user", "content": "say it"}]},
    ) as answer:
        text = "".join(answer.iter_text())

    assert text.rstrip().endswith("[DONE]")
    found = compared(client, experiment_id, 1)
    assert found["answers"]["compared"] == 1
    assert not asked_models(stack, "beta")[-1].get("stream")
    assert asked_models(stack, "alpha")[-1]["stream"] is True


def test_a_shadow_that_fails_is_told_and_nobody_else_notices(client: httpx.Client) -> None:
    rule = [{"metric": "errors", "worse_by": 0.05}]
    # No guardrail stops it before all of them are counted.
    experiment_id = shadowed(client, "failing", "beta-fail-500", guardrails=rule, min_samples=30)
    assert {ask(client, str(number)).status_code for number in range(30)} == {200}

    found = compared(client, experiment_id, 30)
    assert found["metrics"]["errors"]["mean"] == 1.0
    assert found["control_means"]["errors"] == 0.0
    eventually(
        lambda: client.get(f"{PATH}/{experiment_id}").json()["arms"][1]["stopped_at"] is not None,
        within_s=60,
    )
    assert "worse by at least" in client.get(f"{PATH}/{experiment_id}").json()["arms"][1]["stopped_because"]
    assert ask(client).status_code == 200


def test_nothing_more_is_sent_once_the_days_money_is_used_up(stack: Stack, client: httpx.Client) -> None:
    dearest = max(float(ask(client, str(number)).headers["x-interchange-cost-usd"]) for number in range(3))
    experiment_id = shadowed(client, "capped", shadow={"usd_per_day": 4 * dearest})
    before, asked = left_out(client, "over its daily cap"), len(asked_models(stack, "beta"))

    for number in range(30):
        assert ask(client, str(number)).status_code == 200

    eventually(lambda: left_out(client, "over its daily cap") > before)
    eventually(lambda: metric(client, "interchange_shadow_requests_waiting") == 0)
    eventually(lambda: metric(client, "interchange_shadow_requests_running") == 0)
    sent = len(asked_models(stack, "beta")) - asked
    assert 1 <= sent < 30
    found = compared(client, experiment_id, sent)
    assert found["metrics"]["cost"]["mean"] * sent <= 4 * dearest


def test_what_the_file_declares_is_in_force(client: httpx.Client) -> None:
    (declared,) = [each for each in client.get(PATH).json()["experiments"] if each["owner"] == "file"]
    assert [(arm["shadow"], arm["weight"], arm["share"]) for arm in declared["arms"]] == [
        (False, 1, 1.0),
        (True, 0, 1.0),
    ]
    for number in range(3):
        answer = ask(client, str(number), "declared-route")
        assert answer.headers["x-interchange-provider"] == "alpha"
    assert compared(client, declared["experiment_id"], 3)["answers"]["compared"] == 3


def test_an_answer_that_the_provider_keeps_is_never_copied(stack: Stack, client: httpx.Client) -> None:
    shadowed(client, "keeping")
    before = len(asked_models(stack, "beta"))

    kept = client.post("/v1/responses", json={"model": "live", "input": "keep it", "max_output_tokens": 40})
    stored = ask(client, "store it", store=True)

    assert (kept.status_code, stored.status_code) == (200, 200)
    assert left_out(client, "kept at the provider") == 2
    assert len(asked_models(stack, "beta")) == before


def test_words_that_contradict_each_other_are_refused_with_their_place(client: httpx.Client) -> None:
    arms: list[dict[str, Any]] = [{"name": "now", "route": "live"}]
    for more, param in (
        ({"shadow": True, "weight": 3}, "arms.1.weight"),
        ({"share": 0.5}, "arms.1.share"),
        ({"usd_per_day": 0.5}, "arms.1.usd_per_day"),
        ({"shadow": True, "share": 0}, "arms.1.share"),
        ({"shadow": True, "usd_per_day": -1}, "arms.1.usd_per_day"),
    ):
        body = {"name": "wrong", "route": "live", "arms": [*arms, {"name": "o", "route": "mirror", **more}]}
        refused = client.post(PATH, json=body)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    first = {"name": "o", "route": "mirror", "shadow": True}
    refused = client.post(PATH, json={"name": "wrong", "route": "live", "arms": [first, *arms]})
    assert refused.json()["error"]["param"] == "arms.0.shadow"


def test_the_command_line_makes_and_shows_shadows(stack: Stack, client: httpx.Client) -> None:
    server = ["--url", stack.url, "--key", stack.key]
    run = CliRunner().invoke
    made = run(
        interchange,
        ["experiment", "create", "by hand", "--route", "live", "--arm", "now=live", "--shadow",
         "other=mirror:1", "--shadow-usd-per-day", "2", "--unit", "request", "--start", *server],
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    ask(client)
    found = json.loads(run(interchange, ["experiment", "show", "by hand", "--json", *server]).output)
    assert [arm["usd_per_day"] for arm in found["arms"]] == [None, 2.0]
    compared(client, found["experiment_id"], 1)
    shown = run(interchange, ["experiment", "show", "by hand", *server]).output
    assert "other 100 % shadow" in shown
    assert "words in common" in shown
    wrong = run(interchange, ["experiment", "create", "x", "--route", "live", "--shadow", "no", *server])
    assert (wrong.exit_code, "name=route:share" in wrong.output) == (2, True)


def test_people_see_shadows_on_the_page(stack: Stack, client: httpx.Client) -> None:
    experiment_id = shadowed(client, "on the page")
    ask(client)
    compared(client, experiment_id, 1)
    with Visit(stack, stack.key) as owner:
        page = owner.look(f"experiments/{experiment_id}")
    assert "Answers of shadows beside control" in page
    assert "shadow, at most $5 a day" in page


def test_nobody_waits_for_a_shadow_that_hangs_and_a_drain_begins_none(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path / "data", CONFIGURED) as stack, stack.client() as client:
        simulate(stack, lambda: stack.simulator.fault({"kind": "silence"}, match={"model": "ctx40"}))
        shadowed(client, "hangs", "hanging")
        for number in range(20):
            assert ask(client, str(number)).status_code == 200
        # As many as may at once; the others wait.
        eventually(lambda: metric(client, "interchange_shadow_requests_running") == 8)
        assert metric(client, "interchange_shadow_requests_waiting") > 0

        simulate(stack, stack.application.end_streams)

        assert metric(client, "interchange_shadow_requests_waiting") == 0
        assert ask(client).status_code == 200
        assert left_out(client, "draining") >= 1
        database = stack.data_dir
    # What ran was ended and is in the usage as such.
    with Stack(database, CONFIGURED) as again, again.client() as client:
        rows = client.get("/api/v1/usage", params={"group_by": "arm,outcome"}).json()["rows"]
        ended = {(row["arm"], row["outcome"]): row["requests"] for row in rows}
        assert ended["other", "cancelled"] == 8
