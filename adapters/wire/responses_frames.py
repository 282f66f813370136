"""What Interchange itself says in a stream of the Responses API.

An error comes twice: flat, as the API describes the event, and as the `error` object that SDKs look for.
"""

from typing import Final

import msgspec

from adapters.wire.responses import priced
from adapters.wire.sse import SseSplitter

TERMINATOR: Final = b""
"""The last event ends the stream; OpenAI sends nothing after it."""
_USAGE: Final = b'"usage"'


def error_event(code: str, message: str, request_id: str, *, sequence_number: int = 0) -> bytes:
    """The event of a stream that cannot be finished."""
    error = {"message": message, "type": code, "param": None, "code": code, "request_id": request_id}
    body = {
        "type": "error",
        "sequence_number": sequence_number,
        "code": code,
        "message": message,
        "param": None,
        "error": error,
    }
    return b"event: error\ndata: " + msgspec.json.encode(body) + b"\n\n"


def with_cost(raw: bytes, cost_usd: float) -> bytes:
    """A body, or frames of a stream, with `cost` in the usage of the response; other bytes stay."""
    if raw.lstrip()[:1] == b"{":
        return priced(raw, cost_usd) or raw
    if _USAGE not in raw:
        return raw
    frames = SseSplitter().feed(raw)
    raws = [frame.raw for frame in frames]
    if sum(map(len, raws)) != len(raw):
        return raw  # not whole frames: better without a cost than with a byte missing
    for place in range(len(frames) - 1, -1, -1):
        frame = frames[place]
        told = priced(frame.data, cost_usd) if frame.data is not None and _USAGE in frame.data else None
        if told is not None:
            head = b"" if frame.event is None else b"event: " + frame.event.encode() + b"\n"
            raws[place] = head + b"data: " + told + b"\n\n"
            return b"".join(raws)
    return raw
