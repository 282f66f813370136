import base64
import json
import math
import struct

import pytest

from tests.unit.simulator.conftest import WEATHER, Caller

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]


async def test_an_answer_says_that_it_is_simulated_and_echoes_the_prompt(caller: Caller) -> None:
    reply = await caller.chat("what is a breaker?")

    text = reply.json["choices"][0]["message"]["content"]
    assert "simulated provider" in text
    assert "what is a breaker?" in text


async def test_the_same_request_gets_the_same_bytes(caller: Caller) -> None:
    assert (await caller.chat()).body == (await caller.chat()).body


async def test_usage_adds_up(caller: Caller) -> None:
    usage = (await caller.chat()).json["usage"]

    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


async def test_a_stream_says_what_the_unary_answer_says(caller: Caller) -> None:
    whole = (await caller.chat()).json
    reply = await caller.chat(stream=True, stream_options={"include_usage": True})

    *chunks, usage, done = reply.events
    assert done == "[DONE]"
    assert usage["choices"] == [] and usage["usage"] == whole["usage"]
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert all(chunk["usage"] is None for chunk in chunks)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert b"\r\n" not in reply.body


async def test_a_stream_without_include_usage_tells_none(caller: Caller) -> None:
    assert all("usage" not in event for event in (await caller.chat(stream=True)).events[:-1])


async def test_max_tokens_truncates_to_the_token(caller: Caller) -> None:
    answer = (await caller.chat(max_tokens=3)).json

    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


async def test_a_stop_text_ends_the_answer_before_it(caller: Caller) -> None:
    choice = (await caller.chat(stop=["simulated"])).json["choices"][0]

    assert choice["message"]["content"] == "This is a "
    assert choice["finish_reason"] == "stop"


async def test_several_choices_differ(caller: Caller) -> None:
    choices = (await caller.chat(n=3)).json["choices"]

    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert len({choice["message"]["content"] for choice in choices}) == 3


async def test_a_tool_named_in_the_prompt_is_called_with_fitting_arguments(caller: Caller) -> None:
    choice = (await caller.chat("use get_weather please", tools=TOOLS)).json["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    arguments = json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"])
    assert isinstance(arguments["city"], str) and 1 <= arguments["days"] <= 7


async def test_tool_arguments_are_streamed_in_several_deltas(caller: Caller) -> None:
    whole = await caller.chat("use get_weather", tools=TOOLS)
    events = (await caller.chat("use get_weather", tools=TOOLS, stream=True)).events

    calls = [event["choices"][0]["delta"]["tool_calls"][0] for event in events[1:-2]]
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert len(calls) > 2
    joined = "".join(call["function"]["arguments"] for call in calls)
    assert joined == whole.json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", False),
        ("none", False),
        ("required", True),
        ({"type": "function", "function": {"name": "get_weather"}}, True),
    ],
)
async def test_tool_choice_decides(caller: Caller, choice: object, called: bool) -> None:
    answer = (await caller.chat("nothing special", tools=TOOLS, tool_choice=choice)).json

    assert ("tool_calls" in answer["choices"][0]["message"]) is called


async def test_a_tool_result_is_answered_with_text(caller: Caller) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "use get_weather"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "21 degrees"},
    ]
    body = {"model": "small", "messages": messages, "tools": TOOLS}

    answer = (await caller.post("/v1/chat/completions", body)).json

    assert "21 degrees" in answer["choices"][0]["message"]["content"]


async def test_a_json_schema_is_honoured(caller: Caller) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER}}

    text = (await caller.chat(response_format=wanted)).json["choices"][0]["message"]["content"]

    assert set(json.loads(text)) == {"city", "days"}


async def test_json_mode_gives_an_object(caller: Caller) -> None:
    text = (await caller.chat(response_format={"type": "json_object"})).json["choices"][0]["message"][
        "content"
    ]

    assert json.loads(text)["simulated"] is True


async def test_images_are_counted_and_measured(caller: Caller) -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
    url = "data:image/png;base64," + base64.b64encode(header).decode()
    content = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]

    text = (await caller.chat(content)).json["choices"][0]["message"]["content"]

    assert "one image (png 640x480, 24 bytes)" in text


async def test_logprobs_are_given_when_asked_for(caller: Caller) -> None:
    choice = (await caller.chat(logprobs=True, top_logprobs=2, max_tokens=2)).json["choices"][0]

    assert [len(token["top_logprobs"]) for token in choice["logprobs"]["content"]] == [2, 2]


async def test_a_reasoning_model_shows_and_bills_its_reasoning(caller: Caller) -> None:
    answer = (await caller.chat(model="think")).json
    events = (await caller.chat(model="think", stream=True)).events

    reasoning = answer["choices"][0]["message"]["reasoning_content"]
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    deltas = [event["choices"][0]["delta"] for event in events[:-1]]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == reasoning


async def test_a_refusing_model_refuses_in_the_refusal_field(caller: Caller) -> None:
    message = (await caller.chat(model="refuser")).json["choices"][0]["message"]

    assert message["content"] is None and message["refusal"]


async def test_a_trailing_assistant_message_is_continued_where_it_ended(caller: Caller) -> None:
    whole = (await caller.chat()).json["choices"][0]["message"]["content"]
    messages = [{"role": "user", "content": "hello there"}, {"role": "assistant", "content": whole[:30]}]

    rest = (await caller.post("/v1/chat/completions", {"model": "small", "messages": messages})).json

    assert whole[:30] + rest["choices"][0]["message"]["content"] == whole


async def test_a_model_without_prefill_rejects_it(caller: Caller) -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "so"}]

    reply = await caller.post("/v1/chat/completions", {"model": "no-prefill", "messages": messages})

    assert reply.status == 400 and "prefill" in reply.json["error"]["message"]


async def test_a_prompt_beyond_the_context_is_rejected_with_the_providers_code(caller: Caller) -> None:
    reply = await caller.chat("x" * 400, model="ctx50")

    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")


async def test_a_long_prefix_seen_before_is_billed_as_cached(caller: Caller) -> None:
    prefix = "word " * 1200

    first = (await caller.chat(prefix + "one")).json["usage"]
    second = (await caller.chat(prefix + "two")).json["usage"]

    assert first["prompt_tokens_details"]["cached_tokens"] == 0
    assert 1024 <= second["prompt_tokens_details"]["cached_tokens"] <= second["prompt_tokens"]
    assert second["prompt_tokens_details"]["cached_tokens"] % 128 == 0


async def test_legacy_completions_are_answered_and_streamed(caller: Caller) -> None:
    body = {"model": "small", "prompt": "say hi", "max_tokens": 5}

    whole = (await caller.post("/v1/completions", body)).json
    events = (await caller.post("/v1/completions", {**body, "stream": True})).events

    assert whole["object"] == "text_completion"
    assert "".join(event["choices"][0]["text"] for event in events[:-1]) == whole["choices"][0]["text"]


async def test_embeddings_are_unit_vectors_alike_in_both_encodings(caller: Caller) -> None:
    body = {"model": "embed", "input": ["a cat sat", "a cat sat down", "prices of tea"], "dimensions": 64}

    floats = [one["embedding"] for one in (await caller.post("/v1/embeddings", body)).json["data"]]
    encoded = (await caller.post("/v1/embeddings", {**body, "encoding_format": "base64"})).json["data"]

    assert all(math.isclose(math.hypot(*vector), 1.0, rel_tol=1e-9) for vector in floats)
    unpacked = struct.unpack("<64f", base64.b64decode(encoded[0]["embedding"]))
    assert unpacked == pytest.approx(floats[0], abs=1e-6)
    near, far = _product(floats[0], floats[1]), _product(floats[0], floats[2])
    assert near > far


async def test_azures_paths_take_the_model_from_the_deployment(caller: Caller) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    path = "/openai/deployments/small/chat/completions?api-version=2024-10-21"

    reply = await caller.post(path, body, key=None, **{"api-key": "k"})

    assert (reply.status, reply.json["model"]) == (200, "small")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "user", "content": "hi"}]}, "model"),
        ({"model": "small"}, "messages"),
        ({"model": "small", "messages": [{"role": "user", "content": "hi"}], "n": 0}, "n"),
    ],
)
async def test_a_bad_request_names_its_parameter(caller: Caller, body: object, param: str) -> None:
    reply = await caller.post("/v1/chat/completions", body)

    assert (reply.status, reply.json["error"]["param"]) == (400, param)


@pytest.mark.parametrize("key", [None, "bad-key"])
async def test_no_key_and_the_bad_key_are_refused(caller: Caller, key: str | None) -> None:
    reply = await caller.send("GET", "/v1/models", key=key)

    assert (reply.status, reply.json["error"]["code"]) == (401, "invalid_api_key")


async def test_models_are_listed_and_found_by_name(caller: Caller) -> None:
    caller.provider.set_models("one", "two")

    listed = (await caller.send("GET", "/alpha/v1/models")).json["data"]
    assert [model["id"] for model in listed] == ["one", "two"]
    assert (await caller.send("GET", "/v1/models/two")).json["id"] == "two"
    assert (await caller.send("GET", "/v1/models/three")).status == 404


async def test_unknown_paths_and_methods_are_refused_in_shape(caller: Caller) -> None:
    assert (await caller.post("/v1/nothing", {})).json["error"]["message"].startswith("Invalid URL")
    assert (await caller.send("GET", "/v1/chat/completions")).status == 405


def _product(one: list[float], other: list[float]) -> float:
    return sum(left * right for left, right in zip(one, other, strict=True))
