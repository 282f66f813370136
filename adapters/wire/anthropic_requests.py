"""`openai.chat` bodies said in Anthropic's messages."""

import re
from collections.abc import Callable
from typing import Any, Final

from adapters.wire.anthropic_writer import MAKER
from adapters.wire.chat_parts import (
    SYSTEM_ROLES,
    THINKING_TOKENS,
    calls_of,
    effort_of,
    functions_of,
    inline_data,
    instruction_in_place,
    instructions_at_start,
    output_limit,
    parts_of,
    schema_of,
    stops_of,
    tool_choice_of,
    without_error_mark,
)
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.thoughts import FIELD, thoughts_of
from domain.llm.capabilities import Capability

MAX_TOKENS_DEFAULT: Final = 4096
THINKING_TOKENS_MIN: Final = 1024
TEMPERATURE_MAX: Final = 1.0

CHAT_FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
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
        "safety_identifier",
        "n",
        "top_k",
        "service_tier",
        "modalities",
    }
)
"""Fields of a chat body that have a counterpart here."""

_MODEL_VERSION: Final = re.compile(r"claude-[a-z]+-(\d)(?:-(\d{1,2}))?(?!\d)")
_TIERS: Final = {"auto": "auto", "priority": "auto", "default": "standard_only"}
_ADAPTIVE_SINCE: Final = (4, 6)
"""From this version on models want adaptive thinking and an effort instead of a budget."""


def from_chat(chat: Json, draft: Draft) -> Json:
    """The messages body. Raises UpstreamFailed (CALLER_FAULT) for several choices and for sound."""
    if (chat.get("n") or 1) > 1:
        raise draft.refuse("n: this provider gives one choice per request")
    if "audio" in (chat.get("modalities") or ()):
        raise draft.refuse("modalities: this provider answers in text only")
    target = draft.call.target
    limit = output_limit(chat) or target.offering.max_output_tokens or MAX_TOKENS_DEFAULT
    system, messages = _conversation(chat["messages"], draft)
    body: Json = {"model": target.model, "max_tokens": limit, "messages": messages}
    if system:
        body["system"] = system[0]["text"] if _plain(system) else system
    if chat.get("stream"):
        body["stream"] = True
    if who := chat.get("user") or chat.get("safety_identifier"):
        body["metadata"] = {"user_id": who}
    _add_tier(body, chat, draft)
    stops = [stop for stop in stops_of(chat) if stop.strip()]
    if len(stops) < len(stops_of(chat)):
        # White space alone is refused as a stop sequence.
        draft.drop("stop")
    if stops:
        body["stop_sequences"] = stops
    _add_tools(body, chat, draft)
    _add_format(body, chat, draft)
    _add_thinking(body, chat, draft)
    _add_sampling(body, chat, draft)
    return body


def _add_tier(body: Json, chat: Json, draft: Draft) -> None:
    tier = chat.get("service_tier")
    if tier in _TIERS:
        body["service_tier"] = _TIERS[tier]
    elif tier == "fast":
        body["speed"] = "fast"
    elif tier is not None:
        draft.drop("service_tier")


def _plain(system: list[Json]) -> bool:
    return len(system) == 1 and set(system[0]) == {"type", "text"}


def _conversation(messages: list[Json], draft: Draft) -> tuple[list[Json], list[Json]]:
    """(system blocks, messages): results of tools go into the user's next message, before all else in it."""
    system: list[Json] = []
    turns: list[Json] = []
    instructions = instructions_at_start(messages)
    for place, message in enumerate(messages):
        role = message["role"]
        if message.get("name") and role not in ("tool", "function"):
            draft.drop("messages.name")
        if place < instructions:
            system += _blocks(message.get("content"), draft)
        elif role in SYSTEM_ROLES:
            draft.drop("messages.role")
            text = instruction_in_place(message.get("content"))
            _say(turns, "user", [{"type": "text", "text": text}] if text else [])
        elif role == "assistant":
            _say(turns, "assistant", _assistant_blocks(message, draft))
        elif role in ("tool", "function"):
            _say(turns, "user", [_result(message, draft)], first=_is_result)
        else:
            _say(turns, "user", _blocks(message.get("content"), draft))
    if turns and turns[-1]["role"] == "assistant":
        # A last assistant message is continued, and may not end in white space.
        last = turns[-1]["content"][-1]
        if last["type"] == "text":
            last["text"] = last["text"].rstrip()
    return system, turns


def _is_result(block: Json) -> bool:
    return bool(block["type"] == "tool_result")


def _say(
    turns: list[Json], role: str, blocks: list[Json], *, first: Callable[[Json], bool] | None = None
) -> None:
    """Adds to the last turn when it is the same role's: turns alternate. `first`: behind those alone."""
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        content = turns[-1]["content"]
        at = len(content) if first is None else sum(map(first, content))
        content[at:at] = blocks
    else:
        turns.append({"role": role, "content": blocks})


def _assistant_blocks(message: Json, draft: Draft) -> list[Json]:
    blocks = _thinking(message, draft) + _blocks(message.get("content"), draft)
    if message.get("refusal"):
        blocks.append({"type": "text", "text": message["refusal"]})
    for call in calls_of(message):
        blocks.append(
            {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["arguments"]}
        )
    return blocks


def _thinking(message: Json, draft: Draft) -> list[Json]:
    """Thinking counts only with Anthropic's own signature; other reasoning is left out by name."""
    blocks: list[Json] = []
    thoughts = thoughts_of(message)
    for thought in thoughts:
        if thought.family == MAKER and thought.sealed:
            blocks.append({"type": "redacted_thinking", "data": thought.sealed})
        elif thought.family == MAKER and thought.signature:
            blocks.append({"type": "thinking", "thinking": thought.text, "signature": thought.signature})
        else:
            draft.drop(f"messages.{FIELD}")
    if message.get("reasoning_content") and not thoughts:
        draft.drop("messages.reasoning_content")
    return blocks


def _result(message: Json, draft: Draft) -> Json:
    content = message.get("content")
    call_id = message.get("tool_call_id") or f"call_{message.get('name', '')}"
    said = content if isinstance(content, str) else _blocks(content, draft)
    block: Json = {"type": "tool_result", "tool_use_id": call_id, "content": said}
    if message.get("is_error"):
        block |= {"is_error": True, "content": without_error_mark(said)}
    if message.get("cache_control"):
        block["cache_control"] = message["cache_control"]
    return block


def _blocks(content: Any, draft: Draft) -> list[Json]:
    return [block for part in parts_of(content) if (block := _block(part, draft)) is not None]


def _block(part: Json, draft: Draft) -> Json | None:
    block: Json
    match part.get("type"):
        case "text" | "refusal":
            text = part.get("text") or part.get("refusal") or ""
            if not text:
                return None
            block = {"type": "text", "text": text}
        case "image_url":
            image = part["image_url"]
            block = {"type": "image", "source": _source(image["url"] if isinstance(image, dict) else image)}
        case "file":
            data = part["file"].get("file_data")
            if not data:
                raise draft.refuse("a file by id belongs to another provider's account; send its data")
            block = {"type": "document", "source": _source(data, "application/pdf")}
            if part["file"].get("filename"):
                block["title"] = part["file"]["filename"]
        case other:
            raise draft.refuse(f"messages: this provider takes no content of type {other}")
    if part.get("cache_control"):
        block["cache_control"] = part["cache_control"]
    return block


def _source(url: str, default_type: str = "image/png") -> Json:
    inline = inline_data(url, default_type)
    if inline is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": inline.media_type, "data": inline.data}


def _add_tools(body: Json, chat: Json, draft: Draft) -> None:
    functions, others = functions_of(chat)
    for kind in others:
        draft.drop(f"tools.{kind}")
    if not functions:
        return
    marks = {
        tool["function"]["name"]: {"cache_control": tool["cache_control"]}
        for tool in chat.get("tools") or ()
        if tool.get("cache_control") and isinstance(tool.get("function"), dict)
    }
    body["tools"] = [
        {
            "name": function.name,
            "input_schema": function.parameters,
            **({"description": function.description} if function.description else {}),
            **({"strict": True} if function.strict else {}),
            **marks.get(function.name, {}),
        }
        for function in functions
    ]
    chosen = tool_choice_of(chat)
    choice: Json = {"type": "auto"}
    if chosen is not None:
        mode, names = chosen
        choice = {"type": {"required": "any"}.get(mode, mode)}
        if len(names) == 1 and mode == "required":
            choice = {"type": "tool", "name": names[0]}
        elif names:
            body["tools"] = [tool for tool in body["tools"] if tool["name"] in names]
    if chat.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    if chosen is not None or "disable_parallel_tool_use" in choice:
        body["tool_choice"] = choice


def _add_format(body: Json, chat: Json, draft: Draft) -> None:
    wanted = schema_of(chat)
    if wanted is None:
        return
    kind, schema = wanted
    if kind == "json_schema":
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    else:
        # There is no mode for "some JSON": the prompt already has to ask for it in OpenAI's shape.
        draft.drop("response_format")


def _add_thinking(body: Json, chat: Json, draft: Draft) -> None:
    effort = effort_of(chat)
    if effort is None:
        return
    target = draft.call.target
    if thinks_adaptively(target.model):
        body["thinking"] = {"type": "adaptive"}
        body.setdefault("output_config", {})["effort"] = "low" if effort == "minimal" else effort
        return
    wanted = THINKING_TOKENS.get(effort, THINKING_TOKENS["medium"])
    budget = min(wanted, body["max_tokens"] // 2)
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    can_think = Capability.REASONING in target.offering.capabilities
    if budget < THINKING_TOKENS_MIN or forced or not can_think or _in_unsigned_loop(body["messages"]):
        # Half of the answer's limit goes to the answer, a forced tool excludes thinking, and so does a call
        # that waits for its result here but was made without signed thinking.
        draft.drop("reasoning_effort")
        return
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _in_unsigned_loop(messages: list[Json]) -> bool:
    if len(messages) < 2 or messages[-1]["role"] != "user":
        return False
    results = any(block.get("type") == "tool_result" for block in messages[-1]["content"])
    first = messages[-2]["content"][0]
    return results and first["type"] not in ("thinking", "redacted_thinking")


def thinks_adaptively(model: str) -> bool:
    """Whether a model wants adaptive thinking; a cloud's prefix before the name does not matter."""
    found = _MODEL_VERSION.search(model)
    return found is not None and (int(found.group(1)), int(found.group(2) or 0)) >= _ADAPTIVE_SINCE


def _add_sampling(body: Json, chat: Json, draft: Draft) -> None:
    """Temperature or `top_p`: newer models refuse both at once, and either beside thinking."""
    temperature, top_p = chat.get("temperature"), chat.get("top_p")
    if "thinking" in body:
        for name in ("temperature", "top_p", "top_k"):
            if chat.get(name) is not None:
                draft.drop(name)
        return
    if temperature is not None:
        body["temperature"] = min(temperature, TEMPERATURE_MAX)
        if temperature > TEMPERATURE_MAX:
            draft.drop("temperature")
    if chat.get("top_k") is not None:
        body["top_k"] = chat["top_k"]
    if top_p is not None:
        if temperature is None:
            body["top_p"] = top_p
        elif top_p != 1:
            draft.drop("top_p")
