"""Requests of every dialect whose answers may be kept, and what can be changed in their bodies."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

from domain.llm.request import LlmRequest, Operation

BODIES: dict[str, dict[str, Any]] = {
    "openai.chat": {
        "messages": [
            {"role": "system", "content": "Be brief: one word."},
            {
                "role": "user",
                "name": "eve",
                "content": [{"type": "text", "text": "Look"}, {"type": "text", "text": "up"}],
            },
            {
                "role": "assistant",
                "content": "…",
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"cache_control": 1}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": '{"user":"u"}'},
            {"role": "user", "content": "Which city, Paris or Rome?"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "finds",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "cache_control": {"type": "string", "default": 0.5},
                            "user": {"enum": [1, 2]},
                        },
                    },
                },
            }
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "s", "schema": {"type": "object"}},
        },
        "temperature": 0.25,
        "max_tokens": 10,
        "seed": 7,
        "stop": ["a", "b"],
        "n": 2,
    },
    "anthropic.messages": {
        "max_tokens": 10,
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        "messages": [
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"cache_control": 1}}],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "r"}, {"type": "text", "text": "s"}],
                    }
                ],
            },
        ],
        "tools": [
            {"name": "f", "input_schema": {"type": "object", "properties": {"metadata": {"type": "string"}}}}
        ],
        "tool_choice": {"type": "auto"},
        "temperature": 0.5,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    "gemini.generate": {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png", "data": "AA=="}}],
            },
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a_b": 1}}}]},
            {
                "role": "user",
                "parts": [{"functionResponse": {"name": "f", "response": {"labels": {"x": 2}}}}],
            },
        ],
        "generationConfig": {
            "temperature": 0.5,
            "maxOutputTokens": 5,
            "responseSchema": {"type": "STRING", "a_b": 3},
        },
        "tools": [
            {
                "functionDeclarations": [
                    {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a_b": {"type": "STRING"}}}}
                ]
            }
        ],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    },
    "openai.responses": {
        "store": False,
        "instructions": "Be brief.",
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "hi"}, {"type": "input_text", "text": "ho"}],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "r"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}],
        "text": {"format": {"type": "text"}, "verbosity": "low"},
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
    },
    "openai.completions": {"prompt": "Once", "max_tokens": 5, "suffix": "end", "logit_bias": {"5": -1}},
    "openai.embeddings": {"input": ["a", "b"], "dimensions": 5, "encoding_format": "base64"},
    "openai.moderations": {"input": ["a", {"type": "text", "text": "b"}]},
    "cohere.rerank": {"query": "q", "documents": ["a", {"text": "b"}], "top_n": 2},
    "gemini.embeddings": {
        "requests": [{"model": "models/e", "content": {"parts": [{"text": "a"}]}, "taskType": "X"}]
    },
}
"""Bodies without their model, in which everything counts."""


def request(dialect: str, body: dict[str, Any] | bytes, model: str = "m", **fields: Any) -> LlmRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return LlmRequest(operation=Operation.CHAT, dialect=dialect, model=model, body=raw, **fields)


def changed(body: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """The body with one thing in it another."""
    body = copy.deepcopy(body)
    holders = [holder for holder in _holders(body) if holder]
    holder = data.draw(st.sampled_from(holders or [body]))
    if isinstance(holder, list):
        _change_list(holder, data)
    else:
        _change_object(holder, data)
    return body


def _change_list(holder: list[Any], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(holder) - 1))
    match data.draw(st.sampled_from(["other", "gone", "twice", "turned"])):
        case "other":
            holder[at] = _other(holder[at], data)
        case "gone":
            del holder[at]
        case "twice":
            holder.insert(at, holder[at])
        case "turned":
            before = list(holder)
            holder.reverse()
            if holder == before:
                holder.append("more")


def _change_object(holder: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(holder) or ["first"]))
    holder.setdefault(name, "added")
    match data.draw(st.sampled_from(["other", "gone", "renamed", "more"])):
        case "other":
            holder[name] = _other(holder[name], data)
        case "gone":
            if holder[name] is False:
                holder[name] = True
            else:
                del holder[name]
        case "renamed":
            holder[name + "x"] = holder.pop(name)
        case "more":
            holder["surprise"] = data.draw(st.sampled_from([0, "", False, [], "x", {"a": 1}]))


def _other(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, str):
        return data.draw(
            st.sampled_from([value + " ", value + "\u0301", value.swapcase() + "x", [value], {}, "\x00"])
        )
    if isinstance(value, bool):
        return data.draw(st.sampled_from([not value, int(value), str(value)]))
    if isinstance(value, int | float):
        return data.draw(st.sampled_from([value + 1, -value - 1, str(value), value + 2**-20]))
    return data.draw(st.sampled_from([[value], json.dumps(value), 5, {"x": value}]))


def _holders(value: Any) -> list[Any]:
    found: list[Any] = []
    if isinstance(value, dict):
        found = [value]
        for inner in value.values():
            found += _holders(inner)
    elif isinstance(value, list):
        found = [value]
        for inner in value:
            found += _holders(inner)
    return found
