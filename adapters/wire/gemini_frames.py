"""What Interchange itself says to Gemini's callers: errors inside streams, continued text, closing chunks."""

from typing import Any, Final

import msgspec

from adapters.wire.gemini_words import Json, finish_reason, usage_metadata
from domain.llm.usage import Usage

KEEP_ALIVE: Final = b"\r\n\r\n"
"""An empty event: Google's SDKs take the comments of an event stream for broken JSON."""
ERROR_DOMAIN: Final = "interchange"

_STATUSES: Final[dict[str, tuple[int, str]]] = {
    "invalid_request": (400, "INVALID_ARGUMENT"),
    "invalid_model_requirements": (400, "INVALID_ARGUMENT"),
    "invalid_api_key": (401, "UNAUTHENTICATED"),
    "forbidden": (403, "PERMISSION_DENIED"),
    "residency_violation": (403, "PERMISSION_DENIED"),
    "pii_blocked": (403, "PERMISSION_DENIED"),
    "guardrail_blocked": (400, "INVALID_ARGUMENT"),
    "agent_stopped": (403, "PERMISSION_DENIED"),
    "model_not_found": (404, "NOT_FOUND"),
    "not_found": (404, "NOT_FOUND"),
    "rate_limit_exceeded": (429, "RESOURCE_EXHAUSTED"),
    "request_timeout": (504, "DEADLINE_EXCEEDED"),
    "no_provider_available": (503, "UNAVAILABLE"),
    "overloaded": (503, "UNAVAILABLE"),
    "store_unavailable": (503, "UNAVAILABLE"),
    "privacy_unavailable": (503, "UNAVAILABLE"),
    "guardrail_unavailable": (503, "UNAVAILABLE"),
    "stream_interrupted": (502, "UNAVAILABLE"),
    "upstream_rate_limit": (429, "RESOURCE_EXHAUSTED"),
    "upstream_quota": (429, "RESOURCE_EXHAUSTED"),
    "upstream_overloaded": (503, "UNAVAILABLE"),
    "upstream_network": (502, "UNAVAILABLE"),
    "upstream_timeout": (504, "DEADLINE_EXCEEDED"),
    "egress_refused": (502, "UNAVAILABLE"),
    "upstream_caller_fault": (400, "INVALID_ARGUMENT"),
    "upstream_content_policy": (400, "INVALID_ARGUMENT"),
    "upstream_context_length": (400, "INVALID_ARGUMENT"),
    "upstream_model_missing": (404, "NOT_FOUND"),
}
"""Our code -> the number and the name that Google's SDKs sort errors by."""


def error_body(code: str, message: str, *, param: str | None = None, request_id: str = "") -> Json:
    """An error in Google's shape; our own code and the request id are among the details."""
    number, status = _STATUSES.get(code, (500, "INTERNAL"))
    facts = {"code": code, **({"param": param} if param else {})}
    details: list[Json] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": code.upper(),
            "domain": ERROR_DOMAIN,
            "metadata": facts,
        }
    ]
    if request_id:
        details.append({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": request_id})
    return {"error": {"code": number, "message": message, "status": status, "details": details}}


def chunk(request_id: str, model: str, parts: list[Json], **candidate: Any) -> Json:
    """A partial answer of one candidate."""
    content = {"parts": parts, "role": "model"}
    return {
        "candidates": [{"content": content, "index": 0, **candidate}],
        "modelVersion": model,
        "responseId": request_id,
    }


def text_frame(text: str, request_id: str, model: str) -> bytes:
    """More text."""
    return frame(chunk(request_id, model, [{"text": text}]))


def finish_frame(reason: str, usage: Usage | None, request_id: str, model: str) -> bytes:
    """The last chunk: why the answer ended, and what it took."""
    body = chunk(request_id, model, [{"text": ""}], finishReason=finish_reason(reason))
    if usage is not None:
        body["usageMetadata"] = usage_metadata(usage)
    return frame(body)


def frame(body: Json) -> bytes:
    """One event of a stream, with Google's own line ends."""
    return b"data: " + msgspec.json.encode(body) + b"\r\n\r\n"
