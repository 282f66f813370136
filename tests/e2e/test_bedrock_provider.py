"""Bedrock behind the whole server: configured in YAML, signed, streamed in binary, used by official SDKs."""

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.stack import Stack

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CONFIG = """
providers:
  bedrock:
    kind: bedrock
    base_url: "{sim}/bedrock"
    region: us-east-1
    auth:
      kind: aws
      access_key_id: AKIAIOSFODNN7EXAMPLE
      secret_access_key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
    models:
      us.anthropic.claude-sonnet-4-5-20250929-v1:0: {}
      failing: {base_model: us.anthropic.claude-sonnet-4-5-20250929-v1:0}
  keyed:
    kind: bedrock
    base_url: "{sim}/keyed"
    api_key: bedrock-api-key-1
    models:
      us.anthropic.claude-sonnet-4-5-20250929-v1:0: {}
  forged:
    kind: bedrock
    base_url: "{sim}/forged"
    region: us-east-1
    auth:
      kind: aws
      access_key_id: AKIAIOSFODNN7EXAMPLE
      secret_access_key: not-the-Secret-77
    models:
      us.anthropic.claude-sonnet-4-5-20250929-v1:0: {}
"""
HELLO: Any = [{"role": "user", "content": "hello there"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("bedrock") / "data", CONFIG) as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0)


@pytest.mark.parametrize("provider", ["bedrock", "keyed"])
def test_the_openai_sdk_is_answered_whole_and_streamed(client: openai.OpenAI, provider: str) -> None:
    model = f"{provider}/{MODEL}"
    whole = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
    text = whole.parse().choices[0].message.content
    assert text and float(whole.headers["x-interchange-cost-usd"]) > 0, "the catalogue's price is known"
    with client.chat.completions.stream(
        model=model, messages=HELLO, stream_options={"include_usage": True}
    ) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == text and final.usage is not None
    assert final.usage.prompt_tokens == whole.parse().usage.prompt_tokens  # type: ignore[union-attr]


def test_the_openai_sdk_calls_tools(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": "call get_weather"}]
    with client.chat.completions.stream(model=f"bedrock/{MODEL}", messages=asked, tools=[TOOL]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.function.name == "get_weather" and "city" in call.function.arguments
    told = {"role": "tool", "tool_call_id": call.id, "content": "17 degrees"}
    turns: Any = [*asked, message.model_dump(exclude_none=True, include={"role", "tool_calls"}), told]
    answer = client.chat.completions.create(model=f"bedrock/{MODEL}", messages=turns, tools=[TOOL])
    assert "17 degrees" in (answer.choices[0].message.content or "")


def test_the_anthropic_sdk_is_answered_with_its_own_stop_reason(stack: Stack) -> None:
    client = anthropic.Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0)
    with client.messages.stream(model=f"bedrock/{MODEL}", max_tokens=500, messages=HELLO) as stream:
        final = stream.get_final_message()
    assert final.stop_reason == "end_turn" and final.usage.output_tokens > 0


def test_requests_are_signed_and_model_ids_keep_their_colon(stack: Stack, client: openai.OpenAI) -> None:
    client.chat.completions.create(model=f"bedrock/{MODEL}", messages=HELLO)
    last = [one for one in stack.simulator.requests if one["provider"] == "bedrock"][-1]
    assert last["path"] == f"/model/{MODEL}/converse"
    assert last["headers"]["x-amz-date"].endswith("Z") and "model" not in last["body"]


def test_a_wrong_secret_is_told_as_the_operators_trouble_without_it(
    stack: Stack, client: openai.OpenAI
) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model=f"forged/{MODEL}", messages=HELLO)
    assert caught.value.status_code >= 500
    assert "not-the-Secret-77" not in caught.value.response.text


def test_an_exception_of_the_service_is_the_sdks_own_error(stack: Stack, client: openai.OpenAI) -> None:
    with stack.client() as plain:
        answer = plain.post(
            "/v1/chat/completions",
            json={"model": "bedrock/failing", "messages": [{"role": "assistant", "content": "first"}]},
        )
    assert answer.status_code == 400 and "start with a user message" in answer.text
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(
            model="bedrock/failing", messages=[{"role": "assistant", "content": "first"}]
        )
