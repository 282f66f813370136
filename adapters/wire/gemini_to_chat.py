"""Gemini's generateContent bodies said in `openai.chat`, for providers of other families."""

from collections import deque
from typing import Any, Final

import msgspec

from adapters.wire.body_shapes import GENERATE, unknown_fields
from adapters.wire.chat_parts import NO_PARAMETERS, with_error_mark
from adapters.wire.gemini_parts import call_signature, chat_part
from adapters.wire.gemini_schema import json_schema
from adapters.wire.gemini_words import camelled, effort_of_thinking
from adapters.wire.pivot import Thought
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.seals import unseal
from adapters.wire.thoughts import FIELD, details_of
from domain.llm.capabilities import Capability

_NAMES: Final[dict[str, str]] = {
    "contents": "messages",
    "systemInstruction": "messages",
    "generationConfig": "messages",
    "tools": "tools",
    "toolConfig": "tool_choice",
    "cachedContent": "messages",
    "serviceTier": "service_tier",
}
CHAT_COUNTERPARTS: Final[dict[str, str]] = {
    **_NAMES,
    "system_instruction": "messages",
    "generation_config": "messages",
    "tool_config": "tool_choice",
    "cached_content": "messages",
    "service_tier": "service_tier",
    "model": "model",
}
"""A field of either spelling -> the chat field that says the same. What `generationConfig` holds is told
apart below."""

_CONFIG: Final[dict[str, str]] = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "candidateCount": "n",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
_MODES: Final = {"AUTO": "auto", "ANY": "required", "NONE": "none", "VALIDATED": "auto"}
_TIERS: Final = {"standard": "default", "flex": "flex", "priority": "priority"}


def to_chat(body: Json, draft: Draft) -> Json:
    """The chat body; model and streaming come from the path. Refuses stored contexts and formats that no
    other family has; drops by name what only changes how well the answer is made."""
    body = camelled(body)
    if body.get("cachedContent"):
        raise draft.refuse("cachedContent: a stored context belongs to another provider's account")
    for path in unknown_fields(body, GENERATE):
        draft.drop(path)
    request = draft.call.request
    messages = _system(body.get("systemInstruction"))
    _add_contents(messages, body["contents"], draft)
    chat: Json = {"model": request.model, "messages": messages}
    if request.stream:
        chat["stream"] = True
    tier = str(body.get("serviceTier") or "").lower().removeprefix("service_tier_")
    if tier in _TIERS:
        chat["service_tier"] = _TIERS[tier]
    _add_tools(chat, body, draft)
    _add_config(chat, body.get("generationConfig") or {}, draft)
    return chat


def _system(instruction: Any) -> list[Json]:
    if not instruction:
        return []
    if isinstance(instruction, str):
        return [{"role": "system", "content": instruction}]
    texts = [part["text"] for part in instruction.get("parts") or () if part.get("text")]
    return [{"role": "system", "content": "\n\n".join(texts)}] if texts else []


class _Calls:
    """Names made up for calls without an id, and which of them still wait for their result."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._count = 0
        self._waiting: dict[str, deque[str]] = {}

    def named(self, call: Json) -> str:
        self._count += 1
        call_id = str(call.get("id") or f"call_{self._count}")
        self._waiting.setdefault(call["name"], deque()).append(call_id)
        return call_id

    def answered(self, result: Json) -> str:
        waiting = self._waiting.get(result["name"])
        call_id = result.get("id")
        if call_id:
            if waiting and call_id in waiting:
                waiting.remove(call_id)
            return str(call_id)
        if not waiting:
            raise self._draft.refuse(
                f"contents: the result of {result['name']!r} belongs to no call of the conversation"
            )
        return waiting.popleft()


def _add_contents(messages: list[Json], contents: list[Json], draft: Draft) -> None:
    calls = _Calls(draft)
    for content in contents:
        parts = content.get("parts") or []
        if content.get("role") == "model":
            _add_answer(messages, parts, calls, draft)
            continue
        rest: list[Json] = []
        for part in parts:
            result = part.get("functionResponse")
            if result is None:
                rest += chat_part(part, draft)
                continue
            # A result follows its call directly; what comes beside it follows all results.
            said = {"role": "tool", "tool_call_id": calls.answered(result), **_result(result)}
            messages.append(said)
            for media in result.get("parts") or ():
                rest += chat_part(media, draft)
        if rest:
            plain = len(rest) == 1 and rest[0]["type"] == "text"
            messages.append({"role": "user", "content": rest[0]["text"] if plain else rest})


def _result(result: Json) -> Json:
    """`result`, `output` and `error` are Google's names for a result that is no object of its own."""
    response = result.get("response") or {}
    if len(response) == 1:
        ((name, value),) = response.items()
        if name in ("result", "output", "error"):
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            return (
                {"content": with_error_mark(text), "is_error": True} if name == "error" else {"content": text}
            )
    return {"content": msgspec.json.encode(response).decode()}


def _add_answer(messages: list[Json], parts: list[Json], calls: _Calls, draft: Draft) -> None:
    texts: list[str] = []
    made: list[Json] = []
    thoughts: list[Thought] = []
    for part in parts:
        mark = part.get("thoughtSignature") or ""
        sealed = unseal(mark)
        if sealed is not None:
            thoughts += sealed
            mark = ""
        call = part.get("functionCall")
        if call is not None:
            arguments = msgspec.json.encode(call.get("args") or {}).decode()
            said: Json = {
                "id": calls.named(call),
                "type": "function",
                "function": {"name": call["name"], "arguments": arguments},
            }
            if mark:
                said["extra_content"] = call_signature(mark)
            made.append(said)
        elif part.get("thought"):
            # The words alone mislead another family; with a mark its maker gets them back.
            if sealed is None:
                thoughts.append(Thought(part.get("text") or "", "gemini", mark))
        elif "text" in part:
            texts.append(part["text"])
            if mark:
                thoughts.append(Thought("", "gemini", mark))
        else:
            draft.drop(f"contents.parts.{next(iter(part), 'part')}")
    said = {"role": "assistant", "content": "".join(texts) or None}
    if made:
        said["tool_calls"] = made
    if thoughts:
        said[FIELD] = details_of(thoughts)
    if texts or made:
        messages.append(said)


def _add_tools(chat: Json, body: Json, draft: Draft) -> None:
    tools: list[Json] = []
    for tool in body.get("tools") or ():
        for name in tool:
            if name != "functionDeclarations" and tool[name] is not None:
                draft.drop(f"tools.{name}")
        for declared in tool.get("functionDeclarations") or ():
            function: Json = {"name": declared["name"], "parameters": _parameters(declared)}
            if declared.get("description"):
                function["description"] = declared["description"]
            tools.append({"type": "function", "function": function})
    config = body.get("toolConfig") or {}
    if not tools:
        return
    chat["tools"] = tools
    calling = config.get("functionCallingConfig") or {}
    mode = _MODES.get(str(calling.get("mode") or "").upper())
    names = calling.get("allowedFunctionNames") or []
    if mode is None and not names:
        return
    chosen: Any = mode or "auto"
    if names and mode != "none":
        allowed = [{"type": "function", "function": {"name": name}} for name in names]
        if len(allowed) == 1 and mode == "required":
            chosen = allowed[0]
        else:
            # Servers that know no limited choice get only the tools that may be chosen.
            chat["tools"] = [tool for tool in tools if tool["function"]["name"] in names]
    chat["tool_choice"] = chosen


def _parameters(declared: Json) -> Json:
    given = declared.get("parametersJsonSchema")
    if given:
        return dict(given)
    schema = declared.get("parameters")
    return json_schema(schema) if schema else NO_PARAMETERS


def _add_config(chat: Json, config: Json, draft: Draft) -> None:
    for name, value in config.items():
        if name in _CONFIG and value is not None:
            chat[_CONFIG[name]] = value
    if chat.get("n") == 1:
        del chat["n"]
    modalities = [str(kind).upper() for kind in config.get("responseModalities") or ("TEXT",)]
    if modalities != ["TEXT"]:
        raise draft.refuse("generationConfig.responseModalities: this provider answers in text only")
    _add_format(chat, config, draft)
    effort = effort_of_thinking(config.get("thinkingConfig") or {})
    if effort is None:
        return
    if Capability.REASONING in draft.call.target.offering.capabilities:
        chat["reasoning_effort"] = effort
    elif effort != "none":
        draft.drop("generationConfig.thinkingConfig")


def _add_format(chat: Json, config: Json, draft: Draft) -> None:
    kind = config.get("responseMimeType")
    if kind == "text/x.enum":
        raise draft.refuse("generationConfig.responseMimeType: no other family answers with one bare word")
    given = config.get("responseJsonSchema") or config.get("_responseJsonSchema")
    schema = given or (json_schema(config["responseSchema"]) if config.get("responseSchema") else None)
    if schema:
        named = {"name": "answer", "schema": schema}
        chat["response_format"] = {"type": "json_schema", "json_schema": named}
    elif kind == "application/json":
        chat["response_format"] = {"type": "json_object"}
