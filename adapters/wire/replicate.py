"""Replicate's predictions of language models, said and read by the pivot.

Follows Replicate's HTTP API reference and its guides to language models, streaming and error codes. A
model takes `prompt` and `system_prompt`; there is no conversation, no tool, no schema. An official model
that is asked with turns gets them as text. Usage and the reason to stop are not in the stream: the prediction
itself tells them afterwards (`PREDICTION_EVENT`).
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.chat_parts import effort_of, output_limit, parts_of, schema_of, stops_of
from adapters.wire.errors import redacted
from adapters.wire.pivot import (
    ALIVE,
    ENDED,
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Piece,
    Started,
    StreamPiece,
    StreamReader,
)
from adapters.wire.pivot_codec import Draft, Json
from adapters.wire.thoughts import FIELD as THOUGHTS_FIELD
from application.ports.llm import UpstreamFailed
from domain.llm.failures import Failure, FailureKind, classify
from domain.llm.stream import ContentKind, Faulted
from domain.llm.usage import Usage

REPLICATE_PREDICTION: Final = "replicate.prediction"
PREDICTION_EVENT: Final = "prediction"
"""Not Replicate's: the name under which a finished prediction is read at the end of its stream."""

CHAT_FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "stream",
        "stream_options",
        "seed",
        "presence_penalty",
        "frequency_penalty",
        "n",
    }
)
"""Fields of a chat body that have a counterpart here."""

_INPUTS: Final = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
_SPOKEN: Final = {"assistant": "Assistant", "user": "User"}
_TERMINAL: Final = frozenset({"succeeded", "failed", "canceled", "aborted"})
_BY_ERROR_CODE: Final = {
    "E003": FailureKind.OVERLOADED,
    "E004": FailureKind.OVERLOADED,
    "E005": FailureKind.CONTENT_POLICY,
    "E006": FailureKind.CALLER_FAULT,
}
_ERROR_CODE: Final = re.compile(r"\((E\d{3,5})\)")
_MESSAGE_CHARS_MAX: Final = 500


def from_chat(chat: Json, draft: Draft) -> Json:
    """The body of a prediction.

    Raises UpstreamFailed (CALLER_FAULT) for tools, results of tools, several choices, and all but text.
    """
    if (chat.get("n") or 1) > 1:
        raise draft.refuse("n: this provider gives one choice per request")
    if chat.get("tools") or chat.get("functions"):
        raise draft.refuse("tools: the models of this provider call none")
    system, turns = _conversation(chat["messages"], draft)
    asked: Json = {"prompt": _prompt(turns)}
    if system:
        asked["system_prompt"] = "\n\n".join(system)
    limit = output_limit(chat)
    if limit:
        asked["max_tokens"] = limit
    stops = stops_of(chat)
    if any("," in stop for stop in stops):
        draft.drop("stop")
    elif stops:
        # The models that take stops take them in one text.
        asked["stop_sequences"] = ",".join(stops)
    asked |= {name: chat[name] for name in _INPUTS if chat.get(name) is not None}
    if schema_of(chat) is not None:
        draft.drop("response_format")
    if effort_of(chat) is not None:
        draft.drop("reasoning_effort")
    body: Json = {"input": asked}
    if chat.get("stream"):
        body["stream"] = True
    if version := draft.call.target.model.partition(":")[2]:
        # A community model's version; its path names no model.
        body["version"] = version
    return body


def _conversation(messages: list[Json], draft: Draft) -> tuple[list[str], list[tuple[str, str]]]:
    """(system texts, turns as role and text)."""
    system: list[str] = []
    turns: list[tuple[str, str]] = []
    for message in messages:
        role = message["role"]
        if message.get("tool_calls") or message.get("function_call") or role in ("tool", "function"):
            raise draft.refuse("messages: the models of this provider know no calls of tools")
        if role == "assistant" and (message.get("reasoning_content") or message.get(THOUGHTS_FIELD)):
            draft.drop("messages.reasoning_content")
        text = _text(message, draft)
        if role in ("system", "developer"):
            system.append(text)
        else:
            turns.append((role, text))
    return system, turns


def _text(message: Json, draft: Draft) -> str:
    texts: list[str] = []
    for part in parts_of(message.get("content")):
        if part.get("type") not in ("text", "refusal", None):
            raise draft.refuse(f"messages: this provider takes no content of type {part.get('type')}")
        texts.append(part.get("text") or part.get("refusal") or "")
    return "\n".join(texts)


def _prompt(turns: list[tuple[str, str]]) -> str:
    """One turn as it is; several as a transcript that ends where the model is to go on."""
    if len(turns) == 1 and turns[0][0] == "user":
        return turns[0][1]
    lines = [f"{_SPOKEN.get(role, 'User')}: {text}" for role, text in turns]
    if turns and turns[-1][0] != "assistant":
        lines.append("Assistant:")
    return "\n\n".join(lines)


class _Metrics(Struct):
    input_token_count: int | None = None
    output_token_count: int | None = None


class _Urls(Struct):
    stream: str = ""


class _Input(Struct):
    max_tokens: int | None = None
    max_new_tokens: int | None = None
    max_completion_tokens: int | None = None


class Prediction(Struct):
    """A prediction as far as it matters here; `output` is a text, or its pieces."""

    id: str
    status: str
    model: str = ""
    output: Raw = Raw(b"null")
    error: Any = None
    metrics: _Metrics | None = None
    urls: _Urls | None = None
    input: _Input | None = None

    @property
    def over(self) -> bool:
        return self.status in _TERMINAL

    @property
    def stream_url(self) -> str:
        return self.urls.stream if self.urls is not None else ""

    @property
    def usage(self) -> Usage | None:
        """None: not counted."""
        counts = self.metrics or _Metrics()
        if counts.input_token_count is None and counts.output_token_count is None:
            return None
        return Usage(counts.input_token_count or 0, counts.output_token_count or 0)

    @property
    def finish_reason(self) -> str:
        """Replicate gives none; as many tokens as were allowed means that the limit ended it."""
        asked, usage = self.input or _Input(), self.usage
        limit = asked.max_tokens or asked.max_new_tokens or asked.max_completion_tokens
        return "length" if limit and usage is not None and usage.output_tokens >= limit else "stop"

    @property
    def failure(self) -> Failure | None:
        """What a prediction that ended badly means; None for any other."""
        if self.status == "succeeded" or not self.over:
            return None
        said = self.error if isinstance(self.error, str) and self.error else f"the prediction {self.status}"
        return _failure(said)


class _Done(Struct):
    """The last event's data; `reason` is there unless the prediction succeeded."""

    reason: str | None = None


_DONE = msgspec.json.Decoder(_Done)
_PREDICTION = msgspec.json.Decoder(Prediction)
_OUTPUT = msgspec.json.Decoder(str | list[str] | None)


def prediction_in(body: bytes) -> Prediction:
    """Raises msgspec.DecodeError when it is none."""
    return _PREDICTION.decode(body)


def _failure(said: str) -> Failure:
    code = _ERROR_CODE.search(said)
    kind = _BY_ERROR_CODE.get(code.group(1)) if code else None
    if kind is None:
        kind = classify(400, message=said)
        # A prediction that was taken and then failed is no fault of the caller unless its text says so.
        kind = FailureKind.SERVER_ERROR if kind is FailureKind.CALLER_FAULT else kind
    return Failure(
        kind=kind,
        message=redacted(said)[:_MESSAGE_CHARS_MAX],
        code=code.group(1) if code else None,
    )


def read_answer(body: bytes) -> Answer:
    """A prediction that is over.

    Raises msgspec.DecodeError when it is none, UpstreamFailed when it failed.
    """
    prediction = _PREDICTION.decode(body)
    if (failure := prediction.failure) is not None:
        raise UpstreamFailed(failure)
    if not prediction.over:
        raise msgspec.ValidationError(f"a prediction that is over is expected, not one {prediction.status!r}")
    output = _OUTPUT.decode(prediction.output)
    text = "".join(output) if isinstance(output, list) else output or ""
    choice = Choice(0, text, finish_reason=prediction.finish_reason)
    return Answer(prediction.id, prediction.model, (choice,), prediction.usage)


class ReplicateReader(StreamReader):
    """One stream's events: `output` with text, `error`, `done`; then the prediction itself."""

    __slots__ = ("_done",)

    def __init__(self) -> None:
        self._done = False

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:
        match event:
            case "output":
                return [Piece(0, ContentKind.TEXT, data.decode())] if data else [ALIVE]
            case "done":
                return self._read_done(data)
            case "error":
                return [Faulted(_failure(_said(data)))]
            case "prediction":
                return self._read_prediction(data)
            case "logs":
                return [ALIVE]
        raise msgspec.ValidationError("an event of an unknown kind")

    def _read_done(self, data: bytes) -> list[StreamPiece]:
        ended = _DONE.decode(data) if data.strip() else _Done()
        if ended.reason in ("canceled", "error"):
            return [Faulted(_failure(f"the prediction ended: {ended.reason}"))]
        self._done = True
        return [ALIVE]

    def _read_prediction(self, data: bytes) -> list[StreamPiece]:
        prediction = _PREDICTION.decode(data)
        if not self._done:
            return [Started(prediction.id, prediction.model)]
        if (failure := prediction.failure) is not None:
            return [Faulted(failure)]
        usage = prediction.usage
        counted: list[StreamPiece] = [] if usage is None else [Counted(usage)]
        return [ChoiceEnded(0, prediction.finish_reason), *counted, ENDED]


def _said(data: bytes) -> str:
    """An error event's text: JSON with a `detail`, or plain."""
    try:
        told = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data.decode("utf-8", "replace")
    if isinstance(told, dict):
        return str(told.get("detail") or told.get("message") or told)
    return str(told)
