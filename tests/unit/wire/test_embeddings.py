"""Embeddings to providers of both shapes: what is sent, what is told, and what is no answer."""

import base64
import json
import struct
from typing import Any

import pytest

from adapters.wire.codec import Codec
from adapters.wire.gemini_embeddings import CODEC as GEMINI
from adapters.wire.openai import EMBEDDINGS
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import OPENAI_EMBEDDINGS
from domain.llm.failures import FailureKind
from domain.llm.usage import Usage
from tests.unit.wire.calls import call, target

CODECS = pytest.mark.parametrize("codec", [EMBEDDINGS, GEMINI], ids=["openai", "gemini"])


def asked(model: str = "m", **fields: Any) -> UpstreamCall:
    body = {"model": "asked-for", "input": ["one", "two"], **fields}
    return call(OPENAI_EMBEDDINGS, body, to=target(model))


def failure_of(codec: Codec, body: bytes) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as caught:
        codec.response(body, asked())
    return caught.value


def test_only_the_model_is_changed_for_a_provider_of_the_same_shape() -> None:
    sent = json.loads(EMBEDDINGS.request(asked("provider-model", user="u", dimensions=2)).body)
    assert sent == {"model": "provider-model", "input": ["one", "two"], "user": "u", "dimensions": 2}


def test_gemini_is_asked_once_per_text() -> None:
    encoded = GEMINI.request(asked("embedder", dimensions=64, user="u"))
    assert json.loads(encoded.body) == {
        "requests": [
            {
                "model": "models/embedder",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 64,
            }
            for text in ("one", "two")
        ]
    }
    assert encoded.dropped == ("user",)


def test_a_single_text_is_a_list_of_one_for_gemini() -> None:
    assert len(json.loads(GEMINI.request(asked(input="one")).body)["requests"]) == 1


def test_token_numbers_mean_nothing_to_gemini() -> None:
    with pytest.raises(UpstreamFailed, match="not token numbers") as caught:
        GEMINI.request(asked(input=[[1, 2]]))
    assert caught.value.failure.kind is FailureKind.CALLER_FAULT


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_geminis_vectors_are_told_in_openais_shape(encoding: str) -> None:
    body = b'{"embeddings":[{"values":[1,0.5]},{"values":[0,-2]}],"usageMetadata":{"promptTokenCount":7}}'
    answer = GEMINI.response(body, asked("embedder", encoding_format=encoding))
    told = json.loads(answer.body)
    vectors = [item["embedding"] for item in told["data"]]
    if encoding == "base64":
        vectors = [list(struct.unpack("<2f", base64.b64decode(text))) for text in vectors]
    assert vectors == [[1, 0.5], [0, -2]]
    assert [item["index"] for item in told["data"]] == [0, 1]
    assert told["model"] == "embedder"
    assert told["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert answer.usage == Usage(7)


def test_gemini_without_a_count_has_no_usage_to_bill() -> None:
    assert GEMINI.response(b'{"embeddings":[{"values":[1]}]}', asked()).usage is None


def test_an_answer_of_the_same_shape_keeps_its_bytes_and_tells_its_usage() -> None:
    body = b'{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":2,"total_tokens":2}}'
    answer = EMBEDDINGS.response(body, asked())
    assert answer.body == body
    assert answer.usage == Usage(2)


@CODECS
@pytest.mark.parametrize("body", [b"", b" \n", b"<html>", b"[]", b'{"other":1}', b'{"data":7}', b"\xff"])
def test_what_is_no_answer_is_a_bad_response(codec: Codec, body: bytes) -> None:
    assert failure_of(codec, body).failure.kind is FailureKind.BAD_RESPONSE


@CODECS
def test_nesting_without_end_is_a_bad_response(codec: Codec) -> None:
    body = b'{"data":' + b"[" * 5_000 + b"]" * 5_000 + b',"embeddings":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    assert failure_of(codec, body).failure.kind is FailureKind.BAD_RESPONSE


@CODECS
@pytest.mark.parametrize("beside", [b"", b'"data":[],'])
def test_an_error_inside_a_success_is_told_as_the_error_it_is(codec: Codec, beside: bytes) -> None:
    failed = failure_of(codec, b"{" + beside + b'"error":{"message":"the model is overloaded","code":503}}')
    assert "the model is overloaded" in failed.failure.message


def test_an_empty_list_of_vectors_is_no_answer_of_gemini() -> None:
    assert "no embeddings" in failure_of(GEMINI, b'{"embeddings":[]}').failure.message


@CODECS
def test_embeddings_are_not_streamed(codec: Codec) -> None:
    with pytest.raises(UpstreamFailed, match="not streamed") as caught:
        codec.stream(asked())
    assert caught.value.failure.kind is FailureKind.CALLER_FAULT
