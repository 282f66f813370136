"""`openai.chat` bodies said in Gemini's generateContent."""

from typing import Any, Final

import msgspec

from adapters.wire.chat_parts import (
    SYSTEM_ROLES,
    THINKING_TOKENS,
    audio_data,
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
    text_of,
    tool_choice_of,
    tool_names,
    without_error_mark,
)
from adapters.wire.gemini_parts import signature_of
from adapters.wire.gemini_schema import reduced
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.thoughts import FIELD, thoughts_of
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
        "logprobs",
        "top_logprobs",
        "service_tier",
        "modalities",
    }
)
"""Fields of a chat body that have a counterpart here."""

_CONFIG: Final[dict[str, str]] = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
_TIERS: Final = {"default": "standard", "flex": "flex", "priority": "priority"}
_MODES: Final = {"auto": "AUTO", "required": "ANY", "none": "NONE"}
_LEVELS: Final = {"minimal": "low", "low": "low", "medium": "medium"}
FOREIGN_SIGNATURE: Final = "skip_thought_signature_validator"
"""What Google documents for calls that another model made; Gemini 3 refuses them unsigned."""


def wants_signatures(model: str) -> bool:
    """Whether this model refuses calls of a conversation that carry no signature."""
    return model.removeprefix("models/").startswith("gemini-3")


def from_chat(chat: Json, draft: Draft) -> Json:
    """The generateContent body. The model's name and streaming are in the path, not in the body."""
    if "audio" in (chat.get("modalities") or ()):
        raise draft.refuse("modalities: sound in answers is not translated")
    names = tool_names(chat["messages"])
    system: list[Json] = []
    contents: list[Json] = []
    instructions = instructions_at_start(chat["messages"])
    for place, message in enumerate(chat["messages"]):
        role = message["role"]
        if message.get("name") and role not in ("tool", "function"):
            draft.drop("messages.name")
        if role in SYSTEM_ROLES and place >= instructions:
            draft.drop("messages.role")
            text = instruction_in_place(message.get("content"))
            _say(contents, "user", [{"text": text}] if text else [])
        elif role in SYSTEM_ROLES:
            text = text_of(message.get("content"))
            system += [{"text": text}] if text else []
        elif role == "assistant":
            _say(contents, "model", _model_parts(message, draft))
        elif role in ("tool", "function"):
            _say(contents, "user", _result_parts(message, names, draft), first="functionResponse")
        else:
            _say(contents, "user", _parts(message.get("content"), draft))
    if not contents:
        # A conversation of system texts alone still has to be answered.
        contents.append({"role": "user", "parts": system or [{"text": ""}]})
    body: Json = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": system}
    config = _config(chat, draft)
    if config:
        body["generationConfig"] = config
    _add_tools(body, chat, draft)
    tier = chat.get("service_tier")
    if tier in _TIERS:
        body["serviceTier"] = _TIERS[tier]
    elif tier not in (None, "auto"):
        draft.drop("service_tier")
    return body


def _say(contents: list[Json], role: str, parts: list[Json], *, first: str = "") -> None:
    """Adds to the last content when it is the same role's. `first`: behind parts of that kind alone."""
    if not parts:
        return
    if contents and contents[-1]["role"] == role:
        said = contents[-1]["parts"]
        at = sum(first in part for part in said) if first else len(said)
        said[at:at] = parts
    else:
        contents.append({"role": role, "parts": parts})


def _model_parts(message: Json, draft: Draft) -> list[Json]:
    parts = _parts(message.get("content"), draft)
    marks = _own_marks(message, draft)
    if marks and parts:
        parts[0]["thoughtSignature"] = marks[-1]
    if message.get("refusal"):
        parts.append({"text": message["refusal"]})
    signs = wants_signatures(draft.call.target.model)
    for place, call in enumerate(calls_of(message)):
        part: Json = {"functionCall": {"name": call["name"], "args": call["arguments"]}}
        signature = signature_of(call["extra"])
        if signature:
            part["thoughtSignature"] = signature
        elif signs and place == 0:
            part["thoughtSignature"] = FOREIGN_SIGNATURE
        parts.append(part)
    return parts


def _own_marks(message: Json, draft: Draft) -> list[str]:
    """Gemini's own signatures of an earlier answer; other families' reasoning is left out by name."""
    thoughts = thoughts_of(message)
    if any(thought.family != "gemini" or not thought.signature for thought in thoughts):
        draft.drop(f"messages.{FIELD}")
    if message.get("reasoning_content") and not thoughts:
        draft.drop("messages.reasoning_content")
    return [thought.signature for thought in thoughts if thought.family == "gemini" and thought.signature]


def _result_parts(message: Json, names: dict[str, str], draft: Draft) -> list[Json]:
    call_id = message.get("tool_call_id", "")
    name = message.get("name") or names.get(call_id)
    if not name:
        raise draft.refuse(f"messages: the result {call_id!r} belongs to no tool call of the conversation")
    text = text_of(message.get("content"))
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    # A text that happens to be a JSON text or number stays the text it is.
    response = value if isinstance(value, dict) else {"result": value if isinstance(value, list) else text}
    if message.get("is_error"):
        response = {"error": without_error_mark(text)}
    rest = [part for part in parts_of(message.get("content")) if part.get("type") != "text"]
    return [{"functionResponse": {"name": name, "response": response}}, *_parts(rest, draft)]


def _parts(content: Any, draft: Draft) -> list[Json]:
    return [found for part in parts_of(content) if (found := _part(part, draft)) is not None]


def _part(part: Json, draft: Draft) -> Json | None:
    match part.get("type"):
        case "text" | "refusal":
            text = part.get("text") or part.get("refusal")
            return {"text": text} if text else None
        case "image_url":
            image = part["image_url"]
            return _media(image["url"] if isinstance(image, dict) else image, "image/png")
        case "input_audio":
            sound = audio_data(part)
            return {"inlineData": {"mimeType": sound.media_type, "data": sound.data}}
        case "file":
            data = part["file"].get("file_data")
            if not data:
                raise draft.refuse("a file by id belongs to another provider's account; send its data")
            return _media(data, "application/pdf")
        case other:
            raise draft.refuse(f"messages: this provider takes no content of type {other}")


def _media(url: str, default_type: str) -> Json:
    inline = inline_data(url, default_type)
    if inline is None:
        return {"fileData": {"fileUri": url, "mimeType": default_type}}
    return {"inlineData": {"mimeType": inline.media_type, "data": inline.data}}


def _config(chat: Json, draft: Draft) -> Json:
    config: Json = {theirs: chat[ours] for ours, theirs in _CONFIG.items() if chat.get(ours) is not None}
    limit = output_limit(chat)
    if limit:
        config["maxOutputTokens"] = limit
    if (chat.get("n") or 1) > 1:
        config["candidateCount"] = chat["n"]
    stops = stops_of(chat)
    if stops:
        config["stopSequences"] = stops
    wanted = schema_of(chat)
    if wanted is not None:
        config["responseMimeType"] = "application/json"
        if wanted[1]:
            config["responseSchema"] = reduced(wanted[1])
    if chat.get("reasoning_effort") == "none" and (thinking := _least_thinking(draft)):
        config["thinkingConfig"] = thinking
    effort = effort_of(chat)
    if effort is not None:
        if Capability.REASONING not in draft.call.target.offering.capabilities:
            draft.drop("reasoning_effort")
        elif draft.call.target.model.startswith("gemini-3"):
            config["thinkingConfig"] = {"includeThoughts": True, "thinkingLevel": _LEVELS.get(effort, "high")}
        else:
            budget = min(THINKING_TOKENS.get(effort, THINKING_TOKENS["medium"]), 24_576)
            config["thinkingConfig"] = {"includeThoughts": True, "thinkingBudget": budget}
    return config


def _least_thinking(draft: Draft) -> Json:
    """No thinking where it can be switched off, and as little as the model allows elsewhere."""
    target = draft.call.target
    if Capability.REASONING not in target.offering.capabilities:
        return {}
    if wants_signatures(target.model):
        return {"thinkingLevel": "minimal" if "flash" in target.model else "low"}
    return {"thinkingBudget": 0 if "flash" in target.model else 128}


def _add_tools(body: Json, chat: Json, draft: Draft) -> None:
    functions, others = functions_of(chat)
    for kind in others:
        draft.drop(f"tools.{kind}")
    if not functions:
        return
    declarations: list[Json] = []
    for function in functions:
        declaration: Json = {"name": function.name}
        if function.description:
            declaration["description"] = function.description
        if function.parameters.get("properties"):
            # An object without properties is refused; a function without parameters says nothing.
            declaration["parameters"] = reduced(function.parameters)
        declarations.append(declaration)
    body["tools"] = [{"functionDeclarations": declarations}]
    chosen = tool_choice_of(chat)
    if chosen is not None:
        mode, names = chosen
        calling: Json = {"mode": _MODES.get(mode, "AUTO")}
        if names:
            calling |= {
                "mode": "ANY" if mode == "required" else "VALIDATED",
                "allowedFunctionNames": list(names),
            }
        body["toolConfig"] = {"functionCallingConfig": calling}
