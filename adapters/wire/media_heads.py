"""Reading the heads of everything beside text: moderation, reranking, pictures, speech, transcripts.

JSON and forms alike. What policies need is read; what only the provider judges (voices, formats, sizes it
draws) passes.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from adapters.wire.media_forms import Part, field, is_form, read_parts
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
from domain.errors import InvalidRequest
from domain.llm.capabilities import NO_CAPABILITY, Capability
from domain.llm.contents import Contents
from domain.llm.request import LlmRequest, Operation
from domain.llm.units import CHARACTERS, NOT_COUNTED, SEARCHES, images

MODERATION_MODEL: Final = "omni-moderation-latest"
"""What a moderation without a model means to OpenAI, and so to every client of its shape."""
DOCUMENTS_PER_SEARCH: Final = 100
"""What one billed search of Cohere's covers."""
CHOICES_MAX: Final = 128
MODEL_CHARS_MAX: Final = 512

_Model = Annotated[str, Meta(min_length=1, max_length=MODEL_CHARS_MAX)]
_Text = Annotated[str, Meta(min_length=1)]
_Choices = Annotated[int, Meta(ge=1, le=CHOICES_MAX)] | None


class _ModerationHead(Struct):
    input: Raw
    model: _Model = MODERATION_MODEL


class _RerankHead(Struct):
    model: _Model
    query: Raw
    documents: Annotated[list[Raw], Meta(min_length=1)]


class _ImageHead(Struct):
    model: _Model
    prompt: _Text
    n: _Choices = None
    size: str | None = None
    quality: str | None = None
    stream: bool | None = None


class _SpeechHead(Struct):
    model: _Model
    input: _Text
    stream_format: str | None = None


_MODERATION = msgspec.json.Decoder(_ModerationHead)
_RERANK = msgspec.json.Decoder(_RerankHead)
_IMAGE = msgspec.json.Decoder(_ImageHead)
_SPEECH = msgspec.json.Decoder(_SpeechHead)
_TEXT_OR_OBJECT: Final = b'"{'
_EMPTY: Final = frozenset({b'""', b"[]", b"null", b"{}"})


def read_moderation(body: bytes, fields: frozenset[str]) -> LlmRequest:
    head = _MODERATION.decode(body)
    given = bytes(head.input).strip()
    if given in _EMPTY or given[:1] not in (b'"', b"["):
        raise InvalidRequest("input must be a text, a list of texts or a list of parts", param="input")
    return _request(Operation.MODERATION, OPENAI_MODERATIONS, head.model, body, fields, NO_CAPABILITY)


def read_rerank(body: bytes, fields: frozenset[str]) -> LlmRequest:
    head = _RERANK.decode(body)
    if bytes(head.query).strip() in _EMPTY:
        raise InvalidRequest("query must not be empty", param="query")
    for place, document in enumerate(head.documents):
        if memoryview(document)[0] not in _TEXT_OR_OBJECT:
            raise InvalidRequest("a document is a text or an object", param=f"documents[{place}]")
    request = _request(Operation.RERANK, COHERE_RERANK, head.model, body, fields, Capability.RERANK)
    request.units = ((SEARCHES, -(-len(head.documents) // DOCUMENTS_PER_SEARCH)),)
    # Some vendors count the query with every document.
    request.contents = Contents(repeated_bytes=len(memoryview(head.query)) * len(head.documents))
    return request


def read_image(body: bytes, fields: frozenset[str]) -> LlmRequest:
    return _image(_IMAGE.decode(body), OPENAI_IMAGES, body, fields)


def read_image_edit(body: bytes, fields: frozenset[str]) -> LlmRequest:
    """Of JSON, which names its pictures by address or id."""
    head = _IMAGE.decode(body)
    if not fields & {"image", "images"}:
        raise InvalidRequest("images: is required", param="images")
    return _image(head, OPENAI_IMAGE_EDITS, body, fields)


def read_speech(body: bytes, fields: frozenset[str]) -> LlmRequest:
    """Always relayed as it is spoken, in events or as the sound itself."""
    head = _SPEECH.decode(body)
    request = _request(Operation.SPEECH, OPENAI_SPEECH, head.model, body, fields, Capability.AUDIO_OUT)
    request.stream = True
    request.wordless = head.stream_format != "sse"
    request.units = ((CHARACTERS, len(head.input)),)
    return request


def _refuse_json(body: bytes, fields: frozenset[str]) -> LlmRequest:  # noqa: ARG001 - the signature of READERS
    raise InvalidRequest("send the file as multipart/form-data", param="content-type")


READERS: Final[Mapping[str, Callable[[bytes, frozenset[str]], LlmRequest]]] = {
    OPENAI_MODERATIONS: read_moderation,
    COHERE_RERANK: read_rerank,
    OPENAI_IMAGES: read_image,
    OPENAI_IMAGE_EDITS: read_image_edit,
    OPENAI_IMAGE_VARIATIONS: _refuse_json,
    OPENAI_SPEECH: read_speech,
    OPENAI_TRANSCRIPTIONS: _refuse_json,
    OPENAI_TRANSLATIONS: _refuse_json,
}
"""How a JSON body of each dialect is read."""

_FILE_OF: Final = {
    OPENAI_IMAGE_EDITS: "image",
    OPENAI_IMAGE_VARIATIONS: "image",
    OPENAI_TRANSCRIPTIONS: "file",
    OPENAI_TRANSLATIONS: "file",
}


def takes_form(dialect: str, content_type: str) -> bool:
    """Whether a body of this type is a form that the dialect knows."""
    return dialect in _FILE_OF and is_form(content_type)


def read_form(dialect: str, body: bytes, content_type: str) -> LlmRequest:
    """The request in a form. Raises InvalidRequest, `param` naming the field."""
    parts = read_parts(body, content_type)
    wanted = _FILE_OF[dialect]
    _require_file(parts, wanted)
    model = field(body, parts, "model") or ""
    if not 0 < len(model) <= MODEL_CHARS_MAX:
        what = "is required" if not model else f"is over {MODEL_CHARS_MAX} characters"
        raise InvalidRequest(f"model: {what}", param="model")
    fields = frozenset(part.name for part in parts)
    if wanted == "file":
        request = _request(Operation.TRANSCRIPTION, dialect, model, body, fields, Capability.AUDIO_IN)
        request.units = NOT_COUNTED
        request.stream = dialect == OPENAI_TRANSCRIPTIONS and _flag(body, parts, "stream")
    else:
        head = _ImageHead(
            model,
            field(body, parts, "prompt") or "",
            _number(body, parts, "n"),
            field(body, parts, "size"),
            field(body, parts, "quality"),
            dialect == OPENAI_IMAGE_EDITS and _flag(body, parts, "stream"),
        )
        if dialect == OPENAI_IMAGE_EDITS and not head.prompt:
            raise InvalidRequest("prompt: is required", param="prompt")
        request = _image(head, dialect, body, fields)
    request.content_type = content_type
    files = [part for part in parts if part.filename is not None]
    request.media_bytes = sum(part.end - part.start for part in files)
    if request.operation is Operation.IMAGE:
        request.contents = Contents(images=len(files))
    return request


def _require_file(parts: list[Part], name: str) -> None:
    found = [part for part in parts if part.name in (name, f"{name}[]")]
    if not found:
        raise InvalidRequest(f"{name}: is required", param=name)
    for part in found:
        if part.filename is None:
            raise InvalidRequest(f"{name} must be a file, with a file name", param=name)
        if part.start == part.end:
            raise InvalidRequest(f"{name} is an empty file", param=name)


def _flag(body: bytes, parts: list[Part], name: str) -> bool:
    text = (field(body, parts, name) or "false").strip().lower()
    if text not in ("true", "false", "1", "0"):
        raise InvalidRequest(f"{name} must be true or false", param=name)
    return text in ("true", "1")


def _number(body: bytes, parts: list[Part], name: str) -> int | None:
    text = field(body, parts, name)
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:4]) <= CHOICES_MAX:
        raise InvalidRequest(f"{name} must be a whole number from 1 to {CHOICES_MAX}", param=name)
    return int(text)


def _image(head: _ImageHead, dialect: str, body: bytes, fields: frozenset[str]) -> LlmRequest:
    request = _request(Operation.IMAGE, dialect, head.model, body, fields, Capability.IMAGE)
    request.stream = bool(head.stream)
    request.choices = head.n or 1
    request.units = images(request.choices, head.size or "", head.quality or "")
    return request


def _request(
    operation: Operation, dialect: str, model: str, body: bytes, fields: frozenset[str], needs: Any
) -> LlmRequest:
    return LlmRequest(
        operation=operation,
        dialect=dialect,
        model=model,
        body=body,
        needs=needs,
        fields=fields,
        plain_text=False,
    )
