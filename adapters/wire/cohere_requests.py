"""`openai.chat` bodies said in Cohere's chat (v2)."""

from typing import Any, Final

import msgspec

from adapters.wire.chat_parts import (
    THINKING_TOKENS,
    calls_of,
    effort_of,
    functions_of,
    output_limit,
    parts_of,
    schema_of,
    stops_of,
    text_of,
    tool_choice_of,
)
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.thoughts import FIELD as THOUGHTS_FIELD
from domain.llm.capabilities import Capability

CHAT_FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "stream",
        "stream_options",
        "tools",
        "functions",
        "tool_choice",
        "function_call",
        "response_format",
        "reasoning_effort",
        "n",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "documents",
        "citation_options",
        "safety_mode",
        "priority",
    }
)
"""Fields of a chat body that have a counterpart here; the last ones are Cohere's own, passed as they are."""

_SAMPLING: Final[dict[str, str]] = {
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_OWN_FIELDS: Final = ("documents", "citation_options", "safety_mode", "priority")
_RANGES: Final[dict[str, tuple[float, float]]] = {
    "top_p": (0.01, 0.99),
    "top_k": (0, 500),
    "presence_penalty": (0.0, 1.0),
    "frequency_penalty": (0.0, 1.0),
}
"""What Cohere takes; values beyond are brought within."""


def from_chat(chat: Json, draft: Draft) -> Json:
    """The chat body. Raises UpstreamFailed (CALLER_FAULT) for several choices, sound, and files."""
    if (chat.get("n") or 1) > 1:
        raise draft.refuse("n: this provider gives one choice per request")
    messages = [said for message in chat["messages"] if (said := _message(message, draft)) is not None]
    body: Json = {"model": draft.call.target.model, "messages": messages, "stream": bool(chat.get("stream"))}
    limit = output_limit(chat)
    if limit:
        body["max_tokens"] = limit
    if stops := stops_of(chat):
        body["stop_sequences"] = stops
    _add_sampling(body, chat, draft)
    for name in _OWN_FIELDS:
        if chat.get(name) is not None:
            body[name] = chat[name]
    _add_tools(body, chat, draft)
    wanted = schema_of(chat)
    if wanted is not None:
        body["response_format"] = {"type": "json_object", **({"json_schema": wanted[1]} if wanted[1] else {})}
    _add_thinking(body, chat, draft)
    return body


def _message(message: Json, draft: Draft) -> Json | None:
    role = message["role"]
    match role:
        case "system" | "developer":
            text = text_of(message.get("content"))
            return {"role": "system", "content": text} if text else None
        case "assistant":
            return _assistant(message, draft)
        case "tool" | "function":
            return _result(message, draft)
    content = message.get("content")
    return {
        "role": "user",
        "content": content
        if isinstance(content, str)
        else [_part(part, draft) for part in parts_of(content)],
    }


def _assistant(message: Json, draft: Draft) -> Json | None:
    if message.get(THOUGHTS_FIELD) or message.get("reasoning_content"):
        # Its own thinking comes without marks, and the newest models refuse a plan they get back.
        draft.drop("messages.reasoning_content")
    text = text_of(message.get("content")) + (message.get("refusal") or "")
    said: Json = {"role": "assistant"}
    calls = calls_of(message)
    if calls:
        said["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {
                    "name": call["name"],
                    "arguments": msgspec.json.encode(call["arguments"]).decode(),
                },
            }
            for call in calls
        ]
    if text:
        said["content"] = text
    return said if text or calls else None


def _result(message: Json, draft: Draft) -> Json:
    call_id = message.get("tool_call_id") or f"call_{message.get('name', '')}"
    if any(part.get("type", "text") != "text" for part in parts_of(message.get("content"))):
        draft.drop("messages.tool_result_media")
    text = text_of(message.get("content"))
    # A document is what citations can point to; Cohere's guide to tool use gives results this way.
    document = {"type": "document", "document": {"data": {"result": text}}}
    return {"role": "tool", "tool_call_id": call_id, "content": [document]}


def _part(part: Json, draft: Draft) -> Json:
    match part.get("type"):
        case "text" | "refusal":
            return {"type": "text", "text": part.get("text") or part.get("refusal") or ""}
        case "image_url":
            image = part["image_url"]
            return {"type": "image_url", "image_url": image if isinstance(image, dict) else {"url": image}}
        case other:
            raise draft.refuse(f"messages: this provider takes no content of type {other}")


def _add_sampling(body: Json, chat: Json, draft: Draft) -> None:
    for ours, theirs in _SAMPLING.items():
        if chat.get(ours) is None:
            continue
        value = _within_range(ours, chat[ours])
        if value != chat[ours] and not (ours == "top_p" and chat[ours] == 1):
            draft.drop(ours)
        body[theirs] = value


def _within_range(name: str, value: Any) -> Any:
    if name not in _RANGES:
        return value
    least, most = _RANGES[name]
    return min(max(value, least), most)


def _add_tools(body: Json, chat: Json, draft: Draft) -> None:
    functions, others = functions_of(chat)
    for kind in others:
        draft.drop(f"tools.{kind}")
    if not functions:
        return
    mode, names = tool_choice_of(chat) or ("auto", ())
    if names:
        # A choice is made by offering nothing else.
        functions = [function for function in functions if function.name in names]
    body["tools"] = [
        _tool(function.name, function.description, function.parameters) for function in functions
    ]
    if all(function.strict and function.parameters.get("required") for function in functions):
        # One switch for all, which refuses tools that require nothing.
        body["strict_tools"] = True
    elif any(function.strict for function in functions):
        draft.drop("tools.strict")
    if mode in ("required", "none"):
        body["tool_choice"] = mode.upper()


def _tool(name: str, description: str | None, parameters: Json) -> Json:
    function: Json = {"name": name, "parameters": parameters}
    if description:
        function["description"] = description
    return {"type": "function", "function": function}


def _add_thinking(body: Json, chat: Json, draft: Draft) -> None:
    """Models that think do so unless told otherwise."""
    thinks = Capability.REASONING in draft.call.target.offering.capabilities
    if chat.get("reasoning_effort") == "none":
        if thinks:
            body["thinking"] = {"type": "disabled"}
        return
    effort = effort_of(chat)
    if effort is None:
        return
    if not thinks:
        draft.drop("reasoning_effort")
        return
    budget = THINKING_TOKENS.get(effort, THINKING_TOKENS["medium"])
    limit = body.get("max_tokens")
    body["thinking"] = {"type": "enabled", "token_budget": min(budget, limit // 2) if limit else budget}
