"""Gemini's answers and streams read into the pivot."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.errors import error_in_success
from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Piece,
    Started,
    StreamPiece,
    StreamReader,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from application.ports.llm import UpstreamFailed
from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import ContentKind, Faulted
from domain.llm.usage import Usage

_BLOCKED: Final = "content_filter"
FINISH_REASONS: Final[dict[str, str]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": _BLOCKED,
    "RECITATION": _BLOCKED,
    "BLOCKLIST": _BLOCKED,
    "PROHIBITED_CONTENT": _BLOCKED,
    "SPII": _BLOCKED,
    "IMAGE_SAFETY": _BLOCKED,
}
"""Gemini's reasons -> the pivot's; any other is an ordinary stop."""


class _Modality(Struct, rename="camel"):
    modality: str = ""
    token_count: int = 0


class GeminiUsage(Struct, rename="camel"):
    """Counts whose candidates EXCLUDE thoughts; the prompt includes what was cached."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    prompt_tokens_details: list[_Modality] | None = None
    cache_tokens_details: list[_Modality] | None = None
    candidates_tokens_details: list[_Modality] | None = None


def inclusive(wire: GeminiUsage | None) -> Usage | None:
    """Inclusive buckets; None when nothing was counted."""
    if wire is None or wire.prompt_token_count is None:
        return None
    thoughts = wire.thoughts_token_count or 0
    prompt, cached, out = (
        {item.modality: item.token_count for item in details or ()}
        for details in (
            wire.prompt_tokens_details,
            wire.cache_tokens_details,
            wire.candidates_tokens_details,
        )
    )
    return Usage(
        input_tokens=wire.prompt_token_count + (wire.tool_use_prompt_token_count or 0),
        output_tokens=(wire.candidates_token_count or 0) + thoughts,
        cached_read_tokens=wire.cached_content_token_count or 0,
        # What was cached is billed as cached, whatever its modality.
        input_audio_tokens=max(0, prompt.get("AUDIO", 0) - cached.get("AUDIO", 0)),
        input_image_tokens=max(0, prompt.get("IMAGE", 0) - cached.get("IMAGE", 0)),
        output_audio_tokens=out.get("AUDIO", 0),
        output_image_tokens=out.get("IMAGE", 0),
        reasoning_tokens=thoughts,
    )


class _FunctionCall(Struct):
    name: str = ""
    args: Raw = Raw(b"{}")
    id: str = ""


class _Part(Struct, rename="camel"):
    text: str = ""
    thought: bool = False
    function_call: _FunctionCall | None = None
    thought_signature: str = ""


class _Content(Struct):
    parts: list[_Part] | None = None


class _Candidate(Struct, rename="camel"):
    index: int = 0
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class _Response(Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: GeminiUsage | None = None
    model_version: str = ""
    response_id: str = ""
    error: Any = None


_RESPONSE = msgspec.json.Decoder(_Response)


def _blocked(response: _Response) -> Failure | None:
    """The failure of a prompt that was refused as a whole."""
    feedback = response.prompt_feedback
    if response.candidates or feedback is None or feedback.block_reason is None:
        return None
    reason = feedback.block_reason
    return Failure(
        kind=FailureKind.CONTENT_POLICY, message=f"the provider refused the prompt: {reason}", code=reason
    )


def _call(response: _Response, candidate: int, number: int, part: _Part) -> ToolCall:
    called = part.function_call or _FunctionCall()
    extra = {"google": {"thought_signature": part.thought_signature}} if part.thought_signature else None
    call_id = called.id or f"call_{response.response_id}_{candidate}_{number}"
    arguments = bytes(called.args).decode()
    return ToolCall(call_id, called.name, "{}" if arguments == "null" else arguments, extra)


def _reason(candidate: _Candidate, calls: int) -> str:
    reason = FINISH_REASONS.get(candidate.finish_reason or "STOP", "stop")
    return "tool_calls" if calls and reason == "stop" else reason


def read_answer(body: bytes) -> Answer:
    """A complete answer. Raises msgspec.DecodeError when it is none, UpstreamFailed for a refused prompt."""
    response = _RESPONSE.decode(body)
    if response.error is not None:
        raise UpstreamFailed(error_in_success(response.error, body))
    if (failure := _blocked(response)) is not None:
        raise UpstreamFailed(failure)
    choices: list[Choice] = []
    for candidate in response.candidates or ():
        parts = (candidate.content and candidate.content.parts) or []
        called = [part for part in parts if part.function_call is not None]
        choices.append(
            Choice(
                candidate.index,
                "".join(part.text for part in parts if not part.thought),
                "".join(part.text for part in parts if part.thought),
                tool_calls=tuple(
                    _call(response, candidate.index, place, part) for place, part in enumerate(called)
                ),
                finish_reason=_reason(candidate, len(called)),
            )
        )
    return Answer(
        response.response_id, response.model_version, tuple(choices), inclusive(response.usage_metadata)
    )


class GeminiReader(StreamReader):
    """One stream's chunks. There is no end marker; the finish reason ends it."""

    __slots__ = ("_begun", "_calls", "_id")

    def __init__(self) -> None:
        self._begun = False
        self._calls: dict[int, int] = {}
        self._id = ""

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:  # noqa: ARG002
        response = _RESPONSE.decode(data)
        if response.error is not None:
            return [Faulted(error_in_success(response.error, data))]
        if (failure := _blocked(response)) is not None:
            return [Faulted(failure)]
        pieces: list[StreamPiece] = []
        if not self._begun:
            self._begun = True
            self._id = response.response_id
            pieces.append(Started(response.response_id, response.model_version))
        # One id for the whole stream: made-up call ids must not change with it.
        response.response_id = self._id
        for candidate in response.candidates or ():
            for part in (candidate.content and candidate.content.parts) or ():
                self._read_part(response, candidate.index, part, pieces)
            if candidate.finish_reason:
                calls = self._calls.get(candidate.index, 0)
                pieces.append(ChoiceEnded(candidate.index, _reason(candidate, calls)))
        if (usage := inclusive(response.usage_metadata)) is not None:
            pieces.append(Counted(usage))
        return pieces

    def _read_part(self, response: _Response, candidate: int, part: _Part, pieces: list[StreamPiece]) -> None:
        if part.function_call is not None:
            number = self._calls.get(candidate, 0)
            self._calls[candidate] = number + 1
            call = _call(response, candidate, number, part)
            pieces.append(ToolStarted(candidate, number, call.id, call.name, call.extra))
            pieces.append(ToolArguments(candidate, number, call.arguments))
        elif part.text:
            kind = ContentKind.REASONING if part.thought else ContentKind.TEXT
            pieces.append(Piece(candidate, kind, part.text))
