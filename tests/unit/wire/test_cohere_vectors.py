"""Embeddings and rankings at Cohere, and counts of vendors that tell a total alone."""

import json
from typing import Any

import pytest

from adapters.wire.registry import codec_for
from application.ports.llm import UpstreamFailed
from application.ports.wire import COHERE_RERANK, OPENAI_EMBEDDINGS, OPENAI_MODERATIONS
from domain.llm.failures import FailureKind
from domain.llm.units import SEARCHES
from domain.llm.usage import Usage
from tests.unit.wire.calls import call, target

EMBED = codec_for(OPENAI_EMBEDDINGS, "cohere.embed")
RERANK = codec_for(COHERE_RERANK, "cohere.rerank.v2")
VECTORS = b'{"embeddings":{"float":[[0.5,-0.25],[1,0]]},"meta":{"billed_units":{"input_tokens":7}}}'


def asked(dialect: str, **fields: Any) -> Any:
    return call(dialect, json.dumps({"model": "route", **fields}).encode(), to=target("up"))


def test_many_inputs_and_dimensions_reach_cohere() -> None:
    encoded = EMBED.request(asked(OPENAI_EMBEDDINGS, input=["a", "b"], dimensions=256, user="u"))
    assert json.loads(encoded.body) == {
        "model": "up", "texts": ["a", "b"], "input_type": "search_document",
        "embedding_types": ["float"], "output_dimension": 256,
    }  # fmt: skip
    assert encoded.dropped == ("user",)


@pytest.mark.parametrize("given", [[1, 2], [[1], [2]]])
def test_token_numbers_are_refused_and_not_guessed(given: Any) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        EMBED.request(asked(OPENAI_EMBEDDINGS, input=given))
    assert caught.value.failure.kind is FailureKind.CALLER_FAULT


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"embeddings":{}}', b'{"embeddings":{"float":[]}}'])
def test_an_answer_without_vectors_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        EMBED.response(body, asked(OPENAI_EMBEDDINGS, input="a"))
    assert caught.value.failure.kind is FailureKind.BAD_RESPONSE


@pytest.mark.parametrize("meta", [b"", b',"meta":null', b',"meta":{"billed_units":null}'])
def test_what_is_not_told_is_not_counted(meta: bytes) -> None:
    vectors = EMBED.response(b'{"embeddings":{"float":[[1]]}%b}' % meta, asked(OPENAI_EMBEDDINGS, input="a"))
    ranked = RERANK.response(b'{"results":[]%b}' % meta, asked(COHERE_RERANK, query="q", documents=["a"]))
    assert vectors.usage is None and ranked.usage is None


def test_documents_without_text_are_refused_and_texts_alone_are_sent() -> None:
    encoded = RERANK.request(
        asked(
            COHERE_RERANK, query="q", documents=["a", {"text": "b", "id": 7}], rank_fields=["text"], top_n=1
        )
    )
    assert json.loads(encoded.body) == {"model": "up", "query": "q", "documents": ["a", "b"], "top_n": 1}
    assert encoded.dropped == ("rank_fields",)
    with pytest.raises(UpstreamFailed):
        RERANK.request(asked(COHERE_RERANK, query="q", documents=[{"title": "b"}]))


@pytest.mark.parametrize(("wish", "first"), [("float", [0.5, -0.25]), ("base64", "AAAAPwAAgL4=")])
def test_vectors_come_back_as_they_are_wanted(wish: str, first: Any) -> None:
    answer = EMBED.response(VECTORS, asked(OPENAI_EMBEDDINGS, input=["a", "b"], encoding_format=wish))
    said = json.loads(answer.body)
    assert [one["index"] for one in said["data"]] == [0, 1]
    assert said["data"][0]["embedding"] == first
    assert answer.usage == Usage(7)
    assert said["usage"]["prompt_tokens"] == 7


def test_a_ranking_is_counted_in_searches() -> None:
    body = (
        b'{"id":"r","results":[{"index":1,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":2}}}'
    )
    wanted = asked(COHERE_RERANK, query="q", documents=["a", {"text": "b"}], return_documents=True)
    answer = RERANK.response(body, wanted)
    assert answer.usage == Usage(units=((SEARCHES, 2),))
    assert json.loads(answer.body)["results"][0]["document"] == {"text": "b"}


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (OPENAI_EMBEDDINGS, {"data": [], "usage": {"total_tokens": 9}}),
        (COHERE_RERANK, {"results": [{"index": 0, "relevance_score": 1}], "usage": {"total_tokens": 9}}),
        (OPENAI_MODERATIONS, {"results": [{"flagged": False}], "usage": {"total_tokens": 9}}),
    ],
)
def test_a_total_alone_was_read_and_not_written(dialect: str, body: dict[str, Any]) -> None:
    wanted = asked(dialect, input="x", query="x", documents=["x"])
    usage = codec_for(dialect, dialect).response(json.dumps(body).encode(), wanted).usage
    assert usage is not None and (usage.input_tokens, usage.output_tokens) == (9, 0)
