"""Cohere behind the whole server with the official `openai` SDK: chats, tools, vectors, rankings, bills."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.media_world import billed, row
from tests.e2e.stack import Stack
from tests.e2e.three_wires import simulate

CONFIG = """
providers:
  cohere:
    base_url: "{sim}/cohere/v2"
    api_key: co-secret
    models:
      command-a: {}
      embed-v4.0: {}
      rerank-v3.5: {capabilities: [rerank], units: {usd_per_search: 0.002}}
      rerank-by-token: {capabilities: [rerank], input_usd_per_mtok: 1}
routes:
  first: {strategy: priority, targets: [cohere/command-a], retries: 0}
"""
PRICES = {
    "command-a": {"input_usd_per_mtok": "2.5", "output_usd_per_mtok": "10"},
    "embed-v4.0": {"input_usd_per_mtok": "0.12"},
    "rerank-v3.5": {"usd_per_search": "0.002"},
}
HELLO: Any = [{"role": "user", "content": "hello there"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def module_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("cohere"), CONFIG) as stack:
        yield stack


@pytest.fixture
def stack(module_world: Stack) -> Stack:
    simulate(module_world, module_world.simulator.clear_rules)
    simulate(module_world, lambda: module_world.simulator.set_prices(PRICES))
    return module_world


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


def cost_of(headers: Any) -> int:
    """Nano-dollars in our header; fails where the cost is unknown."""
    whole, _, part = headers["x-interchange-cost-usd"].partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0") or 0)


def asked(stack: Stack) -> Any:
    return stack.simulator.requests[-1]


def test_a_chat_is_answered_whole_and_billed_by_billed_units(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    raw = client.chat.completions.with_raw_response.create(model="cohere/command-a", messages=HELLO)
    said = raw.parse()
    assert said.choices[0].message.content and said.choices[0].finish_reason == "stop"
    assert asked(stack)["path"] == "/v2/chat"
    assert raw.headers["upstream-request-id"], "Cohere's trace id"
    assert cost_of(raw.headers) == billed(stack) - before > 0


def test_a_streamed_chat_says_the_same_at_the_same_price(client: openai.OpenAI, stack: Stack) -> None:
    whole = client.chat.completions.create(model="first", messages=HELLO)
    before = billed(stack)
    with client.chat.completions.stream(
        model="first", messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        said = stream.get_final_completion()
        request_id = stream._response.headers["x-request-id"]
    assert said.choices[0].message.content == whole.choices[0].message.content
    assert said.usage and whole.usage and said.usage.prompt_tokens == whole.usage.prompt_tokens
    assert said.usage.completion_tokens == whole.usage.completion_tokens
    assert row(stack, request_id)["cost_nano_usd"] == billed(stack) - before > 0


def test_a_tool_is_called_and_its_result_is_told(client: openai.OpenAI) -> None:
    question: Any = [{"role": "user", "content": "call get_weather"}]
    called = client.chat.completions.create(model="first", messages=question, tools=[TOOL])
    choice = called.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.tool_calls
    (call,) = choice.message.tool_calls
    assert call.type == "function" and "city" in json.loads(call.function.arguments)
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "17 degrees"}
    so_far: Any = [*question, choice.message.model_dump(exclude_none=True), result]
    told = client.chat.completions.create(model="first", messages=so_far, tools=[TOOL])
    assert "17 degrees" in (told.choices[0].message.content or "")


def test_what_cohere_has_not_is_named(client: openai.OpenAI, stack: Stack) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="first", messages=HELLO, temperature=1.5, top_p=1, logit_bias={"1": 1}
    )
    assert raw.headers["x-interchange-dropped"] == "logit_bias"
    body = asked(stack)["body"]
    assert (body["temperature"], body["p"]) == (1.5, 0.99)


def test_documents_to_cite_reach_the_model(client: openai.OpenAI, stack: Stack) -> None:
    documents = [{"id": "a", "data": {"text": "tea is green"}}]
    client.chat.completions.create(
        model="first", messages=HELLO, extra_body={"documents": documents, "safety_mode": "STRICT"}
    )
    assert asked(stack)["body"]["documents"] == documents


def test_texts_become_vectors(client: openai.OpenAI, stack: Stack) -> None:
    before = billed(stack)
    raw = client.embeddings.with_raw_response.create(
        model="cohere/embed-v4.0", input=["green tea", "tea, green"], dimensions=256
    )
    vectors = raw.parse()
    assert [len(one.embedding) for one in vectors.data] == [256, 256]
    assert asked(stack)["path"] == "/v2/embed"
    assert asked(stack)["body"]["input_type"] == "search_document"
    assert cost_of(raw.headers) == billed(stack) - before > 0
    assert vectors.usage.prompt_tokens > 0


def test_what_vectors_are_for_may_be_said(client: openai.OpenAI, stack: Stack) -> None:
    client.embeddings.create(
        model="cohere/embed-v4.0", input="tea?", extra_body={"input_type": "search_query", "truncate": "END"}
    )
    body = asked(stack)["body"]
    assert (body["input_type"], body["truncate"]) == ("search_query", "END")


def test_more_texts_than_cohere_takes_are_the_callers_fault(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="at most 96"):
        client.embeddings.create(model="cohere/embed-v4.0", input=["x"] * 97)


def test_documents_are_ranked_and_billed_by_search(stack: Stack) -> None:
    before = billed(stack)
    documents = ["coffee", {"text": "green tea"}] * 75
    body = {"model": "cohere/rerank-v3.5", "query": "green tea", "documents": documents, "top_n": 2}
    with stack.client() as http:
        answer = http.post("/v1/rerank", json={**body, "return_documents": True})
    ranked = answer.json()
    assert [one["index"] for one in ranked["results"]] == [1, 3]
    assert ranked["results"][0]["document"] == {"text": "green tea"}
    assert ranked["meta"]["billed_units"] == {"search_units": 2}
    assert cost_of(answer.headers) == billed(stack) - before == 4_000_000
    assert answer.headers["x-interchange-cost-estimated"] == "false"
    recorded = row(stack, answer.headers["x-request-id"])
    assert recorded["attempts"][0]["units"] == "searches=2"
    sent = asked(stack)
    assert sent["path"] == "/v2/rerank" and sent["body"]["documents"][:2] == ["coffee", "green tea"]


def test_searches_without_a_price_have_an_unknown_cost(stack: Stack) -> None:
    body = {"model": "cohere/rerank-by-token", "query": "tea", "documents": ["tea"]}
    with stack.client() as http:
        answer = http.post("/v1/rerank", json=body)
    assert answer.status_code == 200
    assert row(stack, answer.headers["x-request-id"])["cost_nano_usd"] is None


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ({"status": 400, "code": "context_length_exceeded"}, openai.BadRequestError),
        ({"status": 498, "message": "the text has a deny-listed token"}, openai.BadRequestError),
        # The last, for its target rests afterwards.
        ({"status": 429, "retry_after_s": 3}, openai.RateLimitError),
    ],
)
def test_an_error_is_the_callers_own_kind_of_error(
    client: openai.OpenAI, stack: Stack, fault: dict[str, Any], raised: type[Exception]
) -> None:
    simulate(stack, lambda: stack.simulator.fault({"kind": "status", **fault}, times=1))
    with pytest.raises(raised) as caught:
        client.chat.completions.create(model="first", messages=HELLO)
    assert "co-secret" not in str(caught.value)
