"""The Responses API's answers and streams read into the pivot."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.errors import bad_response, error_in_success
from adapters.wire.pivot import (
    ENDED,
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Ended,
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
from adapters.wire.responses_usage import ResponsesUsage, usage_of
from application.ports.llm import UpstreamFailed
from domain.llm.stream import ContentKind, Faulted

CALLED_BACK: Final = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "computer_call",
        "mcp_approval_request",
    }
)
"""Kinds of output items that wait for the caller to do something."""
_SAID: Final = frozenset({"message", "reasoning"})
_CUT: Final = {"max_output_tokens": "length", "content_filter": "content_filter"}
_FAMILY: Final = "openai"
_KINDS: Final[dict[str, ContentKind]] = {
    "response.output_text.delta": ContentKind.TEXT,
    "response.audio.transcript.delta": ContentKind.TEXT,
    "response.refusal.delta": ContentKind.REFUSAL,
    "response.reasoning_summary_text.delta": ContentKind.REASONING,
    "response.reasoning_text.delta": ContentKind.REASONING,
    "response.custom_tool_call_input.delta": ContentKind.TOOL_CALL,
    "response.mcp_call_arguments.delta": ContentKind.TOOL_CALL,
    "response.code_interpreter_call_code.delta": ContentKind.TOOL_CALL,
    "response.shell_call_command.delta": ContentKind.TOOL_CALL,
}
"""Events whose `delta` is a piece of the answer; function arguments belong to a call of their own."""


class _Incomplete(Struct):
    reason: str | None = None


class _Content(Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    content: list[_Content] | None = None
    summary: list[_Content] | None = None
    encrypted_content: str | None = None


class Response(Struct):
    """A response object, as much of it as is read."""

    id: str = ""
    model: str = ""
    created_at: float = 0
    status: str | None = None
    output: list[_Item] | None = None
    usage: ResponsesUsage | None = None
    service_tier: Any = None
    incomplete_details: _Incomplete | None = None
    error: Any = None


class _Event(Struct):
    type: str = ""
    delta: Any = None
    item: _Item | None = None
    item_id: str = ""
    output_index: int = 0
    summary_index: int = 0
    response: Response | None = None
    error: Any = None
    code: str | None = None
    message: str | None = None


_RESPONSE = msgspec.json.Decoder(Response)
_EVENT = msgspec.json.Decoder(_Event)


def decode(body: bytes) -> Response:
    """The response in a body.

    Raises msgspec.DecodeError when it is none, UpstreamFailed when it says that it failed.
    """
    response = _RESPONSE.decode(body)
    if response.error is not None or response.status == "failed":
        raise UpstreamFailed(error_in_success(response.error or "the response failed", body))
    if response.output is None:
        raise msgspec.ValidationError("a response with `output` is expected")
    return response


def finish_reason(response: Response, *, called: bool = False) -> str:
    """Why it ended, in the pivot vocabulary. `called`: a call was seen that may not be listed in it."""
    if response.status == "incomplete":
        reason = (response.incomplete_details and response.incomplete_details.reason) or ""
        return _CUT.get(reason, "length")
    listed = any(item.type in CALLED_BACK for item in response.output or ())
    return "tool_calls" if called or listed else "stop"


def read_answer(body: bytes) -> Answer:
    """A whole response. Raises as `decode`."""
    response = decode(body)
    texts: list[str] = []
    refusals: list[str] = []
    reasoning: list[str] = []
    thoughts: list[Thought] = []
    calls: list[ToolCall] = []
    for item in response.output or ():
        match item.type:
            case "message":
                texts.append("".join(part.text or "" for part in item.content or ()))
                refusals += [part.refusal for part in item.content or () if part.refusal]
            case "reasoning":
                text = _thought_text(item)
                reasoning.append(text)
                if item.encrypted_content:
                    thoughts.append(Thought(text, _FAMILY, "", item.encrypted_content, item.id or ""))
            case "function_call":
                calls.append(ToolCall(item.call_id or "", item.name or "", item.arguments or ""))
    choice = Choice(
        0,
        "\n\n".join(filter(None, texts)),
        "\n\n".join(filter(None, reasoning)),
        "".join(refusals),
        tuple(calls),
        finish_reason(response),
        tuple(thoughts),
    )
    usage = usage_of(response.usage, response.service_tier)
    return Answer(response.id, response.model, (choice,), usage, int(response.created_at))


def _thought_text(item: _Item) -> str:
    return "\n\n".join(part.text for part in (item.summary or item.content or ()) if part.text)


class ResponsesReader(StreamReader):
    """One stream's events. A blank line tells several messages, and several parts of a summary, apart."""

    __slots__ = ("_called", "_messages", "_said_arguments", "_tools")

    def __init__(self) -> None:
        self._tools: dict[int, int] = {}
        self._said_arguments: set[int] = set()
        self._messages = 0
        self._called = False

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:
        if data.strip() == b"[DONE]":
            return [ENDED]
        found = _EVENT.decode(data)
        name = found.type or event or ""
        kind = _KINDS.get(name)
        if kind is not None:
            return [Piece(0, kind, found.delta)] if type(found.delta) is str else []
        match name:
            case "response.function_call_arguments.delta":
                return self._arguments(found.output_index, found.delta)
            case "response.output_item.added":
                return self._opened(found)
            case "response.output_item.done":
                return self._closed(found)
            case "response.reasoning_summary_part.added" if found.summary_index > 0:
                return [Piece(0, ContentKind.REASONING, "\n\n")]
            case "response.audio.delta":
                # Sound is content a caller would miss; its transcript comes as text of its own.
                return [Piece(0, ContentKind.TEXT, "")]
            case "response.created":
                return [self._started(found.response or Response())]
            case "response.completed" | "response.incomplete":
                return self._ended(found.response or Response(), name)
            case "response.failed" | "response.cancelled":
                return [_failed(found, data)]
        if name == "error" or found.error is not None:
            return [Faulted(error_in_success(found.error or _flat(found), data))]
        return []

    @staticmethod
    def _started(response: Response) -> Started:
        return Started(response.id, response.model, int(response.created_at))

    def _opened(self, found: _Event) -> list[StreamPiece]:
        item = found.item or _Item()
        self._called = self._called or item.type in CALLED_BACK
        if item.type == "function_call":
            tool = self._tools[found.output_index] = len(self._tools)
            started = ToolStarted(0, tool, item.call_id or "", item.name or "")
            return [started, *self._arguments(found.output_index, item.arguments)]
        if item.type == "message":
            self._messages += 1
            return [Piece(0, ContentKind.TEXT, "\n\n")] if self._messages > 1 else []
        # A tool of the provider's own runs, and costs: nobody else may start over from here.
        return [] if item.type in _SAID else [Piece(0, ContentKind.TOOL_CALL, "")]

    def _arguments(self, index: int, text: Any) -> list[StreamPiece]:
        tool = self._tools.get(index)
        if tool is None or not text or type(text) is not str:
            return []
        self._said_arguments.add(index)
        return [ToolArguments(0, tool, text)]

    def _closed(self, found: _Event) -> list[StreamPiece]:
        item = found.item or _Item()
        if item.type == "reasoning" and item.encrypted_content:
            return [ThoughtEnded(0, Thought("", _FAMILY, "", item.encrypted_content, item.id or ""))]
        if item.type == "function_call" and found.output_index not in self._said_arguments:
            # Some servers say the arguments only in the finished item.
            return self._arguments(found.output_index, item.arguments)
        return []

    def _ended(self, response: Response, name: str) -> list[StreamPiece]:
        response.status = response.status or name.removeprefix("response.")
        pieces: list[StreamPiece] = [ChoiceEnded(0, finish_reason(response, called=self._called))]
        usage = usage_of(response.usage, response.service_tier)
        if usage is not None:
            pieces.append(Counted(usage))
        return [*pieces, Ended(shown=True)]


def _flat(found: _Event) -> dict[str, Any]:
    return {"code": found.code, "message": found.message}


def _failed(found: _Event, data: bytes) -> Faulted:
    error = found.response.error if found.response is not None else None
    if error is None:
        return Faulted(bad_response("the provider ended the response without an answer"))
    return Faulted(error_in_success(error, data))
