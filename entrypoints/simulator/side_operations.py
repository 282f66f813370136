"""What providers offer beside text: moderation, reranking, pictures, speech, transcripts, and vectors."""

import base64
import math
from typing import Any, NamedTuple

import msgspec

from entrypoints.simulator import cohere_shape, openai_shape, vectors
from entrypoints.simulator.answers import draw_from
from entrypoints.simulator.conversation import Frame, FrameKind, Rejected, Tokens, input_tokens
from entrypoints.simulator.forms import File

OPERATIONS = frozenset(
    {
        "moderations",
        "rerank",
        "images",
        "image_edits",
        "image_variations",
        "speech",
        "transcriptions",
        "translations",
        "gemini_picture",
        "cohere_embed",
        "cohere_rerank",
    }
)
FLAGGED_WORD = "[flag]"
"""A text with this word is flagged by moderation; no other is."""
SOUND_MS_PER_BYTE = 1
"""A file of so many bytes is taken for as many milliseconds of sound."""
TEXT = b"text/plain; charset=utf-8"
TOKENS_PER_PICTURE = 272

_RANKING_DIMENSIONS = 128
_DOCUMENTS_PER_SEARCH = 100
_PIECE_BYTES = 16
_PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
        "0000000049454e44ae426082"
    )
).decode()
_encode = msgspec.json.encode


class SideAnswer(NamedTuple):
    """An answer and its media type; tokens are None where nothing is charged. `frames` stream it."""

    body: bytes
    tokens: Tokens | None
    content_type: bytes = b"application/json"
    frames: tuple[Frame, ...] = ()


def side_answer(operation: str, body: dict[str, Any]) -> SideAnswer:
    """The answer of one of `OPERATIONS`.

    Raises:
        Rejected: a required field is missing.
    """
    if not isinstance(body.get("model", ""), str):
        raise Rejected(400, "Invalid type for 'model'.", kind="invalid_request_error", param="model")
    match operation:
        case "moderations":
            return _moderated(body)
        case "rerank":
            return _reranked(body)
        case "images" | "image_edits" | "image_variations":
            return _pictured(operation, body)
        case "speech":
            return _spoken(body)
        case "gemini_picture":
            return _gemini_picture(body)
        case "cohere_embed":
            return SideAnswer(*cohere_shape.embed_body(body))
        case "cohere_rerank":
            return SideAnswer(*cohere_shape.rerank_body(body))
        case _:
            return _transcribed(body)


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
    answer: dict[str, Any] = {
        "id": f"rerank-sim{draw_from(model, query):016x}",
        "model": model,
        "results": ranked,
    }
    if "by-search" in model:
        searches = math.ceil(len(texts) / _DOCUMENTS_PER_SEARCH)
        answer["meta"] = {"billed_units": {"search_units": searches}}
        return SideAnswer(_encode(answer), Tokens(searches=searches))
    answer["usage"] = {"total_tokens": embedded.tokens.input}
    return SideAnswer(_encode(answer), embedded.tokens)


def _pictured(operation: str, body: dict[str, Any]) -> SideAnswer:
    prompt = "" if operation == "image_variations" else _required(body, "prompt")
    given = 0
    if operation != "images":
        files = _required(body, "image" if "image" in body else "images")
        given = len(files) if isinstance(files, list) else 1
    count = int(body.get("n") or 1)
    answer: dict[str, Any] = {"created": openai_shape.CREATED, "data": [{"b64_json": _PIXEL}] * count}
    text = input_tokens(len(prompt.encode("utf-8", "surrogatepass")))
    if "by-picture" in str(body.get("model")):
        tokens, usage = Tokens(pictures=count), None
    else:
        seen, drawn = given * 100, count * TOKENS_PER_PICTURE
        tokens = Tokens(input=text + seen, output=drawn, seen=seen, drawn=drawn)
        usage = _picture_usage(tokens)
        answer["usage"] = usage
    frames = _picture_frames(operation, body, count, usage) if body.get("stream") else ()
    return SideAnswer(_encode(answer), tokens, frames=frames)


def _picture_usage(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"text_tokens": tokens.input - tokens.seen, "image_tokens": tokens.seen},
        "output_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
    }


def _picture_frames(
    operation: str, body: dict[str, Any], count: int, usage: dict[str, Any] | None
) -> tuple[Frame, ...]:
    kind = "image_edit" if operation == "image_edits" else "image_generation"
    if count > 1:
        raise Rejected(400, "Only one image can be streamed.", kind="invalid_request_error", param="n")
    frames = [
        _event(f"{kind}.partial_image", {"partial_image_index": index, "b64_json": _PIXEL})
        for index in range(int(body.get("partial_images") or 0))
    ]
    whole = {"b64_json": _PIXEL, "created_at": openai_shape.CREATED}
    frames.append(_event(f"{kind}.completed", whole | ({"usage": usage} if usage else {}), FrameKind.USAGE))
    return tuple(frames)


def operation_of(operation: str, body: dict[str, Any] | None) -> str:
    """The same, but for Gemini's `generate` where a picture is wanted."""
    config = (body or {}).get("generationConfig")
    if operation == "generate" and isinstance(config, dict) and config.get("responseModalities") == ["IMAGE"]:
        return "gemini_picture"
    return operation


def _gemini_picture(body: dict[str, Any]) -> SideAnswer:
    text = str(_required(body, "contents")[0]["parts"][0]["text"])
    tokens = Tokens(
        input=input_tokens(len(text.encode())), output=TOKENS_PER_PICTURE, drawn=TOKENS_PER_PICTURE
    )
    part = {"inlineData": {"mimeType": "image/png", "data": _PIXEL}}
    usage = {
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": tokens.output,
        "totalTokenCount": tokens.input + tokens.output,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": tokens.output}],
    }
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return SideAnswer(_encode({"candidates": [candidate], "usageMetadata": usage}), tokens)


def _spoken(body: dict[str, Any]) -> SideAnswer:
    text = _required(body, "input")
    sound = b"ID3" + f"simulated speech: {text}".encode()
    pieces = [sound[at : at + _PIECE_BYTES] for at in range(0, len(sound), _PIECE_BYTES)]
    if body.get("stream_format") == "sse":
        tokens = Tokens(input=input_tokens(len(text.encode())), output=len(pieces), sounded=len(pieces))
        said = {"input_tokens": tokens.input, "output_tokens": tokens.output}
        said["total_tokens"] = tokens.input + tokens.output
        frames = [_event("speech.audio.delta", {"audio": base64.b64encode(one).decode()}) for one in pieces]
        frames.append(_event("speech.audio.done", {"usage": said}, FrameKind.USAGE))
        whole = b"".join(frame.data for frame in frames)
        return SideAnswer(whole, tokens, b"text/event-stream", tuple(frames))
    kinds = [FrameKind.CONTENT] * (len(pieces) - 1) + [FrameKind.FINISH]
    media = b"audio/wav" if body.get("response_format") == "wav" else b"audio/mpeg"
    frames = [Frame(kind, piece) for kind, piece in zip(kinds, pieces, strict=True)]
    return SideAnswer(sound, Tokens(characters=len(text)), media, tuple(frames))


def _transcribed(body: dict[str, Any]) -> SideAnswer:
    file = _required(body, "file")
    if not isinstance(file, File):
        raise Rejected(400, "Invalid type for 'file'.", kind="invalid_request_error", param="file")
    sound_ms = len(file.data) * SOUND_MS_PER_BYTE
    words = ["A", "simulated", "transcript", "of", f"{len(file.data)}", "bytes", "named", f"{file.name}."]
    text, wanted = " ".join(words), body.get("response_format") or "json"
    by_time = "by-second" in str(body.get("model"))
    if by_time:
        seconds = math.ceil(sound_ms / 1000)
        tokens, usage = Tokens(sound_ms=seconds * 1000), {"type": "duration", "seconds": seconds}
    else:
        heard = math.ceil(sound_ms / 100)
        tokens = Tokens(input=heard, output=len(words), heard=heard)
        usage = {
            "type": "tokens",
            "input_tokens": heard,
            "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
            "output_tokens": len(words),
            "total_tokens": heard + len(words),
        }
    if wanted in ("text", "srt", "vtt"):
        cue = f"00:00:00.000 --> 00:00:01.000\n{text}\n"
        shown = {"text": f"{text}\n", "srt": "1\n" + cue.replace(".000", ",000"), "vtt": f"WEBVTT\n\n{cue}"}
        return SideAnswer(shown[wanted].encode(), tokens, TEXT)
    answer: dict[str, Any] = {"text": text, "usage": usage}
    if wanted == "verbose_json":
        answer |= {"task": "transcribe", "language": "english", "duration": sound_ms / 1000, "segments": []}
    frames: tuple[Frame, ...] = ()
    if body.get("stream") and not by_time:
        parts = [words[0], *(f" {word}" for word in words[1:])]
        told = [_event("transcript.text.delta", {"delta": part}) for part in parts]
        frames = (*told, _event("transcript.text.done", {"text": text, "usage": usage}, FrameKind.USAGE))
    return SideAnswer(_encode(answer), tokens, frames=frames)


def _event(kind: str, fields: dict[str, Any], frame: int = FrameKind.CONTENT) -> Frame:
    data = _encode({"type": kind, **fields})
    named = b"event: %b\n" % kind.encode() if kind.startswith("image") else b""
    return Frame(frame, b"%bdata: %b\n\n" % (named, data))
