"""`/api/v1/integrations/{integration_id}/objects/{key}`: bytes of storage, as HTTP itself would say it.

Every one of them is a call of a tool, through the same gates; what is larger than memory passes in pieces.
"""

import asyncio
import binascii
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from application.ports.wire import OPENAI_CHAT
from application.tools.execute import ExecuteTool, ToolAsked
from application.tools.streams import EndingStream
from domain.connectors.tool import TIMEOUT_S_MAX
from domain.errors import (
    InterchangeError,
    InvalidParameters,
    InvalidRequest,
    Overloaded,
    ToolRefused,
)
from domain.tenancy.principal import Principal
from entrypoints.http.answer_headers import answer_headers
from entrypoints.http.asgi import Receive, Scope, Send, respond
from entrypoints.http.cache_wishes import read_cache_wish
from entrypoints.http.callers import read_attribution, read_headers, read_requirements, read_trace
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.errors import render_error
from entrypoints.http.guard import Door, guarded_routes, only_parameters, refuse_encoded, still_let_in
from entrypoints.http.llm import LlmGate
from entrypoints.http.tools import send_stream

PATH: Final = "/api/v1/integrations/{integration_id}/objects/{key:path}"
OCTETS: Final = "application/octet-stream"
UPLOAD_IDLE_TIMEOUT_S: Final = 30.0
UPLOADS_MAX: Final = 32
UPLOADS_PER_TENANT_MAX: Final = 8
"""At once, in one process: each holds a few parts in memory, and its sender may be slow."""
RETRY_AFTER_S: Final = 2.0
_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_DIGEST: Final = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):")
_METADATA: Final = "x-interchange-meta-"


def object_routes(door: Door, gate: LlmGate, execute: ExecuteTool) -> list[Route]:
    """The routes, each behind its permission from the one table. GET answers HEAD too."""
    handlers = _Objects(gate, execute)
    return guarded_routes(
        door,
        {
            ("PUT", PATH): handlers.put,
            ("GET", PATH): handlers.get,
            ("DELETE", PATH): handlers.delete,
        },
    )


class _Objects:
    def __init__(self, gate: LlmGate, execute: ExecuteTool) -> None:
        self._gate = gate
        self._execute = execute
        self._uploads: Counter[str] = Counter()

    async def put(self, request: Request, by: Principal) -> Response:
        only_parameters(request)
        refuse_encoded(request)
        asked = _asked(request, "upload_object", written(request))
        self._take(by.tenant_id)
        try:
            answer = await self._execute.upload(
                by, asked, _body(request), _declared(request), request_id=self._gate.ids.next("req")
            )
        finally:
            self._uploads[by.tenant_id] -= 1
            if not self._uploads[by.tenant_id]:
                del self._uploads[by.tenant_id]
        response = Response(answer.result, media_type="application/json")
        response.raw_headers.extend(answer_headers(answer.job, self._gate.clock.monotonic()))
        return response

    def _take(self, tenant_id: str) -> None:
        if self._uploads[tenant_id] >= UPLOADS_PER_TENANT_MAX or self._uploads.total() >= UPLOADS_MAX:
            raise Overloaded(
                f"as many objects are uploaded as may be at once ({UPLOADS_PER_TENANT_MAX} of a tenant, "
                f"{UPLOADS_MAX} in all)",
                retry_after_s=RETRY_AFTER_S,
            )
        self._uploads[tenant_id] += 1

    async def get(self, request: Request, by: Principal) -> Response:
        only_parameters(request, "version_id")
        if request.method == "HEAD":
            return await self._head(request, by)
        said = _named(request)
        byte_range = read_range(request.headers.get("range"))
        if byte_range is not None:
            said["range"] = byte_range
        if (etag := request.headers.get("if-match")) not in (None, "*"):
            said["if_match"] = plain_etag(str(etag))
        request_id = self._gate.ids.next("req")
        stream = await self._execute.stream(
            by, _asked(request, "download_object", said), OCTETS, request_id=request_id
        )
        # Whoever wrote it chose its type: no browser is to run it under our name.
        stream.headers = [*stream.headers, ("content-disposition", "attachment"), ("accept-ranges", "bytes")]
        status = HTTPStatus.OK if byte_range is None else HTTPStatus.PARTIAL_CONTENT
        return _Sent(stream, self._gate, request_id, status)

    async def _head(self, request: Request, by: Principal) -> Response:
        asked = _asked(request, "get_metadata", _named(request))
        answer = await self._execute.execute(by, asked, request_id=self._gate.ids.next("req"))
        response = Response(headers=described(json.loads(answer.result)))
        response.raw_headers.extend(answer_headers(answer.job, self._gate.clock.monotonic()))
        return response

    async def delete(self, request: Request, by: Principal) -> Response:
        only_parameters(request, "version_id")
        said = _named(request)
        if (etag := request.headers.get("if-match")) is not None:
            said["if_match"] = plain_etag(etag)
        answer = await self._execute.execute(
            by, _asked(request, "delete_object", said), request_id=self._gate.ids.next("req")
        )
        response = Response(answer.result, media_type="application/json")
        response.raw_headers.extend(answer_headers(answer.job, self._gate.clock.monotonic()))
        return response


class _Sent(Response):
    """The rest of an object, as its caller takes it; settles the call however it ends."""

    def __init__(self, stream: EndingStream, gate: LlmGate, request_id: str, status: int) -> None:
        super().__init__(status_code=status)
        self._stream = stream
        self._gate = gate
        self._request_id = request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watch = DisconnectWatch(receive)
        task = asyncio.current_task()
        assert task is not None, "responses are sent in tasks"
        self._gate.running.add(task)
        try:
            await send_stream(self._stream, send, self._request_id, self.status_code)
        except InterchangeError as error:  # before its first byte
            watch.stop()
            await respond(send, *render_error(error, OPENAI_CHAT, self._request_id))
        except asyncio.CancelledError:
            watch.stop()
            if not watch.forgive():
                raise
        finally:
            watch.stop()
            self._gate.running.discard(task)
            await self._stream.aclose()


def _asked(request: Request, tool_name: str, parameters: Mapping[str, Any]) -> ToolAsked:
    call = read_headers(request.scope["headers"])
    asked = ToolAsked(
        integration_id=request.path_params["integration_id"],
        tool_name=tool_name,
        parameters=parameters,
        timeout_s=TIMEOUT_S_MAX,
    )
    if call.has_wishes:
        asked.attribution = read_attribution(call.headers)
        asked.cache_wish = read_cache_wish(call.headers)
        asked.residency = read_requirements(call.headers).residency
    asked.attribution.trace = read_trace(call.headers)
    return asked


def _named(request: Request) -> dict[str, Any]:
    said: dict[str, Any] = {"key": request.path_params["key"]}
    if version_id := request.query_params.get("version_id"):
        said["version_id"] = version_id
    return said


def written(request: Request) -> dict[str, Any]:
    """How an object is to be written, from headers. Raises InvalidRequest."""
    headers = request.headers
    said: dict[str, Any] = {
        "key": request.path_params["key"],
        "content_type": headers.get("content-type", OCTETS),
    }
    metadata = {
        name.removeprefix(_METADATA): unquote(value)
        for name, value in headers.items()
        if name.startswith(_METADATA)
    }
    if metadata:
        said["metadata"] = metadata
    if (absent := headers.get("if-none-match")) is not None:
        if absent.strip() != "*":
            raise InvalidRequest("if-none-match may be * only", param="if-none-match")
        said["only_if_absent"] = True
    if (etag := headers.get("if-match")) is not None:
        said["if_match"] = plain_etag(etag)
    if (digest := headers.get("content-digest")) is not None:
        said["sha256"] = read_digest(digest)
    return said


def read_digest(text: str) -> str:
    """The SHA-256 of a Content-Digest (RFC 9530), in hexadecimal. Raises InvalidRequest."""
    found = _DIGEST.search(text)
    if found is None:
        raise InvalidRequest("content-digest must be sha-256=:…:", param="content-digest")
    return binascii.a2b_base64(found[1]).hex()


def read_range(text: str | None) -> dict[str, int] | None:
    """One range from its beginning on; any other is no reason not to answer with the whole (RFC 9110)."""
    found = _RANGE.fullmatch(text.strip()) if text else None
    if found is None:
        return None
    offset = int(found[1])
    if not found[2]:
        return {"offset": offset}
    return {"offset": offset, "length": int(found[2]) - offset + 1} if int(found[2]) >= offset else None


def plain_etag(text: str) -> str:
    """One etag without its quotes. Raises InvalidRequest."""
    plain = text.strip().removeprefix("W/").strip('"')
    if not plain or '"' in plain or "," in plain:
        raise InvalidRequest("if-match must be one etag", param="if-match")
    return plain


def described(about: Mapping[str, Any]) -> dict[str, str]:
    """What is known about an object, as headers. Metadata is percent-encoded."""
    headers = {
        "content-length": str(about["size_bytes"]),
        "content-type": about["content_type"] if about["content_type"].isascii() else OCTETS,
        "etag": f'"{about["etag"]}"',
        "accept-ranges": "bytes",
    }
    if about["version_id"]:
        headers["x-interchange-version"] = about["version_id"]
    for algorithm, value in about["checksums"].items():
        headers[f"x-interchange-{algorithm}"] = value
    for name, value in about["metadata"].items():
        headers[f"{_METADATA}{name}"] = quote(value, safe=" !#$&'()*+,/:;=?@[]~")
    return headers


def _declared(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdigit() and len(text) < 19 else None


async def _body(request: Request) -> AsyncIterator[bytes]:
    """The bytes as they come. What goes wrong here is told as no fault of the store."""
    stream = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(UPLOAD_IDLE_TIMEOUT_S):
                chunk = await anext(stream, None)
            await still_let_in(request)
        except TimeoutError:
            raise InvalidParameters("the body did not arrive in time", param="body") from None
        except ClientDisconnect:
            raise InvalidParameters("the caller left before the body was complete", param="body") from None
        except InterchangeError as error:
            raise ToolRefused(error.message) from error
        if chunk is None:
            return
        if chunk:
            yield chunk
