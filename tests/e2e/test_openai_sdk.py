"""The official `openai` SDK against Interchange, in front of each of the three upstream wires."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import (
    TRANSLATED,
    WEATHER_SCHEMA,
    WIRES,
    pixel,
    sent,
    sent_headers,
    simulate,
)

HELLO: Any = [{"role": "user", "content": "hello there"}]
WEATHER_TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": WEATHER_SCHEMA},
}
CALL_TOOL: Any = [{"role": "user", "content": "use get_weather please"}]
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
def test_usage_carries_the_cost_and_the_headers_say_who_answered(client: openai.OpenAI, wire: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=f"{wire}/small", messages=HELLO)
    usage: Any = raw.parse().usage
    nano_usd = usage.prompt_tokens * 100 + usage.completion_tokens * 400
    assert usage.model_extra["cost"] == pytest.approx(nano_usd / 1e9, abs=1.1e-9)
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


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_embeddings_come_as_floats_of_the_wanted_size(client: openai.OpenAI, wire: str) -> None:
    vectors = client.embeddings.create(
        model=f"{wire}/embed", input=["first text", "second text"], dimensions=8, encoding_format="float"
    )
    assert [one.index for one in vectors.data] == [0, 1]
    assert [len(one.embedding) for one in vectors.data] == [8, 8]
    assert vectors.data[0].embedding != vectors.data[1].embedding
    assert vectors.model


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_embeddings_in_the_sdks_own_base64_equal_the_floats(client: openai.OpenAI, wire: str) -> None:
    packed = client.embeddings.create(model=f"{wire}/embed", input="one text")
    plain = client.embeddings.create(model=f"{wire}/embed", input="one text", encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)


def test_text_completions_are_answered_and_streamed(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="alpha/small", prompt="hello there", max_tokens=200)
    streamed = "".join(
        chunk.choices[0].text
        for chunk in client.completions.create(
            model="alpha/small", prompt="hello there", max_tokens=200, stream=True
        )
        if chunk.choices
    )
    assert "hello there" in whole.choices[0].text
    assert streamed == whole.choices[0].text


@pytest.mark.parametrize("wire", TRANSLATED)
def test_text_completions_are_translated(client: openai.OpenAI, wire: str) -> None:
    whole = client.completions.create(model=f"{wire}/small", prompt="hello there", max_tokens=200)
    streamed = "".join(
        chunk.choices[0].text
        for chunk in client.completions.create(
            model=f"{wire}/small", prompt="hello there", max_tokens=200, stream=True
        )
        if chunk.choices
    )
    assert "hello there" in whole.choices[0].text
    assert streamed == whole.choices[0].text


def test_models_list_routes_first_and_one_can_be_retrieved(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "assistant"
    assert {"auto", "alpha/small", "beta/small", "gamma/embed"} <= set(names)
    assert client.models.retrieve("beta/small").owned_by == "beta"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("beta/none-such")


def test_unknown_parameters_and_vendor_headers_arrive_at_the_provider(
    client: openai.OpenAI, stack: Stack
) -> None:
    client.chat.completions.create(
        model="alpha/small",
        messages=HELLO,
        extra_body={"brand_new_option": {"depth": 3}, "top_k": 7},
        extra_headers={"openai-beta": "brand-new=v1"},
        seed=7,
        user="someone",
        logit_bias={"50256": -100},
    )
    body = sent(stack, "alpha")
    assert body["brand_new_option"] == {"depth": 3}
    assert body["top_k"] == 7
    assert body["seed"] == 7
    assert body["logit_bias"] == {"50256": -100}
    assert body["model"] == "small"
    assert sent_headers(stack, "alpha")["openai-beta"] == "brand-new=v1"


def test_unknown_parameters_arrive_with_streams_too(client: openai.OpenAI, stack: Stack) -> None:
    list(
        client.chat.completions.create(
            model="alpha/small", messages=HELLO, stream=True, extra_body={"brand_new_option": [1, "two"]}
        )
    )
    assert sent(stack, "alpha")["brand_new_option"] == [1, "two"]


@pytest.mark.parametrize("wire", TRANSLATED)
def test_what_a_translation_cannot_say_is_named_in_a_header(client: openai.OpenAI, wire: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=f"{wire}/small", messages=HELLO, extra_body={"brand_new_option": 1}
    )
    assert "brand_new_option" in raw.headers["x-interchange-dropped"]


def test_the_callers_key_never_travels_upstream(client: openai.OpenAI, stack: Stack) -> None:
    client.chat.completions.create(model="alpha/small", messages=HELLO)
    headers = sent_headers(stack, "alpha")
    assert stack.key not in json.dumps(headers)
    assert not [name for name in headers if name.startswith("x-interchange")]


def test_log_probabilities_are_passed_on(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="alpha/small", messages=HELLO, logprobs=True, top_logprobs=2
    )
    logprobs: Any = answer.choices[0].logprobs
    assert len(logprobs.content[0].top_logprobs) == 2


def test_a_refusal_is_shown_as_one(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="alpha/refuser", messages=HELLO)
    assert answer.choices[0].message.refusal


ERRORS = [
    (400, openai.BadRequestError),
    (404, openai.NotFoundError),
    (422, openai.UnprocessableEntityError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


@EVERY_WIRE
@pytest.mark.parametrize(("status", "kind"), ERRORS)
@pytest.mark.parametrize("streamed", [False, True])
def test_provider_errors_become_the_sdks_own(
    client: openai.OpenAI,
    stack: Stack,
    wire: str,
    status: int,
    kind: type[openai.APIStatusError],
    streamed: bool,
) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": status, "message": "said the provider"}, match={"provider": wire}
        ),
    )
    with pytest.raises(kind) as raised:
        client.chat.completions.create(
            model=f"{wire}-fail-{status}{'-streamed' if streamed else ''}",
            messages=HELLO,
            stream=streamed,
        )
    error = raised.value
    assert error.response.headers["x-should-retry"] == "false"
    assert error.body is not None
    assert "said the provider" in str(error)
    assert error.status_code == {500: 502}.get(status, status)
    if wire != "alpha":
        body: Any = error.body
        assert body["code"].startswith("upstream_")
        assert body["request_id"]


@EVERY_WIRE
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_provider_key_is_the_operators_business(
    client: openai.OpenAI, stack: Stack, wire: str, status: int
) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": status, "message": f"Incorrect API key: provider-secret-{wire}"},
            match={"provider": wire},
        ),
    )
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model=f"{wire}-fail-{status}", messages=HELLO)
    assert raised.value.status_code == 502
    assert "provider-secret" not in raised.value.response.text
    assert raised.value.code == "upstream_auth"


def test_a_same_family_error_body_comes_back_unmodified(client: openai.OpenAI, stack: Stack) -> None:
    body = '{"error":{"message":"odd","type":"brand_new","param":"x","code":"y","extra":[1]}}'
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": 422, "body": body}, match={"provider": "alpha"}
        ),
    )
    with pytest.raises(openai.UnprocessableEntityError) as raised:
        client.chat.completions.create(model="alpha-fail-422", messages=HELLO)
    assert raised.value.response.text == body


@EVERY_WIRE
def test_an_over_long_prompt_is_a_typed_error(client: openai.OpenAI, wire: str) -> None:
    long_text: Any = [{"role": "user", "content": "word " * 200}]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=f"{wire}/ctx40", messages=long_text)
    assert "context" in str(raised.value)


def test_own_errors_are_the_sdks_own_too(client: openai.OpenAI, stack: Stack) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="alpha/smal", messages=HELLO)
    assert unknown.value.code == "model_not_found"
    assert unknown.value.param == "model"
    assert "alpha/small" in str(unknown.value)
    with (
        openai.OpenAI(api_key="ik_wrong", base_url=f"{stack.url}/v1", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.chat.completions.create(model="alpha/small", messages=HELLO)
    assert refused.value.code == "invalid_api_key"


def test_a_cut_stream_raises_in_the_sdk(client: openai.OpenAI, stack: Stack) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "cut_after", "tokens": 3}, match={"provider": "alpha", "model": "small"}, times=1
        ),
    )
    text = ""
    with pytest.raises(openai.APIError) as raised:
        for chunk in client.chat.completions.create(model="alpha/small", messages=HELLO, stream=True):
            text += chunk.choices[0].delta.content or ""
    assert text
    assert raised.value.code == "stream_interrupted"


async def test_the_asynchronous_client_streams_too(stack: Stack) -> None:
    async with openai.AsyncOpenAI(
        api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20
    ) as client:
        stream = await client.chat.completions.create(model="assistant", messages=HELLO, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert "hello there" in text
