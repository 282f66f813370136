"""What callers get where no route answers: our own error shape, in their family, never a framework's page."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from application.ports.system import IdFactory
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from entrypoints.http.errors import error_payload
from entrypoints.http.permissions import ROUTE_PERMISSIONS

Handlers = dict[Any, Callable[[Request, Exception], Awaitable[Response]]]


def not_found_handlers(ids: IdFactory) -> Handlers:
    """Handlers for what Starlette itself raises: unknown paths and methods."""

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path, method = request.url.path[:200], request.method
        if error.status_code == 404:
            code, message = "route_not_found", f"no route {method} {path}; the list is at /openapi.json"
        elif error.status_code == 405:
            allowed = sorted(m for m, p in ROUTE_PERMISSIONS if p == request.url.path)
            names = ", ".join(allowed) or "other methods"
            code, message = "method_not_allowed", f"{method} is not allowed on {path}; allowed: {names}"
        else:
            code, message = "http_error", str(error.detail)
        request_id = ids.next("req")
        body = error_payload(
            ANTHROPIC_MESSAGES if "anthropic-version" in request.headers else OPENAI_CHAT,
            error.status_code,
            code=code,
            message=message,
            param=None,
            request_id=request_id,
        )
        headers = {**(error.headers or {}), "x-request-id": request_id}
        return Response(body, error.status_code, headers, media_type="application/json")

    return {HTTPException: handle}
