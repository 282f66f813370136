"""Which conversation a body belongs to: the id it names, or how it begins.

A conversation grows at its end, so its instructions, tools and first question are the same in every turn.
Marks for caching move from turn to turn and are left out. Work is bounded: of each part only the first and
last bytes are looked at, and of a body over BODY_BYTES_MAX only its first bytes.
"""

import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES

BODY_BYTES_MAX: Final = 1024 * 1024
"""Larger bodies are known by their first FIRST_BYTES alone: decoding them would cost milliseconds."""
FIRST_BYTES: Final = 64 * 1024
PART_BYTES: Final = 16 * 1024
LAST_BYTES: Final = 1024
OPENING_MESSAGES_MAX: Final = 4
"""Of messages before the first question (instructions), so many count at most."""
PARTS_MAX: Final = 64
"""Of one message, so many parts count at most."""
NAMED_CHARS_MAX: Final = 512
"""A longer id is none."""

_NULL: Final = Raw(b"null")
_SESSION: Final = re.compile(r"_session_([0-9A-Za-z-]{8,64})")
_BRACKET: Final = 0x5B
_BRACE: Final = 0x7B


class _Metadata(Struct):
    user_id: str | None = None


class _Body(Struct):
    """What the beginnings of all dialects are made of; each has some of it."""

    prompt_cache_key: Raw = _NULL
    previous_response_id: Raw = _NULL
    conversation: Raw = _NULL
    metadata: Raw = _NULL
    system: Raw = _NULL
    instructions: Raw = _NULL
    systemInstruction: Raw = _NULL  # noqa: N815 - Gemini's spelling
    tools: Raw = _NULL
    functions: Raw = _NULL
    messages: Raw = _NULL
    input: Raw = _NULL
    contents: Raw = _NULL


class _Message(Struct):
    role: str = ""
    type: str = ""
    content: Raw = _NULL
    parts: Raw = _NULL


_BODY: Final = msgspec.json.Decoder(_Body)
_LIST: Final = msgspec.json.Decoder(list[Raw])
_MESSAGE: Final = msgspec.json.Decoder(_Message)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_METADATA: Final = msgspec.json.Decoder(_Metadata)
_TEXT: Final = msgspec.json.Decoder(str)

_TURNS: Final[dict[str, Callable[[_Body], Raw]]] = {
    OPENAI_CHAT: lambda body: body.messages,
    ANTHROPIC_MESSAGES: lambda body: body.messages,
    OPENAI_RESPONSES: lambda body: body.input,
    GEMINI_GENERATE: lambda body: body.contents,
}


def fingerprint(dialect: str, body: bytes) -> bytes:
    """The conversation's identity, 17 bytes; empty where the body tells none."""
    turns = _TURNS.get(dialect)
    if turns is None:
        return b""
    if len(body) > BODY_BYTES_MAX:
        return b"l" + blake2b(memoryview(body)[:FIRST_BYTES], digest_size=16).digest()
    try:
        read = _BODY.decode(body)
        named = _named(dialect, read)
        if named:
            return b"n" + blake2b(named.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if _given(read.previous_response_id):
            return b""  # only the rest of a conversation that is kept elsewhere
        return _beginning(read, turns(read))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return b""  # a body the reader took, in a form that says nothing about conversations


def _named(dialect: str, read: _Body) -> str:
    """The id of a conversation that the caller put into the body."""
    found = ""
    if dialect == ANTHROPIC_MESSAGES:
        if _given(read.metadata):
            found = _session_of(_METADATA.decode(read.metadata).user_id or "")
    elif _given(read.prompt_cache_key):
        found = _TEXT.decode(read.prompt_cache_key)
    elif _given(read.conversation):
        found = bytes(read.conversation).decode()
    return found if len(found) <= NAMED_CHARS_MAX else ""


def _session_of(user_id: str) -> str:
    """The session part of an agent's user id; other users ids name a person, not a conversation."""
    if user_id.startswith("{"):
        try:
            session = msgspec.json.decode(user_id, type=dict[str, Any]).get("session_id")
        except (msgspec.DecodeError, RecursionError):
            return ""  # some person's name
        return session if isinstance(session, str) else ""
    found = _SESSION.search(user_id)
    return found.group(1) if found else ""


def _beginning(read: _Body, turns: Raw) -> bytes:
    if not _given(turns):
        return b""
    said: list[bytes] = []
    for part in (read.system, read.instructions, read.systemInstruction):
        if part is not _NULL:
            _add_content(said, part)
    for part in (read.tools, read.functions):
        if part is not _NULL:
            _add(said, part)
    if memoryview(turns)[0] != _BRACKET:
        _add_content(said, turns)
    else:
        for raw in _LIST.decode(turns)[: OPENING_MESSAGES_MAX + 1]:
            message = _MESSAGE.decode(raw)
            said.append(message.role.encode("utf-8", "surrogatepass"))
            if message.content is not _NULL:
                _add_content(said, message.content)
            if message.parts is not _NULL:
                _add_content(said, message.parts)
            if message.role in ("user", ""):
                break
    return b"b" + blake2b(b"\0".join(said), digest_size=16).digest()


def _add_content(said: list[bytes], content: Raw) -> None:
    """A text, or a list of parts; one part of text counts as that text."""
    if memoryview(content)[0] != _BRACKET:
        _add(said, content)
        return
    for part in _LIST.decode(content)[:PARTS_MAX]:
        if memoryview(part)[0] != _BRACE:
            _add(said, part)
            continue
        fields = _OBJECT.decode(part)
        text = fields.get("text")
        for value in (text,) if text is not None else _unmarked(fields):
            _add(said, value)


def _unmarked(fields: dict[str, Raw]) -> list[Raw]:
    return [value for name, value in fields.items() if name != "cache_control"]


def _add(said: list[bytes], part: Raw) -> None:
    view = memoryview(part)
    size = len(view)
    if size <= PART_BYTES + LAST_BYTES:
        said.append(bytes(view))
    else:
        said.append(b"%d:" % size + bytes(view[:PART_BYTES]) + bytes(view[-LAST_BYTES:]))


def _given(raw: Raw) -> bool:
    return raw is not _NULL and bytes(raw) != b"null"
