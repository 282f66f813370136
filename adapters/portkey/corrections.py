"""What Portkey's translations get wrong, put right before anyone believes it.

Money: for Anthropic's models Portkey copies `input_tokens` to `prompt_tokens`, which leaves out what was
read from or written to the prompt cache, but counts both in `total_tokens`; whoever takes the difference for
output bills it at several times its price. Its answers are edited here so that `prompt_tokens` holds
everything, and the written part is told where OpenAI's shape has a place for it.

Truth: an error inside an Anthropic stream becomes a chunk with `finish_reason: "overloaded_error"` and a
`[DONE]`, which looks like a complete answer. Here it becomes an error frame again.
"""

import re
from enum import Enum
from typing import Any, Final

import msgspec
from msgspec import Raw

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.sse import Frame, SseSplitter
from application.ports.llm import Block, UpstreamCall

_FIELDS: Final = msgspec.json.Decoder(dict[str, Raw])
_CACHE_MARK: Final = b'"cache_'
"""In every usage that has something to put right (`cache_read_input_tokens`), and in little else."""
_ERROR_MARK: Final = re.compile(rb'"finish_reason":\s*"(\w+_error)"')


class PromptCount(Enum):
    """Whether Portkey's `prompt_tokens` holds the cached tokens of this family of models."""

    WITH_CACHE = "with_cache"
    WITHOUT_CACHE = "without_cache"


_BY_FAMILY: Final[dict[str, PromptCount]] = {
    "anthropic": PromptCount.WITHOUT_CACHE,
    "vertex-ai/anthropic": PromptCount.WITHOUT_CACHE,
    "bedrock": PromptCount.WITH_CACHE,
    "bedrock/anthropic": PromptCount.WITH_CACHE,
    "bedrock/amazon": PromptCount.WITH_CACHE,
}


def prompt_count(family: str) -> PromptCount | None:
    """How this family is counted on `/v1/chat/completions`; None where nothing needs to be put right."""
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


class CorrectedCodec(Codec):
    """The same codec, told the truth about Portkey's answers."""

    def __init__(self, codec: Codec, counted: PromptCount) -> None:
        self.upstream_dialect = codec.upstream_dialect
        self._codec = codec
        self._counted = counted

    def request(self, call: UpstreamCall) -> EncodedRequest:
        return self._codec.request(call)

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        return self._codec.response(corrected_body(body, self._counted), call)

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        return CorrectedStream(self._codec.stream(call), self._counted)


class CorrectedStream(StreamDecoder):
    """A decoder that is given the chunks with their `usage` and their errors put right."""

    __slots__ = ("_counted", "_decoder", "_splitter")

    def __init__(self, decoder: StreamDecoder, counted: PromptCount) -> None:
        self._decoder = decoder
        self._counted = counted
        self._splitter = SseSplitter()

    def feed(self, data: bytes) -> Block:
        frames = self._splitter.feed(data)
        if self._splitter.overflowed:
            # The decoder has the same limit and says so in its own words.
            return self._decoder.feed(data)
        return self._decoder.feed(b"".join(self._honest(frame) for frame in frames))

    def end(self) -> Block:
        last = self._splitter.end()
        if last is None:
            return self._decoder.end()
        said = self._decoder.feed(self._honest(last))
        rest = self._decoder.end()
        return Block(said.raw + rest.raw, said.events + rest.events)

    def _honest(self, frame: Frame) -> bytes:
        data = frame.data
        if data is None:
            return frame.raw
        if found := _ERROR_MARK.search(data):
            return _error_frame(found[1].decode())
        corrected = corrected_body(data, self._counted)
        return frame.raw if corrected is data else b"data: " + corrected + b"\n\n"


def _error_frame(kind: str) -> bytes:
    error = {"error": {"message": f"the provider broke off with {kind}", "type": kind, "code": kind}}
    return b"data: " + msgspec.json.encode(error) + b"\n\n"
