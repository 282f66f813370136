"""The Responses API to a provider that answers it itself: bytes on with surgical edits, bytes back.

Only reasoning that another family made is taken out: it stands in items of our own making, which this
provider would refuse.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from adapters.wire.codec import Codec, DecodedResponse, EncodedRequest, StreamDecoder
from adapters.wire.openai import unreadable
from adapters.wire.pivot_codec import PivotStream
from adapters.wire.responses_reader import ResponsesReader, decode, finish_reason
from adapters.wire.responses_usage import usage_of
from adapters.wire.seals import SEAL_BYTES
from application.ports.llm import UpstreamCall
from application.ports.wire import OPENAI_RESPONSES
from domain.llm.usage import Usage

_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_ITEMS = msgspec.json.Decoder(list[Raw])
_UNFINISHED: Final = frozenset({"queued", "in_progress"})
_ENCRYPTED: Final = b'"encrypted_content"'
FOREIGN_REASONING: Final = "input.reasoning"
"""How reasoning that does not reach the provider is named."""


class _Kind(Struct):
    type: str | None = None


_KIND = msgspec.json.Decoder(_Kind)


class VerbatimResponses(Codec):
    """Requests, answers and events of the same family. Nothing of the caller's is dropped."""

    upstream_dialect = OPENAI_RESPONSES

    def request(self, call: UpstreamCall) -> EncodedRequest:
        request = call.request
        moved = bool(call.moved_from) and _ENCRYPTED in request.body
        foreign = moved or SEAL_BYTES in request.body
        if call.target.model == request.model and not foreign:
            return EncodedRequest(request.body)
        fields: dict[str, Any] = _FIELDS.decode(request.body)
        fields["model"] = call.target.model
        dropped: tuple[str, ...] = ()
        if foreign and bytes(fields.get("input") or b"")[:1] == b"[":
            items = _ITEMS.decode(fields["input"])
            kept = [item for item in items if not _is_foreign(item, moved=moved)]
            fields["input"] = kept
            dropped = (FOREIGN_REASONING,) if len(kept) < len(items) else ()
        return EncodedRequest(msgspec.json.encode(fields), dropped)

    def response(self, body: bytes, call: UpstreamCall | None = None) -> DecodedResponse:  # noqa: ARG002
        try:
            response = decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise unreadable(body, error) from None
        if response.status in _UNFINISHED:
            # It goes on in the background; what it costs is known when it is fetched.
            return DecodedResponse(body, usage_of(response.usage, response.service_tier) or Usage(), None)
        return DecodedResponse(body, usage_of(response.usage, response.service_tier), finish_reason(response))

    def stream(self, call: UpstreamCall) -> StreamDecoder:  # noqa: ARG002
        return PivotStream(ResponsesReader(), None, 1)


RESPONSES: Final = VerbatimResponses()


def _is_foreign(item: Raw, *, moved: bool) -> bool:
    """Reasoning of another family or, in a conversation that had another account, that account's."""
    raw = bytes(item)
    return (SEAL_BYTES in raw or (moved and _ENCRYPTED in raw)) and _KIND.decode(item).type == "reasoning"


def priced(body: bytes, cost_usd: float, *, replacing: bool = False) -> bytes | None:
    """A response, or an event that holds one, with `cost` in its usage; None when it has no usage, or,
    `replacing`, no cost in it."""
    try:
        fields: dict[str, Any] = _FIELDS.decode(body)
        inner = fields.get("response")
        if inner is not None and bytes(inner)[:1] == b"{":
            told = priced(bytes(inner), cost_usd, replacing=replacing)
            if told is None:
                return None
            fields["response"] = Raw(told)
            return msgspec.json.encode(fields)
        usage = fields.get("usage")
        if usage is None or bytes(usage)[:1] != b"{":
            return None
        counts: dict[str, Any] = _FIELDS.decode(usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if replacing and "cost" not in counts:
        return None
    counts["cost"] = cost_usd
    fields["usage"] = counts
    return msgspec.json.encode(fields)
