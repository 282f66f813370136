"""Streams of sound, transcripts and pictures: relayed as they arrive, their meaning read beside."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.codec import StreamDecoder
from adapters.wire.errors import bad_response, stream_failure
from adapters.wire.media_usage import MediaUsage, pictures_made, sound_heard, sound_made
from adapters.wire.openai_stream import is_whole
from adapters.wire.sse import Frame, SseSplitter
from application.ports.http import header
from application.ports.llm import Block
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest, Operation
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
from domain.llm.usage import Usage

_NOTHING: Final = Block(b"", ())
_MEDIA: Final = Delta(ContentKind.MEDIA, "")


class _Event(Struct):
    type: str = ""
    delta: str | None = None
    text: str | None = None
    usage: MediaUsage | None = None
    duration: float | None = None
    size: Any = None
    quality: Any = None
    error: Any = None


_EVENT = msgspec.json.Decoder(_Event)


class MediaStream(StreamDecoder):
    """Events where the provider sends events, else the bytes themselves, of which the first commits.

    Bytes have no end marker, so their end counts only where the transfer itself has one: a body that ends
    with its connection may have been cut anywhere.
    """

    __slots__ = ("_began", "_done", "_framed", "_pictures", "_request", "_splitter", "_usage")

    def __init__(self, request: LlmRequest) -> None:
        self._request = request
        self._splitter: SseSplitter | None = SseSplitter()
        self._began = False
        self._done = False
        self._framed = True
        self._pictures = 0
        self._usage: Usage | None = None

    def begin(self, headers: Sequence[tuple[str, str]]) -> None:
        if not (header(headers, "content-type") or "").lower().startswith("text/event-stream"):
            self._splitter = None
            self._framed = any(name in ("content-length", "transfer-encoding") for name, _ in headers)

    def feed(self, data: bytes) -> Block:
        if self._done:
            return _NOTHING
        if self._splitter is None:
            self._began = self._began or bool(data)
            return Block(data, (_MEDIA,))
        events: list[StreamEvent] = []
        raws: list[bytes] = []
        for frame in self._splitter.feed(data):
            if self._take(frame, events):
                raws.append(frame.raw)
            if self._done:
                break
        if self._splitter.broken and not self._done:
            self._fault(events, Faulted(bad_response(self._splitter.broken)))
        return Block(b"".join(raws), tuple(events))

    def end(self) -> Block:
        if self._done:
            return _NOTHING
        self._done = True
        if self._splitter is None:
            return Block(b"", self._end_of_bytes())
        frame = self._splitter.end()
        if frame is None or not is_whole(frame):
            return _NOTHING
        events: list[StreamEvent] = []
        keep = self._take(frame, events)
        return Block(frame.raw if keep else b"", tuple(events))

    def _end_of_bytes(self) -> tuple[StreamEvent, ...]:
        if not self._began:
            return (Faulted(bad_response("the provider answered without a sound")),)
        if not self._framed:
            message = "the sound ended with its connection, so nobody knows whether it is whole"
            return (Faulted(Failure(kind=FailureKind.NETWORK, message=message)),)
        return (UsageReported(sound_made(None, self._request)), Finished("stop"), Terminated())

    def _take(self, frame: Frame, events: list[StreamEvent]) -> bool:
        """Appends what the frame means; whether its bytes go on to the caller."""
        if frame.data is None:
            events.append(Pinged())
            return True
        try:
            said = _EVENT.decode(frame.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if frame.data.strip() == b"[DONE]":
                events.append(Terminated())
                self._done = True
                return True
            self._fault(events, Faulted(bad_response(f"a stream event cannot be read: {error}")))
            return False
        if said.error is not None or said.type == "error":
            self._fault(events, Faulted(stream_failure(said.error or {}, frame.data)))
            return False
        self._read(said, events)
        return True

    def _read(self, said: _Event, events: list[StreamEvent]) -> None:
        kind = said.type.rpartition(".")[2]
        match kind:
            case "delta" | "segment":
                events.append(_text(said.delta or said.text) if self._writes else _MEDIA)
            case "partial_image":
                events.append(_MEDIA)
            case "done" | "completed":
                self._end_of_one(said, events)
            case _:
                events.append(Opened())

    @property
    def _writes(self) -> bool:
        return self._request.operation is Operation.TRANSCRIPTION

    def _end_of_one(self, said: _Event, events: list[StreamEvent]) -> None:
        """The last event, or of several pictures the end of one, each with its own count."""
        operation = self._request.operation
        usage: Usage | None
        if operation is Operation.IMAGE:
            self._pictures += 1
            events.append(_MEDIA)
            usage = pictures_made(said.usage, self._request, 1, said.size, said.quality)
            usage = usage if self._usage is None else _sum(self._usage, usage)
        elif operation is Operation.SPEECH:
            usage = sound_made(said.usage, self._request)
        else:
            usage = sound_heard(said.usage, said.duration)
        self._usage = usage
        if usage is not None:
            events.append(UsageReported(usage))
        if operation is not Operation.IMAGE or self._pictures >= self._request.choices:
            events.append(Finished("stop"))

    def _fault(self, events: list[StreamEvent], fault: Faulted) -> None:
        self._done = True
        events.append(fault)


def _text(text: str | None) -> Delta:
    return Delta(ContentKind.TEXT, text or "")


def _sum(one: Usage, other: Usage) -> Usage:
    """Both together; pictures of one kind become one count."""
    counts = dict(one.units)
    for unit, count in other.units:
        counts[unit] = counts.get(unit, 0) + count
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cached_read_tokens=one.cached_read_tokens + other.cached_read_tokens,
        input_audio_tokens=one.input_audio_tokens + other.input_audio_tokens,
        input_image_tokens=one.input_image_tokens + other.input_image_tokens,
        output_image_tokens=one.output_image_tokens + other.output_image_tokens,
        units=tuple(counts.items()),
    )
