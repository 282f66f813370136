"""OpenAI's picture generation at Gemini's picture models, which draw within `generateContent`."""

from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.errors import bad_response
from adapters.wire.gemini_embeddings import refused
from adapters.wire.openai import unreadable
from application.ports.llm import UpstreamCall, UpstreamFailed
from application.ports.wire import GEMINI_GENERATE
from domain.llm.failures import Failure, FailureKind
from domain.llm.units import images
from domain.llm.usage import Usage

FIELDS: Final = frozenset({"model", "prompt", "n", "size", "response_format", "stream"})
"""Fields of a picture's request that have a counterpart here."""
_RATIOS: Final = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (4, 5), (5, 4), (9, 16), (16, 9), (21, 9))


class _Blob(Struct, rename="camel"):
    data: str
    mime_type: str = "image/png"


class _Part(Struct, rename="camel"):
    inline_data: _Blob | None = None
    thought: bool = False


class _Content(Struct):
    parts: list[_Part] = []


class _Candidate(Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str = ""


class _Count(Struct, rename="camel"):
    modality: str = ""
    token_count: int = 0


class _Usage(Struct, rename="camel"):
    prompt_token_count: int = 0
    candidates_token_count: int = 0
    thoughts_token_count: int = 0
    candidates_tokens_details: list[_Count] = []


class _Answer(Struct, rename="camel"):
    candidates: list[_Candidate] = []
    usage_metadata: _Usage | None = None
    prompt_feedback: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)
_encode = msgspec.json.encode


class GeminiPictures(Codec):
    """One picture per call: several would be several calls, and several bills."""

    upstream_dialect = GEMINI_GENERATE

    def request(self, call: UpstreamCall) -> EncodedRequest:
        asked = msgspec.json.decode(call.request.body)
        if call.request.choices != 1:
            raise refused("n: this provider draws one picture per request")
        config: dict[str, Any] = {"responseModalities": ["IMAGE"]}
        if (ratio := _ratio(asked.get("size"))) is not None:
            config["imageConfig"] = {"aspectRatio": ratio}
        body = {
            "contents": [{"role": "user", "parts": [{"text": asked["prompt"]}]}],
            "generationConfig": config,
        }
        dropped = {name for name in call.request.fields - FIELDS if asked.get(name) is not None}
        return EncodedRequest(_encode(body), tuple(sorted(dropped)))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:
        try:
            answer = _ANSWER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        drawn = [
            part.inline_data
            for candidate in answer.candidates
            for part in (candidate.content.parts if candidate.content else ())
            if part.inline_data is not None and not part.thought
        ]
        if not drawn:
            raise UpstreamFailed(_nothing_drawn(answer))
        asked = msgspec.json.decode(call.request.body) if call else {}
        as_url = asked.get("response_format") == "url"
        data = [
            {"url": f"data:{blob.mime_type};base64,{blob.data}"} if as_url else {"b64_json": blob.data}
            for blob in drawn
        ]
        usage = _usage(answer.usage_metadata, len(drawn))
        said: dict[str, Any] = {"created": 0, "data": data}
        if answer.usage_metadata is not None:
            said["usage"] = {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "total_tokens": usage.total_tokens,
                "input_tokens_details": {"text_tokens": usage.input_tokens, "image_tokens": 0},
            }
        return DecodedResponse(_encode(said), usage, None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        raise refused("stream: this provider's pictures are not streamed")


CODEC: Final = GeminiPictures()


def _ratio(size: Any) -> str | None:
    """The nearest shape that the provider draws; None where the caller leaves it open."""
    if not isinstance(size, str) or "x" not in size:
        return None
    wide, _, high = size.partition("x")
    if not (wide.isdigit() and high.isdigit() and int(wide[:6]) and int(high[:6])):
        raise refused("size: WIDTHxHEIGHT is expected")
    wanted = int(wide[:6]) / int(high[:6])
    width, height = min(_RATIOS, key=lambda shape: abs(shape[0] / shape[1] - wanted))
    return f"{width}:{height}"


def _usage(said: _Usage | None, count: int) -> Usage:
    if said is None:
        return Usage(units=images(count))
    drawn = sum(one.token_count for one in said.candidates_tokens_details if one.modality == "IMAGE")
    return Usage(
        input_tokens=said.prompt_token_count,
        output_tokens=said.candidates_token_count + said.thoughts_token_count,
        reasoning_tokens=said.thoughts_token_count,
        output_image_tokens=min(drawn or said.candidates_token_count, said.candidates_token_count),
        units=images(count),
    )


def _nothing_drawn(answer: _Answer) -> Failure:
    reasons = [candidate.finish_reason for candidate in answer.candidates if candidate.finish_reason]
    if answer.prompt_feedback is not None or any("SAFETY" in r or "PROHIBITED" in r for r in reasons):
        return Failure(kind=FailureKind.CONTENT_POLICY, message="the provider refused to draw this")
    return bad_response("the answer has no picture")
