"""Requests for a stream as requests for a whole answer: two top-level fields less, the rest byte for byte."""

from dataclasses import replace
from typing import Final

import msgspec

from application.ports.unstreamed import Unstreamed
from domain.llm.capabilities import Capability
from domain.llm.request import LlmRequest

_FIELDS: Final = frozenset({"stream", "stream_options"})
_NAMES: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class WireUnstreamed(Unstreamed):
    """Of JSON bodies. Gemini's say it in their path, which is no part of the request."""

    def whole(self, request: LlmRequest) -> LlmRequest | None:
        if not request.stream:
            return replace(request)
        body = request.body
        if request.fields & _FIELDS:
            try:
                names = _NAMES.decode(body)
            except msgspec.DecodeError:
                return None
            body = msgspec.json.encode({name: raw for name, raw in names.items() if name not in _FIELDS})
        return replace(
            request,
            body=body,
            stream=False,
            include_usage=False,
            fields=request.fields - _FIELDS,
            needs=Capability(int(request.needs) & ~int(Capability.STREAMING)),
        )
