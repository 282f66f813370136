"""What Portkey's translations get wrong, put right before anyone believes it.

Money: for Anthropic's models Portkey copies `input_tokens` to `prompt_tokens`, which leaves out what was
read from or written to the prompt cache, but counts both in `total_tokens`; whoever takes the difference for
output bills it at several times its price. Its answers are edited here so that `prompt_tokens` holds
everything, and the written part is told where OpenAI's shape has a place for it.

Limits: Anthropic's models want a maximum of output tokens, OpenAI's callers need not name one.

Truth: an error inside an Anthropic stream becomes a chunk with `finish_reason: "overloaded_error"` and a
`[DONE]`, which looks like a complete answer; here it becomes an error frame again. A stream that ends
without a finish was cut, or held a chunk Portkey could not read: it ends its own answer cleanly in both
cases, so the fault is told here. Tool calls of Gemini's models finish with `stop`; agents wait for
`tool_calls`. Its streamed calls are numbered from 0 in every chunk, so that two calls would be put together
as one; they are numbered through here. A call in one chunk with text before it is lost and cannot be put
right, so tools in streams count as lost beforehand.
"""

import re
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from adapters.wire.anthropic_requests import MAX_TOKENS_DEFAULT
from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response
from adapters.wire.sse import Frame, SseSplitter
from application.ports.llm import Block, UpstreamCall
from domain.llm.stream import Faulted, Finished, Terminated

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_CACHE_MARK: Final = b'"cache_'
"""In every usage that has something to put right (`cache_read_input_tokens`), and in little else."""
_TOOL_CALLS: Final = b'"tool_calls":[{'
_ENDS: Final = frozenset({Finished, Terminated, Faulted})
_ERROR_MARK: Final = re.compile(rb'"finish_reason":\s*"(\w+_error)"')


class PromptCount(Enum):
    """Whether Portkey's `prompt_tokens` holds the cached tokens of this family of models."""

    WITH_CACHE = "with_cache"
    WITHOUT_CACHE = "without_cache"


class Translation(NamedTuple):
    """What has to be put right for one family of models."""

    counted: PromptCount | None = None
    tools_finish_with_stop: bool = False
    """It also numbers streamed calls chunk by chunk, and leaves `content` out where there is none."""
    needs_output_limit: bool = False
    """The provider refuses a request without a maximum, and Portkey adds none."""
    lost_in_streams: frozenset[str] = frozenset()
    """Fields that arrive, but whose effect a stream may leave out."""


_ANTHROPIC: Final = Translation(counted=PromptCount.WITHOUT_CACHE, needs_output_limit=True)
_BEDROCK: Final = Translation(counted=PromptCount.WITH_CACHE)
_GEMINI: Final = Translation(tools_finish_with_stop=True, lost_in_streams=frozenset({"functions", "tools"}))
_BY_FAMILY: Final[dict[str, Translation]] = {
    "anthropic": _ANTHROPIC,
    "vertex-ai/anthropic": _ANTHROPIC,
    "bedrock": _BEDROCK,
    "bedrock/anthropic": _BEDROCK,
    "bedrock/amazon": _BEDROCK,
    "bedrock/cohere": _BEDROCK,
    "bedrock/meta": _BEDROCK,
    "bedrock/mistral": _BEDROCK,
    "google": _GEMINI,
    "vertex-ai": _GEMINI,
    "vertex-ai/google": _GEMINI,
    "cohere": Translation(),
}


def translation(family: str) -> Translation | None:
    """What to put right for this family on `/v1/chat/completions`; None where chunks pass as they are."""
    return _BY_FAMILY.get(family)


def corrected_body(body: bytes, counted: PromptCount) -> bytes:
    """A chat completion or one chunk of it with an honest `usage`; anything else comes back as it was."""
    if _CACHE_MARK not in body:
        return body
    try:
        fields = _FIELDS.decode(body)
        usage = msgspec.json.decode(fields["usage"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
        return body
    if not isinstance(usage, dict) or not _correct(usage, counted):
        return body
    return msgspec.json.encode({**fields, "usage": usage})


def _correct(usage: dict[str, Any], counted: PromptCount) -> bool:
    """Edits in place; False when there is nothing to do."""
    read = _count(usage, "cache_read_input_tokens")
    written = _count(usage, "cache_creation_input_tokens")
    if not (read or written):
        return False
    details = usage.get("prompt_tokens_details")
    usage["prompt_tokens_details"] = {
        **(details if isinstance(details, dict) else {}),
        "cached_tokens": read,
        "cache_write_tokens": written,
    }
    if counted is PromptCount.WITHOUT_CACHE:
        usage["prompt_tokens"] = _count(usage, "prompt_tokens") + read + written
        usage["total_tokens"] = usage["prompt_tokens"] + _count(usage, "completion_tokens")
    return True


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def finished_with_tools(body: bytes) -> bytes:
    """The same answer or chunk with the finish reason that tool calls have. Text cannot match: inside of
    it, quotes are escaped."""
    return body.replace(b'"finish_reason":"stop"', b'"finish_reason":"tool_calls"')


def with_content(body: bytes) -> bytes:
    """The same answer with `content` in every message: null, where a model only calls tools."""
    choices = _choices_of(body)
    if choices is None:
        return body
    whole, found = choices
    bare = [
        message
        for choice in found
        if isinstance(message := choice.get("message"), dict) and "content" not in message
    ]
    for message in bare:
        message["content"] = None
    return msgspec.json.encode(whole) if bare else body


def numbered_calls(chunk: bytes, counts: dict[int, int]) -> bytes:
    """The same chunk with its tool calls numbered on from `counts` (calls so far, by choice), which is
    updated. Each call of a Gemini model comes whole."""
    choices = _choices_of(chunk)
    if choices is None:
        return chunk
    whole, found = choices
    for choice in found:
        delta = choice.get("delta")
        if not isinstance(delta, dict) or not isinstance(calls := delta.get("tool_calls"), list):
            continue
        place = choice.get("index", 0)
        # Parts that are no calls leave holes.
        delta["tool_calls"] = calls = [call for call in calls if isinstance(call, dict)]
        for call in calls:
            call["index"] = counts.get(place, 0)
            counts[place] = call["index"] + 1
    return msgspec.json.encode(whole)


def _choices_of(body: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """What a body holds, and its choices; None when it is no chat completion."""
    try:
        whole = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    choices = whole.get("choices") if isinstance(whole, dict) else None
    if not isinstance(choices, list):
        return None
    return whole, [choice for choice in choices if isinstance(choice, dict)]


class CorrectedCodec(Codec):
    """The same codec, told the truth about Portkey's answers."""

    def __init__(self, codec: Codec, translated: Translation) -> None:
        self.upstream_dialect = codec.upstream_dialect
        self._codec = codec
        self._translated = translated

    def request(self, call: UpstreamCall) -> EncodedRequest:
        encoded = self._codec.request(call)
        if not self._translated.needs_output_limit or call.request.max_output_tokens is not None:
            return encoded
        limit = call.target.offering.max_output_tokens or MAX_TOKENS_DEFAULT
        fields = _FIELDS.decode(encoded.body)
        return encoded._replace(body=msgspec.json.encode({**fields, "max_tokens": limit}))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        if self._translated.counted is not None:
            body = corrected_body(body, self._translated.counted)
        if self._translated.tools_finish_with_stop:
            if _TOOL_CALLS in body:
                body = finished_with_tools(body)
            body = with_content(body)
        return self._codec.response(body, call)

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        return CorrectedStream(self._codec.stream(call), self._translated)


class CorrectedStream(StreamDecoder):
    """A decoder that is given the chunks with their `usage`, their errors and their end put right."""

    __slots__ = ("_call_counts", "_decoder", "_over", "_splitter", "_tools_called", "_translated")

    def __init__(self, decoder: StreamDecoder, translated: Translation) -> None:
        self._decoder = decoder
        self._translated = translated
        self._splitter = SseSplitter()
        self._tools_called = False
        self._call_counts: dict[int, int] = {}
        self._over = False

    def feed(self, data: bytes) -> Block:
        frames = self._splitter.feed(data)
        if self._splitter.overflowed:
            # The decoder has the same limit and says so in its own words.
            return self._seen(self._decoder.feed(data))
        return self._seen(self._decoder.feed(b"".join(self._honest(frame) for frame in frames)))

    def end(self) -> Block:
        last = self._splitter.end()
        said = self._seen(self._decoder.feed(self._honest(last))) if last is not None else Block(b"", ())
        rest = self._seen(self._decoder.end())
        events = said.events + rest.events
        if not self._over:
            broken = bad_response(
                "the stream ended without a finish: it was cut, or held an unreadable chunk"
            )
            events += (Faulted(broken),)
        return Block(said.raw + rest.raw, events)

    def _seen(self, block: Block) -> Block:
        for event in block.events:
            if type(event) in _ENDS:
                self._over = True
        return block

    def _honest(self, frame: Frame) -> bytes:
        data = frame.data
        if data is None:
            return frame.raw
        if found := _ERROR_MARK.search(data):
            return _error_frame(found[1].decode())
        corrected = data
        if self._translated.counted is not None:
            corrected = corrected_body(data, self._translated.counted)
        if self._translated.tools_finish_with_stop:
            if _TOOL_CALLS in data:
                self._tools_called = True
                corrected = numbered_calls(corrected, self._call_counts)
            if self._tools_called:
                corrected = finished_with_tools(corrected)
        return frame.raw if corrected is data else b"data: " + corrected + b"\n\n"


def _error_frame(kind: str) -> bytes:
    error = {"error": {"message": f"the provider broke off with {kind}", "type": kind, "code": kind}}
    return b"data: " + msgspec.json.encode(error) + b"\n\n"
