"""Answers and streams of Cohere's chat (v2), read into the pivot.

Follows the API reference of Cohere: Chat, Chat with Streaming, and the guides to tool use and citations.
"""

from math import ceil
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.errors import error_in_success
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
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from application.ports.llm import UpstreamFailed
from domain.llm.stream import ContentKind, Faulted
from domain.llm.usage import Usage

COHERE_CHAT: Final = "cohere.chat"
COUNT_MAX: Final = 10**9
"""Of anything in one answer; more is a mistake that no ledger should hold."""

FINISH_REASONS: Final[dict[str, str]] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
}
"""Cohere's reasons -> the pivot's. `ERROR` and `TIMEOUT` are failures instead."""
_FAILURE_CODES: Final = {"ERROR": "server_error", "TIMEOUT": "timeout_error"}


class _Counts(Struct):
    input_tokens: float | None = None
    output_tokens: float | None = None


_NOTHING: Final = _Counts()


class CohereUsage(Struct):
    """`billed_units` are what is paid for; `tokens` also count the template around the conversation."""

    billed_units: _Counts | None = None
    tokens: _Counts | None = None
    cached_tokens: float | None = None


def usage_of(wire: CohereUsage | None) -> Usage | None:
    """What is billed, and where that is not told, what was counted; None when nothing was."""
    if wire is None:
        return None
    told = (wire.billed_units or _NOTHING, wire.tokens or _NOTHING)
    counts = next((each for each in told if each != _NOTHING), None)
    if counts is None:
        return None
    inputs = whole(counts.input_tokens)
    return Usage(
        inputs, whole(counts.output_tokens), cached_read_tokens=min(whole(wire.cached_tokens), inputs)
    )


def whole(count: float | None) -> int:
    """A count, which Cohere writes as a float: from nothing to `COUNT_MAX`, rounded up."""
    return ceil(min(max(count or 0, 0), COUNT_MAX))


class _Function(Struct):
    name: str = ""
    arguments: str | None = None


class _Call(Struct):
    id: str = ""
    function: _Function | None = None


class _Part(Struct):
    type: str = "text"
    text: str | None = None
    thinking: str | None = None


class _Message(Struct):
    content: list[_Part] | None = None
    tool_plan: str | None = None
    tool_calls: list[_Call] | None = None


class _Answer(Struct):
    message: _Message
    id: str = ""
    finish_reason: str = "COMPLETE"
    usage: CohereUsage | None = None


class _MessageDelta(Struct):
    content: _Part | list[_Part] | None = None
    tool_plan: str | None = None
    tool_calls: _Call | list[_Call] | None = None


class _Delta(Struct):
    message: _MessageDelta | None = None
    finish_reason: str | None = None
    usage: CohereUsage | None = None
    error: Any = None


class _Event(Struct):
    type: str = ""
    id: str = ""
    index: int = 0
    delta: _Delta | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)


def read_answer(body: bytes) -> Answer:
    """A complete answer, its citations left out.

    Raises msgspec.DecodeError when it is none, UpstreamFailed when it says that generating failed.
    """
    answer = _ANSWER.decode(body)
    if (code := _FAILURE_CODES.get(answer.finish_reason)) is not None:
        raise UpstreamFailed(error_in_success(_failed(code, None), body))
    said = answer.message
    parts = said.content or []
    calls = [
        ToolCall(call.id, call.function.name, call.function.arguments or "{}")
        for call in said.tool_calls or ()
        if call.function is not None
    ]
    thoughts = (said.tool_plan or "") + "".join(part.thinking or "" for part in parts)
    choice = Choice(
        0,
        "".join(part.text or "" for part in parts),
        thoughts,
        tool_calls=tuple(calls),
        finish_reason=FINISH_REASONS.get(answer.finish_reason, "stop"),
    )
    return Answer(answer.id, "", (choice,), usage_of(answer.usage))


def _failed(code: str, said: Any) -> dict[str, Any]:
    message = said if isinstance(said, str) and said else "the provider could not finish generating"
    return {"code": code, "message": message}


class CohereReader(StreamReader):
    """One stream's events, told apart by their `type`. `message-end` brings reason and usage together."""

    __slots__ = ("_tools",)

    def __init__(self) -> None:
        self._tools: dict[int, int] = {}

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:
        if data.strip() == b"[DONE]":
            return [ENDED]
        found = _EVENT.decode(data)
        delta = found.delta or _Delta()
        message = delta.message or _MessageDelta()
        match found.type or event:
            case "content-start" | "content-delta":
                return _said(message)
            case "tool-plan-delta":
                return [Piece(0, ContentKind.REASONING, message.tool_plan)] if message.tool_plan else []
            case "tool-call-start" | "tool-call-delta":
                return self._called(found.index, message)
            case "message-start":
                return [Started(found.id, "")]
            case "message-end":
                return _ended(delta, data)
        return []

    def _called(self, index: int, message: _MessageDelta) -> list[StreamPiece]:
        calls = message.tool_calls
        call = (calls[0] if calls else None) if isinstance(calls, list) else calls
        if call is None or (function := call.function) is None:
            return []
        pieces: list[StreamPiece] = []
        tool = self._tools.get(index)
        if tool is None:
            tool = self._tools[index] = len(self._tools)
            pieces.append(ToolStarted(0, tool, call.id, function.name))
        if function.arguments:
            pieces.append(ToolArguments(0, tool, function.arguments))
        return pieces


def _said(message: _MessageDelta) -> list[StreamPiece]:
    content = message.content
    pieces: list[StreamPiece] = []
    for part in content if isinstance(content, list) else [content or _Part()]:
        if part.thinking:
            pieces.append(Piece(0, ContentKind.REASONING, part.thinking))
        if part.text:
            pieces.append(Piece(0, ContentKind.TEXT, part.text))
    return pieces


def _ended(delta: _Delta, data: bytes) -> list[StreamPiece]:
    reason = delta.finish_reason or "COMPLETE"
    if (code := _FAILURE_CODES.get(reason)) is not None or delta.error:
        return [Faulted(error_in_success(_failed(code or "server_error", delta.error), data))]
    usage = usage_of(delta.usage)
    counted: list[StreamPiece] = [] if usage is None else [Counted(usage)]
    return [ChoiceEnded(0, FINISH_REASONS.get(reason, "stop")), *counted, ENDED]
