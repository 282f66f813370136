"""The API guide is true: its files and commands, in their order, against a real server process."""

import json
import re
from typing import Any

import pytest

from tests.architecture.repository import ROOT
from tests.e2e.written_page import NEXT, WrittenPage

PAGE = WrittenPage(ROOT / "docs" / "api-guide.md", ports=("8080", "9102"))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the blocks below each heading printed."""
    printed = PAGE.run(tmp_path_factory.mktemp("guide"), log="server.log")
    assert NEXT not in printed[-1]
    told: dict[str, str] = {}
    for heading, output in zip(PAGE.headings, printed, strict=True):
        told[heading] = told.get(heading, "") + output
    return told


def test_every_block_of_the_page_is_run() -> None:
    assert len(PAGE.files) + len(PAGE.commands) == PAGE.blocks
    assert set(PAGE.files) == {"interchange.yaml", "ask.py", "errors.py", "inbox.py"}


def test_a_key_of_its_own_says_what_it_may_do(said: dict[str, str]) -> None:
    own = json.loads("{" + said["Authenticate"].partition("{")[2])

    assert own["data"]["role"] == "agent"


def test_answers_tell_who_gave_them_what_they_cost_and_what_is_left(said: dict[str, str]) -> None:
    names = {line.partition(":")[0].lower() for line in said["Call a model"].splitlines()}

    assert names >= {
        "x-request-id",
        "x-interchange-provider",
        "x-interchange-cost-usd",
        "x-ratelimit-remaining-requests",
    }


def test_the_sdk_gets_its_answer_whole_and_streamed_with_its_cost(said: dict[str, str]) -> None:
    text = said["Call a model"]

    assert "answer: This is a simulated answer" in text
    assert "streamed: This is a simulated answer" in text
    assert float(text.rpartition("USD: ")[2]) > 0


def test_errors_are_told_apart_by_their_codes(said: dict[str, str]) -> None:
    assert said["Errors"].splitlines() == [
        "an unknown model: 404 model_not_found",
        "a key nobody has: 401 invalid_api_key",
        "too dear: 400 invalid_model_requirements",
    ]


def test_a_repeat_is_the_first_answer(said: dict[str, str]) -> None:
    lines = said["Asking twice, paying once"].lower().split()

    assert lines.count("x-interchange-idempotent-replay:") == 1


def test_the_row_names_the_user_the_cost_and_the_reason(said: dict[str, str]) -> None:
    first = said["Cost and trace of one request"].splitlines()[0]

    assert re.fullmatch(r"customer-42 0\.0000\d+ sim-\w+/small: .+", first)


def test_feedback_finds_its_request(said: dict[str, str]) -> None:
    kept: dict[str, Any] = json.loads(said["Say how good it was"])

    assert (kept["kind"], kept["score"]) == ("rating", 1)


def test_the_budget_refuses_before_anything_is_sent(said: dict[str, str]) -> None:
    assert json.loads(said["Budgets"])["error"]["code"] == "budget_exceeded"


def test_usage_savings_and_forecast_are_told(said: dict[str, str]) -> None:
    text = said["Usage, savings, forecast"]

    assert '"group_by":["key","model"]' in text
    assert "saved against sim-openai/large" in text
    assert "forecast: [" in text


def test_events_and_alerts_arrive(said: dict[str, str]) -> None:
    text = said["Be told: webhooks and alerts"]

    assert "webhook.test" in text
    assert '{"alerts":[' in text
    assert "availability" in text


def test_metrics_count_the_requests_of_the_page(said: dict[str, str]) -> None:
    assert re.search(r"^interchange_requests_total\{.*\} [1-9]", said["Metrics"], re.MULTILINE)
