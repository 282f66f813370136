"""`/api/v1/requests/{request_id}/content`: what was recorded of a request."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Route

from application.ports.recordings import Recording
from application.use_cases.read_recordings import ReadRecordings
from domain.tenancy.principal import Principal
from entrypoints.http.guard import Door, guarded_routes, only_parameters

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def recording_routes(door: Door, read: ReadRecordings) -> list[Route]:
    """The door enters each view in the audit trail before it is shown."""

    async def content(request: Request, by: Principal) -> Any:
        only_parameters(request)
        request_id = request.path_params["request_id"]
        parts = await read(by, request_id)
        return {"request_id": request_id, "parts": [part_object(part) for part in parts]}

    return guarded_routes(door, {("GET", "/api/v1/requests/{request_id}/content"): content})


def part_object(part: Recording) -> dict[str, Any]:
    """A part with its content: as text, or in base64 where it is none."""
    text: str | None = None
    encoding = "unreadable"
    if part.content is not None:
        try:
            text, encoding = part.content.decode(), "text"
        except UnicodeDecodeError:
            text, encoding = base64.b64encode(part.content).decode(), "base64"
    return {
        "part": part.part,
        "recorded_at": _iso(part.recorded_at_us),
        "expires_at": _iso(part.expires_at_us),
        "key_id": part.key_id,
        "user_id": part.user_id,
        "dialect": part.dialect,
        "content_type": part.content_type,
        "truncated": part.truncated,
        "encoding": encoding,
        "content": text,
    }


def _iso(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds")
