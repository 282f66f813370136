"""Gemini's answers and streams read into the pivot."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from adapters.wire.errors import bad_response, error_in_success
from adapters.wire.gemini_logprobs import chat_logprobs
from adapters.wire.gemini_parts import call_signature
from adapters.wire.gemini_words import BROKEN_REASONS, FINISH_REASONS
from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Piece,
    Scored,
    Started,
    StreamPiece,
    StreamReader,
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from application.ports.llm import UpstreamFailed
from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import ContentKind, Faulted
from domain.llm.usage import Usage


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
    finish_message: str | None = None
    logprobs_result: Any = None


class _Feedback(Struct, rename="camel"):
    block_reason: str | None = None


class Response(Struct, rename="camel"):
    """What is read of a generateContent answer, whole or partial."""

    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: GeminiUsage | None = None
    model_version: str = ""
    response_id: str = ""
    error: Any = None


RESPONSE = msgspec.json.Decoder(Response)


def _blocked(response: Response) -> Failure | None:
    """The failure of a prompt that was refused as a whole."""
    feedback = response.prompt_feedback
    if response.candidates or feedback is None or feedback.block_reason is None:
        return None
    reason = feedback.block_reason
    return Failure(
        kind=FailureKind.CONTENT_POLICY, message=f"the provider refused the prompt: {reason}", code=reason
    )


def _call(response: Response, candidate: int, number: int, part: _Part) -> ToolCall:
    called = part.function_call or _FunctionCall()
    extra = call_signature(part.thought_signature) if part.thought_signature else None
    call_id = called.id or f"call_{response.response_id}_{candidate}_{number}"
    arguments = bytes(called.args).decode()
    return ToolCall(call_id, called.name, "{}" if arguments == "null" else arguments, extra)


def _reason(candidate: _Candidate, calls: int) -> str:
    reason = FINISH_REASONS.get(candidate.finish_reason or "STOP", "stop")
    return "tool_calls" if calls and reason == "stop" else reason


def first_reason(response: Response) -> str | None:
    """Why the first candidate ended; a refused prompt is a matter of content."""
    if not response.candidates:
        return "content_filter"
    first = response.candidates[0]
    parts = (first.content and first.content.parts) or ()
    return _reason(first, sum(part.function_call is not None for part in parts))


def _broken(candidate: _Candidate) -> Failure:
    """The failure of a candidate that ended without an answer; another attempt may do better."""
    said = f": {candidate.finish_message}" if candidate.finish_message else ""
    return bad_response(f"the answer came to nothing ({candidate.finish_reason}){said}")


def read_answer(body: bytes) -> Answer:
    """A complete answer. Raises msgspec.DecodeError when it is none, UpstreamFailed for a refused prompt."""
    response = RESPONSE.decode(body)
    if response.error is not None:
        raise UpstreamFailed(error_in_success(response.error, body))
    if (failure := _blocked(response)) is not None:
        raise UpstreamFailed(failure)
    choices: list[Choice] = []
    for candidate in response.candidates or ():
        parts = (candidate.content and candidate.content.parts) or []
        if not parts and candidate.finish_reason in BROKEN_REASONS:
            raise UpstreamFailed(_broken(candidate))
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
                thoughts=_thoughts(parts),
                logprobs=chat_logprobs(candidate.logprobs_result) or None,
            )
        )
    return Answer(
        response.response_id, response.model_version, tuple(choices), inclusive(response.usage_metadata)
    )


def _thoughts(parts: list[_Part]) -> tuple[Thought, ...]:
    """Marks on thoughts, and on the text that follows thoughts; marks on calls stay with their calls."""
    thought = any(part.thought for part in parts)
    return tuple(
        Thought(part.text if part.thought else "", "gemini", part.thought_signature)
        for part in parts
        if thought and part.thought_signature and part.function_call is None
    )


class GeminiReader(StreamReader):
    """One stream's chunks. There is no end marker; the finish reason ends it.

    `verbatim`: the chunks go on as they are, so that a refused prompt is an answer and no failure.
    """

    __slots__ = ("_begun", "_calls", "_id", "_said", "_thought", "_verbatim")

    def __init__(self, *, verbatim: bool = False) -> None:
        self._verbatim = verbatim
        self._said: set[int] = set()
        self._thought: set[int] = set()
        self._begun = False
        self._calls: dict[int, int] = {}
        self._id = ""

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:  # noqa: ARG002
        response = RESPONSE.decode(data)
        if response.error is not None:
            return [Faulted(error_in_success(response.error, data))]
        if (failure := _blocked(response)) is not None:
            return [ChoiceEnded(0, "content_filter")] if self._verbatim else [Faulted(failure)]
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
            if candidate.logprobs_result is not None and (scored := chat_logprobs(candidate.logprobs_result)):
                pieces.append(Scored(candidate.index, scored))
            if candidate.finish_reason:
                if self._came_to_nothing(candidate):
                    return [Faulted(_broken(candidate))]
                calls = self._calls.get(candidate.index, 0)
                pieces.append(ChoiceEnded(candidate.index, _reason(candidate, calls)))
        if (usage := inclusive(response.usage_metadata)) is not None:
            pieces.append(Counted(usage))
        return pieces

    def _came_to_nothing(self, candidate: _Candidate) -> bool:
        if self._verbatim or candidate.finish_reason not in BROKEN_REASONS:
            return False
        return candidate.index not in self._said and candidate.index not in self._calls

    def _read_part(self, response: Response, candidate: int, part: _Part, pieces: list[StreamPiece]) -> None:
        if part.function_call is not None:
            number = self._calls.get(candidate, 0)
            self._calls[candidate] = number + 1
            call = _call(response, candidate, number, part)
            pieces.append(ToolStarted(candidate, number, call.id, call.name, call.extra))
            pieces.append(ToolArguments(candidate, number, call.arguments))
            return
        begins = candidate not in self._said
        if part.text:
            kind = ContentKind.REASONING if part.thought else ContentKind.TEXT
            (self._thought if part.thought else self._said).add(candidate)
            pieces.append(Piece(candidate, kind, part.text))
        if part.thought_signature and candidate in self._thought:
            mark = ThoughtEnded(candidate, Thought("", "gemini", part.thought_signature))
            # The mark on the first text is the thoughts' before it, and other wires say it there.
            before = part.text and not part.thought and begins
            pieces.insert(len(pieces) - 1 if before else len(pieces), mark)
