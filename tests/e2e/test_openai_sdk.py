"""The official `openai` SDK against Interchange, in front of each of the three upstream wires."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pydantic
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import (
    WEATHER_SCHEMA,
    WIRES,
    pixel,
)

HELLO: Any = [{"role": "user", "content": "hello there"}]
WEATHER_TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER_SCHEMA},
}
CALL_TOOL: Any = [{"role": "user", "content": "use get_weather please"}]


class Weather(pydantic.BaseModel):
    """What the SDK's parser is asked for."""

    city: str
    days: int


EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


@EVERY_WIRE
def test_a_chat_is_answered(client: openai.OpenAI, wire: str) -> None:
    answer = client.chat.completions.create(
        model=f"{wire}/small", messages=[{"role": "system", "content": "Be brief."}, *HELLO]
    )
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert "hello there" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@EVERY_WIRE
def test_the_headers_say_what_it_cost_and_who_answered(client: openai.OpenAI, wire: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=f"{wire}/small", messages=HELLO)
    usage: Any = raw.parse().usage
    nano_usd = usage.prompt_tokens * 100 + usage.completion_tokens * 400
    assert "cost" not in (usage.model_extra or {}), "a whole answer keeps the provider's bytes"
    assert raw.headers["x-interchange-provider"] == wire
    assert raw.headers["x-interchange-model"] == "small"
    assert float(raw.headers["x-interchange-cost-usd"]) == pytest.approx(nano_usd / 1e9, abs=1.1e-9)
    assert raw.headers["x-interchange-cost-estimated"] == "false"
    assert raw.headers["x-interchange-attempts"] == "1"
    assert raw.headers["x-request-id"]


@EVERY_WIRE
def test_a_stream_says_the_same_as_the_whole_answer(client: openai.OpenAI, wire: str) -> None:
    whole = client.chat.completions.create(model=f"{wire}/small", messages=HELLO)
    chunks = list(client.chat.completions.create(model=f"{wire}/small", messages=HELLO, stream=True))
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert streamed == whole.choices[0].message.content
    assert len(chunks) > 3
    finishes = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert finishes[-1] == "stop"
    assert finishes.count("stop") == 1
    assert all(chunk.usage is None for chunk in chunks), "usage was not asked for"
    assert len({chunk.id for chunk in chunks}) == 1


@EVERY_WIRE
def test_include_usage_adds_one_last_chunk_with_usage_and_cost(client: openai.OpenAI, wire: str) -> None:
    whole = client.chat.completions.create(model=f"{wire}/small", messages=HELLO)
    chunks = list(
        client.chat.completions.create(
            model=f"{wire}/small", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    with_usage = [chunk for chunk in chunks if chunk.usage is not None]
    assert with_usage == chunks[-1:]
    last: Any = chunks[-1]
    assert last.choices == []
    assert whole.usage is not None
    assert last.usage.prompt_tokens == whole.usage.prompt_tokens
    assert last.usage.completion_tokens == whole.usage.completion_tokens
    assert last.usage.model_extra["cost"] > 0


@EVERY_WIRE
def test_a_tool_is_called_and_its_result_understood(client: openai.OpenAI, wire: str) -> None:
    called = client.chat.completions.create(
        model=f"{wire}/small", messages=CALL_TOOL, tools=[WEATHER_TOOL], tool_choice="auto"
    )
    assert called.choices[0].finish_reason == "tool_calls"
    calls: Any = called.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather"]
    assert set(json.loads(calls[0].function.arguments)) == {"city", "days"}
    assert calls[0].id

    message: Any = called.choices[0].message.model_dump(exclude_none=True)
    answered = client.chat.completions.create(
        model=f"{wire}/small",
        messages=[
            *CALL_TOOL,
            message,
            {"role": "tool", "tool_call_id": calls[0].id, "content": "sunny, 21 degrees"},
        ],
        tools=[WEATHER_TOOL],
    )
    assert "sunny, 21 degrees" in (answered.choices[0].message.content or "")


@EVERY_WIRE
def test_a_forced_tool_is_called_even_unasked(client: openai.OpenAI, wire: str) -> None:
    called = client.chat.completions.create(
        model=f"{wire}/small",
        messages=HELLO,
        tools=[WEATHER_TOOL],
        tool_choice={"type": "function", "function": {"name": "get_weather"}},
    )
    calls: Any = called.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather"]


@EVERY_WIRE
def test_a_streamed_tool_call_arrives_in_pieces_that_join(client: openai.OpenAI, wire: str) -> None:
    whole = client.chat.completions.create(model=f"{wire}/small", messages=CALL_TOOL, tools=[WEATHER_TOOL])
    with client.chat.completions.stream(
        model=f"{wire}/small", messages=CALL_TOOL, tools=[WEATHER_TOOL]
    ) as stream:
        final = stream.get_final_completion()
    whole_calls: Any = whole.choices[0].message.tool_calls
    final_calls: Any = final.choices[0].message.tool_calls
    assert final.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in final_calls] == ["get_weather"]
    assert json.loads(final_calls[0].function.arguments) == json.loads(whole_calls[0].function.arguments)
    assert final_calls[0].id


@EVERY_WIRE
def test_several_tools_may_be_called_at_once_and_streamed(client: openai.OpenAI, wire: str) -> None:
    other: Any = {
        "type": "function",
        "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
    }
    asked: Any = [{"role": "user", "content": "use get_weather and get_time"}]
    with client.chat.completions.stream(
        model=f"{wire}/small", messages=asked, tools=[WEATHER_TOOL, other]
    ) as stream:
        final = stream.get_final_completion()
    calls: Any = final.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert len({call.id for call in calls}) == 2
    assert json.loads(calls[1].function.arguments) == {}


@EVERY_WIRE
def test_pictures_reach_the_model(client: openai.OpenAI, wire: str) -> None:
    answer = client.chat.completions.create(
        model=f"{wire}/small",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is this?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{pixel()}"}},
                ],
            }
        ],
    )
    assert "I see one image" in (answer.choices[0].message.content or "")


@EVERY_WIRE
def test_an_answer_keeps_a_json_schema(client: openai.OpenAI, stack: Stack, wire: str) -> None:
    answer = client.chat.completions.create(
        model=f"{wire}/small",
        messages=HELLO,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "weather", "schema": WEATHER_SCHEMA, "strict": True},
        },
    )
    value = json.loads(answer.choices[0].message.content or "")
    assert set(value) == {"city", "days"}
    assert isinstance(value["days"], int)


@EVERY_WIRE
def test_a_streamed_answer_keeps_a_json_schema(client: openai.OpenAI, wire: str) -> None:
    chunks = client.chat.completions.create(
        model=f"{wire}/small",
        messages=HELLO,
        stream=True,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "weather", "schema": WEATHER_SCHEMA, "strict": True},
        },
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert set(json.loads(text)) == {"city", "days"}


@EVERY_WIRE
def test_the_sdks_own_parser_gets_what_it_asked_for(client: openai.OpenAI, wire: str) -> None:
    answer = client.chat.completions.parse(model=f"{wire}/small", messages=HELLO, response_format=Weather)
    parsed = answer.choices[0].message.parsed
    assert parsed is not None
    assert parsed.city
    assert parsed.days >= 1


@EVERY_WIRE
@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_is_shown_beside_the_answer(client: openai.OpenAI, wire: str, streamed: bool) -> None:
    options: Any = {
        "model": f"{wire}/think",
        "messages": HELLO,
        "reasoning_effort": "low",
        "max_completion_tokens": 3000,
    }
    if streamed:
        chunks = list(client.chat.completions.create(**options, stream=True))
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        thought = "".join((delta.model_extra or {}).get("reasoning_content") or "" for delta in deltas)
        said = "".join(delta.content or "" for delta in deltas)
    else:
        message = client.chat.completions.create(**options).choices[0].message
        thought, said = (message.model_extra or {})["reasoning_content"], message.content
    assert "The user asks: hello there" in thought
    assert said.startswith("This is a simulated answer")


@EVERY_WIRE
@pytest.mark.parametrize(("choice", "calls"), [("none", 0), ("required", 1)])
def test_tools_can_be_forbidden_and_required(
    client: openai.OpenAI, wire: str, choice: Any, calls: int
) -> None:
    asked: Any = CALL_TOOL if choice == "none" else HELLO
    answer = client.chat.completions.create(
        model=f"{wire}/small", messages=asked, tools=[WEATHER_TOOL], tool_choice=choice
    )
    assert len(answer.choices[0].message.tool_calls or []) == calls


@EVERY_WIRE
def test_max_tokens_and_stop_are_kept_by_the_provider(client: openai.OpenAI, wire: str) -> None:
    short = client.chat.completions.create(model=f"{wire}/small", messages=HELLO, max_tokens=5)
    stopped = client.chat.completions.create(model=f"{wire}/small", messages=HELLO, stop=["simulated"])
    assert short.choices[0].finish_reason == "length"
    assert short.usage is not None
    assert short.usage.completion_tokens == 5
    assert "simulated" not in (stopped.choices[0].message.content or "")
    assert stopped.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_two_choices_are_given_where_the_provider_can(client: openai.OpenAI, wire: str) -> None:
    answer = client.chat.completions.create(model=f"{wire}/small", messages=HELLO, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    texts = [choice.message.content or "" for choice in answer.choices]
    assert texts[0] != texts[1]
    assert answer.usage is not None
    assert answer.usage.completion_tokens > len(texts[0]) / 8


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_two_choices_are_streamed_where_the_provider_can(client: openai.OpenAI, wire: str) -> None:
    whole = client.chat.completions.create(model=f"{wire}/small", messages=HELLO, n=2)
    texts = {0: "", 1: ""}
    finished = set()
    for chunk in client.chat.completions.create(model=f"{wire}/small", messages=HELLO, n=2, stream=True):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                finished.add(choice.index)
    assert texts == {choice.index: choice.message.content for choice in whole.choices}
    assert finished == {0, 1}


def test_two_choices_are_refused_with_a_reason_where_the_provider_cannot(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="beta/small", messages=HELLO, n=2)
    assert "n:" in str(raised.value)


async def test_the_asynchronous_client_streams_too(stack: Stack) -> None:
    async with openai.AsyncOpenAI(
        api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20
    ) as client:
        stream = await client.chat.completions.create(model="assistant", messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert "hello there" in text
