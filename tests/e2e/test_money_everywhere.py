"""Every way that spends is under budgets: what is refused leaves one row, what runs is settled exactly."""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from domain.money import parse_usd
from tests.e2e import kept_responses_world, media_world
from tests.e2e.media_world import billed, row, wipe
from tests.e2e.stack import Stack
from tests.e2e.test_batches import begin, chat, ended, rows
from tests.e2e.test_media import PICTURE, SOUND
from tests.e2e.three_wires import eventually

BUDGETS = """
budgets:
  - {name: poor, scope: {tenant: default, agent: poor}, period: total, limit_usd: 0.000000001, hard: true}
  - {name: rich, scope: {tenant: default, agent: rich}, period: total, limit_usd: 1000, hard: true}
"""
TEXT = "one/small"
HELLO = [{"role": "user", "content": "hello"}]
CHAT = {"model": TEXT, "max_tokens": 9, "messages": HELLO}
GEMINI = {
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
    "generationConfig": {"maxOutputTokens": 9},
}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"json": CHAT}),
    "streamed chat": ("/v1/chat/completions", {"json": {**CHAT, "stream": True}}),
    "legacy": ("/v1/completions", {"json": {"model": TEXT, "prompt": "hello", "max_tokens": 9}}),
    "responses": ("/v1/responses", {"json": {"model": TEXT, "input": "hello", "max_output_tokens": 16}}),
    "streamed responses": (
        "/v1/responses",
        {"json": {"model": TEXT, "input": "hello", "max_output_tokens": 16, "stream": True}},
    ),
    "messages": ("/v1/messages", {"json": CHAT}),
    "streamed messages": ("/v1/messages", {"json": {**CHAT, "stream": True}}),
    "gemini": (f"/v1beta/models/{TEXT}:generateContent", {"json": GEMINI}),
    "streamed gemini": (f"/v1beta/models/{TEXT}:streamGenerateContent?alt=sse", {"json": GEMINI}),
    "rerank": ("/v1/rerank", {"json": {"model": "rank", "query": "x", "documents": ["y"]}}),
    "pictures": ("/v1/images/generations", {"json": {"model": "draw-by-picture", "prompt": "x"}}),
    "edited pictures": (
        "/v1/images/edits",
        {"data": {"model": "draw-by-picture", "prompt": "x"}, "files": {"image": PICTURE}},
    ),
    "varied pictures": (
        "/v1/images/variations",
        {"data": {"model": "draw-by-picture"}, "files": {"image": PICTURE}},
    ),
    "speech": ("/v1/audio/speech", {"json": {"model": "speak", "input": "hello", "voice": "v"}}),
    "transcripts": (
        "/v1/audio/transcriptions",
        {"data": {"model": "hear-by-second"}, "files": {"file": SOUND}},
    ),
    "translations": (
        "/v1/audio/translations",
        {"data": {"model": "hear-by-second"}, "files": {"file": SOUND}},
    ),
}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("money"), media_world.CONFIG + BUDGETS) as stack:
        wipe(stack)
        yield stack


def as_agent(stack: Stack, agent: str, path: str, options: dict[str, Any]) -> httpx.Response:
    with stack.client() as http:
        return http.post(path, headers={"x-interchange-agent-id": agent}, **options)


def account_of(stack: Stack, budget: str) -> dict[str, Any]:
    """The figures of a declared budget's only account."""
    with stack.client() as http:
        found = http.get(f"/api/v1/budgets/file:{budget}/accounts").json()["accounts"]
    return found[0] if found else {"spent_usd": "0", "unresolved_usd": "0"}


def spent(stack: Stack, budget: str) -> int:
    return parse_usd(account_of(stack, budget)["spent_usd"])


@pytest.mark.parametrize("way", WAYS)
def test_what_a_budget_refuses_leaves_one_row_and_reaches_nobody(media: Stack, way: str) -> None:
    seen = len(media.simulator.requests)

    refused = as_agent(media, "poor", *WAYS[way])

    assert refused.status_code == 402, refused.text
    assert refused.headers["content-type"].startswith("application/json")
    assert "budget" in refused.text and "poor" in refused.text
    assert len(media.simulator.requests) == seen
    recorded = row(media, refused.headers["x-request-id"])
    assert (recorded["error_code"], recorded["status"]) == ("budget_exceeded", 402)
    assert recorded["attempts"] == [] and not recorded["cost_nano_usd"]


def test_the_complete_face_is_refused_likewise(media: Stack) -> None:
    body = {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"prompt": "hello", "max_tokens": 9},
        "context": {"agent_id": "poor", "tenant_id": "default"},
    }
    for stream in (False, True):
        body["request"]["stream"] = stream  # type: ignore[index]
        with media.client() as http:
            refused = http.post("/api/v1/llm/complete", json=body)
        assert refused.status_code == 402, refused.text
        recorded = row(media, refused.headers["x-request-id"])
        assert recorded["error_code"] == "budget_exceeded" and recorded["attempts"] == []


@pytest.mark.parametrize("way", [way for way in WAYS if "/v1/" in WAYS[way][0]])
def test_what_is_bounded_is_held_and_settled_exactly(media: Stack, way: str) -> None:
    before, bill = spent(media, "rich"), billed(media)

    answer = as_agent(media, "rich", *WAYS[way])

    assert answer.status_code == 200, answer.text
    cost = row(media, answer.headers["x-request-id"])["cost_nano_usd"]
    if "small" not in str(WAYS[way]):  # the simulator's bill knows media only
        assert cost == billed(media) - bill
    eventually(lambda: spent(media, "rich") == before + cost)
    assert account_of(media, "rich")["unresolved_usd"] == "0"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/v1/audio/speech", {"json": {"model": "speak-tokens", "input": "hello", "voice": "v"}}),
        ("/v1/images/generations", {"json": {"model": "draw", "prompt": "x"}}),
    ],
)
def test_what_nothing_bounds_is_refused_with_what_to_do_about_it(
    media: Stack, path: str, options: dict[str, Any]
) -> None:
    seen = len(media.simulator.requests)

    refused = as_agent(media, "rich", path, options)

    assert refused.status_code == 402, refused.text
    error = refused.json()["error"]
    assert error["code"] == "cost_unbounded" and error["details"]["reason"] in error["message"]
    assert len(media.simulator.requests) == seen


# Made in the background


def test_a_background_answer_is_held_until_its_bill_is_known(tmp_path_factory: Any) -> None:
    config = kept_responses_world.CONFIG + BUDGETS
    with (
        Stack(tmp_path_factory.mktemp("background"), config) as stack,
        kept_responses_world.client_of(stack) as sdk,
    ):
        headers = {"x-interchange-agent-id": "rich"}
        made = sdk.responses.create(
            model="both", input="take your time", background=True, max_output_tokens=50, extra_headers=headers
        )
        unresolved = eventually(lambda: float(account_of(stack, "rich").get("unresolved_usd", "0")))
        assert unresolved and spent(stack, "rich") == 0

        done = eventually(lambda: _completed(sdk, made.id))
        assert done is not None
        eventually(lambda: account_of(stack, "rich")["unresolved_usd"] == "0")
        used = done.usage
        assert used is not None
        assert spent(stack, "rich") == used.input_tokens * 100 + used.output_tokens * 400


def _completed(sdk: openai.OpenAI, response_id: str) -> Any:
    found = sdk.responses.retrieve(response_id)
    return found if found.status == "completed" else None


# Batches

PRICE = "input_usd_per_mtok: 1.1, output_usd_per_mtok: 2.3, context_tokens: 128000, max_output_tokens: 4096"
BATCHES = f"""
providers:
  alpha:
    kind: openai
    base_url: "{{sim}}/alpha/v1"
    api_key: k
    via: direct
    batch_api: openai
    models:
      small: {{{PRICE}, batch_multiplier_percent: 50, capabilities: [text, streaming]}}
budgets:
  - {{name: all, scope: {{tenant: default}}, period: total, limit_usd: 0.02, hard: true}}
"""


LONG = [{"role": "user", "content": "word " * 8_000}]
"""May cost more than the whole budget."""


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("batches"), BATCHES) as stack:
        yield stack


@pytest.fixture
def sdk(batches: Stack) -> Iterator[openai.OpenAI]:
    url = f"{batches.url}/v1"
    with openai.OpenAI(api_key=batches.key, base_url=url, max_retries=0, timeout=20) as client:
        yield client


@pytest.mark.parametrize("mode", ["own", "provider"])
def test_a_file_of_lines_is_billed_to_the_nano_dollar(batches: Stack, sdk: openai.OpenAI, mode: str) -> None:
    before = spent(batches, "all")

    batch = ended(sdk, begin(sdk, [chat(n) for n in range(4)], mode=mode))

    assert (batch.status, batch.request_counts.completed) == ("completed", 4)
    assert bool(batch.interchange["answered_by"]) == (mode == "provider")
    cost = parse_usd(batch.interchange["cost_usd"])
    assert cost > 0
    eventually(lambda: spent(batches, "all") == before + cost)
    assert account_of(batches, "all")["unresolved_usd"] == "0"


def test_a_file_that_may_cost_more_than_is_left_is_not_handed_over(sdk: openai.OpenAI) -> None:
    refused = ended(sdk, begin(sdk, [chat(n) for n in range(40)], mode="provider"))

    assert refused.status == "failed"
    assert [problem.code for problem in refused.errors.data] == ["budget_exceeded"]


def test_a_line_that_no_budget_will_have_room_for_fails_as_a_request_would(sdk: openai.OpenAI) -> None:
    batch = ended(sdk, begin(sdk, [chat(0, messages=LONG), chat(1)], mode="own"))

    assert (batch.status, batch.request_counts.failed) == ("completed", 1)
    (line,) = rows(sdk, batch.error_file_id).values()
    assert (line["custom_id"], line["response"]["status_code"]) == ("c-0", 402)
    assert line["response"]["body"]["error"]["code"] == "budget_exceeded"
    assert batch.interchange["waiting_for"] is None
