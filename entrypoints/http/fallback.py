"""What callers get where no route answers: our own error shape, in their family, never a framework's page."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from application.ports.system import IdFactory
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT
from entrypoints.http.errors import error_payload
from entrypoints.http.permissions import ROUTE_PERMISSIONS

Handlers = dict[Any, Callable[[Request, Exception], Awaitable[Response]]]
ANTHROPIC_PATHS = "/v1/messages"
GEMINI_PATHS = "/v1beta/"


_PROBES = ("HEAD", "OPTIONS")
_METHODS = [(method, compile_path(path)[0]) for method, path in ROUTE_PERMISSIONS]


def methods_of(path: str) -> list[str]:
    """The methods of all routes that a path fits; the router knows only one of them, the hot routes none."""
    return sorted({method for method, pattern in _METHODS if pattern.match(path)})


def not_found_handlers(ids: IdFactory) -> Handlers:
    """Handlers for what Starlette itself raises (unknown paths and methods) and for bugs of ours."""

    async def handle(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path, method = request.url.path[:200], request.method[:20]
        status, headers = error.status_code, dict(error.headers or {})
        methods = methods_of(request.url.path)
        allowed = ", ".join(methods)
        if allowed and method in _PROBES:
            # Clients probe an address before they use it; what is there answers, whatever it is there for.
            status = 204 if method == "OPTIONS" else 200
            return Response(status_code=status, headers={"Allow": ", ".join([*methods, *_PROBES])})
        if allowed and request.headers.get("upgrade", "").lower() == "websocket":
            # The one status that makes agents fall back to HTTP at once instead of trying again.
            status, headers = 426, {**headers, "Upgrade": "HTTP/1.1", "Allow": allowed}
            code, message = "websocket_not_offered", f"{path} is not offered over websockets; use {allowed}"
        elif status == 404 and not allowed:
            code, message = "route_not_found", f"no route {method} {path}; the list is at /openapi.json"
        elif status in (404, 405):
            status, headers = 405, {**headers, "Allow": allowed}
            code, message = "method_not_allowed", f"{method} is not allowed on {path}; allowed: {allowed}"
        else:
            code, message = "http_error", str(error.detail)
        return _rendered(request, status, code, message, headers)

    async def unexpected(request: Request, error: Exception) -> Response:
        # Raised again afterwards, so that the application logs it.
        return _rendered(request, 500, "internal_error", "an unexpected error happened; it was logged", {})

    def _rendered(
        request: Request, status: int, code: str, message: str, headers: dict[str, str]
    ) -> Response:
        request_id = ids.next("req")
        anthropic = "anthropic-version" in request.headers or request.url.path.startswith(ANTHROPIC_PATHS)
        family = ANTHROPIC_MESSAGES if anthropic else OPENAI_CHAT
        body = error_payload(
            GEMINI_GENERATE if request.url.path.startswith(GEMINI_PATHS) else family,
            status,
            code=code,
            message=message,
            param=None,
            request_id=request_id,
        )
        headers = {**headers, "x-request-id": request_id}
        return Response(body, status, headers, media_type="application/json")

    return {HTTPException: handle, Exception: unexpected}
