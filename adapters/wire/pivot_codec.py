"""A codec between any two families: a caller's side, a provider's side, and the pivot between them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from adapters.wire.body_shapes import unknown_fields
from adapters.wire.chat_parts import BrokenArguments
from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response
from adapters.wire.framing import Framer
from adapters.wire.openai import unreadable
from adapters.wire.openai_stream import is_whole
from adapters.wire.pivot import (
    ALIVE,
    Answer,
    ChoiceEnded,
    Counted,
    Ended,
    Piece,
    StreamPiece,
    StreamReader,
    StreamWriter,
    ToolStarted,
    event_of,
)
from adapters.wire.sse import Frame, SseSplitter
from application.ports.llm import Block, UpstreamCall, UpstreamFailed
from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import Faulted, Finished, StreamEvent, UsageReported
from domain.llm.usage import Usage

Json = dict[str, Any]


class Draft:
    """A request on its way between dialects; translators add to `dropped` what they cannot carry."""

    __slots__ = ("call", "dropped", "upstream_dialect")

    def __init__(self, call: UpstreamCall, upstream_dialect: str = "") -> None:
        self.call = call
        self.upstream_dialect = upstream_dialect
        self.dropped: dict[str, None] = {}
        """In order; a dictionary, because callers may send any number of names."""

    def drop(self, name: str) -> None:
        """Notes a field, or a value of it, that does not reach the provider."""
        self.dropped[name] = None

    @property
    def keeps_marks(self) -> bool:
        """Whether the target takes marks for its prompt cache; servers of other shapes may refuse them."""
        return self.call.target.prompt_cache.marks_max > 0

    def refuse(self, message: str) -> UpstreamFailed:
        """What to raise for something that cannot be said at all in the provider's dialect."""
        return UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message, status=400))


class CallerSide(NamedTuple):
    """One caller's dialect: its bodies to the pivot, the pivot's answers to its own.

    `known` are the names its dialect gives meaning to, below the top level; what else stands in a body is
    reported as dropped. `answer_to` writes answers that depend on the request; `write_answer` then serves
    only answers whose request is not known.
    """

    to_chat: Callable[[Json, Draft], Json]
    write_answer: Callable[[Answer], bytes]
    writer: Callable[[UpstreamCall], StreamWriter]
    known: Mapping[str, Any] | None = None
    answer_to: Callable[[Answer, UpstreamCall], bytes] | None = None


class ProviderSide(NamedTuple):
    """One provider's dialect: the pivot's bodies to its own, its answers to the pivot.

    `read_answer` raises msgspec.DecodeError for what is no answer, UpstreamFailed for a refused prompt.
    `framer` cuts its streams into frames.
    """

    dialect: str
    from_chat: Callable[[Json, Draft], Json]
    read_answer: Callable[[bytes], Answer]
    reader: Callable[[], StreamReader]
    framer: Callable[[], Framer] = SseSplitter


def translated(body: Json, draft: Draft, caller: CallerSide, provider: ProviderSide) -> Json:
    """A caller's body in the provider's dialect, top-level fields aside. Raises UpstreamFailed."""
    try:
        if caller.known is not None:
            for path in unknown_fields(body, caller.known):
                draft.drop(path)
        chat = caller.to_chat(body, draft)
        if draft.call.continue_from is not None:
            chat["messages"].append({"role": "assistant", "content": draft.call.continue_from})
        return provider.from_chat(chat, draft)
    except BrokenArguments as error:
        raise draft.refuse(str(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Policies read only a few fields of the body; what else is wrong in it shows here.
        raise draft.refuse(
            "the request cannot be translated for this provider: a field is missing or of another type "
            "than its dialect says"
        ) from error


class PivotCodec(Codec):
    """Translates through the pivot. `kept` are the caller's top-level fields that have a counterpart."""

    def __init__(self, caller: CallerSide, provider: ProviderSide, kept: frozenset[str]) -> None:
        self.upstream_dialect = provider.dialect
        self._caller = caller
        self._provider = provider
        self._kept = kept

    def request(self, call: UpstreamCall) -> EncodedRequest:
        draft = Draft(call, self.upstream_dialect)
        body: Json = msgspec.json.decode(call.request.body)
        for name in sorted(call.request.fields - self._kept):
            if body.get(name) is not None:
                draft.drop(name)
        encoded = translated(body, draft, self._caller, self._provider)
        return EncodedRequest(msgspec.json.encode(encoded), tuple(draft.dropped))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = self._provider.read_answer(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if not answer.choices:
            raise UpstreamFailed(bad_response("the answer has no choices"))
        answer = answer._replace(
            id=answer.id or (call.request_id if call else "") or "answer",
            model=answer.model or (call.target.model if call else ""),
        )
        answer_to = self._caller.answer_to
        if answer_to is None or call is None:
            written = self._caller.write_answer(answer)
        else:
            written = answer_to(answer, call)
        return DecodedResponse(written, answer.usage, answer.choices[0].finish_reason)

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        provider = self._provider
        return PivotStream(
            provider.reader(), self._caller.writer(call), call.request.choices, framer=provider.framer()
        )


class PivotStream(StreamDecoder):
    """Reads frames with `reader`; writes them anew with `writer`, or forwards them when there is none."""

    __slots__ = (
        "_choices",
        "_done",
        "_ended",
        "_framer",
        "_reader",
        "_reason",
        "_seen",
        "_usage",
        "_writer",
    )

    def __init__(
        self,
        reader: StreamReader,
        writer: StreamWriter | None,
        choices: int,
        *,
        framer: Framer | None = None,
    ) -> None:
        self._framer = framer or SseSplitter()
        self._reader = reader
        self._writer = writer
        self._choices = choices
        self._ended: set[int] = set()
        self._seen: set[int] = set()
        self._reason = ""
        self._usage: Usage | None = None
        self._done = False

    def feed(self, data: bytes) -> Block:
        raws: list[bytes] = []
        events: list[StreamEvent] = []
        if not self._done:
            for frame in self._framer.feed(data):
                self._take(frame, raws, events)
                if self._done:
                    break
            if not self._done and (broken := self._framer.broken) is not None:
                self._fault(broken, events)
        return Block(b"".join(raws), tuple(events))

    def end(self) -> Block:
        raws: list[bytes] = []
        events: list[StreamEvent] = []
        if not self._done:
            frame = self._framer.end()
            if frame is not None and is_whole(frame):
                self._take(frame, raws, events)
            if not self._done and self._ended and self._ended >= self._seen:
                # Fewer choices than asked for, but each that began has ended.
                if len(self._ended) < self._choices:
                    events.append(Finished(self._reason))
                    self._choices = len(self._ended)
                self._finish(raws, events)
            self._done = True
        return Block(b"".join(raws), tuple(events))

    def _take(self, frame: Frame, raws: list[bytes], events: list[StreamEvent]) -> None:
        if frame.data is None:
            pieces: list[StreamPiece] = [ALIVE]
        else:
            try:
                pieces = self._reader.read(frame.event, frame.data)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                self._fault(f"a stream chunk cannot be read: {error}", events)
                return
        for piece in pieces:
            self._take_piece(piece, raws, events)
            if self._done:
                if self._writer is None and type(piece) is Ended and piece.shown:
                    raws.append(frame.raw)
                return
        if self._writer is None:
            raws.append(frame.raw)

    def _take_piece(self, piece: StreamPiece, raws: list[bytes], events: list[StreamEvent]) -> None:
        kind = type(piece)
        if kind is Faulted:
            self._done = True
        elif kind is Ended:
            self._finish(raws, events)
            self._done = True
        elif kind is Counted:
            self._usage = piece.usage  # type: ignore[union-attr]
            if len(self._ended) >= self._choices:
                self._finish(raws, events)
        elif kind is Piece or kind is ToolStarted:
            self._seen.add(piece.choice)  # type: ignore[union-attr]
        elif kind is ChoiceEnded:
            self._note_end(piece.choice, piece.reason, events)  # type: ignore[union-attr]
        if self._writer is not None and not self._done and kind is not Counted:
            raws.append(self._writer.write(piece))
        event = event_of(piece)
        if event is not None:
            events.append(event)

    def _note_end(self, choice: int, reason: str, events: list[StreamEvent]) -> None:
        if choice in self._ended:
            return
        self._ended.add(choice)
        if choice == 0 or not self._reason:
            self._reason = reason
        if len(self._ended) == self._choices:
            events.append(Finished(self._reason))

    def _finish(self, raws: list[bytes], events: list[StreamEvent]) -> None:
        """What the writer still owes, once every choice has ended; a cut stream is owed nothing."""
        if self._writer is None or len(self._ended) < self._choices:
            return
        raw = self._writer.finish(self._usage)
        if raw:
            raws.append(raw)
            if self._usage is not None:
                # The frame that shows usage and the event that reports it travel in one block.
                events.append(UsageReported(self._usage))

    def _fault(self, message: str, events: list[StreamEvent]) -> None:
        self._done = True
        events.append(Faulted(bad_response(message)))
