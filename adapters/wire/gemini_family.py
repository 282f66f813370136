"""Gemini's callers at providers that speak Gemini: bytes as they came, but for marks of other families."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response, error_in_success
from adapters.wire.gemini import RESPONSE, GeminiReader, first_reason, inclusive
from adapters.wire.gemini_requests import FOREIGN_SIGNATURE, wants_signatures
from adapters.wire.openai import appended, unreadable
from adapters.wire.pivot_codec import PivotStream
from adapters.wire.seals import SEAL, SEAL_BYTES
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import GEMINI_COUNT_TOKENS, GEMINI_GENERATE
from domain.llm.failures import Failure, FailureKind
from domain.llm.usage import Usage

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.encode


class VerbatimGenerate(Codec):
    """generateContent within the family: unknown fields and thought signatures untouched.

    Only marks that another family's model left are taken out, because Google refuses them; where a model
    insists on a signature, a call of another family's gets the one Google documents for such calls.
    """

    upstream_dialect = GEMINI_GENERATE

    def request(self, call: UpstreamCall) -> EncodedRequest:
        request = call.request
        sealed = SEAL_BYTES in request.body
        if not sealed and call.continue_from is None:
            return EncodedRequest(request.body)
        fields: dict[str, Any] = _FIELDS.decode(request.body)
        if sealed:
            contents = msgspec.json.decode(fields["contents"])
            fields["contents"] = Raw(_encode(_unsealed(contents, signs=wants_signatures(call.target.model))))
        if call.continue_from is not None:
            said = {"role": "model", "parts": [{"text": call.continue_from}]}
            fields["contents"] = appended(fields.get("contents"), said)
        return EncodedRequest(_encode(fields))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            answer = RESPONSE.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if answer.error is not None:
            raise UpstreamFailed(error_in_success(answer.error, body))
        if not answer.candidates and answer.prompt_feedback is None:
            raise UpstreamFailed(bad_response("the answer has no candidates"))
        # A refused prompt is an answer too: Google's SDKs show the feedback.
        return DecodedResponse(body, inclusive(answer.usage_metadata), first_reason(answer))

    def stream(self, call: UpstreamCall) -> StreamDecoder:
        return PivotStream(GeminiReader(verbatim=True), None, call.request.choices)


class _TokenCount(Struct, rename="camel"):
    total_tokens: int


_COUNT = msgspec.json.Decoder(_TokenCount)


class VerbatimCountTokens(Codec):
    """Counting tokens within the family. The call is free, so its usage is zero."""

    upstream_dialect = GEMINI_COUNT_TOKENS

    def request(self, call: UpstreamCall) -> EncodedRequest:
        body = call.request.body
        if b"enerateContentRequest" not in body and b"generate_content_request" not in body:
            return EncodedRequest(body)
        fields: dict[str, Any] = _FIELDS.decode(body)
        for name in ("generateContentRequest", "generate_content_request"):
            if name in fields:
                # The model stands in the path and in here; both have to be the provider's.
                whole: dict[str, Any] = _FIELDS.decode(fields[name])
                whole["model"] = f"models/{call.target.model.removeprefix('models/')}"
                fields[name] = whole
        return EncodedRequest(_encode(fields))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            _COUNT.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        return DecodedResponse(body, Usage(), None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        message = "counting tokens is not streamed"
        raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message, status=400))


GENERATE: Final = VerbatimGenerate()
COUNT_TOKENS: Final = VerbatimCountTokens()


def _unsealed(contents: list[Any], *, signs: bool) -> list[Any]:
    for content in contents:
        parts = content.get("parts")
        if not isinstance(parts, list):
            continue
        first = True
        kept: list[Any] = []
        for part in parts:
            name = "thoughtSignature" if "thoughtSignature" in part else "thought_signature"
            if str(part.get(name) or "").startswith(SEAL):
                del part[name]
                if part.get("thought"):
                    continue
                call = "functionCall" in part or "function_call" in part
                if call and first and signs:
                    part["thoughtSignature"] = FOREIGN_SIGNATURE
            if "functionCall" in part or "function_call" in part:
                first = False
            kept.append(part)
        content["parts"] = kept
    return [content for content in contents if content.get("parts") != []]
