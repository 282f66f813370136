import base64
import json
import struct
from typing import Any

from tests.unit.simulator.conftest import WEATHER, Caller, Reply

TOOL = {"name": "get_weather", "input_schema": WEATHER}


async def ask(caller: Caller, content: Any = "hello there", *, model: str = "small", **more: Any) -> Reply:
    body = {"model": model, "max_tokens": 200, "messages": [{"role": "user", "content": content}], **more}
    return await caller.post("/beta/v1/messages", body, key=None, **{"x-api-key": "k"})


async def test_a_message_ends_its_turn_and_tells_usage(caller: Caller) -> None:
    message = (await ask(caller)).json

    assert message["stop_reason"] == "end_turn"
    assert "simulated provider" in message["content"][0]["text"]
    assert message["usage"]["input_tokens"] > 0 and message["usage"]["output_tokens"] > 0


async def test_a_stream_has_the_sequence_of_events_and_the_same_text(caller: Caller) -> None:
    whole = (await ask(caller)).json
    reply = await ask(caller, stream=True)

    kinds = [event["type"] for event in reply.events]
    deltas = kinds.count("content_block_delta")
    assert kinds == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    named = [
        line.removeprefix("event: ") for line in reply.body.decode().splitlines() if line.startswith("event")
    ]
    assert named == kinds
    text = "".join(event["delta"]["text"] for event in reply.events if event["type"] == "content_block_delta")
    assert text == whole["content"][0]["text"]
    assert reply.events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"]


async def test_thinking_is_a_signed_block_of_its_own(caller: Caller) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    whole = (await ask(caller, thinking=thinking)).json
    events = (await ask(caller, thinking=thinking, stream=True)).events

    assert [block["type"] for block in whole["content"]] == ["thinking", "text"]
    signatures = [event["delta"]["signature"] for event in events if "signature" in event.get("delta", {})]
    assert signatures == [whole["content"][0]["signature"]]


async def test_a_tool_is_used_and_its_input_streamed_in_parts(caller: Caller) -> None:
    whole = (await ask(caller, "use get_weather", tools=[TOOL])).json
    events = (await ask(caller, "use get_weather", tools=[TOOL], stream=True)).events

    assert whole["stop_reason"] == "tool_use"
    parts = [event["delta"]["partial_json"] for event in events if "partial_json" in event.get("delta", {})]
    assert len(parts) > 1
    assert json.loads("".join(parts)) == whole["content"][0]["input"]


async def test_a_tool_result_is_answered_with_text(caller: Caller) -> None:
    body = {
        "model": "small",
        "max_tokens": 200,
        "tools": [TOOL],
        "messages": [
            {"role": "user", "content": "use get_weather"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "get_weather", "input": {}}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": "21 degrees"}],
            },
        ],
    }

    assert "21 degrees" in (await caller.post("/v1/messages", body)).json["content"][0]["text"]


async def test_a_marked_prefix_is_written_to_the_cache_once_and_then_read(caller: Caller) -> None:
    block = {"type": "text", "text": "word " * 1200, "cache_control": {"type": "ephemeral"}}

    first = (await ask(caller, system=[block])).json["usage"]
    second = (await ask(caller, "another question", system=[block])).json["usage"]

    assert first["cache_creation_input_tokens"] == second["cache_read_input_tokens"] >= 1024
    assert second["cache_creation_input_tokens"] == 0
    assert second["input_tokens"] < 100


async def test_a_long_lived_mark_is_billed_as_such(caller: Caller) -> None:
    control = {"type": "ephemeral", "ttl": "1h"}
    block = {"type": "text", "text": "word " * 1200, "cache_control": control}

    usage = (await ask(caller, system=[block])).json["usage"]

    assert usage["cache_creation"]["ephemeral_1h_input_tokens"] >= 1024


async def test_stop_reasons_tell_truncation_stop_text_and_refusal(caller: Caller) -> None:
    assert (await ask(caller, max_tokens=2)).json["stop_reason"] == "max_tokens"
    stopped = (await ask(caller, stop_sequences=["simulated"])).json
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "simulated")
    assert (await ask(caller, model="refuser")).json["stop_reason"] == "refusal"


async def test_prefill_is_continued_but_not_after_trailing_space(caller: Caller) -> None:
    whole = (await ask(caller)).json["content"][0]["text"]
    start = whole[:20].rstrip()

    def prefilled(text: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "hello there"}, {"role": "assistant", "content": text}]

    body = {"model": "small", "max_tokens": 200}
    rest = (await caller.post("/v1/messages", {**body, "messages": prefilled(start)})).json
    refused = await caller.post("/v1/messages", {**body, "messages": prefilled(start + " ")})

    assert start + rest["content"][0]["text"] == whole
    assert refused.status == 400


async def test_tokens_are_counted_as_they_are_billed(caller: Caller) -> None:
    body = {"model": "small", "messages": [{"role": "user", "content": "hello there"}]}

    counted = (await caller.post("/v1/messages/count_tokens", body)).json

    assert counted == {"input_tokens": (await ask(caller)).json["usage"]["input_tokens"]}


async def test_structured_output_follows_the_schema(caller: Caller) -> None:
    wanted = {"format": {"type": "json_schema", "schema": WEATHER}}

    text = (await ask(caller, output_config=wanted)).json["content"][0]["text"]

    assert set(json.loads(text)) == {"city", "days"}


async def test_errors_have_anthropics_shape(caller: Caller) -> None:
    missing = await caller.post(
        "/v1/messages", {"model": "small", "messages": [{"role": "user", "content": "x"}]}
    )
    no_key = await caller.post("/v1/messages", {}, key=None)

    assert (missing.status, missing.json["error"]["type"]) == (400, "invalid_request_error")
    assert (no_key.status, no_key.json["error"]["type"]) == (401, "authentication_error")
    assert no_key.json["type"] == "error"


async def test_images_given_as_data_or_by_address_are_seen(caller: Caller) -> None:
    gif = base64.b64encode(b"GIF89a" + struct.pack("<HH", 3, 2)).decode()
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": gif}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "text", "text": "look"},
    ]

    text = (await ask(caller, content)).json["content"][0]["text"]

    assert "3 images (gif 3x2, 10 bytes, unreadable image/png, at https://example.com/a.png)" in text


async def test_a_tool_call_cut_by_max_tokens_has_no_half_input(caller: Caller) -> None:
    message = (await ask(caller, "use get_weather", tools=[TOOL], max_tokens=1)).json

    assert message["stop_reason"] == "max_tokens"
    assert message["content"][0]["input"] == {}


async def test_tool_choice_decides(caller: Caller) -> None:
    for choice, called in (
        ({"type": "any"}, True),
        ({"type": "tool", "name": "get_weather"}, True),
        (None, False),
    ):
        extra: dict[str, Any] = {} if choice is None else {"tool_choice": choice}
        message = (await ask(caller, "nothing special", tools=[TOOL], **extra)).json
        assert (message["stop_reason"] == "tool_use") is called


async def test_models_are_listed_in_anthropics_shape(caller: Caller) -> None:
    caller.provider.set_models("small", "large")

    listed = (
        await caller.send("GET", "/beta/v1/models", key=None, **{"x-api-key": "k", "anthropic-version": "1"})
    ).json

    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == ("small", "large", False)
