"""The LLM routes: one endpoint class for every dialect, unary and streamed.

The order is fixed: authenticate, read, begin, answer, end (which records), and only then the last byte.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import ClassVar, NamedTuple

from application.accounting import shows_cost_in_usage
from application.answer_stream import AnswerStream
from application.job import Attribution, Job
from application.ports.llm import Block, UpstreamAnswer
from application.ports.system import Clock, IdFactory
from application.ports.wire import FrameWriter, RequestReader
from application.use_cases.answer_llm_request import AnswerLlmRequest
from domain.errors import InterchangeError, InvalidRequest, StreamCut
from domain.llm.request import LlmRequest
from domain.money import usd_float
from domain.resilience.idempotency import Answer, Claimed, IdempotencyBook
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.routing.target import UsageCost
from domain.tenancy.principal import Principal
from entrypoints.http import idempotency
from entrypoints.http.answer_headers import answer_headers, failure_headers
from entrypoints.http.asgi import (
    STREAM_HEADERS,
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
from entrypoints.http.callers import (
    Call,
    own_credential,
    read_attribution,
    read_headers,
    read_requirements,
    read_trace,
)
from entrypoints.http.disconnect import DisconnectWatch
from entrypoints.http.entrance import LET_IN_FOR_S, Entrance
from entrypoints.http.errors import error_type, render_error, status_of
from entrypoints.http.idempotency import REPLAYED
from entrypoints.http.large_bodies import LargeBodies

CALLER_LEFT_STATUS = 499
EVENT_STREAM: RawHeaders = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-cache"),
    (b"x-accel-buffering", b"no"),
]


class LlmGate(NamedTuple):
    """What every LLM endpoint works with."""

    entrance: Entrance
    reader: RequestReader
    frames: FrameWriter
    pipeline: AnswerLlmRequest
    clock: Clock
    ids: IdFactory
    body_bytes_max: int
    large_bodies: LargeBodies
    book: IdempotencyBook
    running: "set[asyncio.Task[object]]"
    """Tasks of requests between `begin` and `end`."""


class LlmEndpoint:
    """One route of one dialect. Subclasses change what is read and how the answer looks, nothing else."""

    params: ClassVar[Mapping[str, str]] = {
        "data_residency": "x-interchange-residency",
        "max_cost_per_token": "x-interchange-max-cost-per-token",
        "max_cost_usd": "x-interchange-max-cost-usd",
        "max_latency_ms": "x-interchange-max-latency-ms",
        "quality_floor": "x-interchange-quality-floor",
        "strategy": "x-interchange-strategy",
        "user_id": "x-interchange-user-id",
        "agent_id": "x-interchange-agent-id",
    }
    """Where this route's callers state a demand that an error names."""
    stream_head: RawHeaders = EVENT_STREAM
    """How a streamed answer announces itself."""

    def __init__(self, gate: LlmGate, dialect: str) -> None:
        self._gate = gate
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = read_headers(scope["headers"])
        room = self._gate.large_bodies
        size_bytes = room.size_of(call.headers)
        if not size_bytes:
            await self._answer(call, scope, receive, send)
            return
        try:
            room.take(size_bytes)
        except InterchangeError as error:
            await drain(receive)
            await respond(send, *render_error(error, self._dialect, self._gate.ids.next("req")))
            return
        try:
            await self._answer(call, scope, receive, send)
        finally:
            room.give_back(size_bytes)

    async def _answer(self, call: Call, scope: Scope, receive: Receive, send: Send) -> None:
        gate = self._gate
        entered = gate.clock.monotonic()
        request_id = gate.ids.next("req")
        claimed: Claimed | None = None
        body = b""
        unread = True
        try:
            found = gate.entrance.let_in(scope, call.headers)
            principal = found if isinstance(found, Principal) else await found
            unread = False
            let_in_s = gate.clock.monotonic()
            body = await read_body(receive, call.headers, gate.body_bytes_max)
            if gate.clock.monotonic() - let_in_s >= LET_IN_FOR_S:
                principal = await gate.entrance.admit(scope, call.headers)
            request, requirements, attribution = self.read(call, body, principal)
            attribution.trace = read_trace(call.headers)
            if call.has_wishes:
                request.own_credential = own_credential(call.headers, request.dialect)
                request.cache_wish = read_cache_wish(call.headers)
            key = call.headers.get(idempotency.HEADER)
            if key is not None:
                now = gate.clock.monotonic()
                standing = idempotency.claim(gate.book, principal, scope["path"], key, body, now)
                if isinstance(standing, Answer):
                    await respond(send, standing.status, [*standing.headers, REPLAYED], standing.body)
                    return
                claimed = standing
            if (waiting := self.prepare(principal, request)) is not None:
                await waiting
            job, live = await gate.pipeline.begin(
                principal, request, requirements, attribution, request_id=request_id, entered=entered
            )
        except CallerLeft:
            # Or a body whose framing broke: then somebody still listens.
            broken = InvalidRequest("the body ended before it was complete", param="body")
            await respond(send, *render_error(broken, self._dialect, request_id))
            return
        except InterchangeError as error:
            if claimed is not None:
                gate.book.release(claimed)
            if unread:
                await drain(receive)
            if error.param is not None:
                error.param = self.params.get(error.param, error.param)
            await respond(send, *self.refusal(error, body, request_id))
            return
        except BaseException:
            if claimed is not None:
                gate.book.release(claimed)
            raise
        job.trace = call.has_wishes and call.headers.get(b"x-interchange-trace") == b"1"
        await self._carry_out(job, live, receive, send, claimed)

    async def _carry_out(
        self, job: Job, live: LiveState, receive: Receive, send: Send, claimed: Claimed | None
    ) -> None:
        """Answers what was begun, as a task that whoever stops the server can wait for."""
        task, running = asyncio.current_task(), self._gate.running
        assert task is not None, "endpoints run in tasks"
        running.add(task)
        try:
            if job.request.stream:
                await self._stream(job, live, DisconnectWatch(receive, task), send, claimed)
            elif job.course is not None and job.course.hit is not None:
                await self._again(job, send, claimed)
            else:
                await self._unary(job, live, DisconnectWatch(receive, task), send, claimed)
        finally:
            running.discard(task)

    # What subclasses may change

    def read(
        self, call: Call, body: bytes, principal: Principal
    ) -> tuple[LlmRequest, Requirements, Attribution]:
        """The request with the caller's demands. Raises InvalidRequest or InvalidRequirements."""
        request = self._gate.reader.read(self._dialect, body)
        request.headers = call.vendor_headers
        if not call.has_wishes:
            return request, Requirements(), Attribution()
        return request, read_requirements(call.headers), read_attribution(call.headers)

    def prepare(self, principal: Principal, request: LlmRequest) -> Awaitable[None] | None:
        """What has to be found out before a request can be planned; None: nothing. Raises what refuses it."""
        return None

    def refusal(self, error: InterchangeError, body: bytes, request_id: str) -> tuple[int, RawHeaders, bytes]:
        """What is answered when the request did not get as far as a provider."""
        return render_error(error, self._dialect, request_id)

    def unary_body(self, job: Job, answer: UpstreamAnswer) -> tuple[str, bytes]:
        """Content type and body of a whole answer."""
        if not shows_cost_in_usage(job) or (cost := job.cost_nano_usd) is None:
            return answer.content_type, answer.body
        return answer.content_type, self._gate.frames.with_cost(
            job.request.dialect, answer.body, usd_float(cost)
        )

    def stream_bytes(self, job: Job, block: Block) -> bytes:
        """What the caller gets of one block."""
        return block.raw

    def keep_alive(self, job: Job) -> bytes:
        """What keeps the line alive until the first content."""
        return self._gate.frames.keep_alive(job.request.dialect)

    def stream_end(self, job: Job) -> bytes:
        """What follows a complete answer."""
        frames, dialect, cost = self._gate.frames, job.request.dialect, job.cost_nano_usd
        note = b""
        told = shows_cost_in_usage(job) or job.plan.route.usage_cost is UsageCost.NEVER
        if cost is not None and not told:
            note = frames.cost_note(dialect, usd_float(cost))
        return note + frames.terminator(dialect)

    def stream_error(self, job: Job, error: InterchangeError) -> bytes:
        """The terminal event of an answer that could not be finished."""
        return self._gate.frames.error_event(
            job.request.dialect,
            code=error.code,
            message=error.message,
            request_id=job.request_id,
            error_type=error_type(error, job.request.dialect),
        )

    # Unary

    async def _unary(
        self, job: Job, live: LiveState, watch: DisconnectWatch, send: Send, claimed: Claimed | None
    ) -> None:
        pipeline = self._gate.pipeline
        job.halt = watch.halt
        try:
            answer = await pipeline.complete(job, live)
            watch.stop()
            await self._give(job, answer, send, claimed)
        except InterchangeError as error:
            watch.stop()
            await self._refuse(job, error, send)
        except asyncio.CancelledError:
            watch.stop()
            if not watch.forgive():
                raise
            if watch.halted is not None:
                await self._refuse(job, watch.halted, send)
        finally:
            watch.stop()
            if claimed is not None:
                self._gate.book.release(claimed)
            if not job.recorded:
                pipeline.end(job, status=CALLER_LEFT_STATUS, outcome="cancelled")

    async def _again(self, job: Job, send: Send, claimed: Claimed | None) -> None:
        """Answers what was answered when it began: there is nothing to wait for, and nothing to end."""
        try:
            await self._give(job, self._gate.pipeline.kept(job), send, claimed)
        finally:
            if claimed is not None:
                self._gate.book.release(claimed)
            if not job.recorded:
                self._gate.pipeline.end(job, status=CALLER_LEFT_STATUS, outcome="cancelled")

    async def _give(self, job: Job, answer: UpstreamAnswer, send: Send, claimed: Claimed | None) -> None:
        content_type, body = self.unary_body(job, answer)
        job.response_bytes = len(body)
        self._gate.pipeline.end(job, status=200, outcome="ok")
        now = self._gate.clock.monotonic()
        headers = answer_headers(job, now)
        headers.append((b"content-type", content_type.encode("latin-1")))
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        if claimed is not None:
            self._gate.book.complete(claimed, Answer(200, tuple(headers), body), now=now)
        await respond(send, 200, headers, body)

    async def _refuse(self, job: Job, error: InterchangeError, send: Send) -> None:
        status, headers, body = render_error(error, self._dialect, job.request_id)
        self._gate.pipeline.end(job, status=status, outcome="error", error_code=error.code)
        await respond(send, status, headers + failure_headers(job, self._gate.clock.monotonic()), body)

    # Streamed

    async def _stream(
        self, job: Job, live: LiveState, watch: DisconnectWatch, send: Send, claimed: Claimed | None
    ) -> None:
        pipeline = self._gate.pipeline
        job.halt = watch.halt
        opening = asyncio.get_running_loop().create_task(pipeline.open(job, live))
        stream: AnswerStream | None = None
        try:
            await self._keep_alive_until(opening, job, send, watch)
            stream = await opening
            if not watch.started:
                watch.started = True
                await send(_start(200, self._stream_headers(job, stream)))
            await self._relay(job, stream, send, claimed)
        except InterchangeError as error:
            watch.stop()
            await self._refuse_stream(job, error, send, started=watch.started)
        except asyncio.CancelledError:
            watch.stop()
            if not watch.forgive():
                raise
            if watch.halted is not None:
                await _abandon(opening)
                if stream is not None:
                    stream.close()
                await self._refuse_stream(job, watch.halted, send, started=watch.started)
        finally:
            watch.stop()
            await _abandon(opening)
            if stream is not None:
                stream.close()
            if claimed is not None:
                self._gate.book.release(claimed)
            pipeline.end(job, status=CALLER_LEFT_STATUS, outcome="cancelled")

    async def _keep_alive_until(
        self, opening: "asyncio.Task[AnswerStream]", job: Job, send: Send, watch: DisconnectWatch
    ) -> None:
        """Waits for the first content; after a while of silence commits 200 and keeps the line alive.

        Failover stays open meanwhile. `watch.started` tells whether the response has.
        """
        period_s = job.plan.route.timeouts.keep_alive_after_s
        while not opening.done():
            await asyncio.wait((opening,), timeout=period_s)
            if opening.done():
                break
            if not watch.started:
                watch.started = True
                await send(_start(200, [*self.stream_head, (b"x-request-id", job.request_id.encode())]))
            await send(_part(self.keep_alive(job)))

    async def _relay(self, job: Job, stream: AnswerStream, send: Send, claimed: Claimed | None) -> None:
        kept: list[bytes] = []
        while (block := await stream.next_block()) is not None:
            data = self.stream_bytes(job, block)
            if data:
                job.response_bytes += len(data)
                job.chunks += 1
                if claimed is not None:
                    kept.append(data)
                await send(_part(data))
        stream.close()
        end = self.stream_end(job)
        job.response_bytes += len(end)
        self._gate.pipeline.end(job, status=200, outcome="ok")
        if claimed is not None:
            headers = self._stream_headers(job, stream)
            answer = Answer(200, tuple(headers), b"".join((*kept, end)))
            self._gate.book.complete(claimed, answer, now=self._gate.clock.monotonic())
        await send({"type": "http.response.body", "body": end})

    async def _refuse_stream(self, job: Job, error: InterchangeError, send: Send, *, started: bool) -> None:
        if not started:
            await self._refuse(job, error, send)
            return
        outcome = "cut" if isinstance(error, StreamCut) else "error"
        status = status_of(error, self._dialect)
        self._gate.pipeline.end(job, status=status, outcome=outcome, error_code=error.code)
        await send({"type": "http.response.body", "body": self.stream_error(job, error)})

    def _stream_headers(self, job: Job, stream: AnswerStream) -> RawHeaders:
        headers = [*self.stream_head, *answer_headers(job, self._gate.clock.monotonic(), with_cost=False)]
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in stream.headers]
        return headers


async def _abandon(opening: "asyncio.Task[AnswerStream]") -> None:
    """Ends an opening that nobody waits for any more, and whatever it opened in the same moment."""
    if not opening.done():
        opening.cancel()
        await asyncio.wait((opening,))
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _start(status: int, headers: RawHeaders) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": [*headers, *STREAM_HEADERS]}


def _part(data: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": data, "more_body": True}
