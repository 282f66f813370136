"""Backtests from outside: what is estimated is what happens when the route is really changed."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import hypot
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from entrypoints.cli.main import interchange
from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.test_admin import new_key, with_key
from tests.e2e.three_wires import eventually, simulate

PATH = "/api/v1/routing/backtest"
DOCUMENT = Document()
REQUESTS = 500
"""A policy that is never in doubt needs as many: three in ten of them chose as it does."""
AT_ONCE = 12
SLOW_MS = 250.0
"""What a machine that is busy with other things adds to single calls must stay small beside it."""
CONFIGURED = """
providers:
  alpha:
    kind: openai
    base_url: "{sim}/alpha/v1"
    api_key: provider-secret-alpha
    via: direct
    models:
      dear: {input_usd_per_mtok: 10, output_usd_per_mtok: 40, context_tokens: 128000, capabilities: [text]}
      cheap: {input_usd_per_mtok: 1, output_usd_per_mtok: 4, context_tokens: 128000, capabilities: [text]}
      never: {input_usd_per_mtok: 2, output_usd_per_mtok: 8, context_tokens: 128000, capabilities: [text]}
routes:
  certain: {strategy: cost, targets: [alpha/dear, alpha/cheap]}
  quick: {strategy: latency, targets: [alpha/dear, alpha/cheap]}
"""


def shared(dear: float, cheap: float) -> dict[str, Any]:
    targets = [{"target": "alpha/dear", "weight": dear}, {"target": "alpha/cheap", "weight": cheap}]
    return {"strategy": "weighted", "targets": targets}


LOGGED, OTHER = shared(70, 30), shared(30, 70)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIGURED) as running:
        simulate(running, lambda: running.simulator.latency(ttft_ms=SLOW_MS, match={"model": "dear"}))
        yield running


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {stack.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=30) as http:
        yield http


def ask(client: httpx.Client, routes: Sequence[str], count: int) -> None:
    """So many requests, a few at a time; the routes take turns."""

    def once(number: int) -> None:
        words = "word " * (1 + number // len(routes) % 7)
        body = {"model": routes[number % len(routes)], "max_tokens": 20}
        answer = client.post(
            "/v1/chat/completions", json={**body, "messages": [{"role": "user", "content": words}]}
        )
        assert answer.status_code == 200, answer.text

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(once, range(count)))


def backtest(client: httpx.Client, route: str, policy: Any, **more: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={"route": route, "policy": policy, **more})
    DOCUMENT.check(answer)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def counted(client: httpx.Client, route: str, policy: Any, requests: int) -> dict[str, Any]:
    """As soon as so many requests were recorded."""
    found: dict[str, Any] = {}

    def there() -> bool:
        found.update(backtest(client, route, policy))
        return int(found["requests"]) >= requests

    assert eventually(there, within_s=60), found
    return found


@pytest.fixture(scope="module")
def recorded(client: httpx.Client) -> dict[str, Any]:
    """A route that was shared out 70 to 30, and what is estimated of 30 to 70.

    The route that really is shared out so is asked in between, so that a busy machine delays both alike.
    """
    assert client.put("/api/v1/routes/shared", json=LOGGED).status_code == 201
    assert client.put("/api/v1/routes/changed", json=OTHER).status_code == 201
    ask(client, ("shared", "changed", "shared"), REQUESTS + REQUESTS // 2)
    return counted(client, "shared", OTHER, REQUESTS)


@pytest.fixture(scope="module")
def certain(client: httpx.Client) -> dict[str, Any]:
    """A route that draws nothing, and what is said of sharing it out."""
    ask(client, ("certain",), 5)
    return counted(client, "certain", LOGGED, 5)


def metric(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [each for each in found["metrics"] if each["metric"] == name]
    return dict(one)


def width(interval: dict[str, float]) -> float:
    """Half of it: two standard errors."""
    return (interval["high"] - interval["low"]) / 2


def test_what_is_estimated_is_what_happens(client: httpx.Client, recorded: dict[str, Any]) -> None:
    assert recorded["concluded"], recorded
    assert recorded["drawn"] == recorded["decisions"] == REQUESTS
    really = counted(client, "changed", OTHER, REQUESTS // 2)

    for name in ("cost", "latency"):
        found = metric(recorded, name)
        estimate, logged, happened = found["estimate"], found["logged"], metric(really, name)["logged"]
        # What really happened is a sample too.
        allowed = 2 * hypot(width(estimate), width(happened))
        assert abs(happened["value"] - estimate["value"]) <= allowed, name
        assert abs(happened["value"] - logged["value"]) > allowed, name
        assert found["verdict"] == "lower"
        assert estimate["value"] < logged["low"]
    assert metric(recorded, "errors")["verdict"] == "unclear"
    targets = {each["target"]: each for each in recorded["repricing"]["targets"]}
    assert float(targets["alpha/dear"]["same_output_usd"]) > 5 * float(
        targets["alpha/cheap"]["same_output_usd"]
    )


def test_the_chance_is_in_the_record(client: httpx.Client, recorded: dict[str, Any]) -> None:
    rows = client.get("/api/v1/requests", params={"route": "shared", "limit": 20}).json()["requests"]

    told = {(row["planned"].partition(",")[0], row["propensity"]) for row in rows}
    assert told <= {("alpha/dear", 0.7), ("alpha/cheap", 0.3)}


def test_a_target_that_was_never_tried_concludes_nothing(
    client: httpx.Client, recorded: dict[str, Any]
) -> None:
    policy = {"strategy": "weighted", "targets": ["alpha/never", "alpha/cheap"]}

    found = backtest(client, "shared", policy)

    assert not found["concluded"]
    assert {each["code"] for each in found["metrics"][0]["refusals"]} >= {"low_coverage"}


def test_a_certain_route_concludes_nothing_but_is_repriced(certain: dict[str, Any]) -> None:
    found = certain
    assert {each["code"] for one in found["metrics"] for each in one["refusals"]} == {"no_draws"}
    assert found["left_out"] == {"undrawn": 5}
    assert found["repricing"]["requests"] == 5
    dear, cheap = found["repricing"]["targets"]
    assert float(dear["same_output_usd"]) > float(found["repricing"]["billed_usd"])
    assert float(cheap["same_output_usd"]) == pytest.approx(float(found["repricing"]["billed_usd"]))


def test_a_policy_by_name_may_choose_for_certain(client: httpx.Client, recorded: dict[str, Any]) -> None:
    found = backtest(client, "shared", "certain", metrics=["cost"])

    assert found["strategy"] == "cost"
    assert found["concluded"], found
    assert metric(found, "cost")["verdict"] == "lower"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"policy": "quick"}, "policy"),
        ({"policy": {"strategy": "weighted", "targets": ["alpha/nowhere"]}}, "policy.targets.0"),
        ({"policy": {"strategy": "sideways", "targets": ["alpha/dear"]}}, "policy.strategy"),
        ({"policy": {"strategy": "weighted"}}, "policy.targets"),
        ({"policy": "certain", "requests_max": 0}, "requests_max"),
        ({"policy": "certain", "from": "yesterday"}, "from"),
        ({"policy": "certain", "from": "2030-01-02", "to": "2030-01-01"}, "from"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_field(
    client: httpx.Client, body: dict[str, Any], param: str
) -> None:
    answer = client.post(PATH, json={"route": "certain", **body})

    DOCUMENT.check(answer)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


def test_an_unknown_route_is_not_found(client: httpx.Client) -> None:
    assert client.post(PATH, json={"route": "no-such", "policy": "certain"}).status_code == 404


def test_another_tenant_reads_none_of_it(
    stack: Stack, client: httpx.Client, recorded: dict[str, Any]
) -> None:
    key = new_key(client, tenant_id="other-tenant", role="admin")
    with with_key(stack, key["key"]) as other:
        answer = other.post(PATH, json={"route": "shared", "policy": OTHER})

    assert answer.status_code == 200, answer.text
    assert (answer.json()["requests"], answer.json()["repricing"]["requests"]) == (0, 0)


def test_the_command_tells_what_may_be_concluded(
    stack: Stack, recorded: dict[str, Any], certain: dict[str, Any], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "strategy: weighted\ntargets:\n"
        "  - {target: alpha/dear, weight: 3}\n  - {target: alpha/cheap, weight: 7}\n"
    )
    server = ["--url", stack.url, "--key", stack.key]
    asked = ["backtest", "--route", "shared", "--policy", str(policy), "--since", "1h", *server]

    told = CliRunner().invoke(interchange, asked)
    as_json = CliRunner().invoke(interchange, [*asked, "--metric", "cost", "--json"])
    refused = CliRunner().invoke(
        interchange, ["backtest", "--route", "certain", "--policy", "shared", *server]
    )
    unreadable = CliRunner().invoke(
        interchange, ["backtest", "--route", "certain", "--policy", str(tmp_path / "none.yaml"), *server]
    )

    assert told.exit_code == 0, told.output
    assert "cost, usd" in told.output
    assert "lower" in told.output
    assert "Repricing, no estimate" in told.output
    assert as_json.exit_code == 0, as_json.output
    assert [each["metric"] for each in json.loads(as_json.output)["metrics"]] == ["cost"]
    assert refused.exit_code == 3, refused.output
    assert "Not concluded: nothing was drawn" in refused.output
    assert unreadable.exit_code == 2, unreadable.output
