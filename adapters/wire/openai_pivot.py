"""OpenAI's chat and text completions read into the pivot, and written for callers who speak them."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.errors import error_in_success
from adapters.wire.openai_stream import (
    Chunk,
    ChunkChoice,
    DeltaBody,
    ToolCallDelta,
    typed_parts,
)
from adapters.wire.openai_usage import OpenAiUsage, usage_object, usage_of
from adapters.wire.own_marks import marked
from adapters.wire.pivot import (
    ENDED,
    Answer,
    Choice,
    ChoiceEnded,
    Counted,
    Piece,
    Scored,
    Started,
    StreamPiece,
    StreamReader,
    StreamWriter,
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from adapters.wire.thoughts import FIELD, details_of, thoughts_of
from application.ports.llm import UpstreamCall, UpstreamFailed
from domain.llm.stream import ContentKind, Faulted
from domain.llm.usage import Usage

wall_clock: Callable[[], float] = time.time
"""For `created` where the provider gives no time; it decides nothing."""

_KEYS: Final = {
    ContentKind.TEXT: "content",
    ContentKind.REASONING: "reasoning_content",
    ContentKind.REFUSAL: "refusal",
}
_CHUNK = msgspec.json.Decoder(Chunk)
_encode = msgspec.json.encode


class _Function(Struct):
    name: str = ""
    arguments: str = ""


class _Call(Struct):
    id: str = ""
    function: _Function | None = None
    extra_content: dict[str, Any] | None = None


class _Scores(Struct):
    content: list[dict[str, Any]] | None = None


class _Said(Struct):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(Struct):
    index: int = 0
    message: _Said | None = None
    logprobs: _Scores | None = None
    finish_reason: str | None = None


class _Answer(Struct):
    choices: list[_Choice]
    id: str | None = None
    model: str | None = None
    created: int | None = None
    usage: OpenAiUsage | None = None
    service_tier: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes) -> Answer:
    """A chat completion. Raises msgspec.DecodeError when it is none, UpstreamFailed for an error in it."""
    answer = _ANSWER.decode(body)
    if answer.error is not None:
        raise UpstreamFailed(error_in_success(answer.error, body))
    choices = tuple(_read_choice(choice) for choice in answer.choices)
    usage = usage_of(answer.usage, answer.service_tier)
    return Answer(answer.id or "", answer.model or "", choices, usage, answer.created or 0)


def _read_choice(choice: _Choice) -> Choice:
    said = choice.message or _Said()
    content = said.content
    reasoning = said.reasoning_content or said.reasoning or ""
    if isinstance(content, list):
        parts = typed_parts(content)
        reasoning += "".join(text for kind, text in parts if kind is ContentKind.REASONING)
        content = "".join(text for kind, text in parts if kind is ContentKind.TEXT)
    calls = [
        ToolCall(call.id, call.function.name, call.function.arguments, call.extra_content)
        for call in said.tool_calls or ()
        if call.function is not None
    ]
    if said.function_call is not None:
        calls.append(ToolCall("call_0", said.function_call.name, said.function_call.arguments))
    return Choice(
        choice.index,
        content or "",
        reasoning,
        said.refusal or "",
        tuple(calls),
        choice.finish_reason or "stop",
        tuple(thoughts_of({FIELD: said.reasoning_details})),
        (choice.logprobs and choice.logprobs.content) or None,
    )


class ChatReader(StreamReader):
    """One chat stream's chunks."""

    __slots__ = ("_begun", "_tools")

    def __init__(self) -> None:
        self._begun = False
        self._tools: set[tuple[int, int]] = set()

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:  # noqa: ARG002
        if data.strip() == b"[DONE]":
            return [ENDED]
        chunk = _CHUNK.decode(data)
        if chunk.error is not None:
            return [Faulted(error_in_success(chunk.error, data))]
        pieces: list[StreamPiece] = []
        if not self._begun and (chunk.id or chunk.choices):
            # Azure tells about the prompt in a first chunk that is nameless and has no choices.
            self._begun = True
            pieces.append(Started(chunk.id or "", chunk.model or "", chunk.created or 0))
        for choice in chunk.choices or ():
            self._read_choice(choice, pieces)
        if chunk.usage is not None and (usage := usage_of(chunk.usage, chunk.service_tier)) is not None:
            pieces.append(Counted(usage))
        return pieces

    def _read_choice(self, choice: ChunkChoice, pieces: list[StreamPiece]) -> None:
        delta, index = choice.delta or DeltaBody(), choice.index
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            pieces.append(Piece(index, ContentKind.REASONING, thought))
        if isinstance(delta.content, list):
            pieces += [Piece(index, kind, text) for kind, text in typed_parts(delta.content)]
        elif delta.content or choice.text:
            pieces.append(Piece(index, ContentKind.TEXT, delta.content or choice.text or ""))
        if delta.refusal:
            pieces.append(Piece(index, ContentKind.REFUSAL, delta.refusal))
        calls = delta.tool_calls or []
        if delta.function_call is not None:
            calls = [*calls, ToolCallDelta(index=0, id="call_0", function=delta.function_call)]
        for place, call in enumerate(calls):
            self._read_call(index, place if call.index is None else call.index, call, pieces)
        if choice.finish_reason:
            pieces.append(ChoiceEnded(index, choice.finish_reason))

    def _read_call(self, choice: int, tool: int, call: ToolCallDelta, pieces: list[StreamPiece]) -> None:
        name = (call.function and call.function.name) or ""
        if (choice, tool) not in self._tools:
            self._tools.add((choice, tool))
            pieces.append(ToolStarted(choice, tool, call.id or f"call_{tool}", name, call.extra_content))
        if call.function is not None and call.function.arguments:
            pieces.append(ToolArguments(choice, tool, call.function.arguments))


def completion_id(answer_id: str) -> str:
    """A chat completion's id made of whatever id the provider gave."""
    return answer_id if answer_id.startswith("chatcmpl-") else f"chatcmpl-{answer_id.removeprefix('msg_')}"


def write_answer(answer: Answer) -> bytes:
    """A chat completion."""
    body: dict[str, Any] = {
        "id": completion_id(answer.id),
        "object": "chat.completion",
        "created": answer.created or int(wall_clock()),
        "model": answer.model,
        "choices": [_written(choice) for choice in answer.choices],
    }
    if answer.usage is not None:
        body["usage"] = usage_object(answer.usage)
    return _encode(body)


def _written(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": choice.text or None,
        "refusal": choice.refusal or None,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.thoughts:
        message[FIELD] = [marked(detail) for detail in details_of(choice.thoughts)]
    if choice.tool_calls:
        message["tool_calls"] = [written_call(call) for call in choice.tool_calls]
    elif not choice.text and not choice.refusal:
        message["content"] = ""
    return {
        "index": choice.number,
        "message": message,
        "logprobs": {"content": choice.logprobs, "refusal": None} if choice.logprobs else None,
        "finish_reason": choice.finish_reason,
    }


def written_call(call: ToolCall) -> dict[str, Any]:
    """A call as it stands in a message."""
    written: dict[str, Any] = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": call.arguments},
    }
    if call.extra:
        written["extra_content"] = marked(call.extra)
    return written


class ChatWriter(StreamWriter):
    """Chat completion chunks with one id, model and time; usage last, for callers who asked."""

    __slots__ = ("_created", "_finished", "_id", "_include_usage", "_model", "_roles", "_thoughts", "_words")

    def __init__(self, call: UpstreamCall) -> None:
        self._id = completion_id(call.request_id)
        self._model = call.target.model
        self._created = 0
        self._include_usage = call.request.include_usage
        self._roles: set[int] = set()
        self._thoughts: dict[int, int] = {}
        self._words: dict[int, list[str]] = {}
        self._finished = False

    def write(self, piece: StreamPiece) -> bytes:
        match piece:
            case Piece(choice, kind, text):
                key = _KEYS.get(kind)
                if kind is ContentKind.REASONING:
                    self._words.setdefault(choice, []).append(text)
                return self._chunk(choice, {key: text}) if key and text else b""
            case ToolArguments(choice, tool, text):
                return self._chunk(choice, {"tool_calls": [{"index": tool, "function": {"arguments": text}}]})
            case ToolStarted(choice, tool, call_id, name, extra):
                call = {"index": tool, **written_call(ToolCall(call_id, name, "", extra))}
                return self._chunk(choice, {"tool_calls": [call]})
            case ThoughtEnded(choice, thought):
                return self._marked(choice, thought)
            case Scored(choice, logprobs):
                return self._chunk(choice, {}, logprobs={"content": logprobs, "refusal": None})
            case ChoiceEnded(choice, reason):
                return self._chunk(choice, {}, reason)
            case Started(answer_id, model, created):
                self._id = completion_id(answer_id) if answer_id else self._id
                self._model = model or self._model
                self._created = created or self._created
                return self._chunk(0, {"content": ""})
        return b""

    def finish(self, usage: Usage | None) -> bytes:
        if self._finished or not self._include_usage or usage is None:
            return b""
        self._finished = True
        return self._frame([], usage)

    def _marked(self, choice: int, thought: Thought) -> bytes:
        """The marks with the words they vouch for, so that callers can send both back as one."""
        words = "".join(self._words.pop(choice, ()))
        (detail,) = details_of([thought._replace(text=thought.text or words)])
        detail["index"] = self._thoughts.get(choice, 0)
        self._thoughts[choice] = detail["index"] + 1
        return self._chunk(choice, {FIELD: [marked(detail)]})

    def _chunk(
        self, choice: int, delta: dict[str, Any], reason: str | None = None, logprobs: Any = None
    ) -> bytes:
        if choice not in self._roles:
            self._roles.add(choice)
            delta = {"role": "assistant", **delta}
        return self._frame([{"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": reason}])

    def _frame(self, choices: list[dict[str, Any]], usage: Usage | None = None) -> bytes:
        self._created = self._created or int(wall_clock())
        chunk: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
        if usage is not None:
            chunk["usage"] = usage_object(usage)
        return b"data: " + _encode(chunk) + b"\n\n"
