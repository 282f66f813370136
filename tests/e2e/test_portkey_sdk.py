"""The official `portkey-ai` SDK against Interchange, in front of each of the three upstream wires."""

import json
from functools import partial
from typing import Any

import pytest
from portkey_ai import AsyncPortkey, Portkey
from portkey_ai._vendor import openai as vendored

from tests.e2e.stack import Stack
from tests.e2e.three_wires import WEATHER_SCHEMA, WIRES, pixel, sent, sent_headers, simulate

HELLO: Any = [{"role": "user", "content": "hello there"}]
CALL_TOOL: Any = [{"role": "user", "content": "use get_weather please"}]
WEATHER_TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_SCHEMA}}
WEATHER_FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "weather", "schema": WEATHER_SCHEMA, "strict": True},
}
EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def client(stack: Stack) -> Any:
    return Portkey(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20)


@EVERY_WIRE
def test_a_chat_is_answered(client: Any, wire: str) -> None:
    answer = client.chat.completions.create(model=f"{wire}/small", messages=HELLO)
    assert "hello there" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens > 0


@EVERY_WIRE
def test_a_stream_says_the_same_as_the_whole_answer(client: Any, wire: str) -> None:
    whole = client.chat.completions.create(model=f"{wire}/small", messages=HELLO)
    chunks = list(
        client.chat.completions.create(
            model=f"{wire}/small", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


@EVERY_WIRE
def test_a_tool_is_called_and_its_result_understood(client: Any, wire: str) -> None:
    called = client.chat.completions.create(model=f"{wire}/small", messages=CALL_TOOL, tools=[WEATHER_TOOL])
    call = called.choices[0].message.tool_calls[0]
    assert called.choices[0].finish_reason == "tool_calls"
    assert set(json.loads(call.function.arguments)) == {"city", "days"}
    said = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
        ],
    }
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 degrees"}
    answered = client.chat.completions.create(
        model=f"{wire}/small", messages=[*CALL_TOOL, said, result], tools=[WEATHER_TOOL]
    )
    assert "sunny, 21 degrees" in answered.choices[0].message.content


@EVERY_WIRE
def test_a_streamed_tool_call_arrives_in_pieces_that_join(client: Any, wire: str) -> None:
    whole = client.chat.completions.create(model=f"{wire}/small", messages=CALL_TOOL, tools=[WEATHER_TOOL])
    name, arguments = "", ""
    for chunk in client.chat.completions.create(
        model=f"{wire}/small", messages=CALL_TOOL, tools=[WEATHER_TOOL], stream=True
    ):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert name == "get_weather"
    assert json.loads(arguments) == json.loads(whole.choices[0].message.tool_calls[0].function.arguments)


@EVERY_WIRE
def test_pictures_reach_the_model(client: Any, wire: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel()}"}}
    answer = client.chat.completions.create(
        model=f"{wire}/small",
        messages=[{"role": "user", "content": [{"type": "text", "text": "what is this?"}, picture]}],
    )
    assert "I see one image" in answer.choices[0].message.content


@EVERY_WIRE
def test_an_answer_keeps_a_json_schema(client: Any, wire: str) -> None:
    answer = client.chat.completions.create(
        model=f"{wire}/small", messages=HELLO, response_format=WEATHER_FORMAT
    )
    assert set(json.loads(answer.choices[0].message.content)) == {"city", "days"}


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_two_choices_are_given_where_the_provider_can(client: Any, wire: str) -> None:
    answer = client.chat.completions.create(model=f"{wire}/small", messages=HELLO, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_embeddings_are_given(client: Any, wire: str) -> None:
    vectors = client.embeddings.create(
        model=f"{wire}/embed", input=["one", "two"], dimensions=8, encoding_format="float"
    )
    assert [len(one.embedding) for one in vectors.data] == [8, 8]


def test_models_are_listed(client: Any) -> None:
    names = [model.id if hasattr(model, "id") else model["id"] for model in client.models.list().data]
    assert names[0] == "assistant"
    assert "gamma/small" in names


def test_unknown_parameters_arrive_and_portkeys_own_headers_do_not(stack: Stack) -> None:
    client: Any = Portkey(
        api_key=stack.key,
        base_url=f"{stack.url}/v1",
        provider="openai",
        trace_id="trace-1",
        metadata={"_user": "someone"},
        max_retries=0,
    )
    client.chat.completions.create(model="alpha/small", messages=HELLO, brand_new_option={"depth": 3})
    assert sent(stack, "alpha")["brand_new_option"] == {"depth": 3}
    headers = sent_headers(stack, "alpha")
    assert stack.key not in json.dumps(headers)
    assert not [name for name in headers if name.startswith("x-portkey")]


@EVERY_WIRE
def test_provider_errors_become_the_sdks_own(client: Any, stack: Stack, wire: str) -> None:
    for status, kind in [
        (400, vendored.BadRequestError),
        (429, vendored.RateLimitError),
        (500, vendored.InternalServerError),
    ]:
        fault = {"kind": "status", "status": status, "message": "said the provider"}
        simulate(stack, partial(stack.simulator.fault, fault, match={"provider": wire}, times=1))
        simulate(stack, stack.simulator.clear_requests)
        with pytest.raises(kind) as raised:
            client.chat.completions.create(model=f"{wire}-fail-{status}", messages=HELLO)
        assert "said the provider" in str(raised.value)
        assert len(stack.simulator.requests) == 1, "the SDK did not try again: our retries are spent"


def test_own_errors_are_the_sdks_own_too(client: Any, stack: Stack) -> None:
    with pytest.raises(vendored.NotFoundError) as unknown:
        client.chat.completions.create(model="alpha/smal", messages=HELLO)
    assert "alpha/small" in str(unknown.value)
    stranger: Any = Portkey(api_key="pk_wrong", base_url=f"{stack.url}/v1", max_retries=0)
    with pytest.raises(vendored.AuthenticationError):
        stranger.chat.completions.create(model="alpha/small", messages=HELLO)


async def test_the_asynchronous_client_streams_too(stack: Stack) -> None:
    client: Any = AsyncPortkey(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0)
    stream = await client.chat.completions.create(model="assistant", messages=HELLO, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert "hello there" in text
