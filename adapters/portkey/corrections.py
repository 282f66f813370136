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
`tool_calls`.
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
    needs_output_limit: bool = False
    """The provider refuses a request without a maximum, and Portkey adds none."""


_ANTHROPIC: Final = Translation(counted=PromptCount.WITHOUT_CACHE, needs_output_limit=True)
_BEDROCK: Final = Translation(counted=PromptCount.WITH_CACHE)
_GEMINI: Final = Translation(tools_finish_with_stop=True)
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
        if self._translated.tools_finish_with_stop and _TOOL_CALLS in body:
            body = finished_with_tools(body)
        return self._codec.response(body, call)

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        return CorrectedStream(self._codec.stream(call), self._translated)


class CorrectedStream(StreamDecoder):
    """A decoder that is given the chunks with their `usage`, their errors and their end put right."""

    __slots__ = ("_decoder", "_over", "_splitter", "_tools_called", "_translated")

    def __init__(self, decoder: StreamDecoder, translated: Translation) -> None:
        self._decoder = decoder
        self._translated = translated
        self._splitter = SseSplitter()
        self._tools_called = False
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
            self._tools_called = self._tools_called or _TOOL_CALLS in data
            if self._tools_called:
                corrected = finished_with_tools(corrected)
        return frame.raw if corrected is data else b"data: " + corrected + b"\n\n"


def _error_frame(kind: str) -> bytes:
    error = {"error": {"message": f"the provider broke off with {kind}", "type": kind, "code": kind}}
    return b"data: " + msgspec.json.encode(error) + b"\n\n"
