"""The official `anthropic` SDK against Interchange, in front of each of the three upstream wires."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import WEATHER_SCHEMA, WIRES, pixel, sent, sent_headers, simulate

HELLO: Any = [{"role": "user", "content": "hello there"}]
WEATHER_TOOL: Any = {"name": "get_weather", "description": "Weather", "input_schema": WEATHER_SCHEMA}
CALL_TOOL: Any = [{"role": "user", "content": "use get_weather please"}]
EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)
FOREIGN = pytest.mark.parametrize("wire", ["alpha", "gamma"])


@pytest.fixture
def client(stack: Stack) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=stack.key, base_url=stack.url, max_retries=0, timeout=20) as sdk:
        yield sdk


def _text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@EVERY_WIRE
def test_a_message_is_answered(client: anthropic.Anthropic, wire: str) -> None:
    answer = client.messages.create(model=f"{wire}/small", max_tokens=300, system="Be brief.", messages=HELLO)
    assert answer.type == "message"
    assert answer.role == "assistant"
    assert "hello there" in _text(answer)
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0


@EVERY_WIRE
def test_the_headers_say_what_it_cost_and_who_answered(client: anthropic.Anthropic, wire: str) -> None:
    raw = client.messages.with_raw_response.create(model=f"{wire}/small", max_tokens=300, messages=HELLO)
    usage: Any = raw.parse().usage
    expected = (usage.input_tokens * 100 + usage.output_tokens * 400) / 1e9
    assert "cost" not in (usage.model_extra or {})
    assert raw.headers["x-interchange-provider"] == wire
    assert float(raw.headers["x-interchange-cost-usd"]) == pytest.approx(expected, abs=1.1e-9)


@EVERY_WIRE
def test_a_stream_says_the_same_as_the_whole_answer(client: anthropic.Anthropic, wire: str) -> None:
    whole = client.messages.create(model=f"{wire}/small", max_tokens=300, messages=HELLO)
    with client.messages.stream(model=f"{wire}/small", max_tokens=300, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(pieces) == _text(whole) == _text(final)
    assert len(pieces) > 3
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens


@EVERY_WIRE
def test_stream_events_come_in_anthropics_order(client: anthropic.Anthropic, wire: str) -> None:
    events = [
        event.type
        for event in client.messages.create(
            model=f"{wire}/small", max_tokens=300, messages=HELLO, stream=True
        )
    ]
    assert events[0] == "message_start"
    assert events[1] == "content_block_start"
    assert set(events[2:-3]) == {"content_block_delta"}
    assert events[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@EVERY_WIRE
def test_a_tool_is_called_and_its_result_understood(client: anthropic.Anthropic, wire: str) -> None:
    called = client.messages.create(
        model=f"{wire}/small", max_tokens=300, messages=CALL_TOOL, tools=[WEATHER_TOOL]
    )
    assert called.stop_reason == "tool_use"
    uses: Any = [block for block in called.content if block.type == "tool_use"]
    assert [use.name for use in uses] == ["get_weather"]
    assert set(uses[0].input) == {"city", "days"}

    result = {"type": "tool_result", "tool_use_id": uses[0].id, "content": "sunny, 21 degrees"}
    conversation: Any = [
        *CALL_TOOL,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in called.content]},
        {"role": "user", "content": [result]},
    ]
    answered = client.messages.create(
        model=f"{wire}/small", max_tokens=300, messages=conversation, tools=[WEATHER_TOOL]
    )
    assert "sunny, 21 degrees" in _text(answered)


@EVERY_WIRE
def test_a_forced_tool_is_called_even_unasked(client: anthropic.Anthropic, wire: str) -> None:
    called = client.messages.create(
        model=f"{wire}/small",
        max_tokens=300,
        messages=HELLO,
        tools=[WEATHER_TOOL],
        tool_choice={"type": "tool", "name": "get_weather"},
    )
    assert [block.type for block in called.content] == ["tool_use"]


@EVERY_WIRE
def test_a_streamed_tool_call_arrives_in_pieces_that_join(client: anthropic.Anthropic, wire: str) -> None:
    whole = client.messages.create(
        model=f"{wire}/small", max_tokens=300, messages=CALL_TOOL, tools=[WEATHER_TOOL]
    )
    with client.messages.stream(
        model=f"{wire}/small", max_tokens=300, messages=CALL_TOOL, tools=[WEATHER_TOOL]
    ) as stream:
        final = stream.get_final_message()
    whole_use: Any = whole.content[-1]
    final_use: Any = final.content[-1]
    assert final.stop_reason == "tool_use"
    assert final_use.name == "get_weather"
    assert final_use.input == whole_use.input
    assert final_use.id


@EVERY_WIRE
def test_pictures_reach_the_model(client: anthropic.Anthropic, wire: str) -> None:
    answer = client.messages.create(
        model=f"{wire}/small",
        max_tokens=300,
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what is this?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": pixel()},
                    },
                ],
            }
        ],
    )
    assert "I see one image" in _text(answer)


@EVERY_WIRE
def test_an_answer_keeps_a_json_schema(client: anthropic.Anthropic, wire: str) -> None:
    answer = client.messages.create(
        model=f"{wire}/small",
        max_tokens=300,
        messages=HELLO,
        output_config={"format": {"type": "json_schema", "schema": WEATHER_SCHEMA}},
    )
    assert set(json.loads(_text(answer))) == {"city", "days"}


@EVERY_WIRE
def test_max_tokens_and_stop_sequences_are_kept(client: anthropic.Anthropic, wire: str) -> None:
    short = client.messages.create(model=f"{wire}/small", max_tokens=5, messages=HELLO)
    stopped = client.messages.create(
        model=f"{wire}/small", max_tokens=300, messages=HELLO, stop_sequences=["simulated"]
    )
    assert short.stop_reason == "max_tokens"
    assert short.usage.output_tokens == 5
    assert "simulated" not in _text(stopped)


def test_thinking_is_shown_with_its_signature(client: anthropic.Anthropic) -> None:
    options: Any = {
        "model": "beta/think",
        "max_tokens": 2000,
        "messages": HELLO,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    whole = client.messages.create(**options)
    with client.messages.stream(**options) as stream:
        final = stream.get_final_message()
    thoughts: Any = [message.content[0] for message in (whole, final)]
    assert [thought.type for thought in thoughts] == ["thinking", "thinking"]
    assert thoughts[0].thinking == thoughts[1].thinking != ""
    assert thoughts[0].signature == thoughts[1].signature != ""


def test_tokens_are_counted_by_the_provider(client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(model="beta/small", messages=HELLO, system="Be brief.")
    answered = client.messages.create(model="beta/small", max_tokens=5, messages=HELLO, system="Be brief.")
    assert counted.input_tokens == answered.usage.input_tokens


def test_a_route_counts_tokens_at_its_first_target_that_can(client: anthropic.Anthropic) -> None:
    raw = client.messages.with_raw_response.count_tokens(model="assistant", messages=HELLO)
    assert raw.parse().input_tokens > 0
    assert raw.headers["x-interchange-provider"] == "beta"


@FOREIGN
def test_a_count_of_our_own_is_flagged_where_the_provider_does_not_count(
    client: anthropic.Anthropic, wire: str
) -> None:
    raw = client.messages.with_raw_response.count_tokens(model=f"{wire}/small", messages=HELLO)
    assert raw.parse().input_tokens > 0
    # Gemini counts too; OpenAI's chat has no such route.
    assert raw.headers.get("x-interchange-estimated") == ("true" if wire == "alpha" else None)


def test_models_are_listed_in_anthropics_shape(client: anthropic.Anthropic) -> None:
    models = list(client.models.list())
    names = [model.id for model in models]
    assert names[0] == "assistant"
    assert {"auto", "beta/small", "alpha/small"} <= set(names)
    assert models[0].type == "model"
    assert client.models.retrieve("beta/small").id == "beta/small"
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("beta/none-such")


def test_unknown_parameters_and_vendor_headers_arrive_at_the_provider(
    client: anthropic.Anthropic, stack: Stack
) -> None:
    client.messages.create(
        model="beta/small",
        max_tokens=50,
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
            }
        ],
        metadata={"user_id": "someone"},
        extra_body={"brand_new_option": {"depth": 3}, "top_k": 5},
        extra_headers={"anthropic-beta": "brand-new-2030-01-01"},
    )
    body = sent(stack, "beta")
    assert body["brand_new_option"] == {"depth": 3}
    assert body["top_k"] == 5
    assert body["metadata"] == {"user_id": "someone"}
    assert body["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    headers = sent_headers(stack, "beta")
    assert headers["anthropic-beta"] == "brand-new-2030-01-01"
    assert headers["anthropic-version"]
    assert stack.key not in json.dumps(headers)


@FOREIGN
def test_what_a_translation_cannot_say_is_named_in_a_header(client: anthropic.Anthropic, wire: str) -> None:
    raw = client.messages.with_raw_response.create(
        model=f"{wire}/small", max_tokens=50, messages=HELLO, extra_body={"brand_new_option": 1}
    )
    assert "brand_new_option" in raw.headers["x-interchange-dropped"]


ERRORS = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (413, anthropic.RequestTooLargeError, "request_too_large"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (529, anthropic.InternalServerError, "overloaded_error"),
]


@EVERY_WIRE
@pytest.mark.parametrize(("status", "kind", "error_type"), ERRORS)
@pytest.mark.parametrize("streamed", [False, True])
def test_provider_errors_become_the_sdks_own(
    client: anthropic.Anthropic,
    stack: Stack,
    wire: str,
    status: int,
    kind: type[anthropic.APIStatusError],
    error_type: str,
    streamed: bool,
) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": status, "message": "said the provider"}, match={"provider": wire}
        ),
    )
    with pytest.raises(kind) as raised:
        client.messages.create(
            model=f"{wire}-fail-{status}{'-streamed' if streamed else ''}",
            max_tokens=50,
            messages=HELLO,
            stream=streamed,
        )
    body: Any = raised.value.body
    assert raised.value.status_code == (502 if status == 500 and wire != "beta" else status)
    assert body["type"] == "error"
    assert body["error"]["type"] == error_type
    assert body["error"]["message"] == "said the provider"
    assert raised.value.response.headers["x-should-retry"] == "false"


@EVERY_WIRE
def test_a_refused_provider_key_is_the_operators_business(
    client: anthropic.Anthropic, stack: Stack, wire: str
) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault(
            {"kind": "status", "status": 401, "message": f"bad key provider-secret-{wire}"},
            match={"provider": wire},
        ),
    )
    with pytest.raises(anthropic.InternalServerError) as raised:
        client.messages.create(model=f"{wire}-fail-401", max_tokens=50, messages=HELLO)
    assert raised.value.status_code == 502
    assert "provider-secret" not in raised.value.response.text


def test_own_errors_are_the_sdks_own_too(client: anthropic.Anthropic, stack: Stack) -> None:
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.messages.create(model="beta/smal", max_tokens=50, messages=HELLO)
    body: Any = unknown.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == "not_found_error"
    assert body["error"]["code"] == "model_not_found"
    assert "beta/small" in body["error"]["message"]
    assert body["request_id"] == unknown.value.response.headers["x-request-id"]
    with (
        anthropic.Anthropic(api_key="ik_wrong", base_url=stack.url, max_retries=0) as stranger,
        pytest.raises(anthropic.AuthenticationError) as refused,
    ):
        stranger.messages.create(model="beta/small", max_tokens=50, messages=HELLO)
    refused_body: Any = refused.value.body
    assert refused_body["error"]["type"] == "authentication_error"


def test_a_token_in_the_authorization_header_serves_as_key_too(stack: Stack) -> None:
    """Claude Code sends its ANTHROPIC_AUTH_TOKEN this way."""
    with anthropic.Anthropic(
        auth_token=stack.key, api_key=None, base_url=stack.url, max_retries=0, timeout=20
    ) as client:
        assert client.messages.create(model="beta/small", max_tokens=50, messages=HELLO).content


@EVERY_WIRE
def test_a_cut_stream_raises_in_the_sdk(client: anthropic.Anthropic, stack: Stack, wire: str) -> None:
    simulate(
        stack,
        lambda: stack.simulator.fault({"kind": "cut_after", "tokens": 3}, match={"provider": wire}, times=1),
    )
    text = ""
    with (
        pytest.raises(anthropic.APIError) as raised,
        client.messages.stream(model=f"{wire}/small", max_tokens=300, messages=HELLO) as stream,
    ):
        for piece in stream.text_stream:
            text += piece
    assert text
    body: Any = raised.value.body
    assert body["error"]["code"] == "stream_interrupted"


@EVERY_WIRE
def test_the_sdk_skips_pings_before_a_slow_first_token(
    client: anthropic.Anthropic, stack: Stack, wire: str
) -> None:
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=200))
    with client.messages.stream(model=f"{wire}-patient", max_tokens=300, messages=HELLO) as stream:
        assert "hello there" in "".join(stream.text_stream)


async def test_the_asynchronous_client_streams_too(stack: Stack) -> None:
    async with (
        anthropic.AsyncAnthropic(api_key=stack.key, base_url=stack.url, max_retries=0, timeout=20) as client,
        client.messages.stream(model="assistant", max_tokens=300, messages=HELLO) as stream,
    ):
        text = "".join([piece async for piece in stream.text_stream])
    assert "hello there" in text
