"""Answers that a provider keeps, fetched by ids under the guardrails of the route that asked for them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.e2e.kept_responses_world import client_of
from tests.e2e.stack import Stack
from tests.e2e.test_fetched_privacy import fetch, finished

EMAIL = "bob.stone@example.com"
CONFIG = """
providers:
  first: {kind: openai, base_url: "{sim}/first/v1", api_key: key-of-first, via: direct, models: {small: {
    input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4}}}
routes:
  window: {targets: [first/small], retries: 0, guardrails: [window]}
  hold: {targets: [first/small], retries: 0, guardrails: [hold]}
  redact: {targets: [first/small], retries: 0, guardrails: [redact]}
  warn: {targets: [first/small], retries: 0, guardrails: [warn]}
  short: {targets: [first/small], retries: 0, guardrails: [short]}
  shy: {targets: [first/small], retries: 0, privacy: shy}
guardrails:
  window: {kind: patterns, where: [answers], deny: [zeus]}
  hold: {kind: patterns, where: [answers], deny: [zeus], stream: hold}
  redact: {kind: patterns, where: [answers], deny: [zeus], action: redact}
  warn: {kind: patterns, where: [answers], deny: [zeus], action: warn}
  short: {kind: size, where: [answers], chars_max: 200}
privacy:
  policies:
    shy: {default: block, where: [answers]}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def openai(stack: Stack) -> OpenAI:
    return client_of(stack)


def events_of(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def refused(stack: Stack, response_id: str) -> str:
    """The code that a finished answer is refused with."""
    for _ in range(10):
        got = fetch(stack, response_id)
        if got.status_code != 200:
            return str(got.json()["error"]["code"])
        assert got.json()["status"] != "completed"
    raise AssertionError(got.text)


@pytest.mark.parametrize(
    ("route", "asked", "code", "kind"),
    [
        ("window", "On zeus", "guardrail_blocked", "invalid_request_error"),
        ("hold", "On zeus", "guardrail_blocked", "invalid_request_error"),
        ("shy", f"Tell {EMAIL}", "pii_blocked", "permission_error"),
    ],
)
def test_what_may_not_be_said_is_not_fetched_either_and_a_stream_of_it_ends_with_an_error(
    stack: Stack, openai: OpenAI, route: str, asked: str, code: str, kind: str
) -> None:
    made = openai.responses.create(model=route, input=asked, background=True)

    assert refused(stack, made.id) == code
    streamed = fetch(stack, f"{made.id}?stream=true")
    assert streamed.status_code == 200
    assert asked.rpartition(" ")[2] not in streamed.text
    *_, error, failed = events = events_of(streamed.text)
    assert (error["type"], error["code"], error["error"]["type"]) == ("error", code, kind)
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["id"] == made.id
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers))
    page = fetch(stack, f"{made.id}/input_items")
    assert page.status_code in (400, 403)
    late = fetch(stack, f"{made.id}?stream=true&starting_after=2")
    assert (late.status_code, late.json()["error"]["param"]) == (400, "starting_after")


def test_what_is_replaced_in_an_answer_is_replaced_when_it_is_fetched(stack: Stack, openai: OpenAI) -> None:
    made = openai.responses.create(model="redact", input="On zeus", background=True)

    for told in (finished(stack, made.id), fetch(stack, f"{made.id}?stream=true").text):
        assert "zeus" not in told
        assert "response.completed" in told or '"completed"' in told


def test_what_only_warns_lets_everything_through(stack: Stack, openai: OpenAI) -> None:
    made = openai.responses.create(model="warn", input="On zeus", background=True)

    assert "zeus" in finished(stack, made.id)
    assert "zeus" in fetch(stack, f"{made.id}?stream=true").text


def test_a_page_of_what_was_asked_is_not_measured_as_an_answer(stack: Stack, openai: OpenAI) -> None:
    made = openai.responses.create(model="short", input="word " * 60, background=True)

    assert refused(stack, made.id) == "guardrail_blocked"
    assert fetch(stack, f"{made.id}/input_items").status_code == 200


def test_a_stream_is_refused_with_the_same_word_as_a_whole_answer(stack: Stack) -> None:
    body = {"model": "window", "messages": [{"role": "user", "content": "On zeus"}]}
    with stack.client() as http:
        whole = http.post("/v1/chat/completions", json=body).json()["error"]
        streamed = http.post("/v1/chat/completions", json=body | {"stream": True}).text
        responses = http.post(
            "/v1/responses", json={"model": "window", "input": "On zeus", "stream": True}
        ).text
        complete = http.post(
            "/api/v1/llm/complete", json={"model": "window", "prompt": "On zeus", "stream": True}
        )

    errors = [events_of(streamed)[-1]["error"], events_of(responses)[-2]["error"]]
    if complete.status_code == 200:
        errors.append(events_of(complete.text)[-1]["error"])
    assert {each["type"] for each in errors} == {whole["type"]} == {"invalid_request_error"}
