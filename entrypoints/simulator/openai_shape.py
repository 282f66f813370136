"""OpenAI's answers: chat completions, legacy completions, embeddings, models, errors and streams."""

import base64
import struct
from typing import Any

import msgspec

from entrypoints.simulator.answers import LOGPROB
from entrypoints.simulator.conversation import (
    Answer,
    Ask,
    Choice,
    Embedded,
    Frame,
    FrameKind,
    Tokens,
)

CREATED = 1_735_689_600
"""A constant creation time keeps answers byte-identical between runs."""

_FINISH = {"stop_sequence": "stop", "refusal": "stop"}
_encode = msgspec.json.encode


def usage_of(tokens: Tokens) -> dict[str, Any]:
    """Usage as OpenAI counts it: inclusive, with details."""
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning, "audio_tokens": 0},
    }


def _finish(choice: Choice) -> str:
    return _FINISH.get(choice.finish, choice.finish)


def chat_body(ask: Ask, answer: Answer) -> bytes:
    """A whole chat completion."""
    return _encode(
        {
            "id": f"chatcmpl-sim{answer.id}",
            "object": "chat.completion",
            "created": CREATED,
            "model": ask.model,
            "choices": [_chat_choice(ask, choice, index) for index, choice in enumerate(answer.choices)],
            "usage": usage_of(answer.tokens),
            "service_tier": "default",
            "system_fingerprint": "fp_simulated",
        }
    )


def _chat_choice(ask: Ask, choice: Choice, index: int) -> dict[str, Any]:
    refused = choice.finish == "refusal"
    text = choice.text
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if refused or choice.tool_calls else text,
        "refusal": text if refused else None,
    }
    if choice.reasoning:
        message["reasoning_content"] = "".join(choice.reasoning)
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "id": f"call_{call.id}",
                "type": "function",
                "function": {"name": call.name, "arguments": "".join(call.pieces)},
            }
            for call in choice.tool_calls
        ]
    logprobs = None
    if ask.top_logprobs is not None:
        logprobs = {
            "content": [_logprob(piece, ask.top_logprobs) for piece in choice.pieces],
            "refusal": None,
        }
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": _finish(choice)}


def _logprob(piece: str, top: int) -> dict[str, Any]:
    alternatives = [piece, *(f"{piece}{rank}" for rank in range(1, top))][:top]
    return {
        **_token(piece, 0),
        "top_logprobs": [_token(token, rank) for rank, token in enumerate(alternatives)],
    }


def _token(piece: str, rank: int) -> dict[str, Any]:
    return {"token": piece, "logprob": LOGPROB - rank, "bytes": list(piece.encode("utf-8", "surrogatepass"))}


def completion_body(ask: Ask, answer: Answer) -> bytes:
    """A whole legacy completion."""
    return _encode(
        {
            "id": f"cmpl-sim{answer.id}",
            "object": "text_completion",
            "created": CREATED,
            "model": ask.model,
            "choices": [
                {
                    "text": choice.text,
                    "index": index,
                    "logprobs": _legacy_logprobs(choice.pieces) if ask.top_logprobs is not None else None,
                    "finish_reason": _finish(choice),
                }
                for index, choice in enumerate(answer.choices)
            ],
            "usage": usage_of(answer.tokens),
        }
    )


def _legacy_logprobs(pieces: tuple[str, ...]) -> dict[str, Any]:
    offsets, at = [], 0
    for piece in pieces:
        offsets.append(at)
        at += len(piece)
    return {
        "tokens": list(pieces),
        "token_logprobs": [LOGPROB] * len(pieces),
        "top_logprobs": [{piece: LOGPROB} for piece in pieces],
        "text_offset": offsets,
    }


def _data(payload: dict[str, Any]) -> bytes:
    return b"data: " + _encode(payload) + b"\n\n"


def chat_frames(ask: Ask, answer: Answer) -> list[Frame]:
    """A chat completion as stream: role, deltas, finish reasons, usage when asked for, `[DONE]`."""
    return _frames(ask, answer, "chat.completion.chunk", "chatcmpl-sim", _chat_deltas)


def completion_frames(ask: Ask, answer: Answer) -> list[Frame]:
    """A legacy completion as stream."""
    return _frames(ask, answer, "text_completion", "cmpl-sim", _completion_deltas)


def _frames(ask: Ask, answer: Answer, kind: str, prefix: str, deltas: Any) -> list[Frame]:
    head: dict[str, Any] = {
        "id": prefix + answer.id,
        "object": kind,
        "created": CREATED,
        "model": ask.model,
        "system_fingerprint": "fp_simulated",
    }
    usage = {"usage": None} if ask.include_usage else {}
    frames = []
    for index, choice in enumerate(answer.choices):
        for frame_kind, part in deltas(ask, choice):
            frames.append(Frame(frame_kind, _data({**head, "choices": [{"index": index, **part}], **usage})))
    if ask.include_usage:
        frames.append(
            Frame(FrameKind.USAGE, _data({**head, "choices": [], "usage": usage_of(answer.tokens)}))
        )
    frames.append(Frame(FrameKind.DONE, b"data: [DONE]\n\n"))
    return frames


def _chat_deltas(ask: Ask, choice: Choice) -> list[tuple[int, dict[str, Any]]]:
    def part(delta: dict[str, Any], logprobs: Any = None, finish: str | None = None) -> dict[str, Any]:
        return {"delta": delta, "logprobs": logprobs, "finish_reason": finish}

    content, refused = FrameKind.CONTENT, choice.finish == "refusal"
    opening: dict[str, Any] = {
        "role": "assistant",
        "content": None if choice.tool_calls else "",
        "refusal": None,
    }
    deltas: list[tuple[int, dict[str, Any]]] = [(FrameKind.META, part(opening))]
    deltas += [(content, part({"reasoning_content": piece})) for piece in choice.reasoning]
    for number, call in enumerate(choice.tool_calls):
        named = {"index": number, "id": f"call_{call.id}", "type": "function"}
        named["function"] = {"name": call.name, "arguments": ""}
        deltas.append((FrameKind.CALL, part({"tool_calls": [named]})))
        for piece in call.pieces:
            deltas.append(
                (content, part({"tool_calls": [{"index": number, "function": {"arguments": piece}}]}))
            )
    for piece in choice.pieces:
        logprobs = None
        if ask.top_logprobs is not None:
            logprobs = {"content": [_logprob(piece, ask.top_logprobs)], "refusal": None}
        deltas.append((content, part({"refusal" if refused else "content": piece}, logprobs)))
    deltas.append((FrameKind.FINISH, part({}, None, _finish(choice))))
    return deltas


def _completion_deltas(ask: Ask, choice: Choice) -> list[tuple[int, dict[str, Any]]]:
    def part(text: str, logprobs: Any = None, finish: str | None = None) -> dict[str, Any]:
        return {"text": text, "logprobs": logprobs, "finish_reason": finish}

    with_logprobs = ask.top_logprobs is not None
    deltas = [
        (FrameKind.CONTENT, part(piece, _legacy_logprobs((piece,)) if with_logprobs else None))
        for piece in choice.pieces
    ]
    return [*deltas, (FrameKind.FINISH, part("", None, _finish(choice)))]


def embeddings_body(model: str, embedded: Embedded, *, as_base64: bool) -> bytes:
    """An embeddings answer, as floats or as base64 of little-endian float32."""

    def written(vector: tuple[float, ...]) -> Any:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if as_base64 else vector

    return _encode(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": written(vector)}
                for index, vector in enumerate(embedded.vectors)
            ],
            "model": model,
            "usage": {"prompt_tokens": embedded.tokens.input, "total_tokens": embedded.tokens.input},
        }
    )


def models_body(models: tuple[str, ...]) -> bytes:
    """The list of models."""
    listed = [{"id": name, "object": "model", "created": CREATED, "owned_by": "simulated"} for name in models]
    return _encode({"object": "list", "data": listed})


_ERROR_TYPES = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", None),
    429: ("requests", "rate_limit_exceeded"),
}


def error_of(status: int, message: str, *, kind: str | None, code: str | None, param: str | None) -> bytes:
    """An error body; type and code follow from the status unless given."""
    default = ("server_error", None) if status >= 500 else ("invalid_request_error", None)
    usual_kind, usual_code = _ERROR_TYPES.get(status, default)
    if code == "insufficient_quota":
        usual_kind = "insufficient_quota"
    error = {"message": message, "type": kind or usual_kind, "param": param, "code": code or usual_code}
    return _encode({"error": error})


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:
    """An error inside a stream."""
    return b"data: " + error_of(status, message, kind=kind, code=code, param=None) + b"\n\n"
