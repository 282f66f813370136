"""`openai.chat` bodies said in Bedrock's Converse; model and streaming are in the path."""

import re
from typing import Any, Final

import msgspec

from adapters.wire.anthropic_requests import TEMPERATURE_MAX, thinks_adaptively
from adapters.wire.chat_parts import (
    THINKING_TOKENS,
    calls_of,
    effort_of,
    functions_of,
    inline_data,
    output_limit,
    parts_of,
    schema_of,
    stops_of,
    tool_choice_of,
)
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.thoughts import FIELD as THOUGHTS_FIELD
from adapters.wire.thoughts import thoughts_of
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
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "user",
        "metadata",
        "n",
        "service_tier",
        "guardrailConfig",
        "performanceConfig",
        "additionalModelRequestFields",
        "requestMetadata",
    }
)
"""Fields of a chat body that have a counterpart here; Converse's own ones are passed as they are."""

_OWN_FIELDS: Final = (
    "guardrailConfig",
    "performanceConfig",
    "additionalModelRequestFields",
    "requestMetadata",
)
_TIERS: Final = {"priority": "priority", "flex": "flex", "default": "default"}
_THINKING_TOKENS_MIN: Final = 1024
_NAME_CHARS: Final = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")
_NAME_CHARS_MAX: Final = 200
_DOCUMENT_FORMATS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_IMAGE_FORMATS: Final = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}


def from_chat(chat: Json, draft: Draft) -> Json:
    """The Converse body. Raises UpstreamFailed (CALLER_FAULT) for several choices, sound, images by URL."""
    if (chat.get("n") or 1) > 1:
        raise draft.refuse("n: this provider gives one choice per request")
    system, messages = _conversation(chat["messages"], draft)
    body: Json = {"messages": messages}
    if system:
        body["system"] = system
    config: Json = {}
    limit = output_limit(chat)
    if limit:
        config["maxTokens"] = limit
    if stops := [stop for stop in stops_of(chat) if stop.strip()]:
        config["stopSequences"] = stops
    for ours, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        if chat.get(ours) is not None:
            config[theirs] = chat[ours]
    for name in _OWN_FIELDS:
        if chat.get(name) is not None:
            body[name] = chat[name]
    _add_metadata(body, chat)
    _add_tier(body, chat, draft)
    _add_tools(body, chat, draft)
    _add_format(body, chat, draft)
    _add_model_fields(body, config, chat, draft)
    if config:
        body["inferenceConfig"] = config
    return body


def _add_metadata(body: Json, chat: Json) -> None:
    told = {name: value for name, value in (chat.get("metadata") or {}).items() if isinstance(value, str)}
    if chat.get("user"):
        told["user"] = str(chat["user"])
    if told:
        body["requestMetadata"] = {**told, **(body.get("requestMetadata") or {})}


def _add_tier(body: Json, chat: Json, draft: Draft) -> None:
    tier = chat.get("service_tier")
    if tier in _TIERS:
        body["serviceTier"] = {"type": _TIERS[tier]}
    elif tier not in (None, "auto"):
        draft.drop("service_tier")


def _conversation(messages: list[Json], draft: Draft) -> tuple[list[Json], list[Json]]:
    """(system blocks, messages): system texts go first, results of tools into the user's next message."""
    system: list[Json] = []
    turns: list[Json] = []
    for message in messages:
        role = message["role"]
        if role in ("system", "developer"):
            system += _blocks(message.get("content"), draft)
        elif role == "assistant":
            _say(turns, "assistant", _assistant_blocks(message, draft))
        elif role in ("tool", "function"):
            _say(turns, "user", [_result(message, draft), *_cache_point(message)])
        else:
            _say(turns, "user", _blocks(message.get("content"), draft))
    if turns and turns[-1]["role"] == "assistant" and "text" in (last := turns[-1]["content"][-1]):
        # A last assistant message is continued, and may not end in white space.
        last["text"] = last["text"].rstrip()
    return system, turns


def _say(turns: list[Json], role: str, blocks: list[Json]) -> None:
    """Appends to the last turn when it is the same role's: turns alternate."""
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _assistant_blocks(message: Json, draft: Draft) -> list[Json]:
    blocks = _thinking(message, draft) + _blocks(message.get("content"), draft)
    if message.get("refusal"):
        blocks.append({"text": message["refusal"]})
    blocks += [
        {"toolUse": {"toolUseId": call["id"], "name": call["name"], "input": call["arguments"]}}
        for call in calls_of(message)
    ]
    return blocks + _cache_point(message) if blocks else blocks


def _thinking(message: Json, draft: Draft) -> list[Json]:
    """Signed reasoning of Anthropic's models goes back to them; any other cannot be checked there."""
    thoughts = thoughts_of(message)
    own = [thought for thought in thoughts if thought.family == "anthropic" and _is_claude(draft)]
    blocks: list[Json] = []
    for thought in own:
        if thought.sealed:
            blocks.append({"reasoningContent": {"redactedContent": thought.sealed}})
        elif thought.signature:
            said = {"text": thought.text, "signature": thought.signature}
            blocks.append({"reasoningContent": {"reasoningText": said}})
    if len(blocks) < len(thoughts):
        draft.drop(f"messages.{THOUGHTS_FIELD}")
    elif message.get("reasoning_content") and not blocks:
        draft.drop("messages.reasoning_content")
    return blocks


def _is_claude(draft: Draft) -> bool:
    return "claude" in draft.call.target.model or "anthropic." in draft.call.target.model


def _result(message: Json, draft: Draft) -> Json:
    content = message.get("content")
    blocks: list[Json] = []
    for part in parts_of(content):
        text = part.get("text") if part.get("type", "text") == "text" else None
        if text is None:
            blocks += _block(part, draft)
        elif isinstance(value := _json_in(text), dict):
            blocks.append({"json": value})
        elif text:
            blocks.append({"text": text})
    call_id = message.get("tool_call_id") or f"call_{message.get('name', '')}"
    return {"toolResult": {"toolUseId": call_id, "content": blocks or [{"text": "(no output)"}]}}


def _json_in(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


def _blocks(content: Any, draft: Draft) -> list[Json]:
    return [block for part in parts_of(content) for block in _block(part, draft)]


def _block(part: Json, draft: Draft) -> list[Json]:
    """One part, and a cache point after it where the caller marked it."""
    block: Json
    match part.get("type"):
        case "text" | "refusal":
            text = part.get("text") or part.get("refusal") or ""
            if not text.strip():
                return []
            block = {"text": text}
        case "image_url":
            image = part["image_url"]
            block = {"image": _image(image["url"] if isinstance(image, dict) else image, draft)}
        case "file":
            block = {"document": _document(part["file"], draft)}
        case other:
            raise draft.refuse(f"messages: this provider takes no content of type {other}")
    return [block, *_cache_point(part)]


def _cache_point(part: Json) -> list[Json]:
    control = part.get("cache_control")
    if not control:
        return []
    long = {"ttl": "1h"} if control.get("ttl") == "1h" else {}
    return [{"cachePoint": {"type": "default", **long}}]


def _image(url: str, draft: Draft) -> Json:
    inline = inline_data(url, "image/png")
    if inline is None:
        if url.startswith("s3://"):
            form = {"jpg": "jpeg"}.get(ending := url.rpartition(".")[2].lower(), ending)
            return {"format": form, "source": {"s3Location": {"uri": url}}}
        raise draft.refuse("messages: this provider takes images with their data or from S3, not by URL")
    form = _IMAGE_FORMATS.get(inline.media_type, "")
    if not form:
        raise draft.refuse(f"messages: this provider takes no images of type {inline.media_type}")
    return {"format": form, "source": {"bytes": inline.data}}


def _document(file: Json, draft: Draft) -> Json:
    data = file.get("file_data")
    if not data:
        raise draft.refuse("a file by id belongs to another provider's account; send its data")
    inline = inline_data(data, "application/pdf")
    if inline is None:
        raise draft.refuse("messages: this provider takes documents with their data only")
    form = _DOCUMENT_FORMATS.get(inline.media_type, "")
    if not form:
        raise draft.refuse(f"messages: this provider takes no documents of type {inline.media_type}")
    stem = (file.get("filename") or "document").rpartition(".")
    name = " ".join(_NAME_CHARS.sub(" ", stem[0] or stem[2]).split())[:_NAME_CHARS_MAX]
    return {"format": form, "name": name or "document", "source": {"bytes": inline.data}}


def _add_tools(body: Json, chat: Json, draft: Draft) -> None:
    functions, others = functions_of(chat)
    for kind in others:
        draft.drop(f"tools.{kind}")
    if not functions:
        return
    mode, names = tool_choice_of(chat) or ("auto", ())
    if mode == "none":
        if not any("toolUse" in block for turn in body["messages"] for block in turn["content"]):
            return
        # A conversation with calls in it is refused without tools, and "none" cannot be said.
        draft.drop("tool_choice")
    offered = [function for function in functions if len(names) < 2 or function.name in names]
    config: Json = {"tools": []}
    for function in offered:
        spec: Json = {"name": function.name, "inputSchema": {"json": function.parameters}}
        if function.description:
            spec["description"] = function.description
        if function.strict:
            spec["strict"] = True
        config["tools"].append({"toolSpec": spec})
    marked = [tool for tool in chat.get("tools") or () if tool.get("cache_control")]
    if marked:
        config["tools"] += _cache_point(marked[-1])
    if mode == "required":
        config["toolChoice"] = {"tool": {"name": names[0]}} if len(names) == 1 else {"any": {}}
    if chat.get("parallel_tool_calls") is False:
        draft.drop("parallel_tool_calls")
    body["toolConfig"] = config


def _add_format(body: Json, chat: Json, draft: Draft) -> None:
    wanted = schema_of(chat)
    if wanted is None:
        return
    kind, schema = wanted
    if kind != "json_schema":
        draft.drop("response_format")
        return
    named = chat["response_format"]["json_schema"]
    structure: Json = {"schema": msgspec.json.encode(schema).decode(), "name": named.get("name") or "answer"}
    if named.get("description"):
        structure["description"] = named["description"]
    body["outputConfig"] = {
        "textFormat": {"type": "json_schema", "structure": {"jsonSchema": structure}},
    }


def _add_model_fields(body: Json, config: Json, chat: Json, draft: Draft) -> None:
    """What Converse has no field for, in the words of the model's maker; the caller's own come last."""
    target = draft.call.target
    added: Json = {}
    if _is_claude(draft):
        _bound_sampling(config, draft)
    if chat.get("top_k") is not None:
        added |= _top_k(target.model, chat["top_k"])
    effort = effort_of(chat)
    if effort is not None:
        if Capability.REASONING not in target.offering.capabilities:
            draft.drop("reasoning_effort")
        elif _is_claude(draft):
            _add_thinking(added, body, config, effort, draft)
        elif "nova" in target.model:
            level = {"low": "low", "minimal": "low", "medium": "medium"}.get(effort, "high")
            added["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
        elif "openai." in target.model:
            added["reasoning_effort"] = "low" if effort == "minimal" else effort
        else:
            draft.drop("reasoning_effort")
    if added:
        body["additionalModelRequestFields"] = {**added, **(body.get("additionalModelRequestFields") or {})}


def _bound_sampling(config: Json, draft: Draft) -> None:
    """Claude takes a temperature up to 1, and newer models not together with `top_p`."""
    temperature = config.get("temperature")
    if temperature is None:
        return
    if temperature > TEMPERATURE_MAX:
        config["temperature"] = TEMPERATURE_MAX
        draft.drop("temperature")
    if config.pop("topP", 1) != 1:
        draft.drop("top_p")


def _top_k(model: str, top_k: int) -> Json:
    if "nova" in model:
        return {"inferenceConfig": {"topK": top_k}}
    return {"k": top_k} if "cohere." in model else {"top_k": top_k}


def _add_thinking(added: Json, body: Json, config: Json, effort: str, draft: Draft) -> None:
    """Extended thinking; it excludes a forced tool and free sampling."""
    if thinks_adaptively(draft.call.target.model):
        added["thinking"] = {"type": "adaptive"}
        added["output_config"] = {"effort": "low" if effort == "minimal" else effort}
    else:
        limit = config.get("maxTokens") or draft.call.target.offering.max_output_tokens or 4096
        budget = min(THINKING_TOKENS.get(effort, THINKING_TOKENS["medium"]), limit // 2)
        if budget < _THINKING_TOKENS_MIN or "toolChoice" in body.get("toolConfig", {}):
            draft.drop("reasoning_effort")
            return
        added["thinking"] = {"type": "enabled", "budget_tokens": budget}
    for ours, theirs in (("temperature", "temperature"), ("top_p", "topP")):
        if config.pop(theirs, None) is not None:
            draft.drop(ours)
    if added.pop("top_k", None) is not None:
        draft.drop("top_k")
