"""Answers that a provider keeps, fetched by their ids under the policy of the route that asked for them."""

from collections.abc import Iterator

import httpx
import pytest
from openai import OpenAI

from tests.e2e.kept_responses_world import client_of
from tests.e2e.stack import Stack

EMAIL = "bob.stone@example.com"
ASKED = f"Tell {EMAIL} about it."
CONFIG = """
providers:
  first: {kind: openai, base_url: "{sim}/first/v1", api_key: key-of-first, via: direct, models: {small: {
    input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4}}}
routes:
  hushed: {targets: [first/small], retries: 0, privacy: hush}
  private: {targets: [first/small], retries: 0, privacy: tokenise}
  loose: {targets: [first/small], retries: 0}
privacy:
  policies:
    hush: {default: redact, where: [answers]}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("data"), CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def openai(stack: Stack) -> OpenAI:
    return client_of(stack)


def fetch(stack: Stack, path: str, **headers: str) -> httpx.Response:
    with stack.client() as http:
        got: httpx.Response = http.get(f"/v1/responses/{path}", headers=headers)
    return got


def finished(stack: Stack, response_id: str, **headers: str) -> str:
    for _ in range(10):
        got = fetch(stack, response_id, **headers)
        if got.json()["status"] == "completed":
            return got.text
    raise AssertionError(got.text)


@pytest.mark.parametrize("background", [False, True])
def test_what_a_provider_said_is_rewritten_for_whoever_fetches_it(
    stack: Stack, openai: OpenAI, background: bool
) -> None:
    made = openai.responses.create(model="hushed", input=ASKED, background=background)
    assert EMAIL in stack.simulator.requests[-1]["body"]["input"]
    assert EMAIL not in made.model_dump_json()
    told = finished(stack, made.id)
    assert EMAIL not in told
    assert "<EMAIL_ADDRESS>" in told
    for path in (f"{made.id}?stream=true", f"{made.id}/input_items"):
        again = fetch(stack, path)
        assert again.status_code == 200
        assert EMAIL not in again.text
        assert "<EMAIL_ADDRESS>" in again.text
    late = fetch(stack, f"{made.id}?stream=true&starting_after=2")
    assert late.status_code == 400
    assert late.json()["error"]["param"] == "starting_after"


def test_values_come_back_to_the_caller_who_sent_them_and_to_nobody_else(
    stack: Stack, openai: OpenAI
) -> None:
    made = openai.responses.create(model="private", input=ASKED, background=True)
    assert EMAIL not in str(stack.simulator.requests[-1]["body"])
    assert EMAIL in finished(stack, made.id)
    assert EMAIL in fetch(stack, f"{made.id}?stream=true").text
    assert EMAIL in fetch(stack, f"{made.id}/input_items").text
    strangers = finished(stack, made.id, **{"x-interchange-user-id": "somebody-else"})
    assert EMAIL not in strangers
    assert "<EMAIL_ADDRESS_" in strangers


def test_where_nothing_is_enforced_an_answer_comes_as_its_provider_has_it(
    stack: Stack, openai: OpenAI
) -> None:
    made = openai.responses.create(model="loose", input=ASKED)
    assert EMAIL in fetch(stack, made.id).text
    assert fetch(stack, f"{made.id}?stream=true&starting_after=1").status_code == 200
