"""Kept responses by their ids, for the official SDKs: retrieve, delete, cancel, input items."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from application.job import Attribution
from application.ports.resources import HeaderPairs, ResourceAnswer
from application.use_cases.stored_responses import FollowedResponse, Query, StoredResponses
from domain.errors import InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.callers import read_attribution, read_headers
from entrypoints.http.guard import Door, guarded_routes

_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0", ""})


def stored_response_routes(door: Door, responses: StoredResponses) -> list[Route]:
    """The routes, each behind its permission from the one table."""
    resources = _Resources(door, responses)
    return guarded_routes(
        door,
        {
            ("GET", "/v1/responses/{response_id}"): resources.get,
            ("DELETE", "/v1/responses/{response_id}"): resources.delete,
            ("POST", "/v1/responses/{response_id}/cancel"): resources.cancel,
            ("GET", "/v1/responses/{response_id}/input_items"): resources.input_items,
        },
    )


class _Resources:
    def __init__(self, door: Door, responses: StoredResponses) -> None:
        self._door = door
        self._responses = responses

    async def get(self, request: Request, by: Principal) -> Any:
        response_id = request.path_params["response_id"]
        query, headers, who = _query(request), _headers(request), _who(request)
        if not _wants_stream(request):
            return self._answer(await self._responses.get(by, response_id, query, headers, who))
        followed = await self._responses.follow(by, response_id, query, headers, who)
        response = StreamingResponse(
            _relayed(followed), followed.status, media_type=followed.content_type.partition(";")[0]
        )
        _dress(response, followed.headers, self._door.ids.next("req"))
        return response

    async def delete(self, request: Request, by: Principal) -> Any:
        answer = await self._responses.delete(by, request.path_params["response_id"], _headers(request))
        return self._answer(answer)

    async def cancel(self, request: Request, by: Principal) -> Any:
        answer = await self._responses.cancel(
            by, request.path_params["response_id"], _headers(request), _who(request)
        )
        return self._answer(answer)

    async def input_items(self, request: Request, by: Principal) -> Any:
        answer = await self._responses.input_items(
            by, request.path_params["response_id"], _query(request), _headers(request), _who(request)
        )
        return self._answer(answer)

    def _answer(self, answer: ResourceAnswer) -> Response:
        response = Response(answer.body, answer.status)
        response.headers["content-type"] = answer.content_type
        _dress(response, answer.headers, self._door.ids.next("req"))
        return response


async def _relayed(followed: FollowedResponse) -> AsyncIterator[bytes]:
    """The bytes as they come; the exchange ends with whoever reads them."""
    try:
        while data := await followed.next_chunk():
            yield data
    finally:
        followed.close()


def _dress(response: Response, headers: HeaderPairs, request_id: str) -> None:
    for name, value in headers:
        response.headers.append(name, value)
    response.headers["x-request-id"] = request_id
    response.headers["cache-control"] = "no-store"


def _query(request: Request) -> Query:
    return tuple(request.query_params.multi_items())


def _headers(request: Request) -> HeaderPairs:
    return read_headers(request.scope["headers"]).vendor_headers


def _who(request: Request) -> Attribution:
    return read_attribution(read_headers(request.scope["headers"]).headers)


def _wants_stream(request: Request) -> bool:
    wish = request.query_params.get("stream", "").lower()
    if wish not in _TRUE | _FALSE:
        raise InvalidRequest("stream: 'true' or 'false' is expected", param="stream")
    return wish in _TRUE
