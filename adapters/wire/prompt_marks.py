"""Marks of ours for providers' prompt caches, put into a body that is ready for its provider.

Up to four: behind the tools, behind the instructions, and behind the last two things a user said, so that
the next turn reads what this one writes. Everything between keeps its bytes. What cannot be read is left as
it is: its provider judges it.

Sources: Anthropic "Prompt caching", Amazon Bedrock "Prompt caching for faster model inference" and
CachePointBlock, OpenAI "Prompt caching" (`prompt_cache_key`, `prompt_cache_retention`).
"""

from collections.abc import Callable, Container
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.bedrock import BEDROCK_CONVERSE
from adapters.wire.chat_parts import SYSTEM_ROLES
from adapters.wire.codec import Codec, EncodedRequest
from adapters.wire.conversations import fingerprint
from adapters.wire.forced_limit import encoded as with_our_limit
from application.ports.llm import UpstreamCall
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES
from domain.llm.prompt_marks import PromptMarks
from domain.llm.usage import BYTES_PER_TOKEN_TYPICAL

KEY: Final = "prompt_cache_key"
RETENTION: Final = "prompt_cache_retention"
TURNS_MARKED: Final = 2
"""One where the turn before wrote, which is read, and one at the end, which is written."""
_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_encode: Final = msgspec.json.encode
_NULL: Final = Raw(b"null")
_MARKABLE: Final = frozenset(
    {"text", "image", "image_url", "document", "tool_result", "search_result", "file"}
)
"""Thinking, and whatever is not known, cannot be marked."""


class _Part(Struct):
    type: str = "text"
    text: str | None = None


class _Turn(Struct):
    role: str = ""


class _Tool(Struct):
    defer_loading: bool | None = False


_PART: Final = msgspec.json.Decoder(_Part)
_TURN: Final = msgspec.json.Decoder(_Turn)
_TOOL: Final = msgspec.json.Decoder(_Tool)


def encoded(codec: Codec, call: UpstreamCall, forwarded: Container[str] | None = None) -> EncodedRequest:
    """The provider's body, with the limit and the marks that are ours. Raises as `Codec.request`.

    `forwarded` are the names a hop on the way passes on; None: all.
    """
    body = with_our_limit(codec, call)
    marks = call.request.prompt_marks
    if marks is None or not body.content_type.startswith("application/json"):
        return body
    try:
        if marks.keyed and codec.upstream_dialect in (OPENAI_CHAT, OPENAI_RESPONSES):
            return body._replace(body=_with_key(body.body, marks, call, forwarded))
        mark = _MARKERS.get(codec.upstream_dialect)
        if mark is None or not marks.may_write:
            return body
        return body._replace(body=mark(body.body, marks, call.target.model))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError):
        return body


def _with_key(body: bytes, marks: PromptMarks, call: UpstreamCall, forwarded: Container[str] | None) -> bytes:
    """The conversation's key, where the caller set none; without an identity there is nothing to name."""
    fields: dict[str, Any] = _FIELDS.decode(body)
    added: dict[str, str] = {}
    if KEY not in fields and (forwarded is None or KEY in forwarded):
        told = marks.session or fingerprint(call.request.dialect, call.request.body)
        if told:
            names = b"%d\0%b\0%b" % (bool(marks.session), marks.owner, told)
            added[KEY] = "ic-" + blake2b(names, digest_size=16).hexdigest()
    if marks.retention and RETENTION not in fields and (forwarded is None or RETENTION in forwarded):
        added[RETENTION] = marks.retention
    return bytes(_with_member(Raw(body), _encode(added)[1:-1])) if added else body


def _with_member(value: Raw, member: bytes) -> Raw:
    """The object with one more member, or several, at its end."""
    inside = bytes(value).rstrip()[:-1].rstrip()
    return Raw(inside + (b"" if inside.endswith(b"{") else b",") + member + b"}")


class _Prefix:
    """How much of the prompt stands before a place, and whether a mark there is worth it."""

    __slots__ = ("_bytes", "_bytes_min")

    def __init__(self, tokens_min: int) -> None:
        self._bytes = 0
        self._bytes_min = tokens_min * BYTES_PER_TOKEN_TYPICAL

    def grow(self, value: Raw | None) -> bool:
        """Takes the next part of the prompt; whether everything up to its end is long enough now."""
        if value is None or value is _NULL:
            return False
        self._bytes += len(memoryview(value))
        return self._bytes >= self._bytes_min


def _marked_messages(body: bytes, marks: PromptMarks, model: str) -> bytes:  # noqa: ARG001 - as all markers
    """Anthropic's messages."""
    fields: dict[str, Raw] = _FIELDS.decode(body)
    member, prefix, changed = _member(marks), _Prefix(marks.tokens_min), dict[str, Raw]()
    if prefix.grow(tools := fields.get("tools")) and (said := _marked_tools(tools, member)):
        changed["tools"] = said
    if prefix.grow(system := fields.get("system")) and (said := _marked_content(system, member)):
        changed["system"] = said
    turns = _LIST.decode(fields["messages"])
    if _mark_turns(turns, prefix, lambda content: _marked_content(content, member)):
        changed["messages"] = Raw(_encode(turns))
    return _encode({**fields, **changed}) if changed else body


def _marked_chat(body: bytes, marks: PromptMarks, model: str) -> bytes:
    """An OpenAI chat that a gateway translates for a provider with marks; it knows no longer time."""
    fields: dict[str, Raw] = _FIELDS.decode(body)
    member, prefix, changed = _member(marks._replace(long=False)), _Prefix(marks.tokens_min), dict[str, Raw]()
    tools = fields.get("tools")
    if prefix.grow(tools) and _takes_tool_marks(model) and (said := _marked_tools(tools, member)):
        changed["tools"] = said
    turns = _LIST.decode(fields["messages"])

    def mark(content: Raw) -> Raw | None:
        return _marked_content(content, member)

    last, long_enough = -1, False
    while last + 1 < len(turns) and _TURN.decode(turns[last + 1]).role in SYSTEM_ROLES:
        last += 1
        long_enough = prefix.grow(turns[last])
    marked = _marked_turn(turns[last], mark) if long_enough else None
    rest = turns[last + 1 :]
    if _mark_turns(rest, prefix, mark) or marked is not None:
        instructions = turns[: last + 1] if marked is None else [*turns[:last], marked]
        changed["messages"] = Raw(_encode([*instructions, *rest]))
    return _encode({**fields, **changed}) if changed else body


def _marked_converse(body: bytes, marks: PromptMarks, model: str) -> bytes:
    """Bedrock's Converse, where a mark is a block of its own."""
    fields: dict[str, Raw] = _FIELDS.decode(body)
    kind: dict[str, str] = {"type": "default", **({"ttl": "1h"} if marks.long else {})}
    point = Raw(_encode({"cachePoint": kind}))
    prefix, changed = _Prefix(marks.tokens_min), dict[str, Raw]()
    config = fields.get("toolConfig")
    if prefix.grow(config) and config is not None and _takes_tool_marks(model):
        tools: dict[str, Raw] = _FIELDS.decode(config)
        changed["toolConfig"] = Raw(_encode({**tools, "tools": [*_LIST.decode(tools["tools"]), point]}))
    if prefix.grow(system := fields.get("system")) and (said := _ended(system, point)):
        changed["system"] = said
    turns = _LIST.decode(fields["messages"])
    if _mark_turns(turns, prefix, lambda content: _ended(content, point)):
        changed["messages"] = Raw(_encode(turns))
    return _encode({**fields, **changed}) if changed else body


_MARKERS: Final[dict[str, Callable[[bytes, PromptMarks, str], bytes]]] = {
    ANTHROPIC_MESSAGES: _marked_messages,
    OPENAI_CHAT: _marked_chat,
    BEDROCK_CONVERSE: _marked_converse,
}


def _member(marks: PromptMarks) -> bytes:
    ttl = b',"ttl":"1h"' if marks.long else b""
    return b'"cache_control":{"type":"ephemeral"%b}' % ttl


def _takes_tool_marks(model: str) -> bool:
    """Amazon's own models keep no tools."""
    return "nova-" not in model


def _marked_tools(tools: Raw | None, member: bytes) -> Raw | None:
    """The tools with a mark on the last one that is loaded from the start; None: there is none."""
    listed = [] if tools is None else _LIST.decode(tools)
    for place in range(len(listed) - 1, -1, -1):
        if not _TOOL.decode(listed[place]).defer_loading:
            listed[place] = _with_member(listed[place], member)
            return Raw(_encode(listed))
    return None


def _mark_turns(turns: list[Raw], prefix: _Prefix, mark: Callable[[Raw], Raw | None]) -> bool:
    """Marks the last two of the user's messages in place, where there are two; whether any was.

    One question alone is likely asked once: writing it would cost more and save nothing.
    """
    users = [place for place, turn in enumerate(turns) if _TURN.decode(turn).role == "user"]
    if len(users) < TURNS_MARKED:
        return False
    changed = False
    for place, turn in enumerate(turns):
        if prefix.grow(turn) and place in users[-TURNS_MARKED:] and (marked := _marked_turn(turn, mark)):
            turns[place], changed = marked, True
    return changed


def _marked_turn(turn: Raw, mark: Callable[[Raw], Raw | None]) -> Raw | None:
    fields: dict[str, Raw] = _FIELDS.decode(turn)
    content = mark(fields.get("content", _NULL))
    return None if content is None else Raw(_encode({**fields, "content": content}))


def _marked_content(content: Raw | None, member: bytes) -> Raw | None:
    """Text or parts with a mark on the last part that may carry one; None: there is none."""
    first = b"" if content is None else bytes(memoryview(content)[:1])
    if content is None or first not in (b'"', b"["):
        return None
    if first == b'"':
        if not _TEXT.decode(content).strip():
            return None
        return Raw(b'[{"type":"text","text":%b,%b}]' % (bytes(content), member))
    parts = _LIST.decode(content)
    for place in range(len(parts) - 1, -1, -1):
        if _may_carry(parts[place]):
            parts[place] = _with_member(parts[place], member)
            return Raw(_encode(parts))
    return None


def _may_carry(part: Raw) -> bool:
    known = _PART.decode(part)
    return known.type in _MARKABLE and (known.type != "text" or bool((known.text or "").strip()))


def _ended(blocks: Raw | None, point: Raw) -> Raw | None:
    """The blocks with a cache point behind them; None: there are none."""
    listed = [] if blocks is None else _LIST.decode(blocks)
    return Raw(_encode([*listed, point])) if listed else None
