"""OpenAI embeddings at Cohere's embed, and reranking at Cohere's rerank (both v2)."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.cohere import whole
from adapters.wire.errors import bad_response
from adapters.wire.gemini_embeddings import refused, texts_of, written
from adapters.wire.openai import unreadable
from application.ports.llm import UpstreamCall, UpstreamFailed
from domain.llm.units import SEARCHES
from domain.llm.usage import Usage

COHERE_EMBED: Final = "cohere.embed"
COHERE_RERANK_V2: Final = "cohere.rerank.v2"
EMBED_FIELDS: Final = frozenset({"model", "input", "dimensions", "encoding_format", "input_type", "truncate"})
"""Fields of an embeddings body that have a counterpart here; `input_type` and `truncate` are Cohere's own."""
RERANK_FIELDS: Final = frozenset(
    {"model", "query", "documents", "top_n", "return_documents", "max_tokens_per_doc", "priority"}
)
INPUT_TYPE_DEFAULT: Final = "search_document"
"""Cohere's newer models want to know what vectors are for; most are made to be searched."""


class _Billed(Struct):
    input_tokens: float | None = None
    search_units: float | None = None


class _Meta(Struct):
    billed_units: _Billed | None = None


def _billed(meta: _Meta | None) -> _Billed:
    return (meta.billed_units if meta is not None else None) or _Billed()


class _Vectors(Struct):
    float: list[list[float]]


class _Embedded(Struct):
    embeddings: _Vectors
    meta: _Meta | None = None


class _Result(Struct):
    index: int
    relevance_score: float


class _Ranked(Struct):
    results: list[_Result]
    id: str = ""
    meta: _Meta | None = None


class _Asked(Struct):
    documents: list[Any] = []
    return_documents: bool = False


_EMBEDDED = msgspec.json.Decoder(_Embedded)
_RANKED = msgspec.json.Decoder(_Ranked)
_encode = msgspec.json.encode


class CohereEmbeddings(Codec):
    """Texts only: token numbers mean nothing to another family's tokenizer."""

    upstream_dialect = COHERE_EMBED

    def request(self, call: UpstreamCall) -> EncodedRequest:
        asked = msgspec.json.decode(call.request.body)
        body: dict[str, Any] = {
            "model": call.target.model,
            "texts": texts_of(asked),
            "input_type": asked.get("input_type") or INPUT_TYPE_DEFAULT,
            "embedding_types": ["float"],
        }
        if asked.get("dimensions"):
            body["output_dimension"] = asked["dimensions"]
        if asked.get("truncate"):
            body["truncate"] = asked["truncate"]
        dropped = {name for name in call.request.fields - EMBED_FIELDS if asked.get(name) is not None}
        return EncodedRequest(_encode(body), tuple(sorted(dropped)))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _EMBEDDED.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if not answer.embeddings.float:
            raise UpstreamFailed(bad_response("the answer has no embeddings"))
        tokens = _billed(answer.meta).input_tokens
        counted = None if tokens is None else whole(tokens)
        said = written(answer.embeddings.float, counted, call)
        return DecodedResponse(said, None if counted is None else Usage(counted), None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise refused("embeddings are not streamed")


class CohereRerank(Codec):
    """`/v1/rerank` as most servers speak it, at Cohere's v2. Billed by searches, so no tokens are counted."""

    upstream_dialect = COHERE_RERANK_V2

    def request(self, call: UpstreamCall) -> EncodedRequest:
        asked = msgspec.json.decode(call.request.body)
        kept = {
            name: asked[name] for name in RERANK_FIELDS - {"return_documents"} if asked.get(name) is not None
        }
        kept["model"] = call.target.model
        kept["documents"] = [_text(document) for document in asked["documents"]]
        dropped = {name for name in call.request.fields - RERANK_FIELDS if asked.get(name) is not None}
        return EncodedRequest(_encode(kept), tuple(sorted(dropped)))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _RANKED.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        asked = msgspec.json.decode(call.request.body, type=_Asked) if call else _Asked()
        results: list[dict[str, Any]] = []
        for result in answer.results:
            one: dict[str, Any] = {"index": result.index, "relevance_score": result.relevance_score}
            if asked.return_documents and 0 <= result.index < len(asked.documents):
                # v2 gives no texts back; the caller's own are the same.
                one["document"] = {"text": _text(asked.documents[result.index])}
            results.append(one)
        units = _billed(answer.meta).search_units
        meta = {"billed_units": {"search_units": whole(units)}}
        model = call.target.model if call else ""
        said = {"id": answer.id, "model": model, "results": results, "meta": meta}
        usage = None if units is None else Usage(units=((SEARCHES, whole(units)),))
        return DecodedResponse(_encode(said), usage, None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise refused("a ranking is not streamed")


def _text(document: Any) -> str:
    if isinstance(document, str):
        return document
    if isinstance(document, dict) and isinstance(document.get("text"), str):
        return str(document["text"])
    raise refused("documents: texts are expected, or objects with a `text`")


EMBEDDINGS: Final = CohereEmbeddings()
RERANK: Final = CohereRerank()
