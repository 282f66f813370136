"""Kept responses by their ids, for the official SDKs: retrieve, delete, cancel, input items."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from application.job import Attribution
from application.ports.resources import HeaderPairs, ResourceAnswer
from application.use_cases.stored_responses import FollowedResponse, Query, StoredResponses
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.principal import Principal
from entrypoints.http.callers import read_attribution, read_headers
from entrypoints.http.guard import Door, guarded_routes
from entrypoints.http.responses import failure_events, last_number

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
        request_id = self._door.ids.next("req")
        response = StreamingResponse(
            _relayed(followed, response_id, request_id),
            followed.status,
            media_type=followed.content_type.partition(";")[0],
        )
        _dress(response, followed.headers, request_id)
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


async def _relayed(followed: FollowedResponse, response_id: str, request_id: str) -> AsyncIterator[bytes]:
    """The bytes as they come; the exchange ends with whoever reads them. What is read and refused on its way
    ends with an error event; what is passed on unread can only be cut."""
    last = "-1"
    try:
        while data := await followed.next_chunk():
            last = last_number(data) or last
            yield data
    except InterchangeError as error:
        if not followed.in_frames:
            raise
        yield failure_events(
            error,
            response_id=response_id,
            after=int(last) + 1,
            created_at=followed.created_at_us // 1_000_000,
            model=followed.model,
            request_id=request_id,
        )
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
