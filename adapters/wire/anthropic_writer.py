"""Answers and streams written for callers who speak Anthropic's messages."""

from typing import Any, Final

import msgspec

from adapters.wire.anthropic import exclusive
from adapters.wire.pivot import (
    Answer,
    Choice,
    ChoiceEnded,
    Piece,
    Started,
    StreamPiece,
    StreamWriter,
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolStarted,
)
from adapters.wire.seals import seal
from application.ports.llm import UpstreamCall
from domain.llm.stream import ContentKind
from domain.llm.usage import NO_USAGE, Usage

_REASONS: Final[dict[str, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
MAKER: Final = "anthropic"
_encode = msgspec.json.encode


def stop_reason(finish_reason: str) -> str:
    """The pivot's reason in Anthropic's words."""
    return _REASONS.get(finish_reason, "end_turn")


def message_id(answer_id: str) -> str:
    """A message id made of whatever id the provider gave."""
    return answer_id if answer_id.startswith("msg_") else f"msg_{answer_id}"


def write_answer(answer: Answer) -> bytes:
    """One message; only the first choice, because the shape has no more."""
    choice = answer.choices[0]
    content: list[dict[str, Any]] = []
    content += _thinking(choice)
    if choice.text or choice.refusal:
        content.append({"type": "text", "text": choice.text or choice.refusal})
    content += [
        _tool_use(call.id, call.name, parsed_arguments(call.arguments), call.extra)
        for call in choice.tool_calls
    ]
    return _encode(
        {
            "id": message_id(answer.id),
            "type": "message",
            "role": "assistant",
            "model": answer.model,
            "content": content,
            "stop_reason": "refusal" if choice.refusal else stop_reason(choice.finish_reason),
            "stop_sequence": None,
            "usage": exclusive(answer.usage or NO_USAGE),
        }
    )


def answer_to(answer: Answer, call: UpstreamCall) -> bytes:
    """The same under the name the caller asked for: Claude Code gives thinking back only then.

    Who answered stands in `x-interchange-model`.
    """
    return write_answer(answer._replace(model=call.request.model or answer.model))


def _thinking(choice: Choice) -> list[dict[str, Any]]:
    """Thinking blocks; without marks one block that nobody signed."""
    blocks: list[dict[str, Any]] = []
    if choice.reasoning and "".join(thought.text for thought in choice.thoughts) != choice.reasoning:
        mark = seal(choice.thoughts) if choice.thoughts else ""
        return [{"type": "thinking", "thinking": choice.reasoning, "signature": mark}]
    for thought in choice.thoughts:
        if thought.family == MAKER and thought.sealed:
            blocks.append({"type": "redacted_thinking", "data": thought.sealed})
        else:
            blocks.append({"type": "thinking", "thinking": thought.text, "signature": signature_for(thought)})
    return blocks


def signature_for(thought: Thought) -> str:
    """Anthropic's own signature, or another family's mark sealed."""
    return thought.signature if thought.family == MAKER else seal([thought])


def _tool_use(call_id: str, name: str, given: Any, extra: dict[str, Any] | None) -> dict[str, Any]:
    block = {"type": "tool_use", "id": call_id, "name": name, "input": given}
    return {**block, "extra_content": extra} if extra else block


def parsed_arguments(arguments: str) -> Any:
    """A call's arguments as an object; what a model wrote that is no JSON object is kept as text."""
    if not arguments.strip():
        return {}
    try:
        value = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return {"_unparsed": arguments}
    return value if isinstance(value, dict) else {"_unparsed": arguments}


class AnthropicWriter(StreamWriter):
    """Content blocks one after the other, as Anthropic sends them.

    Of several tool calls the first is written as it arrives; the others wait for the end, since their
    pieces may come interleaved and blocks may not.
    """

    __slots__ = ("_finished", "_index", "_open", "_reason", "_said", "_started", "_tool", "_waiting")

    def __init__(self, call: UpstreamCall) -> None:
        self._started = Started(call.request_id, call.request.model or call.target.model)
        self._index = -2
        self._open = ""
        self._tool = -1
        self._waiting: dict[int, tuple[ToolStarted, list[str]]] = {}
        self._reason = "stop"
        self._finished = False
        self._said: list[str] = []

    def write(self, piece: StreamPiece) -> bytes:
        match piece:
            case Piece(_, kind, text):
                return self._text(kind, text)
            case ToolArguments(_, tool, text):
                return self._arguments(tool, text)
            case ToolStarted():
                return self._tool_start(piece)
            case ThoughtEnded(_, thought):
                return self._signed(thought)
            case Started():
                if piece.id:
                    self._started = piece._replace(model=self._started.model)
                return self._begin()
            case ChoiceEnded(_, reason):
                if self._reason != "refusal":
                    self._reason = reason
        return b""

    def finish(self, usage: Usage | None) -> bytes:
        if self._finished:
            return b""
        self._finished = True
        frames = self._begin() + self._close()
        for started, texts in self._waiting.values():
            frames += self._open_tool(started)
            if texts:
                frames += self._tool_delta("".join(texts))
            frames += self._close()
        reason = "refusal" if self._reason == "refusal" else stop_reason(self._reason)
        delta = {"stop_reason": reason, "stop_sequence": None}
        return frames + event("message_delta", delta=delta, usage=exclusive(usage or NO_USAGE))

    def _begin(self) -> bytes:
        if self._index != -2:
            return b""
        self._index = -1
        message: dict[str, Any] = {
            "id": message_id(self._started.id),
            "type": "message",
            "role": "assistant",
            "model": self._started.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        return event("message_start", message=message)

    def _text(self, kind: ContentKind, text: str) -> bytes:
        if kind is ContentKind.TOOL_CALL or not text:
            return self._begin()
        if kind is ContentKind.REFUSAL:
            self._reason = "refusal"
        wanted = "thinking" if kind is ContentKind.REASONING else "text"
        frames = self._begin()
        if self._open != wanted:
            frames += self._close()
            block = {"type": wanted, wanted: ""}
            if wanted == "thinking":
                block["signature"] = ""
            frames += self._open_block(wanted, block)
        if wanted == "thinking":
            self._said.append(text)
        delta = {"type": f"{wanted}_delta", wanted: text}
        return frames + event("content_block_delta", index=self._index, delta=delta)

    def _signed(self, thought: Thought) -> bytes:
        """The mark on the thinking so far. One that comes after the answer has begun is too late here."""
        frames = self._begin()
        if thought.family == MAKER and thought.sealed:
            block = {"type": "redacted_thinking", "data": thought.sealed}
            return frames + self._close() + self._open_block("redacted", block) + self._close()
        words = "".join(self._said)
        self._said.clear()
        if self._open != "thinking":
            if self._open or self._index >= 0:
                return frames
            frames += self._open_block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        mark = signature_for(thought._replace(text=thought.text or words))
        delta = {"type": "signature_delta", "signature": mark}
        return frames + event("content_block_delta", index=self._index, delta=delta) + self._close()

    def _tool_start(self, piece: ToolStarted) -> bytes:
        frames = self._begin()
        if self._open == "tool" or self._waiting:
            self._waiting[piece.tool] = (piece, [])
            return frames
        self._tool = piece.tool
        return frames + self._close() + self._open_tool(piece)

    def _arguments(self, tool: int, text: str) -> bytes:
        if tool in self._waiting:
            self._waiting[tool][1].append(text)
            return b""
        return self._tool_delta(text) if self._open == "tool" and tool == self._tool else b""

    def _open_tool(self, piece: ToolStarted) -> bytes:
        return self._open_block("tool", _tool_use(piece.id, piece.name, {}, piece.extra))

    def _tool_delta(self, text: str) -> bytes:
        delta = {"type": "input_json_delta", "partial_json": text}
        return event("content_block_delta", index=self._index, delta=delta)

    def _open_block(self, kind: str, block: dict[str, Any]) -> bytes:
        self._index += 1
        self._open = kind
        return event("content_block_start", index=self._index, content_block=block)

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return event("content_block_stop", index=self._index)


def event(name: str, **fields: Any) -> bytes:
    """One frame of an Anthropic stream."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _encode({"type": name, **fields}))
