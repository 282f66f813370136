"""OpenAI streams for callers of the same family: frames go on as they came, their meaning comes beside."""

from typing import Any

import msgspec
from msgspec import Struct

from adapters.wire.codec import StreamDecoder
from adapters.wire.errors import bad_response, stream_failure
from adapters.wire.openai_usage import OpenAiUsage, usage_of
from adapters.wire.sse import Frame, SseSplitter
from application.ports.llm import Block
from domain.llm.stream import (
    ContentKind,
    Delta,
    Faulted,
    Finished,
    Opened,
    Pinged,
    StreamEvent,
    Terminated,
    UsageReported,
)

TEXT, REASONING = ContentKind.TEXT, ContentKind.REASONING
TOOL_CALL, REFUSAL = ContentKind.TOOL_CALL, ContentKind.REFUSAL


class FunctionDelta(Struct, gc=False):
    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: FunctionDelta | None = None
    extra_content: dict[str, Any] | None = None


class AudioDelta(Struct, gc=False):
    data: str | None = None
    transcript: str | None = None


class DeltaBody(Struct, gc=False):
    role: str | None = None
    content: str | list[Any] | None = None
    """A list where a vendor streams typed parts (Mistral's thinking models)."""
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None
    function_call: FunctionDelta | None = None
    audio: AudioDelta | None = None


class ChunkChoice(Struct, gc=False):
    index: int = 0
    delta: DeltaBody | None = None
    text: str | None = None
    """Of a text completion."""
    finish_reason: str | None = None


class Chunk(Struct, gc=False):
    """One `data` of a chat or text completion stream."""

    id: str | None = None
    model: str | None = None
    created: int | None = None
    choices: list[ChunkChoice] | None = None
    usage: OpenAiUsage | None = None
    service_tier: Any = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(Chunk)
_OPENED = Opened()
_PINGED = Pinged()
_new = tuple.__new__
_TERMINATED = Terminated()


class SameFamilyStream(StreamDecoder):
    """Forwards chunks unchanged; drops a usage-only chunk the caller did not ask for, and the end marker.

    `Finished` comes when every choice has its reason, so that a cut between two choices stays a cut.
    """

    __slots__ = ("_choices", "_done", "_drop_usage", "_finished", "_reason", "_splitter")

    def __init__(self, *, include_usage: bool, choices: int) -> None:
        self._splitter = SseSplitter()
        self._drop_usage = not include_usage
        self._choices = choices
        self._finished: set[int] = set()
        self._reason = ""
        self._done = False

    def feed(self, data: bytes) -> Block:
        if self._done:
            return Block(b"", ())
        raws: list[bytes] = []
        events: list[StreamEvent] = []
        for frame in self._splitter.feed(data):
            if self._take(frame, events):
                raws.append(frame.raw)
            if self._done:
                break
        if self._splitter.overflowed and not self._done:
            self._fault(events, "a stream frame is larger than 16 MiB")
        return Block(b"".join(raws), tuple(events))

    def end(self) -> Block:
        frame = None if self._done else self._splitter.end()
        events: list[StreamEvent] = []
        # Half a frame is the cut itself, not a malformed one: the connection's end says that already.
        if frame is None or not is_whole(frame):
            return Block(b"", ())
        keep = self._take(frame, events)
        return Block(frame.raw if keep else b"", tuple(events))

    def _take(self, frame: Frame, events: list[StreamEvent]) -> bool:
        """Appends what the frame means; whether its bytes go on to the caller."""
        data = frame.data
        if data is None:
            events.append(_PINGED)
            return True
        try:
            chunk = _CHUNK.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if data.strip() == b"[DONE]":
                events.append(_TERMINATED)
                self._done = True
            elif isinstance(error, msgspec.ValidationError) and (found := embedded_error(data)) is not None:
                self._refuse(events, found, data)
            else:
                self._fault(events, f"a stream chunk cannot be read: {error}")
            return False
        if chunk.error is not None:
            self._refuse(events, chunk.error, data)
            return False
        choices = chunk.choices
        if not choices:
            if chunk.usage is None:
                events.append(_OPENED)
                return True
            if (usage := usage_of(chunk.usage, chunk.service_tier)) is not None:
                events.append(UsageReported(usage))
            return not self._drop_usage
        for choice in choices:
            self._take_choice(choice, events)
        if chunk.usage is not None and (usage := usage_of(chunk.usage, chunk.service_tier)) is not None:
            events.append(UsageReported(usage))
        return True

    def _take_choice(self, choice: ChunkChoice, events: list[StreamEvent]) -> None:
        delta = choice.delta
        if delta is not None:
            content = delta.content
            if type(content) is str and content:
                events.append(_new(Delta, (TEXT, content)))
            else:
                _take_rare(delta, events)
        elif choice.text:
            events.append(Delta(TEXT, choice.text))
        if choice.finish_reason:
            self._finished.add(choice.index)
            if choice.index == 0 or not self._reason:
                self._reason = choice.finish_reason
            if len(self._finished) == self._choices:
                events.append(Finished(self._reason))

    def _fault(self, events: list[StreamEvent], message: str) -> None:
        self._done = True
        events.append(Faulted(bad_response(message)))

    def _refuse(self, events: list[StreamEvent], error: Any, body: bytes) -> None:
        self._done = True
        events.append(Faulted(stream_failure(error, body)))


def _take_rare(delta: DeltaBody, events: list[StreamEvent]) -> None:
    """A delta that is not just a piece of text; the text itself may still be among it."""
    before = len(events)
    if delta.reasoning_content or delta.reasoning:
        events.append(Delta(REASONING, delta.reasoning_content or delta.reasoning or ""))
    if type(delta.content) is list:
        for kind, text in typed_parts(delta.content):
            events.append(Delta(kind, text))
    if delta.refusal:
        events.append(Delta(REFUSAL, delta.refusal))
    events += [
        Delta(TOOL_CALL, (call.function and call.function.arguments) or "") for call in delta.tool_calls or ()
    ]
    if delta.function_call is not None:
        events.append(Delta(TOOL_CALL, delta.function_call.arguments or ""))
    if delta.audio is not None and (delta.audio.data or delta.audio.transcript):
        # Sound is content a caller would miss; only its transcript is text.
        events.append(Delta(TEXT, delta.audio.transcript or ""))
    if len(events) == before:
        events.append(_OPENED)


def typed_parts(parts: list[Any]) -> list[tuple[ContentKind, str]]:
    """Texts of a content list, thinking parts told apart."""
    found: list[tuple[ContentKind, str]] = []
    for part in parts:
        if not isinstance(part, dict):
            continue
        if isinstance(part.get("text"), str) and part["text"]:
            found.append((TEXT, part["text"]))
        elif isinstance(part.get("thinking"), list):
            found += [(REASONING, text) for _, text in typed_parts(part["thinking"])]
    return found


def embedded_error(data: bytes) -> Any:
    """The `error` of a JSON object that is otherwise not what was expected; None when there is none."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return body.get("error") if isinstance(body, dict) else None


def is_whole(frame: Frame) -> bool:
    """Whether a frame without its blank line is nevertheless complete."""
    data = frame.data
    if data is None or data.strip() == b"[DONE]":
        return data is not None
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
