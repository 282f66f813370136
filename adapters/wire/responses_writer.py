"""Streams written for callers who speak the Responses API: every event, numbered, in OpenAI's order."""

from typing import Any, Final, NamedTuple

import msgspec

from adapters.wire.pivot import (
    ChoiceEnded,
    Piece,
    Started,
    StreamPiece,
    StreamWriter,
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from adapters.wire.responses_answers import Json, Sheet, refusal_part, status_of, text_part
from application.ports.llm import UpstreamCall
from domain.llm.stream import ContentKind
from domain.llm.usage import Usage

_encode = msgspec.json.encode
_DELTAS: Final[dict[ContentKind, str]] = {
    ContentKind.TEXT: "response.output_text",
    ContentKind.REFUSAL: "response.refusal",
    ContentKind.REASONING: "response.reasoning_summary_text",
}


class _Open(NamedTuple):
    """The item that text goes into now."""

    kind: ContentKind
    place: int
    item: Json
    texts: list[str]


class _Call(NamedTuple):
    """A call that is not complete yet. Several may be open at once; their pieces may come interleaved."""

    place: int
    item: Json
    name: str
    arguments: list[str]


class ResponsesWriter(StreamWriter):
    """One response's events. Only the first choice is written, for the shape has no more."""

    __slots__ = (
        "_begun",
        "_calls",
        "_finished",
        "_late",
        "_open",
        "_output",
        "_reason",
        "_sequence",
        "_sheet",
    )

    def __init__(self, call: UpstreamCall) -> None:
        self._sheet = Sheet(call)
        self._sequence = 0
        self._begun = False
        self._finished = False
        self._reason = "stop"
        self._output: list[Json] = []
        self._open: _Open | None = None
        self._late: list[Thought] = []
        self._calls: dict[int, _Call] = {}

    def write(self, piece: StreamPiece) -> bytes:
        match piece:
            case Piece(0, kind, text):
                return self._text(kind, text)
            case ToolArguments(0, tool, text):
                return self._arguments(tool, text)
            case ToolStarted(choice=0):
                return self._begin() + self._close() + self._tool(piece)
            case ThoughtEnded(0, thought):
                return self._begin() + self._thought(thought)
            case Started(answer_id, model, created):
                sheet = self._sheet
                sheet.be_named(answer_id)
                sheet.model, sheet.created = model or sheet.model, created or sheet.created
                return self._begin()
            case ChoiceEnded(0, reason):
                self._reason = reason
                return self._begin() + self._close_all()
        return b""

    def finish(self, usage: Usage | None) -> bytes:
        if self._finished:
            return b""
        self._finished = True
        frames = self._begin() + self._close_all()
        if not self._output:
            # An answer that says nothing still is a message.
            frames += self._text(ContentKind.TEXT, "", empty=True) + self._close()
        status, why = status_of(self._reason)
        response = self._sheet.response(status, self._output, usage, why)
        return frames + self._event(f"response.{status}", response=response)

    def _event(self, event_name: str, /, **fields: Any) -> bytes:
        body = {"type": event_name, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return b"event: %s\ndata: %s\n\n" % (event_name.encode(), _encode(body))

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        response = self._sheet.response("in_progress", [])
        created = self._event("response.created", response=response)
        return created + self._event("response.in_progress", response=response)

    def _add(self, item: Json) -> tuple[int, bytes]:
        """Opens an item at the end of the output; its index, and the event that says so."""
        self._output.append(item)
        index = len(self._output) - 1
        return index, self._event("response.output_item.added", output_index=index, item=item)

    def _done(self, index: int) -> bytes:
        return self._event("response.output_item.done", output_index=index, item=self._output[index])

    # Text, refusals and reasoning

    def _text(self, kind: ContentKind, text: str, *, empty: bool = False) -> bytes:
        frames = self._begin()
        if kind not in _DELTAS or not (text or empty):
            return frames
        if self._open is None or self._open.kind is not kind:
            frames += self._close() + self._open_for(kind)
        opened = self._open
        assert opened is not None
        if not text:
            return frames
        opened.texts.append(text)
        extra: Json = {"logprobs": []} if kind is ContentKind.TEXT else {}
        return frames + self._event(f"{_DELTAS[kind]}.delta", **_at(opened), delta=text, **extra)

    def _open_for(self, kind: ContentKind) -> bytes:
        if kind is ContentKind.REASONING:
            item = self._sheet.reasoning("", None)
            added, part = "response.reasoning_summary_part.added", {"type": "summary_text", "text": ""}
        else:
            item = self._sheet.message("in_progress", [])
            part = text_part("") if kind is ContentKind.TEXT else refusal_part("")
            added = "response.content_part.added"
        index, frames = self._add(item)
        self._open = _Open(kind, index, item, [])
        return frames + self._event(added, **_at(self._open), part=part)

    def _close(self, thought: Thought | None = None) -> bytes:
        """Ends the open item; a reasoning item gets its maker's marks."""
        opened, self._open = self._open, None
        if opened is None:
            return b""
        text, at = "".join(opened.texts), _at(opened)
        if opened.kind is ContentKind.REASONING:
            part: Json = {"type": "summary_text", "text": text}
            frames = self._event("response.reasoning_summary_text.done", **at, text=text)
            frames += self._event("response.reasoning_summary_part.done", **at, part=part)
            whole = self._sheet.reasoning(text, thought) | {"id": opened.item["id"]}
        else:
            if opened.kind is ContentKind.TEXT:
                part = text_part(text)
                frames = self._event("response.output_text.done", **at, text=text, logprobs=[])
            else:
                part = refusal_part(text)
                frames = self._event("response.refusal.done", **at, refusal=text)
            frames += self._event("response.content_part.done", **at, part=part)
            whole = opened.item | {"status": status_of(self._reason)[0], "content": [part]}
        self._output[opened.place] = whole
        frames += self._done(opened.place)
        late, self._late = self._late, []
        for mark in late:
            frames += self._whole(self._sheet.reasoning(mark.text, mark))
        return frames

    def _thought(self, thought: Thought) -> bytes:
        if self._open is not None and self._open.kind is ContentKind.REASONING:
            return self._close(thought)
        if self._open is not None:
            # A message is not cut in two by a mark that comes in its middle.
            self._late.append(thought)
            return b""
        return self._close() + self._whole(self._sheet.reasoning(thought.text, thought))

    def _whole(self, item: Json) -> bytes:
        """An item that is complete as it comes."""
        index, frames = self._add(item)
        return frames + self._done(index)

    # Calls

    def _tool(self, piece: ToolStarted) -> bytes:
        mark = self._whole(self._sheet.call_mark(piece.id, piece.extra)) if piece.extra else b""
        item = self._sheet.call(ToolCall(piece.id, piece.name, ""), "in_progress")
        index, frames = self._add(item)
        self._calls[piece.tool] = _Call(index, item, piece.name, [])
        return mark + frames

    def _arguments(self, tool: int, text: str) -> bytes:
        call = self._calls.get(tool)
        if call is None or not text:
            return b""
        call.arguments.append(text)
        if call.item["type"] != "function_call":
            # What another kind of tool gets is known when its arguments are whole.
            return b""
        at = {"item_id": call.item["id"], "output_index": call.place}
        return self._event("response.function_call_arguments.delta", **at, delta=text)

    def _close_call(self, call: _Call) -> bytes:
        arguments = "".join(call.arguments)
        status = status_of(self._reason)[0]
        whole = self._sheet.call(ToolCall(call.item["call_id"], call.name, arguments), status)
        whole["id"] = call.item["id"]
        self._output[call.place] = whole
        at = {"item_id": whole["id"], "output_index": call.place}
        match whole["type"]:
            case "function_call":
                name = "response.function_call_arguments.done"
                frames = self._event(name, **at, name=whole["name"], arguments=arguments)
            case "custom_tool_call":
                name = "response.custom_tool_call_input"
                frames = self._event(f"{name}.delta", **at, delta=whole["input"])
                frames += self._event(f"{name}.done", **at, input=whole["input"])
            case _:
                frames = b""
        return frames + self._done(call.place)

    def _close_all(self) -> bytes:
        frames = self._close()
        calls, self._calls = self._calls, {}
        for call in calls.values():
            frames += self._close_call(call)
        return frames


def _at(opened: _Open) -> Json:
    part = "summary_index" if opened.kind is ContentKind.REASONING else "content_index"
    return {"item_id": opened.item["id"], "output_index": opened.place, part: 0}
