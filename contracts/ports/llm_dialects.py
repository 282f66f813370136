"""The same questions in each of the callers' chat dialects, and answers compared by meaning."""

import json
from typing import Any

from application.ports.llm import UpstreamAnswer
from application.ports.wire import OPENAI_CHAT, OPENAI_RESPONSES
from contracts.ports.stream_rules import SeenStream, seen_response

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
WEATHER, CLOCK = "get_weather", "get_clock"


def natural_end(dialect: str) -> str:
    return {OPENAI_CHAT: "stop", OPENAI_RESPONSES: "completed"}.get(dialect, "end_turn")


def body_in(dialect: str, messages: list[Any], max_tokens: int = 4096, **fields: Any) -> dict[str, Any]:
    """A request of the dialect."""
    if dialect == OPENAI_RESPONSES:
        return {"model": "route", "input": messages, "max_output_tokens": max_tokens, **fields}
    body = {"model": "route", "messages": messages, "max_tokens": max_tokens, **fields}
    if fields.get("stream") and dialect == OPENAI_CHAT:
        body["stream_options"] = {"include_usage": True}
    return body


def seen_in(dialect: str, answer: UpstreamAnswer) -> SeenStream:
    """What a client reads out of a unary answer."""
    body = json.loads(answer.body)
    if dialect == OPENAI_RESPONSES:
        return seen_response(body)
    if dialect == OPENAI_CHAT:
        choice = body["choices"][0]
        said = choice["message"]
        tools = tuple(
            (call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in said.get("tool_calls") or ()
        )
        reasoning = said.get("reasoning_content") or ""
        return SeenStream(said["content"] or "", reasoning, tools, choice["finish_reason"], body["usage"])
    blocks = body["content"]
    return SeenStream(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        "".join(block["thinking"] for block in blocks if block["type"] == "thinking"),
        tuple((block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"),
        body["stop_reason"],
        body["usage"],
    )


def tools_in(dialect: str, *names: str) -> dict[str, Any]:
    """Tools of these names, in the dialect's shape."""
    if dialect == OPENAI_CHAT:
        functions = [{"name": name, "parameters": SCHEMA} for name in names]
        return {"tools": [{"type": "function", "function": function} for function in functions]}
    if dialect == OPENAI_RESPONSES:
        return {"tools": [{"type": "function", "name": name, "parameters": SCHEMA} for name in names]}
    return {"tools": [{"name": name, "input_schema": SCHEMA} for name in names]}


def tool_conversation(dialect: str) -> list[dict[str, Any]]:
    """A question, the model's call, and its result."""
    question = {"role": "user", "content": f"call {WEATHER}"}
    if dialect == OPENAI_CHAT:
        function = {"name": WEATHER, "arguments": '{"city":"Bern"}'}
        call = {"id": "call_7", "type": "function", "function": function}
        return [
            question,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_7", "content": "17 degrees"},
        ]
    if dialect == OPENAI_RESPONSES:
        called = {
            "type": "function_call",
            "call_id": "call_7",
            "name": WEATHER,
            "arguments": '{"city":"Bern"}',
        }
        return [
            question,
            called,
            {"type": "function_call_output", "call_id": "call_7", "output": "17 degrees"},
        ]
    use = {"type": "tool_use", "id": "call_7", "name": WEATHER, "input": {"city": "Bern"}}
    result = {"type": "tool_result", "tool_use_id": "call_7", "content": "17 degrees"}
    return [question, {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]


def image_in(dialect: str) -> list[dict[str, Any]]:
    """A question with a picture of one pixel."""
    text = {"type": "text", "text": "what is this"}
    if dialect == OPENAI_CHAT:
        return [text, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]
    if dialect == OPENAI_RESPONSES:
        picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
        return [{"type": "input_text", "text": "what is this"}, picture]
    return [text, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}]


def schema_in(dialect: str) -> dict[str, Any]:
    """A wish for JSON of one schema."""
    if dialect == OPENAI_CHAT:
        form = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA}}
        return {"response_format": form}
    if dialect == OPENAI_RESPONSES:
        return {"text": {"format": {"type": "json_schema", "name": "weather", "schema": SCHEMA}}}
    return {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}


def thinking_in(dialect: str) -> dict[str, Any]:
    """A wish for reasoning."""
    if dialect == OPENAI_CHAT:
        return {"reasoning_effort": "low"}
    if dialect == OPENAI_RESPONSES:
        return {"reasoning": {"effort": "low"}}
    return {"thinking": {"type": "enabled", "budget_tokens": 1024}}
