"""HTTP for the library of the protocol, through the tenant's way out: no socket of its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

import httpx2

from adapters.rest.credentials import Credential
from adapters.rest.draft import Draft
from adapters.rest.origin import Origin
from application.ports.http import HttpRequest, HttpResponse, HttpTransport, TransportFailed, TransportStage
from domain.errors import EgressRefused, InterchangeError

REQUEST_TIMEOUT_S: Final = 30.0
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
STREAM_TIMEOUT_S: Final = 3600.0
_OURS: Final = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})
_UNAUTHORISED: Final = 401
_NOT_FOUND: Final = 404
_SESSION: Final = "mcp-session-id"
_TRACED: Final = b'"traceparent"'
_TRACE_HEADERS: Final = ("traceparent", "tracestate")


class TenantHttp(httpx2.AsyncBaseTransport):
    """Sends to one origin and no other; proves who asks right before sending. `refused` keeps the last error
    that the library would only show as a broken connection; `forgotten` says that the server does not know
    this session any more."""

    def __init__(self, transport: HttpTransport, origin: Origin, credential: Credential) -> None:
        self._transport = transport
        self._origin = origin
        self._credential = credential
        self.refused: InterchangeError | None = None
        self.forgotten = False

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        endpoint = self._origin.endpoint
        url = request.url
        port = url.port or (443 if url.scheme == "https" else 80)
        if (url.scheme, url.host, port) != (endpoint.scheme, endpoint.host, endpoint.port):
            raise httpx2.ConnectError("requests to another origin are not sent", request=request)
        body = await request.aread()
        headers = [(name, value) for name, value in request.headers.multi_items() if name not in _OURS]
        headers += _trace_of(body)
        draft = Draft(method=request.method, target=url.raw_path.decode("ascii"), headers=headers, body=body)
        answer = await self._sent(request, draft)
        if answer.status == _UNAUTHORISED:
            try:
                again = await self._credential.renew(draft.copy())
            except InterchangeError as error:
                answer.close()
                raise self._told(error, request) from None
            if again:
                answer.close()
                answer = await self._sent(request, draft)
        if answer.status == _NOT_FOUND and _SESSION in request.headers:
            self.forgotten = True
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Pieces(answer, request), request=request
        )

    async def _sent(self, request: httpx2.Request, draft: Draft) -> HttpResponse:
        proven = draft.copy()
        try:
            await self._credential.prove(proven)
            return await self._transport.send(
                HttpRequest(
                    proven.method,
                    self._origin.endpoint,
                    proven.target,
                    proven.headers,
                    proven.body,
                    headers_timeout_s=STREAM_TIMEOUT_S if draft.method == "POST" else REQUEST_TIMEOUT_S,
                    total_timeout_s=STREAM_TIMEOUT_S,
                )
            )
        except InterchangeError as error:
            raise self._told(error, request) from None
        except TransportFailed as failed:
            if failed.stage is TransportStage.REFUSED:
                host = self._origin.endpoint
                refusal = EgressRefused(f"connections to {host.host[:100]}:{host.port} are not allowed here")
                raise self._told(refusal, request) from None
            if failed.stage is TransportStage.CONNECT:
                raise httpx2.ConnectError(failed.message, request=request) from None
            raise httpx2.ReadError(failed.message, request=request) from None

    def _told(self, error: InterchangeError, request: httpx2.Request) -> httpx2.TransportError:
        self.refused = error
        return httpx2.ConnectError(error.message, request=request)


def _trace_of(body: bytes) -> list[tuple[str, str]]:
    """What a call's `_meta` says of its trace, as headers: the library sends many calls on one connection,
    each from a task of its own, so nothing else tells which request belongs to which call."""
    if _TRACED not in body:
        return []
    try:
        meta = json.loads(body)["params"]["_meta"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    if not isinstance(meta, dict):
        return []
    return [(name, meta[name]) for name in _TRACE_HEADERS if isinstance(meta.get(name), str)]


class _Pieces(httpx2.AsyncByteStream):
    """A body as it comes, bounded as a whole."""

    def __init__(self, answer: HttpResponse, request: httpx2.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            while chunk := await self._answer.next_chunk():
                size += len(chunk)
                if size > ANSWER_BYTES_MAX:
                    raise httpx2.ReadError(
                        f"the answer is over {ANSWER_BYTES_MAX} bytes", request=self._request
                    )
                yield chunk
        except TransportFailed as failed:
            raise httpx2.ReadError(failed.message, request=self._request) from None
        finally:
            self._answer.close()

    async def aclose(self) -> None:
        self._answer.close()
        await asyncio.sleep(0)
