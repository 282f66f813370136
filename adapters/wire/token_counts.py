"""Counting tokens across families: the request is translated as for an answer, and only counted."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.openai import unreadable
from adapters.wire.pivot_codec import CallerSide, Draft, Json, ProviderSide, translated
from application.ports.llm import UpstreamCall, UpstreamFailed
from domain.llm.failures import Failure, FailureKind
from domain.llm.usage import Usage


class Counted(NamedTuple):
    """Where a family's count stands in its answer, and what of a body it counts."""

    field: str
    wrap: Callable[[Json, UpstreamCall], Json]


def _as_anthropic(body: Json, call: UpstreamCall) -> Json:  # noqa: ARG001
    names = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config")
    return {name: body[name] for name in names if name in body}


def _as_gemini(body: Json, call: UpstreamCall) -> Json:
    model = f"models/{call.target.model.removeprefix('models/')}"
    return {"generateContentRequest": {"model": model, **body}}


ANTHROPIC: Final = Counted("input_tokens", _as_anthropic)
GEMINI: Final = Counted("totalTokens", _as_gemini)


class TranslatedCount(Codec):
    """One family's question for a count, asked at another. Free, so its usage is zero."""

    def __init__(
        self, dialect: str, caller: tuple[CallerSide, Counted], provider: tuple[ProviderSide, Counted]
    ) -> None:
        self.upstream_dialect = dialect
        self._caller, self._said = caller
        self._provider, self._read = provider

    def request(self, call: UpstreamCall) -> EncodedRequest:
        draft = Draft(call, self.upstream_dialect)
        body: Any = msgspec.json.decode(call.request.body)
        whole = body.get("generateContentRequest") or body.get("generate_content_request")
        body = {"max_tokens": 1, **(whole or body)}
        encoded = translated(body, draft, self._caller, self._provider)
        return EncodedRequest(msgspec.json.encode(self._read.wrap(encoded, call)), tuple(draft.dropped))

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            count = msgspec.json.decode(body, type=dict[str, msgspec.Raw]).get(self._read.field)
            tokens = msgspec.json.decode(count or b"", type=int)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        return DecodedResponse(msgspec.json.encode({self._said.field: tokens}), Usage(), None)

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        message = "counting tokens is not streamed"
        raise UpstreamFailed(Failure(kind=FailureKind.CALLER_FAULT, message=message, status=400))
