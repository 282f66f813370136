"""Pieces of `openai.chat` bodies that every translation takes apart the same way."""

import re
from typing import Any, Final, NamedTuple

import msgspec

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,(.*)", re.DOTALL)
_AUDIO_TYPES: Final = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/opus"}

THINKING_TOKENS: Final[dict[str, int]] = {
    "minimal": 1024,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": 32768,
    "max": 65536,
}
"""What a reasoning effort is worth where only a budget can be said."""


def effort_for(budget_tokens: int) -> str:
    """The least effort that is worth this budget."""
    named = ("low", "medium", "high", "xhigh")
    return next((effort for effort in named if budget_tokens <= THINKING_TOKENS[effort]), "max")


ERROR_MARK: Final = "Error: "
"""How the result of a failed call begins where a dialect has no field for failure."""


def with_error_mark(text: str) -> str:
    return text if text.startswith(ERROR_MARK) else ERROR_MARK + text


def without_error_mark(content: Any) -> Any:
    """The same for a dialect that has such a field."""
    return content.removeprefix(ERROR_MARK) if isinstance(content, str) else content


SYSTEM_ROLES: Final = frozenset({"system", "developer"})


def instructions_at_start(messages: list[dict[str, Any]]) -> int:
    """How many messages at the beginning are instructions; later ones are said where they stand."""
    count = 0
    while count < len(messages) and messages[count]["role"] in SYSTEM_ROLES:
        count += 1
    return count


def instruction_in_place(content: Any) -> str:
    """An instruction in the middle of a conversation, for dialects that have instructions only before it.

    Moved to the front it would apply to what was said before it, and spoil a warm prompt cache.
    """
    text = text_of(content)
    return f"<system>\n{text}\n</system>" if text else ""


class Inline(NamedTuple):
    """Data that travels in the body, base64."""

    media_type: str
    data: str


def inline_data(url: str, default_type: str) -> Inline | None:
    """The content of a `data:` URL; None for any other URL."""
    found = _DATA_URL.fullmatch(url)
    return Inline(found.group(1) or default_type, found.group(2)) if found else None


def audio_data(part: dict[str, Any]) -> Inline:
    """An `input_audio` part."""
    audio = part["input_audio"]
    return Inline(_AUDIO_TYPES.get(audio.get("format", ""), f"audio/{audio.get('format')}"), audio["data"])


def parts_of(content: Any) -> list[dict[str, Any]]:
    """A message's content as parts, whatever form it has."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [part if isinstance(part, dict) else {"type": "text", "text": str(part)} for part in content]


def text_of(content: Any) -> str:
    """The text of a message's content; other parts say nothing here."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in parts_of(content) if isinstance(part.get("text"), str))


class Function(NamedTuple):
    """A function a model may call; `parameters` is its JSON schema."""

    name: str
    description: str | None
    parameters: dict[str, Any]
    strict: bool | None


NO_PARAMETERS: Final[dict[str, Any]] = {"type": "object", "properties": {}}


def functions_of(chat: dict[str, Any]) -> tuple[list[Function], list[str]]:
    """The functions of `tools` (or of the older `functions`), and the types of tools that are none."""
    found: list[Function] = []
    others: list[str] = []
    for tool in chat.get("tools") or [
        {"type": "function", "function": f} for f in chat.get("functions") or ()
    ]:
        function = tool.get("function")
        if tool.get("type", "function") != "function" or not isinstance(function, dict):
            others.append(str(tool.get("type")))
            continue
        parameters = function.get("parameters") or NO_PARAMETERS
        found.append(
            Function(function["name"], function.get("description"), parameters, function.get("strict"))
        )
    return found, others


def tool_choice_of(chat: dict[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    """(`auto` | `none` | `required`, names it is limited to); None when the caller did not choose."""
    choice = chat.get("tool_choice", chat.get("function_call"))
    if choice is None:
        return None
    if isinstance(choice, str):
        return choice, ()
    if choice.get("type") == "allowed_tools":
        allowed = choice["allowed_tools"]
        return allowed.get("mode", "auto"), tuple(tool["function"]["name"] for tool in allowed["tools"])
    return "required", (choice.get("function", choice)["name"],)


class BrokenArguments(ValueError):
    """A call in the conversation whose arguments nobody can read; the message may be shown to the caller."""


def calls_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """An assistant message's calls as `{id, name, arguments, extra}`; arguments are an object.

    Raises BrokenArguments when arguments are not JSON.
    """
    calls = list(message.get("tool_calls") or ())
    if message.get("function_call"):
        function = message["function_call"]
        calls.append({"id": f"call_{function['name']}", "function": function})
    return [
        {
            "id": call["id"],
            "name": call["function"]["name"],
            "arguments": _arguments(call["function"].get("arguments")),
            "extra": call.get("extra_content"),
        }
        for call in calls
        if call.get("function")
    ]


def _arguments(text: Any) -> Any:
    if not text:
        return {}
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise BrokenArguments("the arguments of a tool call in the conversation are not JSON") from None
    return value if isinstance(value, dict) else {"value": value}


def stops_of(chat: dict[str, Any]) -> list[str]:
    """`stop` as a list."""
    stop = chat.get("stop")
    return [stop] if isinstance(stop, str) else list(stop or ())


def output_limit(chat: dict[str, Any]) -> int | None:
    limit = chat.get("max_completion_tokens") or chat.get("max_tokens")
    return int(limit) if limit else None


def effort_of(chat: dict[str, Any]) -> str | None:
    """`reasoning_effort`, None when the caller wants none or says nothing."""
    effort = chat.get("reasoning_effort")
    return None if effort in (None, "none") else str(effort)


def schema_of(chat: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """(`json_schema` | `json_object`, the schema or nothing); None when plain text is wanted."""
    form = chat.get("response_format") or {}
    match form.get("type"):
        case "json_schema":
            return "json_schema", form["json_schema"].get("schema") or {}
        case "json_object":
            return "json_object", {}
    return None


def tool_names(messages: list[dict[str, Any]]) -> dict[str, str]:
    """Call id -> function name, over a whole conversation."""
    return {
        call["id"]: call["function"]["name"]
        for message in messages
        for call in message.get("tool_calls") or ()
        if call.get("function")
    }
