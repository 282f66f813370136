"""Anthropic's messages bodies said in `openai.chat`, for providers of other families."""

from typing import Any, Final

import msgspec

from adapters.wire.anthropic_writer import MAKER
from adapters.wire.chat_parts import NO_PARAMETERS, THINKING_TOKENS, effort_for, with_error_mark
from adapters.wire.pivot import Thought
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.seals import unseal
from adapters.wire.thoughts import FIELD, details_of
from domain.llm.capabilities import Capability

CHAT_COUNTERPARTS: Final[dict[str, str]] = {
    "model": "model",
    "messages": "messages",
    "system": "messages",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop_sequences": "stop",
    "stream": "stream",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "thinking": "reasoning_effort",
    "output_config": "response_format",
    "output_format": "response_format",
    "metadata": "user",
    "top_k": "top_k",
    "service_tier": "service_tier",
    "speed": "service_tier",
    # Marks for Anthropic's prompt cache: without it they change no answer.
    "cache_control": "messages",
}
"""An Anthropic field -> the chat field that says the same."""

_CHOICES: Final = {"auto": "auto", "any": "required", "none": "none"}


def to_chat(body: Json, draft: Draft) -> Json:
    """The chat body. What only Anthropic has (server tools, foreign thinking) is dropped by name."""
    messages: list[Json] = []
    system = _instructions(body.get("system"), draft)
    if system:
        messages.append({"role": "system", "content": system})
    for message in body["messages"]:
        _add_message(messages, message, draft)
    if body.get("cache_control") and draft.keeps_marks:
        _mark_end(messages, body["cache_control"])
    chat: Json = {"model": body["model"], "messages": messages, "max_tokens": body["max_tokens"]}
    for name in ("temperature", "top_p", "top_k", "stream"):
        if body.get(name) is not None:
            chat[name] = body[name]
    if body.get("service_tier") == "standard_only":
        chat["service_tier"] = "default"
    if body.get("speed") == "fast":
        draft.drop("speed")
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    if (body.get("metadata") or {}).get("user_id"):
        chat["user"] = body["metadata"]["user_id"]
    _add_tools(chat, body, draft)
    config = body.get("output_config") or {}
    form = body.get("output_format") or config.get("format") or {}
    if form.get("type") == "json_schema":
        named = {"name": "answer", "schema": form["schema"], "strict": True}
        chat["response_format"] = {"type": "json_schema", "json_schema": named}
    _add_effort(chat, body.get("thinking") or {}, config, draft)
    return chat


def _instructions(content: Any, draft: Draft) -> Any:
    """One text; the blocks as they are where marks among them mean something to the provider."""
    if isinstance(content, str):
        return content
    blocks = [block for block in content or () if block.get("type") == "text"]
    if draft.keeps_marks and any(block.get("cache_control") for block in blocks):
        return [part for block in blocks for part in _parts(block, draft)]
    return "\n\n".join(block["text"] for block in blocks)


def _mark_of(block: Json, draft: Draft) -> Json:
    """The block's mark for the prompt cache, where the provider has one."""
    control = block.get("cache_control")
    return {"cache_control": control} if control and draft.keeps_marks else {}


def _mark_end(messages: list[Json], control: Json) -> None:
    """The one mark for a whole body: behind the last message that can carry it."""
    for message in reversed(messages):
        content = message.get("content")
        if message["role"] == "tool":
            message["cache_control"] = control
            return
        if message["role"] == "user" and content:
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            message["content"] = [*parts[:-1], {**parts[-1], "cache_control": control}]
            return


def _add_message(messages: list[Json], message: Json, draft: Draft) -> None:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if message["role"] == "assistant":
        _add_assistant(messages, blocks, draft)
        return
    parts: list[Json] = []
    for block in blocks:
        if block.get("type") == "tool_result":
            # A result follows its call directly; what the user says beside it comes after.
            parts += _add_result(messages, block, draft)
        else:
            parts += _parts(block, draft)
    if parts:
        role = "system" if message["role"] == "system" else "user"
        messages.append({"role": role, "content": _simplest(parts)})


def _simplest(parts: list[Json]) -> Any:
    """A plain string where the content is one text: more servers understand it."""
    return parts[0]["text"] if len(parts) == 1 and set(parts[0]) == {"type", "text"} else parts


def _add_assistant(messages: list[Json], blocks: list[Json], draft: Draft) -> None:
    texts: list[str] = []
    calls: list[Json] = []
    thoughts: list[Thought] = []
    mark: Json = {}
    for block in blocks:
        mark = _mark_of(block, draft) or mark
        match block.get("type"):
            case "text":
                texts.append(block["text"])
            case "tool_use":
                arguments = msgspec.json.encode(block.get("input") or {}).decode()
                function = {"name": block["name"], "arguments": arguments}
                made = {"id": block["id"], "type": "function", "function": function}
                calls.append(
                    made | ({"extra_content": extra} if (extra := block.get("extra_content")) else {})
                )
            case "thinking" | "redacted_thinking":
                thoughts += _thoughts(block)
            case other:
                draft.drop(f"messages.{other}")
    said: Json = {"role": "assistant", "content": "".join(texts) or None}
    if calls:
        said["tool_calls"] = calls
    if thoughts:
        said[FIELD] = details_of(thoughts)
    if texts or calls or thoughts:
        messages.append({**said, **mark})


def _thoughts(block: Json) -> list[Thought]:
    """Whose they are: Anthropic's, or another family's that were sealed for the way through this caller."""
    if block["type"] == "redacted_thinking":
        return [Thought("", MAKER, "", block["data"])]
    signature = block.get("signature") or ""
    sealed = unseal(signature)
    return [Thought(block.get("thinking") or "", MAKER, signature)] if sealed is None else sealed


def _add_result(messages: list[Json], block: Json, draft: Draft) -> list[Json]:
    """Appends a tool message with the texts; returns the parts that only a user message can hold."""
    content = block.get("content")
    parts = (
        [{"type": "text", "text": content}]
        if isinstance(content, str)
        else [part for inner in content or () for part in _parts(inner, draft)]
    )
    text = "\n".join(part["text"] for part in parts if part["type"] == "text")
    said: Json = {"role": "tool", "tool_call_id": block["tool_use_id"], "content": text}
    if block.get("is_error") and text:
        said |= {"content": with_error_mark(text), "is_error": True}
    messages.append({**said, **_mark_of(block, draft)})
    return [part for part in parts if part["type"] != "text"]


def _parts(block: Json, draft: Draft) -> list[Json]:
    mark = _mark_of(block, draft)
    match block.get("type"):
        case "text":
            return [{"type": "text", "text": block["text"], **mark}] if block["text"] else []
        case "image":
            return [{"type": "image_url", "image_url": {"url": _url(block["source"], draft)}, **mark}]
        case "document":
            source = block["source"]
            if source.get("type") == "text":
                return [{"type": "text", "text": source["data"], **mark}]
            if source.get("type") == "base64":
                file = {"filename": block.get("title") or "document.pdf", "file_data": _url(source, draft)}
                return [{"type": "file", "file": file, **mark}]
            raise draft.refuse("messages: this provider takes documents only with their data")
        case other:
            draft.drop(f"messages.{other}")
            return []


def _url(source: Json, draft: Draft) -> str:
    match source.get("type"):
        case "base64":
            return f"data:{source['media_type']};base64,{source['data']}"
        case "url":
            return str(source["url"])
    raise draft.refuse("messages: a file by id belongs to another provider's account; send its data")


def _add_tools(chat: Json, body: Json, draft: Draft) -> None:
    tools: list[Json] = []
    for tool in body.get("tools") or ():
        if tool.get("type") not in (None, "custom"):
            draft.drop(f"tools.{tool['type']}")
            continue
        function: Json = {"name": tool["name"], "parameters": tool.get("input_schema") or NO_PARAMETERS}
        if tool.get("description"):
            function["description"] = tool["description"]
        if tool.get("strict"):
            function["strict"] = True
        tools.append({"type": "function", "function": function, **_mark_of(tool, draft)})
    if not tools:
        return
    chat["tools"] = tools
    choice = body.get("tool_choice")
    if not choice:
        return
    if choice["type"] == "tool":
        chat["tool_choice"] = {"type": "function", "function": {"name": choice["name"]}}
    else:
        chat["tool_choice"] = _CHOICES.get(choice["type"], "auto")
    if choice.get("disable_parallel_tool_use"):
        chat["parallel_tool_calls"] = False


def _add_effort(chat: Json, thinking: Json, config: Json, draft: Draft) -> None:
    kind = thinking.get("type", "disabled")
    effort = config.get("effort")
    if kind == "disabled" and effort is None:
        return
    if Capability.REASONING not in draft.call.target.offering.capabilities:
        draft.drop("thinking" if kind != "disabled" else "output_config.effort")
        return
    if effort is None:
        budget = thinking.get("budget_tokens") or THINKING_TOKENS["medium"]
        effort = effort_for(budget)
    chat["reasoning_effort"] = "high" if effort in ("xhigh", "max") else effort
