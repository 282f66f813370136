"""Answers and streams of Bedrock's Converse, read into the pivot.

Follows the API reference of Amazon Bedrock Runtime: Converse, ConverseStream, TokenUsage, Message.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.errors import error_in_success
from adapters.wire.eventstream import ERROR_EVENT
from adapters.wire.pivot import (
    ENDED,
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Piece,
    Started,
    StreamPiece,
    StreamReader,
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from domain.llm.stream import ContentKind, Faulted
from domain.llm.usage import Usage

BEDROCK_CONVERSE: Final = "bedrock.converse"

STOP_REASONS: Final[dict[str, str]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
}
"""Converse's reasons -> the pivot's; an unknown one goes through as it is."""

_MARKS_OF: Final = "anthropic"
"""Only Anthropic's models sign their reasoning, with the same signatures as at Anthropic itself."""
_LONG_TTL: Final = "1h"


class _CacheDetail(Struct, rename="camel"):
    ttl: str = ""
    input_tokens: int = 0


class ConverseUsage(Struct, rename="camel"):
    """Counts whose input EXCLUDES what was read from or written to the prompt cache."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[_CacheDetail] | None = None


def inclusive(wire: ConverseUsage | None) -> Usage | None:
    """Inclusive buckets; None when nothing was counted."""
    if wire is None or wire.input_tokens is None:
        return None
    read, written = wire.cache_read_input_tokens or 0, wire.cache_write_input_tokens or 0
    long = sum(detail.input_tokens for detail in wire.cache_details or () if detail.ttl == _LONG_TTL)
    long = min(long, written)
    return Usage(
        input_tokens=wire.input_tokens + read + written,
        output_tokens=wire.output_tokens or 0,
        cached_read_tokens=read,
        cache_write_tokens=written - long,
        cache_write_long_tokens=long,
    )


class _ReasoningText(Struct):
    text: str = ""
    signature: str = ""


class _Reasoning(Struct, rename="camel"):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str = ""


class _ToolUse(Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class _Block(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: dict[str, Any] | None = None


class _Message(Struct):
    content: list[_Block]


class _Output(Struct):
    message: _Message


class _Answer(Struct, rename="camel"):
    output: _Output
    stop_reason: str = "end_turn"
    usage: ConverseUsage | None = None


class _ReasoningDelta(Struct, rename="camel"):
    text: str = ""
    signature: str = ""
    redacted_content: str = ""


class _ToolDelta(Struct):
    input: str = ""


class _Delta(Struct, rename="camel"):
    text: str = ""
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None


class _BlockStart(Struct, rename="camel"):
    tool_use: _ToolUse | None = None


class _Event(Struct, rename="camel"):
    """The fields of every event of a stream; each event has a few."""

    content_block_index: int = 0
    start: _BlockStart | None = None
    delta: _Delta | None = None
    stop_reason: str | None = None
    usage: ConverseUsage | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)


def _text_of(block: _Block) -> str:
    cited = (block.citations_content or {}).get("content") or ()
    return (block.text or "") + "".join(part.get("text") or "" for part in cited)


def _thought(reasoning: _Reasoning) -> Thought | None:
    """A stretch with its maker's marks; None where there are none."""
    if reasoning.redacted_content:
        return Thought("", _MARKS_OF, "", reasoning.redacted_content)
    said = reasoning.reasoning_text
    return Thought(said.text, _MARKS_OF, said.signature) if said is not None and said.signature else None


def read_answer(body: bytes) -> Answer:
    """A complete answer. Raises msgspec.DecodeError when it is none. It has no id, and names no model."""
    answer = _ANSWER.decode(body)
    blocks = answer.output.message.content
    reasonings = [block.reasoning_content for block in blocks if block.reasoning_content is not None]
    calls = [
        ToolCall(block.tool_use.tool_use_id, block.tool_use.name, bytes(block.tool_use.input).decode())
        for block in blocks
        if block.tool_use is not None
    ]
    choice = Choice(
        0,
        "".join(_text_of(block) for block in blocks),
        "".join(one.reasoning_text.text for one in reasonings if one.reasoning_text is not None),
        tool_calls=tuple(calls),
        finish_reason=STOP_REASONS.get(answer.stop_reason, answer.stop_reason),
        thoughts=tuple(thought for one in reasonings if (thought := _thought(one)) is not None),
    )
    return Answer("", "", (choice,), inclusive(answer.usage))


class ConverseReader(StreamReader):
    """One stream's events. `metadata` with the usage comes after the stop reason, and ends the stream."""

    __slots__ = ("_signatures", "_tools")

    def __init__(self) -> None:
        self._tools: dict[int, int] = {}
        self._signatures: dict[int, str] = {}

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:
        if event is not None and (event == ERROR_EVENT or event.endswith("Exception")):
            return [Faulted(error_in_success(_failure(event, data), data))]
        found = _EVENT.decode(data)
        match event:
            case "contentBlockDelta":
                return self._delta(found)
            case "contentBlockStart":
                return self._start(found)
            case "contentBlockStop":
                signature = self._signatures.pop(found.content_block_index, "")
                return [ThoughtEnded(0, Thought("", _MARKS_OF, signature))] if signature else []
            case "messageStart":
                return [Started("", "")]
            case "messageStop":
                reason = found.stop_reason or "end_turn"
                return [ChoiceEnded(0, STOP_REASONS.get(reason, reason))]
            case "metadata":
                usage = inclusive(found.usage)
                return [ENDED] if usage is None else [Counted(usage), ENDED]
        return []

    def _start(self, found: _Event) -> list[StreamPiece]:
        use = found.start.tool_use if found.start is not None else None
        if use is None:
            return []
        tool = self._tools[found.content_block_index] = len(self._tools)
        return [ToolStarted(0, tool, use.tool_use_id, use.name)]

    def _delta(self, found: _Event) -> list[StreamPiece]:
        delta = found.delta or _Delta()
        if delta.text:
            return [Piece(0, ContentKind.TEXT, delta.text)]
        if delta.tool_use is not None:
            tool = self._tools.get(found.content_block_index)
            return [] if tool is None else [ToolArguments(0, tool, delta.tool_use.input)]
        reasoning = delta.reasoning_content
        if reasoning is None:
            return []
        if reasoning.redacted_content:
            return [ThoughtEnded(0, Thought("", _MARKS_OF, "", reasoning.redacted_content))]
        if reasoning.signature:
            place = found.content_block_index
            self._signatures[place] = self._signatures.get(place, "") + reasoning.signature
        return [Piece(0, ContentKind.REASONING, reasoning.text)] if reasoning.text else []


def _failure(event: str, data: bytes) -> dict[str, Any]:
    """An exception inside a stream in the words of `error_in_success`."""
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = {}
    told = said if isinstance(said, dict) else {}
    code = str(told.get("code") or event)
    return {"code": code, "message": told.get("message") or f"the stream ended with {code}"}
