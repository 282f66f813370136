"""OpenAI embeddings at Vertex AI's `:predict`, which answers for text embedding models.

Source: "Text embeddings API" of Google Cloud's documentation. Some models take one text per request there;
the provider says so itself.
"""

from typing import Final

import msgspec
from msgspec import Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response
from adapters.wire.gemini_embeddings import FIELDS, refused, texts_of, written
from adapters.wire.openai import unreadable
from application.ports.llm import UpstreamCall, UpstreamFailed
from domain.llm.usage import Usage

VERTEX_EMBEDDINGS: Final = "vertex.embeddings"
"""A dialect of providers only."""


class _Statistics(Struct):
    token_count: float = 0


class _Embedding(Struct):
    values: list[float]
    statistics: _Statistics | None = None


class _Prediction(Struct):
    embeddings: _Embedding


class _Answer(Struct):
    predictions: list[_Prediction]


_ANSWER = msgspec.json.Decoder(_Answer)


class VertexEmbeddings(Codec):
    """Texts only, as for Gemini. Every text's token count comes back and is added up."""

    upstream_dialect = VERTEX_EMBEDDINGS

    def request(self, call: UpstreamCall) -> EncodedRequest:
        body = msgspec.json.decode(call.request.body)
        encoded: dict[str, object] = {"instances": [{"content": text} for text in texts_of(body)]}
        if body.get("dimensions"):
            encoded["parameters"] = {"outputDimensionality": body["dimensions"]}
        dropped = tuple(sorted(call.request.fields - FIELDS))
        return EncodedRequest(msgspec.json.encode(encoded), dropped)

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if not answer.predictions:
            raise UpstreamFailed(bad_response("the answer has no predictions"))
        embeddings = [prediction.embeddings for prediction in answer.predictions]
        counts = [int(each.statistics.token_count) for each in embeddings if each.statistics is not None]
        counted = sum(counts) if counts else None
        usage = None if counted is None else Usage(counted)
        return DecodedResponse(written([each.values for each in embeddings], counted, call), usage, None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise refused("embeddings are not streamed")


CODEC: Final = VertexEmbeddings()
