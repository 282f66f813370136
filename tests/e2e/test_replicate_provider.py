"""Replicate behind the whole server with the `openai` SDK: whole, streamed, failed, refused, billed."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.media_world import billed, row
from tests.e2e.stack import Stack
from tests.e2e.three_wires import simulate

CONFIG = """
providers:
  replicate:
    base_url: "{sim}/replicate/v1"
    api_key: r8-secret
    models:
      meta/small: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}
      meta/slow: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}
      meta/fails: {}
      meta/uncounted: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}
routes:
  first: {strategy: priority, targets: [replicate/meta/small], retries: 0}
  slow: {strategy: priority, targets: [replicate/meta/slow], retries: 0}
  fails: {strategy: priority, targets: [replicate/meta/fails], retries: 0}
  safe: {strategy: priority, targets: [replicate/meta/fails, replicate/meta/small], retries: 0}
  uncounted: {strategy: priority, targets: [replicate/meta/uncounted], retries: 0}
"""
HELLO: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    price = {"input_usd_per_mtok": "1", "output_usd_per_mtok": "4"}
    with Stack(tmp_path_factory.mktemp("replicate"), CONFIG) as stack:
        simulate(stack, lambda: stack.simulator.set_prices({"meta/small": price, "meta/slow": price}))
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


@pytest.mark.parametrize("model", ["first", "slow"])
def test_a_prediction_is_an_answer_and_billed_once(client: openai.OpenAI, stack: Stack, model: str) -> None:
    before = billed(stack)
    raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO, max_tokens=500)
    said = raw.parse()
    assert said.choices[0].message.content and said.choices[0].finish_reason == "stop"
    assert row(stack, raw.headers["x-request-id"])["cost_nano_usd"] == billed(stack) - before > 0
    asked = [one for one in stack.simulator.requests if one["method"] == "POST"][-1]
    assert asked["body"]["input"]["system_prompt"] == "Be brief."


def test_a_stream_says_the_same_at_the_same_price(client: openai.OpenAI, stack: Stack) -> None:
    whole = client.chat.completions.create(model="first", messages=HELLO)
    before = billed(stack)
    with client.chat.completions.stream(
        model="first", messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        said = stream.get_final_completion()
        request_id = stream._response.headers["x-request-id"]
    assert said.choices[0].message.content == whole.choices[0].message.content
    assert said.usage and whole.usage and said.usage.completion_tokens == whole.usage.completion_tokens
    assert row(stack, request_id)["cost_nano_usd"] == billed(stack) - before > 0


def test_what_is_not_counted_is_estimated(client: openai.OpenAI, stack: Stack) -> None:
    raw = client.chat.completions.with_raw_response.create(model="uncounted", messages=HELLO)
    assert raw.parse().choices[0].message.content
    assert row(stack, raw.headers["x-request-id"])["cost_nano_usd"] > 0


def test_a_failed_prediction_is_told_and_failed_over(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="E1001"):
        client.chat.completions.create(model="fails", messages=HELLO)
    assert client.chat.completions.create(model="safe", messages=HELLO).choices[0].message.content


def test_tools_are_refused_in_words(client: openai.OpenAI) -> None:
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="first", messages=HELLO, tools=[tool])
