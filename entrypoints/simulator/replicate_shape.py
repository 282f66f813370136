"""Replicate's shape: predictions of language models, their event streams and errors.

After Replicate's "HTTP API" reference (`models.predictions.create`, `predictions.create`, `.get`, `.cancel`),
"Streaming output" (events `output`, `error`, `done`; tokens of several lines in several `data` lines) and
"Prediction lifecycle". Inputs are those of Meta's official models there.
"""

from typing import Any, NamedTuple

import msgspec

from entrypoints.simulator.conversation import Answer, Ask, Frame, FrameKind, Rejected, Tokens, input_tokens

CREATE, FETCH, CANCEL, STREAM = "predict", "prediction", "cancel_prediction", "prediction_stream"
OPERATIONS = frozenset({CREATE, FETCH, CANCEL, STREAM})
CREATED_AT = "2026-01-01T00:00:00.000Z"
_NUMBERS = ("temperature", "top_p", "top_k", "max_tokens", "min_tokens", "seed", "presence_penalty")
_encode = msgspec.json.encode


class PredictionPath(NamedTuple):
    """What a path of the API is: an operation, its method and the model, if the path names one."""

    operation: str
    method: str = "POST"
    model: str | None = None


def prediction_path(segments: list[str]) -> PredictionPath | None:
    """The meaning of a path's segments behind the provider's own; None for another shape's."""
    match segments:
        case ["v1", "models", owner, name, "predictions"]:
            return PredictionPath(CREATE, model=f"{owner}/{name}")
        case ["v1", "predictions"]:
            return PredictionPath(CREATE)
        case ["v1", "predictions", _]:
            return PredictionPath(FETCH, "GET")
        case ["v1", "predictions", _, "cancel"]:
            return PredictionPath(CANCEL)
        case ["v1", "streams", _]:
            return PredictionPath(STREAM, "GET")
    return None


def parse_prediction(model: str | None, body: dict[str, Any]) -> Ask:
    """A prediction to be made.

    Raises:
        Rejected: no version where the path names no model, or an input of a wrong type.
    """
    version, given = body.get("version"), body.get("input")
    if model is None and not isinstance(version, str):
        raise Rejected(422, "- version is required\n")
    if model is not None and version is not None:
        raise Rejected(422, "- Additional property version is not allowed\n")
    if not isinstance(given, dict):
        raise Rejected(422, "- input is required\n")
    prompt, system = given.get("prompt"), given.get("system_prompt", "")
    if not isinstance(prompt, str) or not isinstance(system, str):
        raise Rejected(422, "- input.prompt: Invalid type. Expected: string\n")
    for name in _NUMBERS:
        if not isinstance(given.get(name, 0), int | float):
            raise Rejected(422, f"- input.{name}: Invalid type. Expected: number\n")
    text = f"{system}\n{prompt}" if system else prompt
    stops = given.get("stop_sequences") or ""
    return Ask(
        model=model or str(version),
        prompt=text,
        question=prompt,
        input_tokens=input_tokens(len(text.encode("utf-8", "surrogatepass")), 1),
        stream=body.get("stream") is True,
        max_tokens=given.get("max_tokens"),
        stop=tuple(stop for stop in stops.split(",") if stop),
    )


class Shown(NamedTuple):
    """One prediction as it stands. `root` is the API's address."""

    id: str
    root: str
    model: str
    given: dict[str, Any]
    stream: bool


def prediction_body(
    shown: Shown,
    status: str,
    *,
    answer: Answer | None = None,
    tokens: Tokens | None = None,
    error: str | None = None,
) -> bytes:
    """A prediction; `answer` and `tokens` once it succeeded, `error` once it failed."""
    urls = {"get": f"{shown.root}/predictions/{shown.id}"}
    urls["cancel"] = f"{urls['get']}/cancel"
    if shown.stream:
        urls["stream"] = f"{shown.root}/streams/{shown.id}"
    metrics: dict[str, Any] = {}
    if tokens is not None:
        metrics = {"input_token_count": tokens.input, "output_token_count": tokens.output}
        metrics |= {"predict_time": 0.25, "total_time": 0.3, "time_to_first_token": 0.1}
    return _encode(
        {
            "id": shown.id,
            "model": shown.model,
            "version": "hidden",
            "input": shown.given,
            "logs": "",
            "output": None if answer is None else list(answer.choices[0].pieces),
            "data_removed": False,
            "error": error,
            "status": status,
            "created_at": CREATED_AT,
            "urls": urls,
            "metrics": metrics,
        }
    )


def _event(kind: str, data: str, place: int = 0) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {kind}\nid: 1690212292:{place}\n{lines}\n".encode()


def prediction_frames(answer: Answer) -> list[Frame]:
    """An answer's events."""
    pieces = answer.choices[0].pieces
    frames = [Frame(FrameKind.CONTENT, _event("output", piece, place)) for place, piece in enumerate(pieces)]
    return [*frames, Frame(FrameKind.FINISH, _event("done", "{}", len(pieces)))]


def failed_frames(error: str) -> list[Frame]:
    """The events of a prediction that fails before it says anything."""
    said = _event("error", _encode({"detail": error}).decode())
    return [
        Frame(FrameKind.META, said),
        Frame(FrameKind.FINISH, _event("done", '{"reason": "error"}', 1)),
    ]


def error_of(status: int, message: str, *, kind: str | None, code: str | None, param: str | None) -> bytes:  # noqa: ARG001
    """A problem document."""
    titles = {
        401: "Unauthenticated",
        402: "Insufficient credit",
        404: "Not found",
        422: "Input validation failed",
    }
    return _encode({"title": titles.get(status, "Error"), "detail": message, "status": status})


def error_frame(status: int, message: str, *, kind: str | None, code: str | None) -> bytes:  # noqa: ARG001
    """An error inside a stream."""
    return _event("error", _encode({"detail": message}).decode())
