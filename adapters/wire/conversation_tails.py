"""The last tool calls of a conversation, read from its end out of any caller's body.

One decode finds where messages begin; then single messages are looked at, the last one first, until enough
was seen. Of arguments and results only the first and last bytes count where they are long.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from application.ports.conversation_tails import ConversationTails
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES
from domain.guards.conversation_tail import ConversationTail, ToolCall
from domain.llm.request import LlmRequest

MESSAGES_LOOKED_AT_MAX: Final = 20_000
ARGUMENTS_BYTES_MAX: Final = 64 * 1024
"""Longer arguments are compared as they are spelt."""
HEAD_BYTES: Final = 16 * 1024
LAST_BYTES: Final = 4 * 1024
_NULL: Final = Raw(b"null")
_BRACKET: Final = 0x5B
_QUOTE: Final = 0x22


class _Said(NamedTuple):
    """What one message is. Calls and results are (key, name, raw) and (key, raw); a key joins the two."""

    user: bool = False
    model: bool = False
    calls: tuple[tuple[str, str, bytes], ...] = ()
    results: tuple[tuple[str, bytes], ...] = ()


_NOTHING: Final = _Said()
_USER: Final = _Said(user=True)
_MODEL: Final = _Said(model=True)


class WireTails(ConversationTails):
    """Chat Completions, Responses, Anthropic and Gemini."""

    def tail(
        self, request: LlmRequest, *, calls_max: int, turns_max: int, skipped: frozenset[str] = frozenset()
    ) -> ConversationTail | None:
        shape = _SHAPES.get(request.dialect)
        if shape is None or not any(mark in request.body for mark in shape.marks):
            return None
        try:
            turns = shape.messages(request.body)
            if memoryview(turns)[0] != _BRACKET:
                return None
            messages = _LIST.decode(turns)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None  # the reader took it, so it is a form without turns
        return _walk(messages, shape.said, calls_max, turns_max, skipped)


def _walk(
    messages: list[Raw],
    read: Callable[[Raw], _Said],
    calls_max: int,
    turns_max: int,
    skipped: frozenset[str],
) -> ConversationTail:
    calls: list[ToolCall] = []
    turns: list[int] = []
    answers: dict[str, list[bytes]] = {}
    alone, in_turn, turn = True, False, 0
    last = len(messages) - 1
    for place in range(last, max(-1, last - MESSAGES_LOOKED_AT_MAX), -1):
        counting = alone and len(turns) < turns_max
        if len(calls) >= calls_max and not counting:
            break
        said = _safely(read, messages[place])
        if said.model:
            if not in_turn:
                in_turn, turn = True, turn - 1
                if counting:
                    turns.append(place)
            made = [
                ToolCall(name, _digest_call(name, raw), _first(answers, key), place, turn)
                for key, name, raw in said.calls
                if name not in skipped
            ]
            calls.extend(reversed(made))
        elif said.user or said.results:
            in_turn = False
            alone = alone and not said.user
            fresh: dict[str, list[bytes]] = {}
            for key, raw in said.results:
                fresh.setdefault(key, []).append(_digest(raw))
            answers.update(fresh)
    return ConversationTail(tuple(reversed(calls[:calls_max])), tuple(reversed(turns)), len(messages))


def _safely(read: Callable[[Raw], _Said], message: Raw) -> _Said:
    try:
        return read(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOTHING  # the provider may refuse it; a guard has nothing to say about it


def _first(answers: dict[str, list[bytes]], key: str) -> bytes | None:
    waiting = answers.get(key)
    return waiting.pop(0) if waiting else None


def _digest_call(name: str, raw: bytes) -> bytes:
    hashed = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16)
    hashed.update(b"\0")
    hashed.update(_canonical(raw))
    return hashed.digest()


def _canonical(raw: bytes) -> bytes:
    if len(raw) > ARGUMENTS_BYTES_MAX:
        return _ends(raw)
    try:
        return msgspec.json.encode(msgspec.json.decode(raw), order="deterministic")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return raw  # models also write what is no JSON


def _digest(raw: bytes) -> bytes:
    return blake2b(_ends(raw), digest_size=16).digest()


def _ends(raw: bytes) -> bytes:
    if len(raw) <= HEAD_BYTES + LAST_BYTES:
        return raw
    return b"%d:" % len(raw) + raw[:HEAD_BYTES] + raw[-LAST_BYTES:]


# Chat Completions


class _Function(Struct):
    name: str = ""
    arguments: Raw = _NULL
    input: Raw = _NULL


class _Called(Struct):
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _ChatMessage(Struct):
    role: str
    content: Raw = _NULL
    tool_calls: list[_Called] | None = None
    function_call: _Function | None = None
    tool_call_id: str | None = None
    name: str | None = None


def _said_chat(raw: Raw) -> _Said:
    message = _CHAT.decode(raw)
    match message.role:
        case "assistant":
            calls = [
                (called.id or "", what.name, _spelt(what))
                for called in message.tool_calls or ()
                if (what := called.function or called.custom) is not None
            ]
            if message.function_call is not None:
                name = message.function_call.name
                calls.append((f"function:{name}", name, _spelt(message.function_call)))
            return _Said(model=True, calls=tuple(calls))
        case "tool":
            return _Said(results=((message.tool_call_id or "", bytes(message.content)),))
        case "function":
            return _Said(results=((f"function:{message.name}", bytes(message.content)),))
        case "user":
            return _USER
    return _NOTHING


def _spelt(function: _Function) -> bytes:
    """Arguments are JSON inside a text; some clients send the object itself."""
    raw = function.arguments if function.arguments is not _NULL else function.input
    return _within(raw)


def _within(raw: Raw) -> bytes:
    if memoryview(raw)[0] == _QUOTE:
        return _TEXT.decode(raw).encode("utf-8", "surrogatepass")
    return bytes(raw)


# Anthropic


class _Block(Struct):
    type: str = ""
    id: str = ""
    name: str = ""
    input: Raw = _NULL
    tool_use_id: str = ""
    content: Raw = _NULL


class _AnthropicMessage(Struct):
    role: str
    content: Raw = _NULL


def _said_anthropic(raw: Raw) -> _Said:
    message = _ANTHROPIC.decode(raw)
    model = message.role == "assistant"
    if memoryview(message.content)[0] != _BRACKET:
        return _MODEL if model else _USER if message.role == "user" else _NOTHING
    blocks = _BLOCKS.decode(message.content)
    if model:
        return _Said(
            model=True,
            calls=tuple((b.id, b.name, bytes(b.input)) for b in blocks if b.type == "tool_use"),
        )
    results = tuple((b.tool_use_id, bytes(b.content)) for b in blocks if b.type == "tool_result")
    # Agents put notes of their own beside the results; only a message without any is the user's.
    return _Said(results=results) if results else _USER


# Responses


class _Item(Struct):
    type: str = ""
    role: str = ""
    call_id: str = ""
    id: str | None = None
    name: str = ""
    arguments: Raw = _NULL
    input: Raw = _NULL
    action: Raw = _NULL
    output: Raw = _NULL


_CALLS_BY_TYPE: Final[dict[str, Callable[[_Item], tuple[str, bytes]]]] = {
    "function_call": lambda item: (item.name, _within(item.arguments)),
    "custom_tool_call": lambda item: (item.name, _within(item.input)),
    "mcp_call": lambda item: (item.name, _within(item.arguments)),
    "local_shell_call": lambda item: ("local_shell", bytes(item.action)),
    "shell_call": lambda item: ("shell", bytes(item.action)),
}


def _said_responses(raw: Raw) -> _Said:
    item = _ITEM.decode(raw)
    called = _CALLS_BY_TYPE.get(item.type)
    if called is not None:
        name, arguments = called(item)
        return _Said(model=True, calls=((item.call_id or item.id or "", name, arguments),))
    if item.type.endswith("_call_output"):
        return _Said(results=((item.call_id or item.id or "", bytes(item.output)),))
    if item.type in ("message", ""):
        return _USER if item.role == "user" else _MODEL if item.role == "assistant" else _NOTHING
    return _MODEL if item.type in ("reasoning", "compaction") else _NOTHING


# Gemini


class _GeminiCall(Struct):
    name: str = ""
    id: str | None = None
    args: Raw = _NULL
    response: Raw = _NULL


class _Part(Struct):
    call: _GeminiCall | None = field(default=None, name="functionCall")
    call_snake: _GeminiCall | None = field(default=None, name="function_call")
    result: _GeminiCall | None = field(default=None, name="functionResponse")
    result_snake: _GeminiCall | None = field(default=None, name="function_response")


class _GeminiContent(Struct):
    role: str = "user"
    parts: list[_Part] | _Part = field(default_factory=list)


def _said_gemini(raw: Raw) -> _Said:
    content = _GEMINI.decode(raw)
    parts = content.parts if isinstance(content.parts, list) else [content.parts]
    if content.role == "model":
        calls = [call for part in parts if (call := part.call or part.call_snake) is not None]
        return _Said(model=True, calls=tuple((c.id or c.name, c.name, bytes(c.args)) for c in calls))
    found = [result for part in parts if (result := part.result or part.result_snake) is not None]
    results = tuple((result.id or result.name, bytes(result.response)) for result in found)
    return _Said(results=results) if results else _USER


class _Body(Struct):
    messages: Raw = _NULL
    input: Raw = _NULL
    contents: Raw = _NULL


class _Shape(NamedTuple):
    """Where a dialect has its messages, how one is read, and what stands in every body with a call."""

    messages: Callable[[bytes], Raw]
    said: Callable[[Raw], _Said]
    marks: tuple[bytes, ...]


_BODY: Final = msgspec.json.Decoder(_Body)
_LIST: Final = msgspec.json.Decoder(list[Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_CHAT: Final = msgspec.json.Decoder(_ChatMessage)
_ANTHROPIC: Final = msgspec.json.Decoder(_AnthropicMessage)
_BLOCKS: Final = msgspec.json.Decoder(list[_Block])
_ITEM: Final = msgspec.json.Decoder(_Item)
_GEMINI: Final = msgspec.json.Decoder(_GeminiContent)

_SHAPES: Final[dict[str, _Shape]] = {
    OPENAI_CHAT: _Shape(
        lambda body: _BODY.decode(body).messages, _said_chat, (b'"tool_calls"', b'"function_call"')
    ),
    ANTHROPIC_MESSAGES: _Shape(lambda body: _BODY.decode(body).messages, _said_anthropic, (b'"tool_use"',)),
    OPENAI_RESPONSES: _Shape(lambda body: _BODY.decode(body).input, _said_responses, (b'_call"',)),
    GEMINI_GENERATE: _Shape(
        lambda body: _BODY.decode(body).contents, _said_gemini, (b'"functionCall"', b'"function_call"')
    ),
}
