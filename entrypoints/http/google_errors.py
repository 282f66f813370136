"""Our errors in the shape that Google's SDKs read."""

from collections.abc import Mapping
from typing import Any

import msgspec

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""HTTP status -> Google's name for it."""
_TYPES = "type.googleapis.com/google.rpc."


def google_payload(
    status: int,
    *,
    code: str,
    message: str,
    param: str | None,
    request_id: str,
    details: Mapping[str, object] | None = None,
) -> bytes:
    """The error with our own code as `reason`, the field and whatever else we know in its metadata, and the
    request id as a detail of its own. Metadata are texts, as Google's are."""
    facts: dict[str, str] = {"code": code}
    if param is not None:
        facts["param"] = param
    for name, value in (details or {}).items():
        facts[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    known: list[dict[str, Any]] = [
        {
            "@type": _TYPES + "ErrorInfo",
            "reason": code.upper(),
            "domain": "interchange",
            "metadata": facts,
        }
    ]
    if request_id:
        known.append({"@type": _TYPES + "RequestInfo", "requestId": request_id})
    error = {
        "code": status,
        "message": message,
        "status": _STATUS.get(status, "INTERNAL"),
        "details": known,
    }
    return msgspec.json.encode({"error": error})
