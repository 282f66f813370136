"""What providers offer beside text and embeddings: moderation, reranking, pictures, speech, transcripts."""

import base64
from typing import Any, NamedTuple

import msgspec

from entrypoints.simulator import openai_shape, vectors
from entrypoints.simulator.answers import draw_from
from entrypoints.simulator.conversation import Rejected, Tokens, input_tokens

OPERATIONS = frozenset({"moderations", "rerank", "images", "speech", "transcriptions"})
FLAGGED_WORD = "[flag]"
"""A text with this word is flagged by moderation; no other is."""

_RANKING_DIMENSIONS = 128
_PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
        "0000000049454e44ae426082"
    )
).decode()
_encode = msgspec.json.encode


class SideAnswer(NamedTuple):
    """An answer and its media type; tokens are None where nothing is charged."""

    body: bytes
    tokens: Tokens | None
    content_type: bytes = b"application/json"


def side_answer(operation: str, body: dict[str, Any], raw: bytes) -> SideAnswer:
    """The answer of one of `OPERATIONS`; `raw` is the body where it is not JSON.

    Raises:
        Rejected: a required field is missing.
    """
    match operation:
        case "moderations":
            return _moderated(body)
        case "rerank":
            return _reranked(body)
        case "images":
            return _pictured(body)
        case "speech":
            spoken = f"simulated speech: {_required(body, 'input')}".encode()
            return SideAnswer(b"ID3" + spoken, Tokens(input=input_tokens(len(spoken))), b"audio/mpeg")
        case _:
            if not raw:
                raise Rejected(400, "Missing required parameter: 'file'.", param="file")
            return SideAnswer(
                _encode({"text": f"A simulated transcript of {len(raw)} bytes."}), Tokens(input=1)
            )


def _required(body: dict[str, Any], name: str) -> Any:
    value = body.get(name)
    if not value:
        raise Rejected(
            400, f"Missing required parameter: '{name}'.", kind="invalid_request_error", param=name
        )
    return value


def _moderated(body: dict[str, Any]) -> SideAnswer:
    results = []
    for text in vectors.texts_of(body.get("input")):
        flagged = FLAGGED_WORD in text
        scores = {"harassment": 0.0, "violence": 0.99 if flagged else 0.01}
        categories = {"harassment": False, "violence": flagged}
        results.append({"flagged": flagged, "categories": categories, "category_scores": scores})
    model = body.get("model") or "moderation"
    return SideAnswer(_encode({"id": "modr-simulated", "model": model, "results": results}), None)


def _reranked(body: dict[str, Any]) -> SideAnswer:
    model, query, documents = (
        str(body.get("model", "")),
        _required(body, "query"),
        _required(body, "documents"),
    )
    texts = [one if isinstance(one, str) else str(one.get("text", "")) for one in documents]
    embedded = vectors.embed(model, [query, *texts], _RANKING_DIMENSIONS)
    asked, *answers = embedded.vectors
    scores = [sum(one * other for one, other in zip(asked, vector, strict=True)) for vector in answers]
    order = sorted(range(len(texts)), key=lambda index: (-scores[index], index))[
        : body.get("top_n") or len(texts)
    ]
    ranked = [{"index": index, "relevance_score": round(max(scores[index], 0.0), 6)} for index in order]
    usage = {"total_tokens": embedded.tokens.input}
    answer = {
        "id": f"rerank-sim{draw_from(model, query):016x}",
        "model": model,
        "results": ranked,
        "usage": usage,
    }
    return SideAnswer(_encode(answer), embedded.tokens)


def _pictured(body: dict[str, Any]) -> SideAnswer:
    prompt = _required(body, "prompt")
    count = int(body.get("n") or 1)
    tokens = Tokens(input=input_tokens(len(prompt.encode("utf-8", "surrogatepass"))), output=count)
    usage = {
        "input_tokens": tokens.input,
        "input_tokens_details": {"text_tokens": tokens.input, "image_tokens": 0},
        "output_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
    }
    pictures = [{"b64_json": _PIXEL}] * count
    return SideAnswer(_encode({"created": openai_shape.CREATED, "data": pictures, "usage": usage}), tokens)
