"""`interchange report` and `recommendations` against a server, and reports that come by themselves."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from benchmarks.recommendation_replay import CONFIG, replay
from contracts.events import schemas
from entrypoints.cli.main import interchange
from tests.e2e.stack import Stack
from tests.e2e.three_wires import eventually

REPORTS = """
reports:
  - {name: monthly}
  - {name: weekly, every: week, format: text}
  - {name: nobodys, tenant: nobody}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG + REPORTS) as running:
        replay(running, 60, seed=5)
        yield running


def command(stack: Stack, *arguments: str) -> Result:
    return CliRunner().invoke(interchange, [*arguments, "--url", stack.url, "--key", stack.key])


@pytest.fixture(scope="module")
def month(stack: Stack) -> str:
    """In which the dear model was used, whatever month it has become since."""
    with stack.client() as client:
        asked = client.get("/api/v1/usage", params={"by": "month", "model": "large"})
    return str(asked.json()["rows"][0]["month"])


def test_a_report_tells_savings_parts_and_days(stack: Stack, month: str) -> None:
    text = command(stack, "report", month)
    found = json.loads(command(stack, "report", month, "--json").output)

    assert text.exit_code == 0
    assert "would have cost on alpha/large" in text.output
    assert "routing " in text.output
    assert found["savings"]["requests"] == found["total"]["requests"]
    assert command(stack, "report", "2026-W54").exit_code == 2


def test_the_stores_tell_the_same_as_the_server(
    stack: Stack, month: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERCHANGE_DATA_DIR", str(stack.data_dir))
    config = str(stack.data_dir / "interchange.yaml")
    offline = CliRunner().invoke(interchange, ["report", month, "--json", "--config", config])
    online = json.loads(command(stack, "report", month, "--json").output)

    assert offline.exit_code == 0, offline.output
    assert json.loads(offline.output)["savings"]["saved"] == online["savings"]["saved"]


def test_recommendations_are_listed_accepted_and_taken_back(stack: Stack) -> None:
    listed = command(stack, "recommendations", "list", "--json", "--status", "all")
    (move,) = [one for one in json.loads(listed.output)["recommendations"] if one["kind"] == "move"]
    table = command(stack, "recommendations", "list")

    assert "move alpha/large to alpha/small" in table.output
    for word, status in (("accept", "accepted"), ("dismiss", "dismissed"), ("reopen", "open")):
        done = command(stack, "recommendations", word, move["optimization_id"], "--json")
        assert json.loads(done.output)["status"] == status
    assert command(stack, "recommendations", "accept", "nothing").exit_code == 1
    assert command(stack, "recommendations", "refresh").exit_code == 0


def test_a_report_comes_once_for_its_period(stack: Stack) -> None:
    with stack.client() as client:

        def ready() -> dict[str, dict[str, Any]]:
            events = client.get("/api/v1/events", params={"types": "report.ready"}).json()["events"]
            found = {event["data"]["name"]: event["data"] for event in events}
            return found if len(found) >= 2 else {}

        by_name = eventually(ready)

    assert sorted(by_name) == ["monthly", "weekly"]
    assert by_name["monthly"]["report"]["savings"]["baseline"] == "alpha/large"
    assert by_name["monthly"]["text"] is None
    assert by_name["weekly"]["text"].startswith("Usage of 20")
    assert set(by_name["weekly"]) == set(schemas()["report.ready"]["properties"])
