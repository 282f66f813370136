"""OpenAI's endpoints beside text, and `/rerank`, at providers of the same shape.

Bodies and forms go on as they came but for the model's name, answers come back as the bytes they were.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response, error_in_success
from adapters.wire.media_forms import is_form, with_field
from adapters.wire.media_stream import MediaStream
from adapters.wire.media_usage import (
    BilledMeta,
    MediaUsage,
    pictures_made,
    searches_made,
    sound_heard,
    tokens_of,
)
from adapters.wire.openai import unreadable
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import (
    COHERE_RERANK,
    OPENAI_IMAGE_EDITS,
    OPENAI_IMAGE_VARIATIONS,
    OPENAI_IMAGES,
    OPENAI_MODERATIONS,
    OPENAI_SPEECH,
    OPENAI_TRANSCRIPTIONS,
    OPENAI_TRANSLATIONS,
)
from domain.llm.failures import Failure, FailureKind
from domain.llm.request import LlmRequest
from domain.llm.usage import Usage

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.encode


class _Answer(Struct):
    """What any of these answers may have; a codec says which of it must be there."""

    data: list[Raw] | None = None
    results: list[Raw] | None = None
    text: Any = None
    usage: MediaUsage | None = None
    meta: BilledMeta | None = None
    duration: float | str | None = None
    size: Any = None
    quality: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)
_Measure = Callable[[_Answer, LlmRequest], Usage | None]


class MediaCodec(Codec):
    """One endpoint. `lists` are the names of which an answer must have one, `measure` tells its usage."""

    def __init__(
        self, dialect: str, lists: tuple[str, ...], measure: _Measure, *, streamed: bool = False
    ) -> None:
        self.upstream_dialect = dialect
        self._lists = lists
        self._measure = measure
        self._streamed = streamed

    def request(self, call: UpstreamCall) -> EncodedRequest:
        request, model = call.request, call.target.model
        if is_form(request.content_type):
            body = request.body
            if model != request.model:
                body = with_field(body, request.content_type, "model", model)
            return EncodedRequest(body, content_type=request.content_type)
        if model == request.model and "model" in request.fields:
            return EncodedRequest(request.body)
        fields: dict[str, Any] = _FIELDS.decode(request.body)
        fields["model"] = model
        return EncodedRequest(_encode(fields))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if answer.error is not None:
            raise UpstreamFailed(error_in_success(answer.error, body))
        if not any(getattr(answer, name) for name in self._lists):
            raise UpstreamFailed(bad_response(f"the answer has no {' or '.join(self._lists)}"))
        return DecodedResponse(body, None if call is None else self._measure(answer, call.request), None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        if not self._streamed:
            message = f"{self.upstream_dialect} is not streamed"
            raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message))
        return MediaStream(call.request)


class TranscriptCodec(MediaCodec):
    """Transcripts, which are JSON or plain text as `response_format` says; text says nothing of its size."""

    def __init__(self, dialect: str) -> None:
        super().__init__(dialect, ("text",), _transcript, streamed=True)

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        begins = body.lstrip()[:1]
        if begins == b"<":
            raise UpstreamFailed(bad_response("the provider answered with a page, not with a transcript"))
        if begins != b"{":
            return DecodedResponse(body, None, None, "text/plain; charset=utf-8")
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if answer.error is not None:
            raise UpstreamFailed(error_in_success(answer.error, body))
        if not isinstance(answer.text, str):
            # Silence has an empty text; nothing at all is no transcript.
            raise UpstreamFailed(bad_response("the answer has no text"))
        return DecodedResponse(body, _transcript(answer, call.request) if call else None, None)

    def unstreamed(self, body: bytes) -> bytes | None:
        """Older models overlook `stream`: their whole answer is the last event."""
        try:
            fields: dict[str, Any] = _FIELDS.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if "text" not in fields or fields.get("error") not in (None, b"null"):
            return None
        said = {"type": "transcript.text.done", "text": fields["text"]}
        said |= {name: fields[name] for name in ("usage", "duration") if name in fields}
        return b"data: " + _encode(said) + b"\n\n"


def _moderation(answer: _Answer, request: LlmRequest) -> Usage | None:  # noqa: ARG001 - a `_Measure`
    return tokens_of(answer.usage)


def _ranking(answer: _Answer, request: LlmRequest) -> Usage | None:
    return searches_made(answer.usage, answer.meta, request)


def _pictures(answer: _Answer, request: LlmRequest) -> Usage | None:
    return pictures_made(answer.usage, request, len(answer.data or ()), answer.size, answer.quality)


def _transcript(answer: _Answer, request: LlmRequest) -> Usage | None:  # noqa: ARG001 - a `_Measure`
    try:
        duration_s = None if answer.duration is None else float(answer.duration)
    except ValueError:
        duration_s = None
    return sound_heard(answer.usage, duration_s)


WITHIN_FAMILY: Final[Mapping[tuple[str, str], Codec]] = {
    (codec.upstream_dialect, codec.upstream_dialect): codec
    for codec in (
        MediaCodec(OPENAI_MODERATIONS, ("results",), _moderation),
        MediaCodec(COHERE_RERANK, ("results", "data"), _ranking),
        MediaCodec(OPENAI_IMAGES, ("data",), _pictures, streamed=True),
        MediaCodec(OPENAI_IMAGE_EDITS, ("data",), _pictures, streamed=True),
        MediaCodec(OPENAI_IMAGE_VARIATIONS, ("data",), _pictures),
        MediaCodec(OPENAI_SPEECH, ("data",), _moderation, streamed=True),
        TranscriptCodec(OPENAI_TRANSCRIPTIONS),
        TranscriptCodec(OPENAI_TRANSLATIONS),
    )
}
"""By (caller's dialect, provider's dialect)."""

PATHS: Final[Mapping[str, str]] = {
    OPENAI_MODERATIONS: "/moderations",
    COHERE_RERANK: "/rerank",
    OPENAI_IMAGES: "/images/generations",
    OPENAI_IMAGE_EDITS: "/images/edits",
    OPENAI_IMAGE_VARIATIONS: "/images/variations",
    OPENAI_SPEECH: "/audio/speech",
    OPENAI_TRANSCRIPTIONS: "/audio/transcriptions",
    OPENAI_TRANSLATIONS: "/audio/translations",
}
"""Of each dialect below a base URL."""
