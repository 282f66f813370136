"""The last message of the user in a body of one form, and whether a similar one may be answered alike."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from adapters.wire.canonical_bodies import Json
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES

CHARS_MAX: Final = 4_000
"""Longer texts are documents: one word in them can change the answer without moving their meaning."""


class LastQuestion(NamedTuple):
    """`holder[name]` is the text, so that it can be taken out of the body it stands in."""

    holder: Json
    name: str
    text: str
    exchanges: int


def last_question(dialect: str, body: Json) -> LastQuestion | None:
    """Of a body that `canonical_bodies.one_form` made; None where similar ones must not be looked for."""
    find = _FINDERS.get(dialect)
    found = None if find is None else find(body)
    if found is None or len(found.text) > CHARS_MAX or not found.text.strip():
        return None
    return found


def _chat(body: Json) -> LastQuestion | None:
    if any(_given(body.get(name)) for name in _MORE_THAN_TEXT):
        return None
    if (
        "n" in body
        or not _is_text(body.get("response_format"), "text")
        or body.get("modalities", _WORDS) != _WORDS
    ):
        return None
    return _of_turns(body.get("messages"), _CHAT_TEXTS)


def _messages(body: Json) -> LastQuestion | None:
    config = body.get("output_config")
    form = config.get("format") if type(config) is dict else config
    if any(_given(body.get(name)) for name in _MESSAGES_MORE) or form is not None:
        return None
    system = body.get("system", "")
    if type(system) is not str and not _only(system, _CHAT_TEXTS):
        return None
    return _of_turns(body.get("messages"), _MESSAGE_TEXTS)


def _responses(body: Json) -> LastQuestion | None:
    said = body.get("text")
    form = said.get("format") if type(said) is dict else said
    if any(_given(body.get(name)) for name in _RESPONSES_MORE) or not _is_text(form, "text"):
        return None
    items = body.get("input")
    if type(items) is list:
        # Thoughts between the turns are neither; they stay in what has to be equal.
        items = [item for item in items if type(item) is not dict or item.get("type") != "reasoning"]
    return _of_turns(items, _ITEM_TEXTS)


def _of_turns(turns: Any, texts: tuple[str, ...]) -> LastQuestion | None:
    """The last of messages with `role` and `content`; None when any of them is more than text."""
    if type(turns) is not list or not turns:
        return None
    exchanges = 0
    for turn in turns:
        if type(turn) is not dict or not turn.keys().isdisjoint(_ACTS) or turn.get("role") not in _SPEAKERS:
            return None
        content = turn.get("content")
        if type(content) is not str and not _only(content, texts):
            return None
        exchanges += turn["role"] == "assistant"
    last = turns[-1]
    if last["role"] != "user" or type(last["content"]) is not str:
        return None
    return LastQuestion(last, "content", last["content"], exchanges)


def _generate(body: Json) -> LastQuestion | None:
    config = body.get("generationConfig", {})
    if _given(body.get("tools")) or _given(body.get("cachedContent")) or type(config) is not dict:
        return None
    if any(_given(config.get(name)) for name in _CONFIG_MORE):
        return None
    if config.get("responseMimeType", "text/plain") != "text/plain":
        return None
    if config.get("responseModalities", ["TEXT"]) != ["TEXT"]:
        return None
    contents = body.get("contents")
    if type(contents) is not list or not contents:
        return None
    exchanges = 0
    for content in (*contents, body.get("systemInstruction", _NO_PARTS)):
        if type(content) is not dict or type(parts := content.get("parts")) is not list:
            return None
        if not all(type(part) is dict and part.keys() <= _PART_TEXTS for part in parts):
            return None
    for content in contents:
        if (role := content.get("role", "user")) not in ("user", "model"):
            return None
        exchanges += role == "model"
    last = contents[-1]
    parts = last["parts"]
    if last.get("role", "user") != "user" or len(parts) != 1 or parts[0].keys() != {"text"}:
        return None
    text = parts[0]["text"]
    return LastQuestion(parts[0], "text", text, exchanges) if type(text) is str else None


def _given(value: Any) -> bool:
    """Whether a field asks for something: false, none, and an empty list do not; empty options do."""
    return value is not None and value is not False and value not in ([], 0, "")


def _is_text(form: Any, name: str) -> bool:
    return form is None or form == {"type": name}


def _only(parts: Any, kinds: tuple[str, ...]) -> bool:
    return type(parts) is list and all(type(part) is dict and part.get("type") in kinds for part in parts)


_WORDS: Final = ["text"]
_NO_PARTS: Final[Json] = {"parts": []}
_SPEAKERS: Final = ("user", "assistant", "system", "developer")
_ACTS: Final = frozenset({"tool_calls", "function_call", "tool_call_id", "audio", "type"})
"""Names of messages that call tools, answer calls, or speak; and of items that are no messages."""
_MORE_THAN_TEXT: Final = (
    "tools",
    "functions",
    "prediction",
    "logprobs",
    "top_logprobs",
    "web_search_options",
    "search_parameters",
    "enable_search",
    "plugins",
    "audio",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
    "structured_outputs",
)
_MESSAGES_MORE: Final = ("tools", "output_format", "mcp_servers", "container")
_RESPONSES_MORE: Final = (
    "tools",
    "top_logprobs",
    "include",
    "prompt",
    "conversation",
    "previous_response_id",
)
_CONFIG_MORE: Final = (
    "candidateCount",
    "responseSchema",
    "responseJsonSchema",
    "_responseJsonSchema",
    "responseLogprobs",
    "logprobs",
    "speechConfig",
    "imageConfig",
)
_CHAT_TEXTS: Final = ("text", "refusal")
_MESSAGE_TEXTS: Final = ("text", "thinking", "redacted_thinking")
_ITEM_TEXTS: Final = ("input_text", "output_text", "text", "refusal")
_PART_TEXTS: Final = frozenset({"text", "thought", "thoughtSignature"})
_FINDERS: Final[Mapping[str, Callable[[Json], LastQuestion | None]]] = {
    OPENAI_CHAT: _chat,
    OPENAI_RESPONSES: _responses,
    ANTHROPIC_MESSAGES: _messages,
    GEMINI_GENERATE: _generate,
}
