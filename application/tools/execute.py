"""Running a tool: the same gates, money and records as a call of a model, around one call of a connector."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from application.accounting import attempt_id
from application.caching.answer_cache import AnswerCache
from application.holds import BudgetHolds
from application.inspection import Inspector
from application.job import Attribution, Job
from application.places import Places
from application.ports.connector import ByteStream, Connector, ToolOutcome
from application.ports.llm import UpstreamAnswer
from application.ports.parameter_schemas import ParameterSchemas
from application.ports.system import Clock
from application.ports.wire import TOOLS
from application.protection import delivered
from application.rate_limits import RateLimits, waited_for
from application.tools.attempt import NOTHING_SENT, ToolAttempt
from application.tools.book import IntegrationBook, Open
from application.tools.halting import Halting
from application.tools.pipeline import Pipeline
from application.tools.streams import EndingStream
from application.tools.ways import ToolWay
from domain.connectors.terms import TraceTold
from domain.connectors.tool import PARAMETERS_BYTES_MAX, RESULT_BYTES_MAX, TIMEOUT_S, Tool, ToolCall
from domain.errors import (
    InterchangeError,
    InvalidParameters,
    ToolFailed,
    ToolRefused,
    ToolTimeout,
)
from domain.llm.cache_wish import NO_WISH, CacheWish
from domain.llm.request import LlmRequest, Operation
from domain.residency.sinks import Sink
from domain.routing.demanded import demanded
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.routing.target import Route
from domain.tenancy.principal import Principal
from domain.time import Deadline
from domain.tracing.active import NO_HEADERS, ActiveTrace, Receiver, TraceHeaders

PERMISSION: Final = "tools.execute"
CALLER_LEFT_STATUS: Final = 499
JSON: Final = "application/json"


@dataclass(slots=True, kw_only=True)
class ToolAsked:
    """What a caller wants. `timeout_s` bounds everything from admission to result."""

    integration_id: str
    tool_name: str
    parameters: Mapping[str, Any]
    timeout_s: float = TIMEOUT_S
    attribution: Attribution = field(default_factory=Attribution)
    idempotency_key: str = ""
    cache_wish: CacheWish = NO_WISH
    residency: str | None = None
    entered: float | None = None
    """When it came in, in monotonic seconds; None: just now."""


class ToolAnswer(NamedTuple):
    """`result` is JSON, as this caller may see it."""

    result: bytes
    execution_time_ms: int
    cost_nano_usd: int | None
    cached: bool
    job: Job


class ExecuteTool:
    """The only way to a tool. Belongs to one event loop."""

    def __init__(
        self,
        *,
        book: IntegrationBook,
        pipeline: Pipeline,
        schemas: ParameterSchemas,
        places: Places,
        clock: Clock,
        inspectors: Sequence[Inspector],
        limits: RateLimits | None = None,
        holds: BudgetHolds | None = None,
        cache: AnswerCache | None = None,
        refuse_unread: Callable[[Job, Route], None] | None = None,
        status_of: Callable[[InterchangeError], int] = lambda _error: 500,
    ) -> None:
        """`refuse_unread` raises where a policy has to read what is about to pass in bytes; `status_of` is
        what callers are answered, for records."""
        self.book = book
        self._pipeline = pipeline
        self._schemas = schemas
        self._places = places
        self._clock = clock
        self._inspectors = tuple(inspectors)
        self._limits = limits
        self._holds = holds
        self._cache = cache
        self._refuse_unread = refuse_unread
        self._status_of = status_of

    async def execute(
        self,
        by: Principal,
        asked: ToolAsked,
        *,
        request_id: str,
        halt: Callable[[InterchangeError], None] | None = None,
    ) -> ToolAnswer:
        """Runs a tool and waits for its whole result. `halt` ends the call from outside, with an error.

        Raises:
            Forbidden, NotFound, InvalidParameters, InvalidRequest, ToolRefused, ToolFailed, ToolTimeout,
            IntegrationUnavailable, BudgetExceeded, RateLimited, ResidencyViolation, AgentStopped, Overloaded,
            EgressRefused, StoreUnavailable, and what inspectors refuse with.
        """
        job = self._job(by, asked, request_id)
        halting = Halting()
        job.halt = halt or halting
        answered = 0
        try:
            with halting:
                entry, way = await self._begin(job, asked)
                answer = await self._answered(job, entry, way, asked)
            answer = delivered(job.protections, answer)
            answered = len(answer.body)
        except BaseException as error:
            self._ended_with(job, error)
            raise
        job.response_bytes = answered
        self._pipeline.end(job, status=200, outcome="ok")
        return self._answer(job, answer)

    async def stream(
        self, by: Principal, asked: ToolAsked, content_type: str, *, request_id: str
    ) -> EndingStream:
        """The result in pieces; read it to its end or close it. Raises as `execute`, before any of it."""
        job = self._job(by, asked, request_id)
        halting = job.halt = Halting()
        try:
            with halting:
                inner, attempt = await self._opened(job, asked, content_type)
        except BaseException as error:
            self._ended_with(job, error)
            raise
        over = partial(self._stream_over, job, attempt, halting)
        return EndingStream(inner, over, self._clock, job.deadline.at_s, halting)

    async def _opened(self, job: Job, asked: ToolAsked, content_type: str) -> tuple[ByteStream, ToolAttempt]:
        entry, way = await self._begin(job, asked)
        if content_type not in way.tool.streams:
            raise InvalidParameters(
                f"{way.tool.name} cannot be streamed as {content_type[:80]!r}; allowed: "
                f"{', '.join(sorted(way.tool.streams)) or 'none'}",
                param="format",
            )
        self._unread(job, way.route)
        attempt = await self._attempt(job, entry, way)
        try:
            call = self._call(job, entry, way, asked)
            return await attempt.run(lambda: attempt.connector.stream(call, content_type)), attempt
        except BaseException as error:
            attempt.over(error)
            raise

    async def upload(
        self,
        by: Principal,
        asked: ToolAsked,
        body: AsyncIterator[bytes],
        size_bytes: int | None,
        *,
        request_id: str,
    ) -> ToolAnswer:
        """Runs a tool that takes bytes. Raises as `execute`."""
        job = self._job(by, asked, request_id)
        halting = job.halt = Halting()
        try:
            with halting:
                answer = await self._uploaded(job, asked, body, size_bytes)
        except BaseException as error:
            self._ended_with(job, error)
            raise
        job.response_bytes = len(answer.body)
        self._pipeline.end(job, status=200, outcome="ok")
        return self._answer(job, answer)

    async def _uploaded(
        self, job: Job, asked: ToolAsked, body: AsyncIterator[bytes], size_bytes: int | None
    ) -> UpstreamAnswer:
        entry, way = await self._begin(job, asked)
        if not way.tool.takes_body:
            raise InvalidParameters(f"{way.tool.name} takes no body", param="body")
        self._unread(job, way.route)
        attempt = await self._attempt(job, entry, way)
        call = self._call(job, entry, way, asked)
        return self._protected_body(
            await attempt.whole(lambda: attempt.connector.upload(call, body, size_bytes))
        )

    # The gates, in the order of model calls

    def _job(self, by: Principal, asked: ToolAsked, request_id: str) -> Job:
        started = self._clock.monotonic()
        request = LlmRequest(
            operation=Operation.TOOL,
            dialect=TOOLS,
            model=f"{asked.integration_id[:80]}/{asked.tool_name[:80]}",
            body=encoded({"parameters": asked.parameters}, InvalidParameters),
            idempotency_key="",
            cache_wish=asked.cache_wish,
        )
        if len(request.body) > PARAMETERS_BYTES_MAX:
            raise InvalidParameters(
                f"parameters are over {PARAMETERS_BYTES_MAX} bytes of JSON", param="parameters"
            )
        requirements = Requirements(residency=asked.residency)
        requirements.said = demanded(requirements)
        return Job(
            request_id=request_id,
            principal=by,
            request=request,
            requirements=requirements,
            plan=NO_PLAN,
            attribution=asked.attribution,
            started=started,
            started_at_us=int(self._clock.utc_now().timestamp() * 1e6),
            deadline=Deadline(started + asked.timeout_s),
            entry_s=0.0 if asked.entered is None else started - asked.entered,
        )

    async def _begin(self, job: Job, asked: ToolAsked) -> tuple[Open, ToolWay]:
        try:
            async with asyncio.timeout(asked.timeout_s):
                return await self._let_in(job, asked)
        except TimeoutError:
            raise ToolTimeout("the call could not begin in time", details=NOTHING_SENT) from None
        finally:
            job.admit_s = self._clock.monotonic() - job.started

    async def _let_in(self, job: Job, asked: ToolAsked) -> tuple[Open, ToolWay]:
        self._pipeline.take_slot(job, PERMISSION)
        by = job.principal
        entry = self.book.find(by, asked.integration_id)
        self.book.require_active(entry)
        way = await self.book.way(entry, asked.tool_name)
        job.route, job.plan = way.route, way.plan
        job.deadline = Deadline(min(job.deadline.at_s, job.started + way.timeout_s))
        self._pipeline.stops(job, way.route)
        self._check_parameters(way.tool, asked.parameters)
        places = self._places
        places.hold_to(job.requirements, by.tenant_id)
        job.residency = places.residency(job.requirements)
        Sink(f"integration {entry.name}", entry.terms.region).require(job.residency)
        if self._limits is not None and (room := self._limits.admit(job, way.route)) is not None:
            await waited_for(job, room, self._clock)
        came_in = job.request.body
        for inspector in self._inspectors:
            if (seen := inspector.request(job, way.route)) is not None:
                await seen
        if job.request.body is not came_in:
            asked.parameters = json.loads(job.request.body)["parameters"]  # as policies let them go on
            self._check_parameters(way.tool, asked.parameters)
        if job.ended is not None:
            raise job.ended
        return entry, way

    def _check_parameters(self, tool: Tool, parameters: Mapping[str, Any]) -> None:
        problem = self._schemas.problem(tool.parameters, parameters)
        if problem is not None:
            raise InvalidParameters(f"{problem.message}", param=problem.param)

    def _unread(self, job: Job, route: Route) -> None:
        if self._refuse_unread is not None:
            self._refuse_unread(job, route)

    # The call

    async def _answered(self, job: Job, entry: Open, way: ToolWay, asked: ToolAsked) -> UpstreamAnswer:
        ask: Callable[[], Awaitable[UpstreamAnswer]] = partial(self._asked_outside, job, entry, way, asked)
        if self._cache is not None and way.members.route.cache.mode.serves and not asked.idempotency_key:
            since = self._clock.monotonic()
            self._cache.look(job, way.members, way.table)
            job.cache_s = self._clock.monotonic() - since
            if job.course is not None:
                return await self._cache.complete(job, ask)
        return await ask()

    async def _asked_outside(self, job: Job, entry: Open, way: ToolWay, asked: ToolAsked) -> UpstreamAnswer:
        attempt = await self._attempt(job, entry, way)
        outcome = await attempt.whole(lambda: attempt.connector.execute(self._call(job, entry, way, asked)))
        answer = self._protected_body(outcome)
        for protection in job.protections:
            answer = await protection.answer(answer)
        return answer

    async def _attempt(self, job: Job, entry: Open, way: ToolWay) -> ToolAttempt:
        connector: Connector = await self.book.ready(entry)
        attempt = ToolAttempt(job, entry, way, connector, self._clock, self.book.on_breaker)
        await attempt.begin(self._holds)
        return attempt

    def _call(self, job: Job, entry: Open, way: ToolWay, asked: ToolAsked) -> ToolCall:
        left_s = max(0.001, job.deadline.remaining_s(self._clock.monotonic()))
        return ToolCall(
            tenant_id=job.principal.tenant_id,
            integration_id=way.target.provider,
            tool=way.tool,
            parameters=asked.parameters,
            timeout_s=left_s,
            request_id=job.request_id,
            idempotency_key=asked.idempotency_key,
            cache_wish=asked.cache_wish,
            trace=NO_HEADERS if job.tracing is None else _trace_headers(job, job.tracing, entry),
        )

    @staticmethod
    def _protected_body(outcome: ToolOutcome) -> UpstreamAnswer:
        body = encoded(outcome.value, ToolFailed)
        if len(body) > RESULT_BYTES_MAX:
            raise ToolRefused(
                f"the result is over {RESULT_BYTES_MAX} bytes; ask for less of it, or stream it"
            )
        return UpstreamAnswer(body, JSON, None, "stop")

    # The end

    def _answer(self, job: Job, answer: UpstreamAnswer) -> ToolAnswer:
        took_ms = int((self._clock.monotonic() - job.started) * 1e3)
        return ToolAnswer(answer.body, took_ms, job.cost_nano_usd, job.cache.startswith("hit"), job)

    def _ended_with(self, job: Job, error: BaseException) -> None:
        if isinstance(error, InterchangeError):
            outcome = "error" if job.attempts else "refused"
            self._pipeline.end(job, status=self._status_of(error), outcome=outcome, error_code=error.code)
        elif isinstance(error, asyncio.CancelledError):
            self._pipeline.end(job, status=CALLER_LEFT_STATUS, outcome="cancelled")
        else:
            self._pipeline.end(job, status=500, outcome="error", error_code=InterchangeError.code)

    def _stream_over(
        self,
        job: Job,
        attempt: ToolAttempt,
        halting: Halting,
        sent_bytes: int,
        pieces: int,
        error: BaseException | None,
    ) -> None:
        halted = error is not None and error is halting.error
        attempt.over(asyncio.CancelledError() if halted else error)  # no fault of the other side
        job.response_bytes, job.chunks = sent_bytes, pieces
        if error is None:
            self._pipeline.end(job, status=200, outcome="ok")
        elif isinstance(error, asyncio.CancelledError):
            self._pipeline.end(job, status=CALLER_LEFT_STATUS, outcome="cancelled")
        else:
            code = error.code if isinstance(error, InterchangeError) else InterchangeError.code
            self._pipeline.end(job, status=200, outcome="cut", error_code=code)


def _trace_headers(job: Job, trace: ActiveTrace, entry: Open) -> TraceHeaders:
    told = entry.terms.trace_told
    if told is TraceTold.OFF:
        return NO_HEADERS
    return trace.headers(Receiver.TOOLS, attempt_id(job), state=told is TraceTold.FULL)


def encoded(value: Mapping[str, Any], error: type[InvalidParameters] | type[ToolFailed]) -> bytes:
    """As JSON. Raises `error` for what JSON cannot say."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as wrong:
        param = "parameters" if error is InvalidParameters else None
        text = f"a value is nothing that JSON can say: {type(wrong).__name__}"
        raise error(text, param=param) from None
