"""OpenAI to OpenAI: the body goes on with surgical edits, the answer comes back as the bytes it was."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response, error_in_success
from adapters.wire.openai_stream import SameFamilyStream, embedded_error
from adapters.wire.openai_usage import OpenAiUsage, read_only, usage_of
from adapters.wire.own_marks import BY_BYTES, without_own_marks
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import OPENAI_CHAT, OPENAI_COMPLETIONS, OPENAI_EMBEDDINGS
from domain.catalog.tags import PREFIX_FLAG_TAG
from domain.llm.failures import Failure, FailureKind
from domain.routing.target import tagged

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.encode
_USAGE_WANTED = Raw(b'{"include_usage":true}')


class _Choice(Struct):
    finish_reason: str | None = None


class _Answer(Struct):
    choices: list[_Choice]
    usage: OpenAiUsage | None = None
    service_tier: Any = None
    error: Any = None


class _Vectors(Struct):
    data: list[Raw]
    usage: OpenAiUsage | None = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)
_VECTORS = msgspec.json.Decoder(_Vectors)


class SameFamilyCodec(Codec):
    """Chat and text completions of providers that speak OpenAI's shape. Nothing is dropped."""

    def __init__(self, dialect: str) -> None:
        self.upstream_dialect = dialect

    def request(self, call: UpstreamCall) -> EncodedRequest:
        request = call.request
        model = call.target.model
        marked = BY_BYTES in request.body
        if model == request.model and not request.stream and call.continue_from is None and not marked:
            return EncodedRequest(request.body)
        fields: dict[str, Any] = _FIELDS.decode(request.body)
        fields["model"] = model
        if request.stream:
            fields["stream_options"] = _with_usage(fields.get("stream_options"))
        if marked and "messages" in fields:
            fields["messages"] = without_own_marks(fields["messages"])
        if call.continue_from is not None:
            fields["messages"] = _with_prefill(fields.get("messages"), call)
        return EncodedRequest(_encode(fields))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if answer.error is not None:
            raise UpstreamFailed(error_in_success(answer.error, body))
        if not answer.choices:
            raise UpstreamFailed(bad_response("the answer has no choices"))
        usage = usage_of(answer.usage, answer.service_tier)
        return DecodedResponse(body, usage, answer.choices[0].finish_reason)

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        request = call.request
        return SameFamilyStream(include_usage=request.include_usage, choices=request.choices)


class EmbeddingsCodec(Codec):
    """Embeddings of providers that speak OpenAI's shape."""

    upstream_dialect = OPENAI_EMBEDDINGS

    def request(self, call: UpstreamCall) -> EncodedRequest:
        if call.target.model == call.request.model:
            return EncodedRequest(call.request.body)
        fields: dict[str, Any] = _FIELDS.decode(call.request.body)
        fields["model"] = call.target.model
        return EncodedRequest(_encode(fields))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            answer = _VECTORS.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if answer.error is not None:
            raise UpstreamFailed(error_in_success(answer.error, body))
        return DecodedResponse(body, read_only(answer.usage), None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message="embeddings are not streamed"))


CHAT = SameFamilyCodec(OPENAI_CHAT)
COMPLETIONS = SameFamilyCodec(OPENAI_COMPLETIONS)
EMBEDDINGS = EmbeddingsCodec()


def unreadable(body: bytes, error: Exception) -> UpstreamFailed:
    """A 2xx body that is no answer of its dialect: an error object, something else, or nothing."""
    found = embedded_error(body)
    if found is not None:
        return UpstreamFailed(error_in_success(found, body))
    if not body.strip():
        return UpstreamFailed(bad_response("the provider answered with an empty body"))
    return UpstreamFailed(bad_response(f"the provider's answer cannot be read: {error}"))


def _with_usage(options: Raw | None) -> Any:
    """`stream_options` that ask for usage, whatever else the caller put there."""
    if options is None or bytes(options) == b"null":
        return _USAGE_WANTED
    try:
        fields: dict[str, Any] = _FIELDS.decode(options)
    except msgspec.DecodeError:
        return _USAGE_WANTED
    fields["include_usage"] = True
    return fields


def _with_prefill(messages: Raw | None, call: UpstreamCall) -> Raw:
    """The conversation with the text so far as a last assistant message."""
    said: dict[str, object] = {"role": "assistant", "content": call.continue_from}
    if tagged(call.target, PREFIX_FLAG_TAG):
        said["prefix"] = True
    return appended(messages, said)


def appended(array: Raw | None, item: object) -> Raw:
    """A JSON array with one more item; the others keep their bytes."""
    before = bytes(array).rstrip()[:-1].rstrip() if array is not None else b"["
    comma = b"" if before.endswith(b"[") else b","
    return Raw(before + comma + _encode(item) + b"]")
