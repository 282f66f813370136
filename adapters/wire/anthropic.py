"""Anthropic's answers and streams read, and the codec for callers of the same family (verbatim)."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import error_in_success
from adapters.wire.openai import appended, unreadable
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
    Thought,
    ThoughtEnded,
    ToolArguments,
    ToolCall,
    ToolStarted,
)
from adapters.wire.pivot_codec import PivotStream
from adapters.wire.seals import SEAL, SEAL_BYTES
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import ANTHROPIC_COUNT_TOKENS, ANTHROPIC_MESSAGES
from domain.llm.failures import Failure, FailureKind
from domain.llm.stream import ContentKind, Faulted
from domain.llm.usage import Usage

STOP_REASONS: Final[dict[str, str]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's reasons -> the pivot's; an unknown one goes through as it is."""


class CacheCreation(Struct):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class OutputDetails(Struct):
    thinking_tokens: int | None = None


class AnthropicUsage(Struct):
    """Counts whose input EXCLUDES what was read from or written to the prompt cache."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    service_tier: Any = None
    speed: Any = None


def inclusive(wire: AnthropicUsage | None) -> Usage | None:
    """Inclusive buckets; None when nothing was counted."""
    if wire is None or (wire.input_tokens is None and wire.output_tokens is None):
        return None
    read = wire.cache_read_input_tokens or 0
    written = wire.cache_creation_input_tokens or 0
    long = min(written, (wire.cache_creation and wire.cache_creation.ephemeral_1h_input_tokens) or 0)
    details = wire.output_tokens_details
    return Usage(
        input_tokens=(wire.input_tokens or 0) + read + written,
        output_tokens=wire.output_tokens or 0,
        cached_read_tokens=read,
        cache_write_tokens=written - long,
        cache_write_long_tokens=long,
        reasoning_tokens=(details and details.thinking_tokens) or 0,
        variant=_variant(wire),
    )


def _variant(wire: AnthropicUsage) -> str:
    """What was served beside the standard tier, as the price book names it."""
    speed, tier = wire.speed, wire.service_tier
    if isinstance(speed, str):
        return f"speed={speed}"
    return f"service_tier={tier}" if isinstance(tier, str) and tier != "standard" else ""


def exclusive(usage: Usage) -> dict[str, Any]:
    """The same in Anthropic's shape, for translated answers."""
    read = usage.cached_read_tokens
    written = usage.cache_write_tokens + usage.cache_write_long_tokens
    counted: dict[str, Any] = {
        "input_tokens": max(0, usage.input_tokens - read - written),
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": usage.output_tokens,
    }
    if usage.cache_write_long_tokens:
        counted["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_long_tokens,
        }
    if usage.reasoning_tokens:
        counted["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return counted


class _Block(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")
    signature: str = ""
    data: str = ""
    """Of redacted thinking, which only Anthropic reads."""


class _Delta(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str = ""
    stop_reason: str | None = None


class _Message(Struct):
    id: str = ""
    model: str = ""
    usage: AnthropicUsage | None = None


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: AnthropicUsage | None = None
    error: Any = None


class _Answer(Struct):
    content: list[_Block]
    type: str = "message"
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    usage: AnthropicUsage | None = None


class _TokenCount(Struct):
    input_tokens: int


_EVENT = msgspec.json.Decoder(_Event)
_ANSWER = msgspec.json.Decoder(_Answer)
_COUNT = msgspec.json.Decoder(_TokenCount)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])

_TOOL_BLOCKS: Final = frozenset({"tool_use"})
_HIDDEN_TOOL_BLOCKS: Final = frozenset({"server_tool_use", "mcp_tool_use"})
_MAKER: Final = "anthropic"
_THINKING_BLOCKS: Final = frozenset({"thinking", "redacted_thinking"})


class AnthropicReader(StreamReader):
    """One stream's events. Usage is merged over the events, because each tells only a part."""

    __slots__ = ("_signature", "_tools", "_usage")

    def __init__(self) -> None:
        self._usage = AnthropicUsage()
        self._tools: dict[int, int] = {}
        self._signature = ""

    def read(self, event: str | None, data: bytes) -> list[StreamPiece]:
        found = _EVENT.decode(data)
        match found.type or event:
            case "content_block_delta":
                return self._delta(found)
            case "content_block_start":
                return self._block(found)
            case "content_block_stop":
                return self._block_end()
            case "message_start":
                message = found.message or _Message()
                return [Started(message.id, message.model), *self._counted(message.usage)]
            case "message_delta":
                reason = found.delta and found.delta.stop_reason
                ended = [ChoiceEnded(0, STOP_REASONS.get(reason, reason))] if reason else []
                return [*ended, *self._counted(found.usage)]
            case "message_stop":
                return [ENDED]
            case "ping":
                return [ALIVE]
            case "error":
                return [Faulted(error_in_success(found.error, data))]
        return []

    def _block(self, found: _Event) -> list[StreamPiece]:
        block = found.content_block or _Block()
        if block.type in _TOOL_BLOCKS:
            tool = self._tools[found.index] = len(self._tools)
            arguments = bytes(block.input)
            whole = [ToolArguments(0, tool, arguments.decode())] if _says(arguments) else []
            return [ToolStarted(0, tool, block.id, block.name), *whole]
        if block.type in _HIDDEN_TOOL_BLOCKS:
            return [Piece(0, ContentKind.TOOL_CALL, "")]
        if block.type in _THINKING_BLOCKS:
            thinking: list[StreamPiece] = [Piece(0, ContentKind.REASONING, block.thinking)]
            if block.data:
                thinking.append(ThoughtEnded(0, Thought("", _MAKER, "", block.data)))
            self._signature = block.signature
            return thinking
        return [Piece(0, ContentKind.TEXT, block.text)] if block.text else []

    def _delta(self, found: _Event) -> list[StreamPiece]:
        delta = found.delta or _Delta()
        if delta.text:
            return [Piece(0, ContentKind.TEXT, delta.text)]
        if delta.thinking:
            return [Piece(0, ContentKind.REASONING, delta.thinking)]
        if delta.signature:
            self._signature += delta.signature
        elif delta.partial_json:
            tool = self._tools.get(found.index)
            if tool is not None:
                return [ToolArguments(0, tool, delta.partial_json)]
        return []

    def _block_end(self) -> list[StreamPiece]:
        signature, self._signature = self._signature, ""
        return [ThoughtEnded(0, Thought("", _MAKER, signature))] if signature else []

    def _counted(self, usage: AnthropicUsage | None) -> list[StreamPiece]:
        if usage is None:
            return []
        for name in AnthropicUsage.__struct_fields__:
            value = getattr(usage, name)
            if value is not None:
                setattr(self._usage, name, value)
        total = inclusive(self._usage)
        return [] if total is None else [Counted(total)]


def _says(arguments: bytes) -> bool:
    return arguments.strip() not in (b"{}", b"", b"null")


def read_answer(body: bytes) -> Answer:
    """A complete message. Raises msgspec.DecodeError when it is none."""
    answer = _ANSWER.decode(body)
    if answer.type != "message":
        raise msgspec.ValidationError(f"a message is expected, not {answer.type!r}")
    texts: list[str] = []
    thoughts: list[Thought] = []
    calls: list[ToolCall] = []
    for block in answer.content:
        if block.type == "text":
            texts.append(block.text)
        elif block.type == "thinking":
            thoughts.append(Thought(block.thinking, _MAKER, block.signature))
        elif block.type == "redacted_thinking":
            thoughts.append(Thought("", _MAKER, "", block.data))
        elif block.type in _TOOL_BLOCKS:
            calls.append(ToolCall(block.id, block.name, bytes(block.input).decode()))
    reason = answer.stop_reason or "end_turn"
    choice = Choice(
        0,
        "".join(texts),
        "".join(thought.text for thought in thoughts),
        tool_calls=tuple(calls),
        finish_reason=STOP_REASONS.get(reason, reason),
        thoughts=tuple(thought for thought in thoughts if thought.signature or thought.sealed),
    )
    return Answer(answer.id, answer.model, (choice,), inclusive(answer.usage))


class VerbatimMessages(Codec):
    """Messages to a provider of the same family: unknown fields, thinking and signatures untouched.

    Taken out is only thinking that the provider would refuse: without a signature, which another family's
    model left, and signed by another maker, where the conversation had one at another account. Claude's
    signatures hold on every platform that serves Claude.
    """

    upstream_dialect = ANTHROPIC_MESSAGES

    def request(self, call: UpstreamCall) -> EncodedRequest:
        return EncodedRequest(_edited(call))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        reason = answer.stop_reason
        return DecodedResponse(body, inclusive(answer.usage), reason and STOP_REASONS.get(reason, reason))

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        return PivotStream(AnthropicReader(), None, 1)


class VerbatimCountTokens(Codec):
    """Counting tokens at a provider of the same family. The call is free, so its usage is zero."""

    upstream_dialect = ANTHROPIC_COUNT_TOKENS

    def request(self, call: UpstreamCall) -> EncodedRequest:
        return EncodedRequest(_edited(call))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            _COUNT.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        return DecodedResponse(body, Usage(), None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        message = "counting tokens is not streamed"
        raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message, status=400))


MESSAGES: Final = VerbatimMessages()
COUNT_TOKENS: Final = VerbatimCountTokens()
_CLAUDE: Final = "claude"
_FOREIGN_MARKS: Final = (b'"signature":""', b'"signature": ""', SEAL_BYTES, b'"extra_content"')
"""What only a translated answer leaves in a conversation."""


def _edited(call: UpstreamCall) -> bytes:
    request = call.request
    estranged = _signed_elsewhere(call)
    foreign = estranged or any(mark in request.body for mark in _FOREIGN_MARKS)
    if call.target.model == request.model and call.continue_from is None and not foreign:
        return request.body
    fields: dict[str, Any] = _FIELDS.decode(request.body)
    fields["model"] = call.target.model
    if foreign:
        fields["messages"] = Raw(msgspec.json.encode(_without_foreign(fields["messages"], estranged)))
    if call.continue_from is not None:
        # Anthropic refuses a last assistant message that ends in white space.
        said = {"role": "assistant", "content": call.continue_from.rstrip()}
        fields["messages"] = appended(fields.get("messages"), said)
    return msgspec.json.encode(fields)


def _signed_elsewhere(call: UpstreamCall) -> bool:
    """Whether signatures in this conversation may be those of another maker's models."""
    if not call.moved_from or b'"signature"' not in call.request.body:
        return False
    return not (_CLAUDE in call.moved_from and _CLAUDE in call.target.id + call.target.model)


def _without_foreign(messages: Raw, estranged: bool) -> Any:
    kept = msgspec.json.decode(messages)
    for message in kept:
        content = message.get("content")
        if isinstance(content, list):
            message["content"] = [part for part in content if not _is_foreign(part, estranged)]
            for part in message["content"]:
                if isinstance(part, dict) and part.get("type") in _TOOL_BLOCKS:
                    part.pop("extra_content", None)
    return [message for message in kept if message.get("content") != []]


def _is_foreign(part: Any, estranged: bool) -> bool:
    if not isinstance(part, dict) or part.get("type") not in _THINKING_BLOCKS:
        return False
    signature = part.get("signature")
    return estranged or (part["type"] == "thinking" and (not signature or str(signature).startswith(SEAL)))
