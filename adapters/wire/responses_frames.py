"""What Interchange itself says in a stream of the Responses API.

An error comes twice: flat, as the API describes the event, and as the `error` object that SDKs look for.
"""

from typing import Final

import msgspec

from adapters.wire.priced_frames import with_cost_in_frames
from adapters.wire.responses import priced

TERMINATOR: Final = b""
"""The last event ends the stream; OpenAI sends nothing after it."""


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
    return with_cost_in_frames(raw, lambda data, replacing: priced(data, cost_usd, replacing=replacing))
