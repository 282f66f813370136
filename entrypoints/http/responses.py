"""`POST /v1/responses`: streams that fail the way clients of the Responses API expect.

A broken stream ends with two events: `error`, which SDKs raise, and `response.failed`, which agents that
only watch the life of a response need. Both carry on the numbering of the events before them.
"""

import re
from typing import Any, Final

import msgspec

from application.job import Job
from application.ports.llm import Block
from application.ports.wire import OPENAI_RESPONSES
from domain.errors import InterchangeError
from entrypoints.http.errors import error_type
from entrypoints.http.llm import LlmEndpoint, LlmGate

_FIRST_ID: Final = re.compile(rb'"response":\s*\{.{0,200}?"id":\s*"([^"\\]{1,200})"', re.DOTALL)
_SEQUENCE: Final = re.compile(rb'"sequence_number":\s*(\d{1,12})')
_SEQUENCE_MARK: Final = b'"sequence_number":'
_FAILED_CODES: Final[dict[str, str]] = {
    "upstream_rate_limit": "rate_limit_exceeded",
    "upstream_quota": "insufficient_quota",
    "upstream_context_length": "context_length_exceeded",
    "upstream_content_policy": "invalid_prompt",
}
"""Our codes in the words of `response.error.code`; any other is a `server_error`, which agents try again."""


class ResponsesEndpoint(LlmEndpoint):
    """The create route. Job texts hold the response's id and the number of its last event, for its error."""

    def __init__(self, gate: LlmGate) -> None:
        super().__init__(gate, OPENAI_RESPONSES)

    def stream_bytes(self, job: Job, block: Block) -> bytes:
        raw = block.raw
        if raw:
            if not job.texts:
                job.texts += [id_in(raw), "-1"]
            job.texts[1] = last_number(raw) or job.texts[1]
        return super().stream_bytes(job, block)

    def stream_error(self, job: Job, error: InterchangeError) -> bytes:
        response_id, last = job.texts or ("", "-1")
        return failure_events(
            error,
            response_id=response_id or f"resp_{job.request_id}",
            after=int(last) + 1,
            created_at=job.started_at_us // 1_000_000,
            model=job.request.model,
            request_id=job.request_id,
        )


def id_in(raw: bytes) -> str:
    """The response's id in its first event; empty: none."""
    named = _FIRST_ID.search(raw)
    return named.group(1).decode("utf-8", "replace") if named else ""


def last_number(raw: bytes) -> str:
    """The number of the last of these events; empty: none has one."""
    at = raw.rfind(_SEQUENCE_MARK)
    numbered = _SEQUENCE.match(raw, at) if at >= 0 else None
    return "" if numbered is None else numbered.group(1).decode()


def failure_events(
    error: InterchangeError, *, response_id: str, after: int, created_at: int, model: str, request_id: str
) -> bytes:
    """The two events that end a stream which cannot be finished, numbered from `after` on."""
    told = {
        "message": error.message,
        "type": error_type(error, OPENAI_RESPONSES),
        "param": error.param,
        "code": error.code,
        "request_id": request_id,
    }
    failed = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "failed",
        "error": {"code": _FAILED_CODES.get(error.code, "server_error"), "message": error.message},
        "incomplete_details": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }
    return _event(
        "error",
        sequence_number=after,
        code=error.code,
        message=error.message,
        param=error.param,
        error=told,
    ) + _event("response.failed", sequence_number=after + 1, response=failed)


def _event(name: str, /, **fields: Any) -> bytes:
    body = msgspec.json.encode({"type": name, **fields})
    return b"event: %s\ndata: %s\n\n" % (name.encode(), body)
