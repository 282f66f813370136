"""`/v1/responses` with the official `openai` SDK, in front of each of the three upstream wires.

`alpha` answers the Responses API itself; `beta` and `gamma` are reached by translation.
"""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai
import pydantic
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import (
    TRANSLATED,
    WEATHER_SCHEMA,
    WIRES,
    eventually,
    pixel,
    sent,
    simulate,
    sse_events,
)

TOOL: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER_SCHEMA, "strict": True}
CUSTOM: Any = {"type": "custom", "name": "apply_patch", "description": "Patches files."}
EVERY_WIRE = pytest.mark.parametrize("wire", WIRES)
EVERY_TRANSLATED = pytest.mark.parametrize("wire", TRANSLATED)


class Weather(pydantic.BaseModel):
    """What the SDK's parser is asked for."""

    city: str
    days: int


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


@EVERY_WIRE
def test_a_text_is_answered(client: openai.OpenAI, wire: str) -> None:
    answer = client.responses.create(model=f"{wire}/small", instructions="Be brief.", input="hello there")
    assert "hello there" in answer.output_text
    assert (answer.object, answer.status, answer.error) == ("response", "completed", None)
    assert answer.usage is not None and answer.usage.input_tokens > 0
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_only_who_keeps_answers_says_so(client: openai.OpenAI) -> None:
    kept = {
        wire: client.responses.create(model=f"{wire}/small", input="hi").to_dict()["store"] for wire in WIRES
    }
    assert kept == {"alpha": True, "beta": False, "gamma": False}


@EVERY_WIRE
def test_the_headers_are_those_of_every_call(client: openai.OpenAI, wire: str) -> None:
    raw = client.responses.with_raw_response.create(model=f"{wire}/small", input="hello there")
    usage: Any = raw.parse().usage
    nano_usd = usage.input_tokens * 100 + usage.output_tokens * 400
    assert raw.headers["x-interchange-provider"] == wire
    assert raw.headers["x-interchange-model"] == "small"
    assert float(raw.headers["x-interchange-cost-usd"]) == pytest.approx(nano_usd / 1e9, abs=1.1e-9)
    assert raw.headers["x-interchange-attempts"] == "1" and raw.headers["x-request-id"]


@EVERY_WIRE
def test_a_stream_is_put_together_by_the_sdk(client: openai.OpenAI, wire: str) -> None:
    whole = client.responses.create(model=f"{wire}/small", input="hello there")
    with client.responses.stream(model=f"{wire}/small", input="hello there") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert final.output_text == whole.output_text and final.status == "completed"
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds.count("response.output_text.delta") > 3 and kinds[-1] == "response.completed"
    assert final.usage is not None and whole.usage is not None
    assert final.usage.output_tokens == whole.usage.output_tokens


@EVERY_WIRE
def test_structured_output_is_parsed(client: openai.OpenAI, wire: str) -> None:
    answer = client.responses.parse(model=f"{wire}/small", input="weather as json", text_format=Weather)
    assert isinstance(answer.output_parsed, Weather)
    with client.responses.stream(
        model=f"{wire}/small", input="weather as json", text_format=Weather
    ) as stream:
        assert stream.get_final_response().output_parsed == answer.output_parsed


@EVERY_WIRE
@pytest.mark.parametrize("streamed", [False, True])
def test_a_loop_with_tools_goes_round(client: openai.OpenAI, wire: str, streamed: bool) -> None:
    items: list[Any] = [{"role": "user", "content": "use get_weather please"}]
    asked: Any = {"model": f"{wire}/small", "tools": [TOOL], "store": False}
    if streamed:
        with client.responses.stream(input=items, **asked) as stream:
            first: Any = stream.get_final_response().to_dict()
    else:
        first = client.responses.create(input=items, **asked).to_dict()
    [call] = [item for item in first["output"] if item["type"] == "function_call"]
    assert call["name"] == "get_weather" and set(json.loads(call["arguments"])) == {"city", "days"}
    items += [
        *first["output"],
        {"type": "function_call_output", "call_id": call["call_id"], "output": "17 degrees"},
    ]
    assert "17 degrees" in client.responses.create(input=items, **asked).output_text


@EVERY_TRANSLATED
def test_a_custom_tool_is_called_with_its_text(client: openai.OpenAI, wire: str) -> None:
    asked: Any = {"model": f"{wire}/small", "tools": [CUSTOM]}
    with client.responses.stream(input="use apply_patch please", **asked) as stream:
        kinds = [event.type for event in stream]
        [call] = [item for item in stream.get_final_response().output if item.type == "custom_tool_call"]
    assert call.name == "apply_patch" and not call.input.startswith("{")
    assert "response.custom_tool_call_input.done" in kinds
    result: Any = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "patched it"}
    items: list[Any] = [{"role": "user", "content": "go"}, call.to_dict(), result]
    second = client.responses.create(input=items, **asked)
    assert "patched it" in second.output_text


@EVERY_WIRE
def test_a_picture_is_seen(client: openai.OpenAI, wire: str) -> None:
    picture: Any = {"type": "input_image", "image_url": f"data:image/png;base64,{pixel()}", "detail": "auto"}
    content: Any = [{"type": "input_text", "text": "what is this"}, picture]
    answer = client.responses.create(model=f"{wire}/small", input=[{"role": "user", "content": content}])
    assert "1x1" in answer.output_text


@EVERY_WIRE
def test_reasoning_comes_as_items_and_may_be_sent_back(client: openai.OpenAI, wire: str) -> None:
    asked: Any = {"model": f"{wire}/think", "reasoning": {"effort": "low", "summary": "auto"}}
    with client.responses.stream(input="hello there", **asked) as stream:
        first = stream.get_final_response()
    assert first.output[0].type == "reasoning" and first.output[-1].type == "message"
    items: Any = [
        {"role": "user", "content": "hello there"},
        *(item.to_dict() for item in first.output),
        {"role": "user", "content": "and now"},
    ]
    assert "and now" in client.responses.create(input=items, **asked).output_text


def test_signed_thinking_returns_to_its_maker_and_to_nobody_else(client: openai.OpenAI, stack: Stack) -> None:
    asked: Any = {"tools": [TOOL], "reasoning": {"effort": "low"}, "max_output_tokens": 4096}
    first = client.responses.create(model="beta/think", input="use get_weather please", **asked)
    output = [item.to_dict() for item in first.output]
    [call] = [item for item in output if item["type"] == "function_call"]
    items: Any = [
        {"role": "user", "content": "use get_weather please"},
        *output,
        {"type": "function_call_output", "call_id": call["call_id"], "output": "17 degrees"},
    ]
    client.responses.create(model="beta/think", input=items, **asked)
    [thinking] = [
        part for part in sent(stack, "beta")["messages"][1]["content"] if part["type"] == "thinking"
    ]
    assert thinking["signature"] and thinking["thinking"]
    for other in ("alpha", "gamma"):
        raw = client.responses.with_raw_response.create(model=f"{other}/think", input=items, **asked)
        assert raw.headers["x-interchange-dropped"]
        assert thinking["signature"] not in json.dumps(sent(stack, other))


def test_a_body_for_a_provider_of_this_api_arrives_as_it_was(client: openai.OpenAI, stack: Stack) -> None:
    client.responses.create(
        model="alpha/small", input="hi", extra_body={"brand_new": {"x": [1]}}, prompt_cache_key="k"
    )
    body = sent(stack, "alpha")
    assert body["brand_new"] == {"x": [1]} and body["prompt_cache_key"] == "k" and body["model"] == "small"


@EVERY_TRANSLATED
def test_what_a_translation_loses_is_named(client: openai.OpenAI, wire: str) -> None:
    raw = client.responses.with_raw_response.create(
        model=f"{wire}/small", input="hi", extra_body={"brand_new": 1}, text={"verbosity": "low"}
    )
    assert {"brand_new", "text.verbosity"} <= set(raw.headers["x-interchange-dropped"].split(","))


@EVERY_TRANSLATED
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
    ],
)
def test_what_only_such_a_provider_can_do_is_refused(
    client: openai.OpenAI, wire: str, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model=f"{wire}/small", input="hi", **fields)
    body: Any = raised.value.body
    assert body["param"] == param
    assert fields.get("tools", [{}])[-1].get("type", param) in body["message"]


def test_a_route_chooses_who_can_do_what_is_asked(client: openai.OpenAI) -> None:
    raw = client.responses.with_raw_response.create(
        model="assistant-translated-first", input="hi", tools=[{"type": "web_search"}]
    )
    assert raw.headers["x-interchange-provider"] == "alpha"
    plain = client.responses.with_raw_response.create(model="assistant-translated-first", input="hi")
    assert plain.headers["x-interchange-provider"] == "beta"


def test_bad_values_are_refused_by_their_path(client: openai.OpenAI) -> None:
    bad: Any = [{"role": "user", "content": [{"text": "x"}]}]
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="alpha/small", input=bad)
    assert raised.value.param == "input[0].content[0].type"


@EVERY_WIRE
@pytest.mark.parametrize("streamed", [False, True])
def test_a_providers_error_becomes_the_sdks_own(
    client: openai.OpenAI, stack: Stack, wire: str, streamed: bool
) -> None:
    fault = {"kind": "status", "status": 429, "message": "said the provider"}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": wire}))
    model = f"{wire}-fail-429{'-streamed' if streamed else ''}"
    with pytest.raises(openai.RateLimitError, match="said the provider"):
        client.responses.create(model=model, input="hi", stream=streamed)


@EVERY_WIRE
def test_a_broken_stream_is_an_error_and_a_failed_response(
    client: openai.OpenAI, stack: Stack, wire: str
) -> None:
    fault = {"kind": "cut_after", "tokens": 3}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": wire}))
    with pytest.raises(openai.APIError, match="interrupted"):
        list(client.responses.create(model=f"{wire}-fail-503", input="hi", stream=True))
    with stack.client() as http:
        asked = {"model": f"{wire}-fail-500", "input": "hi", "stream": True}
        events = sse_events(http.post("/v1/responses", json=asked).text)
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["id"] == events[0]["response"]["id"]
    assert events[-1]["response"]["error"]["code"] == "server_error"


@EVERY_WIRE
def test_a_caller_who_leaves_ends_the_call_upstream(client: openai.OpenAI, stack: Stack, wire: str) -> None:
    before = stack.simulator.stats["client_disconnects"]
    fault = {"kind": "stall_after", "tokens": 2}
    simulate(stack, lambda: stack.simulator.fault(fault, match={"provider": wire}, times=1))
    stream = client.responses.create(model=f"{wire}/small", input="hi", stream=True)
    next(iter(stream))
    stream.close()
    assert eventually(lambda: stack.simulator.stats["client_disconnects"] > before)


def test_a_server_without_the_endpoint_is_asked_in_chat(tmp_path: Path) -> None:
    price = "input_usd_per_mtok: 1, output_usd_per_mtok: 2, context_tokens: 128000"
    config = (
        'providers:\n  old: {kind: openai, base_url: "{sim}/old/v1", api_key: k, via: direct, '
        f"models: {{small: {{{price}}}}}}}\n"
    )
    with Stack(tmp_path / "data", config) as stack:
        fault = {"kind": "status", "status": 404, "message": "Not Found"}
        simulate(stack, lambda: stack.simulator.fault(fault, match={"path": "/responses"}))
        with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0) as sdk:
            answers = [
                sdk.responses.with_raw_response.create(model="old/small", input="hello there")
                for _ in range(2)
            ]
            chat = sdk.chat.completions.create(
                model="old/small", messages=[{"role": "user", "content": "hello there"}]
            )
    assert "hello there" in (chat.choices[0].message.content or "")
    assert [answer.headers["x-interchange-attempts"] for answer in answers] == ["2", "1"]
    assert all("hello there" in answer.parse().output_text for answer in answers)


def _handshake(stack: Stack, path: str) -> str:
    address = urlsplit(stack.url)
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {address.netloc}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"Authorization: Bearer {stack.key}",
    ]
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=5) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return connection.recv(65536).decode()


def test_a_websocket_handshake_is_answered_so_that_clients_use_http(stack: Stack) -> None:
    answered = _handshake(stack, "/v1/responses")
    assert answered.startswith("HTTP/1.1 426 ")
    assert "websocket_not_offered" in answered
    assert httpx.get(f"{stack.url}/v1/responses").status_code == 405
