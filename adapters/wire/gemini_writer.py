"""Answers and streams written for callers who speak Gemini's generateContent."""

from typing import Any

import msgspec

from adapters.wire.anthropic_writer import parsed_arguments
from adapters.wire.gemini_frames import frame
from adapters.wire.gemini_logprobs import logprobs_result
from adapters.wire.gemini_parts import signature_of
from adapters.wire.gemini_words import Json, camelled, finish_reason, usage_metadata
from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Piece,
    Scored,
    Started,
    StreamPiece,
    StreamWriter,
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from adapters.wire.seals import seal
from application.ports.llm import UpstreamCall
from domain.llm.stream import ContentKind
from domain.llm.usage import Usage

_encode = msgspec.json.encode


class _Asked(msgspec.Struct):
    generationConfig: Any = None  # noqa: N815 - Google's own name
    generation_config: Any = None


def wants_thoughts(body: bytes) -> bool:
    """Whether the caller asked to see thoughts; Gemini hides them otherwise."""
    if b"nclude" not in body:
        return False
    asked = msgspec.json.decode(body, type=_Asked)
    config = camelled(asked.generationConfig or asked.generation_config)
    thinking = config.get("thinkingConfig") if isinstance(config, dict) else None
    return isinstance(thinking, dict) and thinking.get("includeThoughts") is True


def answer_to(answer: Answer, call: UpstreamCall) -> bytes:
    """The answer without the reasoning that the caller did not ask to see; its marks stay."""
    if not wants_thoughts(call.request.body):
        answer = answer._replace(choices=tuple(choice._replace(reasoning="") for choice in answer.choices))
    return write_answer(answer)


def write_answer(answer: Answer) -> bytes:
    """A whole generateContent answer."""
    body: Json = {"candidates": [_candidate(choice) for choice in answer.choices]}
    if answer.usage is not None:
        body["usageMetadata"] = usage_metadata(answer.usage)
    return _encode(body | {"modelVersion": answer.model, "responseId": answer.id})


def _candidate(choice: Choice) -> Json:
    parts: list[Json] = []
    if choice.reasoning:
        parts.append({"text": choice.reasoning, "thought": True})
    text = choice.text or choice.refusal
    marked: list[Json] = []
    if text or not choice.tool_calls:
        marked.append({"text": text})
    calls = [call_part(call) for call in choice.tool_calls]
    if choice.thoughts:
        # Marks travel on what SDKs are sure to send back: the first call, or else the text.
        (calls or marked)[0]["thoughtSignature"] = seal(choice.thoughts)
    candidate: Json = {
        "content": {"parts": [*parts, *marked, *calls], "role": "model"},
        "finishReason": "SAFETY" if choice.refusal else finish_reason(choice.finish_reason),
        "index": choice.number,
    }
    if choice.logprobs:
        candidate["logprobsResult"] = logprobs_result(choice.logprobs)
    return candidate


def call_part(call: ToolCall) -> Json:
    """One call as a part."""
    made: Json = {"name": call.name, "args": parsed_arguments(call.arguments)}
    if call.id:
        made["id"] = call.id
    part: Json = {"functionCall": made}
    if mark := signature_of(call.extra):
        part["thoughtSignature"] = mark
    return part


class _Open:
    """What one choice has said so far but not yet sent, or needs at its end."""

    __slots__ = ("calls", "reason", "refused", "said", "thoughts", "words")

    def __init__(self) -> None:
        self.calls: dict[int, tuple[ToolStarted, list[str]]] = {}
        self.thoughts: list[Thought] = []
        self.words: list[str] = []
        self.reason = ""
        self.refused = False
        self.said = False


class GeminiWriter(StreamWriter):
    """Partial answers. Calls are sent whole, when their choice ends: Gemini knows no pieces of arguments.

    Reasons and usage come in one last chunk, as Gemini's own streams end.
    """

    __slots__ = ("_choices", "_finished", "_id", "_model", "_thoughts_shown")

    def __init__(self, call: UpstreamCall) -> None:
        self._id = call.request_id
        self._model = call.target.model
        self._thoughts_shown = wants_thoughts(call.request.body)
        self._choices: dict[int, _Open] = {}
        self._finished = False

    def write(self, piece: StreamPiece) -> bytes:
        match piece:
            case Piece(choice, kind, text):
                return self._text(choice, kind, text)
            case ToolStarted(choice, tool):
                self._open(choice).calls[tool] = (piece, [])
            case ToolArguments(choice, tool, text):
                if tool in self._open(choice).calls:
                    self._open(choice).calls[tool][1].append(text)
            case ThoughtEnded(choice, thought):
                found = self._open(choice)
                found.thoughts.append(thought._replace(text=thought.text or "".join(found.words)))
                found.words.clear()
            case Scored(choice, logprobs):
                return self._chunk(choice, [], logprobsResult=logprobs_result(logprobs))
            case ChoiceEnded(choice, reason):
                self._open(choice).reason = reason
            case Started(answer_id, model):
                self._id = answer_id or self._id
                self._model = model or self._model
        return b""

    def finish(self, usage: Usage | None) -> bytes:
        if self._finished:
            return b""
        self._finished = True
        candidates = [
            {
                "content": {"parts": self._last_parts(found), "role": "model"},
                "finishReason": "SAFETY" if found.refused else finish_reason(found.reason),
                "index": choice,
            }
            for choice, found in sorted(self._choices.items())
        ]
        counted = {} if usage is None else {"usageMetadata": usage_metadata(usage)}
        return self._frame({"candidates": candidates, **counted})

    def _open(self, choice: int) -> _Open:
        found = self._choices.get(choice)
        if found is None:
            found = self._choices[choice] = _Open()
        return found

    def _text(self, choice: int, kind: ContentKind, text: str) -> bytes:
        found = self._open(choice)
        if kind is ContentKind.TOOL_CALL or not text:
            return b""
        if kind is ContentKind.REASONING:
            found.words.append(text)
            return self._chunk(choice, [{"text": text, "thought": True}]) if self._thoughts_shown else b""
        if kind is ContentKind.REFUSAL:
            found.refused = True
        return self._chunk(choice, [{"text": text}])

    def _last_parts(self, found: _Open) -> list[Json]:
        parts = [
            call_part(ToolCall(started.id, started.name, "".join(texts), started.extra))
            for started, texts in found.calls.values()
        ] or [{"text": ""}]
        if found.thoughts:
            parts[0]["thoughtSignature"] = seal(found.thoughts)
        return parts

    def _chunk(self, choice: int, parts: list[Json], **more: Any) -> bytes:
        candidate = {"content": {"parts": parts, "role": "model"}, "index": choice, **more}
        return self._frame({"candidates": [candidate]})

    def _frame(self, body: Json) -> bytes:
        return frame({**body, "modelVersion": self._model, "responseId": self._id})
