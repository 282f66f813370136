"""`POST /api/v1/playground`: one question to a model, by whoever is logged in to the pages.

Cookies of logins do not count where models are called by programs (`login_cookies.NEVER`). Here they do: the
call passes the same pipeline, as the person, so budgets, limits, privacy, audit and usage hold.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from application.job import Attribution
from domain.errors import InvalidRequest
from domain.llm.request import LlmRequest
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal
from entrypoints.http.asgi import RawHeaders
from entrypoints.http.callers import Call
from entrypoints.http.complete import CompleteEndpoint
from entrypoints.http.guard import Door, guarded_routes, only_parameters
from entrypoints.http.llm import LlmGate

PATH: Final = "/api/v1/playground"
AGENT: Final = "playground"
"""Who asked, in usage: whatever the body says."""


def playground_routes(door: Door, gate: LlmGate) -> list[Route]:
    """The route, behind `llm.call`."""
    return guarded_routes(door, {("POST", PATH): _Playground(PlaygroundEndpoint(gate)).ask})


class PlaygroundEndpoint(CompleteEndpoint):
    """As `/api/v1/llm/complete`, unary only."""

    def read(
        self, call: Call, body: bytes, principal: Principal
    ) -> tuple[LlmRequest, Requirements, Attribution]:
        """As for programs; a stream is refused. Raises as there."""
        request, requirements, attribution = super().read(call, body, principal)
        if request.stream:
            raise InvalidRequest(
                "the playground answers whole; use /api/v1/llm/complete to stream", param="request.stream"
            )
        # Who may speak for certain agents only is recorded as theirs.
        attribution.agent_id = AGENT if principal.assertable is None else ""
        return request, requirements, attribution


class _Playground:
    def __init__(self, endpoint: PlaygroundEndpoint) -> None:
        self._endpoint = endpoint

    async def ask(self, request: Request, _: Principal) -> Response:
        """The endpoint admits the caller itself: the door only asked for the permission."""
        only_parameters(request)
        heard = _Heard()
        await self._endpoint(request.scope, request.receive, heard)
        return heard.response()


class _Heard:
    """Takes an answer that comes whole."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: RawHeaders = []
        self._parts: list[bytes] = []

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
        else:
            self._parts.append(message.get("body", b""))

    def response(self) -> Response:
        """The same for the door."""
        response = Response(b"".join(self._parts), self._status)
        response.raw_headers = [pair for pair in self._headers if pair[0] != b"cache-control"]
        response.raw_headers.append((b"cache-control", b"no-store"))
        return response
