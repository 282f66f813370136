"""OpenAI embeddings at Gemini's batchEmbedContents."""

import sys
from array import array
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response
from adapters.wire.gemini import GeminiUsage
from adapters.wire.openai import unreadable
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import GEMINI_EMBEDDINGS
from domain.llm.failures import Failure, FailureKind
from domain.llm.usage import Usage

FIELDS: Final = frozenset({"model", "input", "dimensions", "encoding_format"})
"""Fields of an embeddings body that have a counterpart here."""


class _Vector(Struct):
    values: list[float]


class _Answer(Struct, rename="camel"):
    embeddings: list[_Vector]
    usage_metadata: GeminiUsage | None = None


class _Asked(Struct):
    encoding_format: str | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


class GeminiEmbeddings(Codec):
    """Texts only: token numbers mean nothing to another family's tokenizer."""

    upstream_dialect = GEMINI_EMBEDDINGS

    def request(self, call: UpstreamCall) -> EncodedRequest:
        body = msgspec.json.decode(call.request.body)
        texts = texts_of(body)
        size = {"outputDimensionality": body["dimensions"]} if body.get("dimensions") else {}
        model = f"models/{call.target.model.removeprefix('models/')}"
        requests = [{"model": model, "content": {"parts": [{"text": text}]}, **size} for text in texts]
        dropped = tuple(sorted(call.request.fields - FIELDS))
        return EncodedRequest(msgspec.json.encode({"requests": requests}), dropped)

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if not answer.embeddings:
            raise UpstreamFailed(bad_response("the answer has no embeddings"))
        counted = answer.usage_metadata.prompt_token_count if answer.usage_metadata else None
        usage = None if counted is None else Usage(counted)
        return DecodedResponse(written([v.values for v in answer.embeddings], counted, call), usage, None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise refused("embeddings are not streamed")


CODEC: Final = GeminiEmbeddings()


def texts_of(body: dict[str, Any]) -> list[str]:
    """The texts of an embeddings body. Raises UpstreamFailed (CALLER_FAULT) for token numbers."""
    given = body["input"]
    texts: list[Any] = [given] if isinstance(given, str) else given
    if not all(isinstance(text, str) for text in texts):
        raise refused("input: this provider takes texts, not token numbers")
    return texts


def written(vectors: Sequence[Sequence[float]], counted: int | None, call: UpstreamCall | None) -> bytes:
    """An embeddings answer in OpenAI's shape, packed where the caller wants base64."""
    packed = call is not None and _wants_base64(call.request.body)
    answer: dict[str, Any] = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": place, "embedding": _packed(vector) if packed else vector}
            for place, vector in enumerate(vectors)
        ],
        "model": call.target.model if call else "",
        "usage": {"prompt_tokens": counted or 0, "total_tokens": counted or 0},
    }
    return msgspec.json.encode(answer)


def _wants_base64(body: bytes) -> bool:
    return msgspec.json.decode(body, type=_Asked).encoding_format == "base64"


def _packed(values: Sequence[float]) -> str:
    """Little-endian 32-bit floats in base64, as OpenAI packs them."""
    floats = array("f", values)
    if sys.byteorder == "big":
        floats.byteswap()
    return b64encode(floats.tobytes()).decode()


def refused(message: str) -> UpstreamFailed:
    """What to raise for something that cannot be said here."""
    return UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message, status=400))
