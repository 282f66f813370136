"""`/api/v1/tools`: what integrations can do, and doing it (SPEC section 9)."""

import asyncio
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.routing import Route

from application.json_limits import check_json_limits
from application.ports.wire import OPENAI_CHAT
from application.tools.execute import ExecuteTool, ToolAnswer, ToolAsked
from application.tools.list_tools import ListTools
from application.tools.streams import EndingStream
from domain.connectors.tool import TIMEOUT_S, TIMEOUT_S_MAX
from domain.errors import InterchangeError, InvalidParameters, InvalidRequest, ToolTimeout
from domain.money import usd_float
from domain.resilience.idempotency import Answer, Claimed
from domain.tenancy.principal import Principal
from entrypoints.http import idempotency
from entrypoints.http.answer_headers import answer_headers
from entrypoints.http.asgi import (
    JSON,
    STREAM_HEADERS,
    AnswerCutOff,
    CallerLeft,
    RawHeaders,
    Receive,
    Scope,
    Send,
    drain,
    read_body,
    respond,
)
from entrypoints.http.cache_wishes import read_cache_wish
from entrypoints.http.callers import Call, read_attribution, read_headers, read_requirements, read_trace
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.entrance import LET_IN_FOR_S
from entrypoints.http.errors import render_error
from entrypoints.http.guard import Door, body_problem, guarded_routes, only_parameters
from entrypoints.http.idempotency import REPLAYED
from entrypoints.http.llm import LlmGate

EXECUTE: Final = ("POST", "/api/v1/tools/execute")
TIMEOUT_S_MIN: Final = 0.001


class ExecuteBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /api/v1/tools/execute`. `format` asks for a stream of that media type in place of one object."""

    tool_name: str
    integration_id: str
    parameters: dict[str, Any] = {}
    timeout_seconds: float = TIMEOUT_S
    format: str = ""


_BODY: Final = msgspec.json.Decoder(ExecuteBody)


class ToolEndpoint:
    """Runs one tool. Raw, as the routes of models are: half of what agents ask goes this way."""

    def __init__(self, gate: LlmGate, execute: ExecuteTool) -> None:
        self._gate = gate
        self._execute = execute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gate, entered = self._gate, self._gate.clock.monotonic()
        call = read_headers(scope["headers"])
        request_id = gate.ids.next("req")
        claimed: Claimed | None = None
        unread = True
        try:
            by = await gate.entrance.admit(scope, call.headers)
            unread = False
            let_in_s = gate.clock.monotonic()
            body = await read_body(receive, call.headers, gate.body_bytes_max)
            if gate.clock.monotonic() - let_in_s >= LET_IN_FOR_S:
                by = await gate.entrance.admit(scope, call.headers)
            asked, form = read_execution(body, call)
            asked.entered = entered
            key = call.headers.get(idempotency.HEADER)
            if key is not None:
                now = gate.clock.monotonic()
                standing = idempotency.claim(gate.book, by, scope["path"], key, body, now)
                if isinstance(standing, Answer):
                    await respond(send, standing.status, [*standing.headers, REPLAYED], standing.body)
                    return
                claimed = standing
                asked.idempotency_key = key.decode("latin-1").strip()
        except CallerLeft:
            broken = InvalidRequest("the body ended before it was complete", param="body")
            await respond(send, *render_error(broken, OPENAI_CHAT, request_id))
            return
        except InterchangeError as error:
            if unread:
                await drain(receive)
            await respond(send, *render_error(error, OPENAI_CHAT, request_id))
            return
        task = asyncio.current_task()
        assert task is not None, "endpoints run in tasks"
        gate.running.add(task)
        try:
            if form:
                await self._stream(by, asked, form, request_id, receive, send)
            else:
                await self._whole(by, asked, request_id, receive, send, claimed)
        finally:
            gate.running.discard(task)
            if claimed is not None:
                gate.book.release(claimed)

    async def _whole(
        self,
        by: Principal,
        asked: ToolAsked,
        request_id: str,
        receive: Receive,
        send: Send,
        claimed: Claimed | None,
    ) -> None:
        watch = DisconnectWatch(receive)
        refusal: InterchangeError | None = None
        try:
            answer = await self._execute.execute(by, asked, request_id=request_id, halt=watch.halt)
            watch.stop()
            headers, body = self._shown(answer)
            if claimed is not None:
                kept = Answer(200, tuple(headers), body)
                self._gate.book.complete(claimed, kept, now=self._gate.clock.monotonic())
            await respond(send, 200, headers, body)
        except InterchangeError as error:
            refusal = error
        except asyncio.CancelledError:
            watch.stop()
            if not watch.forgive():
                raise
            refusal = watch.halted
        finally:
            watch.stop()
        if refusal is None:
            return
        status, told, said = render_error(refusal, OPENAI_CHAT, request_id)
        if claimed is not None and isinstance(refusal, ToolTimeout) and not refusal.details.get("repeatable"):
            # Nobody knows whether it was done: a repeat that did it again is what the key is to prevent.
            kept = Answer(status, tuple(told), said)
            self._gate.book.complete(claimed, kept, now=self._gate.clock.monotonic())
        await respond(send, status, told, said)

    def _shown(self, answer: ToolAnswer) -> tuple[RawHeaders, bytes]:
        cost = answer.cost_nano_usd
        shown = {
            "result": msgspec.Raw(answer.result),
            "execution_time_ms": answer.execution_time_ms,
            "cost": None if cost is None else usd_float(cost),
            "cached": answer.cached,
        }
        headers = answer_headers(answer.job, self._gate.clock.monotonic())
        headers.append(JSON)
        return headers, msgspec.json.encode(shown)

    async def _stream(
        self, by: Principal, asked: ToolAsked, form: str, request_id: str, receive: Receive, send: Send
    ) -> None:
        watch = DisconnectWatch(receive)
        stream: EndingStream | None = None
        try:
            stream = await self._execute.stream(by, asked, form, request_id=request_id)
            await send_stream(stream, send, request_id)
        except InterchangeError as error:  # before its first byte
            watch.stop()
            await respond(send, *render_error(error, OPENAI_CHAT, request_id))
        except asyncio.CancelledError:
            watch.stop()
            if not watch.forgive():
                raise
        finally:
            watch.stop()
            if stream is not None:
                await stream.aclose()


async def send_stream(stream: EndingStream, send: Send, request_id: str, status: int = 200) -> None:
    """All of it, as its caller takes it. What breaks it leaves the connection without an end mark.

    Raises AnswerCutOff, and CancelledError when the caller leaves.
    """
    headers: RawHeaders = [
        (b"x-request-id", request_id.encode()),
        (b"content-type", stream.content_type.encode("latin-1")),
        (b"cache-control", b"no-store"),
        *((name.encode("latin-1"), value.encode("latin-1")) for name, value in stream.headers),
        *STREAM_HEADERS,
    ]
    # Its first piece comes before the head, so that what fails at once is an error and no broken answer.
    chunk = await stream.next_chunk()
    await send({"type": "http.response.start", "status": status, "headers": headers})
    try:
        while chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await stream.next_chunk()
    except InterchangeError as error:
        raise AnswerCutOff(error.code) from None
    await send({"type": "http.response.body", "body": b""})


def read_execution(body: bytes, call: Call) -> tuple[ToolAsked, str]:
    """What is asked for, and in which stream; empty: as one object. Raises InvalidRequest,
    InvalidParameters."""
    check_json_limits(body)
    try:
        said = _BODY.decode(body)
    except msgspec.ValidationError as error:
        message, field = body_problem(error, ExecuteBody)
        if field == "parameters":
            raise InvalidParameters(f"parameters: {message}", param=field) from None
        raise InvalidRequest(message, param=field or "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}", param="body") from None
    if not TIMEOUT_S_MIN <= said.timeout_seconds <= TIMEOUT_S_MAX:
        raise InvalidRequest(
            f"timeout_seconds must be above 0 and at most {TIMEOUT_S_MAX}", param="timeout_seconds"
        )
    asked = ToolAsked(
        integration_id=said.integration_id,
        tool_name=said.tool_name,
        parameters=said.parameters,
        timeout_s=said.timeout_seconds,
    )
    if call.has_wishes:
        asked.attribution = read_attribution(call.headers)
        asked.cache_wish = read_cache_wish(call.headers)
        asked.residency = read_requirements(call.headers).residency
    asked.attribution.trace = read_trace(call.headers)
    return asked, said.format


def tool_routes(door: Door, tools: ListTools) -> list[Route]:
    """`GET /api/v1/tools` and one of them."""

    async def every(request: Request, by: Principal) -> Any:
        only_parameters(request, "integration_id")
        return await tools.all(by, request.query_params.get("integration_id", ""))

    async def one(request: Request, by: Principal) -> Any:
        return await tools.one(by, request.path_params["integration_id"], request.path_params["tool_name"])

    return guarded_routes(
        door,
        {
            ("GET", "/api/v1/tools"): every,
            ("GET", "/api/v1/tools/{integration_id}/{tool_name}"): one,
        },
    )
