"""Callers of embedContent and batchEmbedContents, at providers of Gemini's family and of OpenAI's.

A provider is always asked for the batch; the answer has the form the caller asked in.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response, error_in_success
from adapters.wire.gemini import GeminiUsage, inclusive
from adapters.wire.gemini_words import Json, camelled
from adapters.wire.openai import unreadable
from adapters.wire.openai_usage import OpenAiUsage, usage_of
from adapters.wire.pivot_codec import Draft
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import GEMINI_EMBEDDINGS, OPENAI_EMBEDDINGS
from domain.llm.failures import Failure, FailureKind

FIELDS: Final = frozenset({"model", "content", "requests", "outputDimensionality", "output_dimensionality"})
"""Top-level fields that have a counterpart in OpenAI's embeddings."""
_CARRIED: Final = frozenset({"model", "content", "outputDimensionality"})


class _Vectors(Struct, rename="camel"):
    embeddings: list[Any]
    usage_metadata: GeminiUsage | None = None
    error: Any = None


class _OpenAiVector(Struct):
    embedding: list[float]
    index: int = 0


class _OpenAiVectors(Struct):
    data: list[_OpenAiVector]
    usage: OpenAiUsage | None = None
    error: Any = None


_VECTORS = msgspec.json.Decoder(_Vectors)
_OPENAI = msgspec.json.Decoder(_OpenAiVectors)
_encode = msgspec.json.encode


def _requests(call: UpstreamCall) -> tuple[list[Json], bool]:
    """The single requests of a body, and whether the caller asked in a batch."""
    body = msgspec.json.decode(call.request.body)
    batch = body.get("requests") is not None
    return (body["requests"] if batch else [body]), batch


class EmbeddingsWithinFamily(Codec):
    """Gemini to Gemini. Every field goes along; the model is the provider's, in each request of the batch."""

    upstream_dialect = GEMINI_EMBEDDINGS

    def request(self, call: UpstreamCall) -> EncodedRequest:
        requests, _ = _requests(call)
        model = f"models/{call.target.model.removeprefix('models/')}"
        return EncodedRequest(_encode({"requests": [{**one, "model": model} for one in requests]}))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _VECTORS.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if not answer.embeddings:
            raise UpstreamFailed(bad_response("the answer has no embeddings"))
        usage = inclusive(answer.usage_metadata)
        if call is None or _requests(call)[1]:
            return DecodedResponse(body, usage, None)
        whole = msgspec.json.decode(body)
        whole["embedding"] = whole.pop("embeddings")[0]
        return DecodedResponse(_encode(whole), usage, None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise _never_streamed()


class EmbeddingsAtOpenAi(Codec):
    """Gemini's callers at OpenAI's embeddings: texts only, one size for the whole batch."""

    upstream_dialect = OPENAI_EMBEDDINGS

    def request(self, call: UpstreamCall) -> EncodedRequest:
        draft = Draft(call, self.upstream_dialect)
        requests = [camelled(one) for one in _requests(call)[0]]
        try:
            texts = [_text(one["content"], draft) for one in requests]
            sizes = {one.get("outputDimensionality") for one in requests}
        except (AttributeError, KeyError, TypeError) as error:
            raise draft.refuse("content: parts with texts are expected") from error
        if len(sizes) > 1:
            raise draft.refuse("outputDimensionality: this provider gives all vectors of a batch one size")
        for one in requests:
            for name, value in one.items():
                if name not in _CARRIED and name != "requests" and value is not None:
                    draft.drop(f"requests.{name}")
        body: Json = {"model": call.target.model, "input": texts, "encoding_format": "float"}
        if size := sizes.pop():
            body["dimensions"] = size
        return EncodedRequest(_encode(body), tuple(draft.dropped))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _OPENAI.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if answer.error is not None:
            raise UpstreamFailed(error_in_success(answer.error, body))
        if not answer.data:
            raise UpstreamFailed(bad_response("the answer has no embeddings"))
        usage = usage_of(answer.usage)
        vectors = [{"values": one.embedding} for one in sorted(answer.data, key=lambda one: one.index)]
        counted = {} if usage is None else {"usageMetadata": {"promptTokenCount": usage.input_tokens}}
        batch = call is None or _requests(call)[1]
        said = {"embeddings": vectors} if batch else {"embedding": vectors[0]}
        return DecodedResponse(_encode({**said, **counted}), usage, None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise _never_streamed()


WITHIN_FAMILY: Final = EmbeddingsWithinFamily()
AT_OPENAI: Final = EmbeddingsAtOpenAi()


def _text(content: Json, draft: Draft) -> str:
    parts = content.get("parts") or []
    if not all(isinstance(part.get("text"), str) for part in parts):
        raise draft.refuse("content.parts: this provider makes vectors of texts only")
    return "\n".join(part["text"] for part in parts)


def _never_streamed() -> UpstreamFailed:
    return UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message="embeddings are not streamed"))
