"""Filling the answer cache before anybody asks: from requests, or from answers that were logged."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from application.cache_course import CacheCourse
from application.caching.beside import REFRESH
from application.caching.filing import Filed, filed, no_policy
from application.caching.pipeline import Pipeline
from application.caching.similar import SimilarAnswers
from application.caching.tiers import AnswerTiers
from application.demands import complete_requirements
from application.foresight import Foresight
from application.job import Attribution, Job
from application.places import NO_PLACES, Places
from application.ports.cache_reader import CacheReader
from application.ports.system import Clock
from application.ports.warm_lines import WarmLine, WarmLines
from application.ports.wire import RequestReader
from application.runtime import Runtime
from application.use_cases.explain_route import ExplainRoute
from domain.caching.entry import CachedAnswer
from domain.caching.policy import CacheMode, lifetime_s
from domain.caching.storing import Outcome, why_not_kept
from domain.errors import Forbidden, InterchangeError, InvalidRequest
from domain.llm.request import LlmRequest, Operation
from domain.routing.plan import NO_PLAN
from domain.routing.requirements import Requirements
from domain.routing.table import RoutingTable
from domain.routing.target import Route, Target
from domain.tenancy.principal import Principal
from domain.time import Deadline

log = logging.getLogger("interchange")

PERMISSION: Final = "cache.write"
LOGGED: Final = "warmed"
"""How an answer came that no provider gave just now, in place of `direct` or `portkey`: hits say so."""
LINES_MAX: Final = 1_000
CONCURRENCY_MAX: Final = 16
WITHIN_S: Final = 600.0
"""Lines that have not begun by then are left out."""
_SAID: Final = frozenset({Operation.CHAT, Operation.COMPLETION})
"""What ends with a reason; an answer that names none was perhaps cut."""


class Warmed(NamedTuple):
    """What became of one line; numbers count from 1. `outcome` is `kept`, `skipped` or `failed`, `reason` one
    word for the latter two. `cost_nano_usd` None: nobody knows; 0: nothing was asked."""

    number: int
    outcome: str
    reason: str = ""
    key: str = ""
    cost_nano_usd: int | None = 0


class WarmReport(NamedTuple):
    """In the order of the lines. `cost_nano_usd` is over what is known."""

    lines: tuple[Warmed, ...]
    cost_nano_usd: int

    def count(self, outcome: str) -> int:
        """How many lines ended so."""
        return sum(1 for line in self.lines if line.outcome == outcome)


class _Left(Exception):
    """A line that nothing is kept for."""

    def __init__(self, reason: str, *, failed: bool = False, cost_nano_usd: int | None = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.failed = failed
        self.cost_nano_usd = cost_nano_usd


@dataclass(slots=True, kw_only=True)
class _Run:
    """One call: whose, how much may still be spent, and which keys were seen."""

    by: Principal
    attribution: Attribution
    max_cost_nano_usd: int
    ends_at_s: float
    spent_nano_usd: int = 0
    reserved_nano_usd: int = 0
    seen: set[bytes] = field(default_factory=set)
    settled: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def reserve(self, bound_nano_usd: int) -> None:
        """Waits for what runs to cost less than it might. Raises _Left where there is no room even then."""
        async with self.settled:
            while self.spent_nano_usd + self.reserved_nano_usd + bound_nano_usd > self.max_cost_nano_usd:
                if not self.reserved_nano_usd:
                    raise _Left("max_cost")
                await self.settled.wait()
            self.reserved_nano_usd += bound_nano_usd

    async def settle(self, bound_nano_usd: int, cost_nano_usd: int | None) -> None:
        """What nobody knows may have cost as much as it could."""
        self.reserved_nano_usd -= bound_nano_usd
        self.spent_nano_usd += bound_nano_usd if cost_nano_usd is None else cost_nano_usd
        async with self.settled:
            self.settled.notify_all()


class _Wanted(NamedTuple):
    """A line that takes part. `target` would be asked first; `bound_nano_usd` is the most that an attempt
    may cost, None: nothing bounds it."""

    line: WarmLine
    request: LlmRequest
    requirements: Requirements
    table: RoutingTable
    route: Route
    filed: Filed
    target: Target
    bound_nano_usd: int | None


class WarmCache:
    """Requests take the whole way of any request, in the name of whoever asks for them, and are recorded
    with the cache outcome `refresh`."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        pipeline: Pipeline,
        explain: ExplainRoute,
        reader: RequestReader,
        cache_reader: CacheReader,
        lines: WarmLines,
        tiers: AnswerTiers,
        similar: SimilarAnswers | None,
        clock: Clock,
        privacy: Foresight | None = None,
        places: Places = NO_PLACES,
    ) -> None:
        self._places = places
        self._runtime = runtime
        self._pipeline = pipeline
        self._explain = explain
        self._reader = reader
        self._cache_reader = cache_reader
        self._lines = lines
        self._tiers = tiers
        self._similar = similar
        self._clock = clock
        self._privacy = privacy
        self._policy_version = no_policy if privacy is None else privacy.version

    async def __call__(
        self,
        by: Principal,
        lines: Sequence[bytes],
        attribution: Attribution,
        *,
        max_cost_nano_usd: int,
        concurrency: int = 4,
    ) -> WarmReport:
        """Begins no request that might take the cost over the maximum; blank lines are passed over.

        Raises Forbidden, InvalidRequest.
        """
        if not by.may(PERMISSION):
            raise Forbidden(f"the role {by.role!r} may not fill the cache (needs {PERMISSION})")
        numbered = [(number, raw.strip()) for number, raw in enumerate(lines, 1) if raw.strip()]
        if len(numbered) > LINES_MAX:
            raise InvalidRequest(f"more than {LINES_MAX} lines at once", param="body")
        if not 1 <= concurrency <= CONCURRENCY_MAX:
            raise InvalidRequest(f"concurrency must be 1-{CONCURRENCY_MAX}", param="concurrency")
        run = _Run(
            by=by,
            attribution=attribution,
            max_cost_nano_usd=max_cost_nano_usd,
            ends_at_s=self._clock.monotonic() + WITHIN_S,
        )
        slots = asyncio.Semaphore(concurrency)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._in_turn(run, slots, *line)) for line in numbered]
        report = WarmReport(tuple(task.result() for task in tasks), run.spent_nano_usd)
        log.info("%d answers of tenant %s put there by %s", report.count("kept"), by.tenant_id, by.key_id)
        return report

    async def _in_turn(self, run: _Run, slots: asyncio.Semaphore, number: int, raw: bytes) -> Warmed:
        async with slots:
            try:
                key, cost = await self._one(run, raw)
                return Warmed(number, "kept", key=key.hex(), cost_nano_usd=cost)
            except _Left as left:
                outcome = "failed" if left.failed else "skipped"
                return Warmed(number, outcome, left.reason, cost_nano_usd=left.cost_nano_usd)
            except InvalidRequest as error:
                return Warmed(number, "failed", error.message)

    async def _one(self, run: _Run, raw: bytes) -> tuple[bytes, int | None]:
        if self._clock.monotonic() >= run.ends_at_s:
            raise _Left("out_of_time")
        wanted = await self._wanted(run, self._lines.read(raw))
        key = wanted.filed.key
        if wanted.line.response is not None:
            self._keep_logged(run, wanted, wanted.line.response)
            return key, 0
        bound = wanted.bound_nano_usd
        if bound is None:
            raise _Left("cost_unbounded")
        await run.reserve(bound)
        cost: int | None = None
        try:
            job = await self._asked(run, wanted)
            cost = job.cost_nano_usd
        except _Left as left:
            cost = left.cost_nano_usd
            raise
        finally:
            await run.settle(bound, cost)
        unkept = "not_cached" if job.course is None else job.course.unkept
        if unkept:
            raise _Left(unkept, cost_nano_usd=cost)
        return key, cost

    async def _wanted(self, run: _Run, line: WarmLine) -> _Wanted:
        """Raises _Left for what would not be kept anyway, before anything is asked."""
        request = self._reader.read(line.dialect, line.request)
        table, _ = self._runtime.snapshot
        requirements = complete_requirements(Requirements(), request, run.by, self._places)
        try:
            route = table.resolve(request.model, run.by.tenant_id)
            if route.cache.mode is CacheMode.OFF:
                raise _Left("off")
            job = self._job(run, request, requirements)
            if self._privacy is not None:
                await self._privacy.foresee(job, route)
            place = filed(job, table.members(route), self._cache_reader, self._policy_version)
            if isinstance(place, str):
                raise _Left(place)
            explanation = self._explain(run.by, replace(request), replace(requirements))
        except InterchangeError as error:
            raise _Left(error.code, failed=True) from None
        if explanation.refusal is not None:
            raise _Left(explanation.refusal.code, failed=True)
        if place.key in run.seen:
            raise _Left("asked_twice")
        run.seen.add(place.key)
        found = await self._tiers.inspect(place.key)
        if any(one is not None and one.expires_at_us > self._now_us() for one in (found.l1, found.l2)):
            raise _Left("kept_already")
        tried = [each for each in explanation.candidates if each.kept][: explanation.attempts_max]
        bounds = [each.worst_cost_nano_usd for each in tried]
        known = [bound for bound in bounds if bound is not None]
        target = self._target(table, route, tried[0].target_id)
        bound = max(known) if len(known) == len(bounds) else None
        return _Wanted(line, request, requirements, table, route, place, target, bound)

    @staticmethod
    def _target(table: RoutingTable, route: Route, target_id: str) -> Target:
        found = table.by_id.get(target_id)
        if found is None:
            found = next(each for each in route.stand_ins.values() if each.id == target_id)
        return found

    async def _asked(self, run: _Run, wanted: _Wanted) -> Job:
        """Raises _Left, with what it cost, when nobody answered."""
        pipeline = self._pipeline
        try:
            job, live = await pipeline.begin(
                run.by, wanted.request, wanted.requirements, replace(run.attribution), beside=REFRESH
            )
        except InterchangeError as error:
            raise _Left(error.code, failed=True) from None
        status, outcome, code = 0, "cancelled", ""
        try:
            if job.request.stream:
                stream = await pipeline.open(job, live)
                try:
                    while await stream.next_block() is not None:
                        pass
                finally:
                    stream.close()
            else:
                await pipeline.complete(job, live)
            status, outcome = 200, "ok"
        except InterchangeError as error:
            outcome, code = "error", error.code
        finally:
            pipeline.end(job, status=status, outcome=outcome, error_code=code)
        if code:
            raise _Left(code, failed=True, cost_nano_usd=job.cost_nano_usd)
        return job

    def _keep_logged(self, run: _Run, wanted: _Wanted, response: bytes) -> None:
        request, route = wanted.request, wanted.route
        if request.stream:
            raise _Left("streamed")
        told = self._lines.answer(request.dialect, response)
        if not told.finish_reason and request.operation in _SAID:
            raise _Left("incomplete")
        tools = self._cache_reader.calls_tools(request.dialect, response)
        outcome = Outcome(
            told.finish_reason,
            complete=True,
            continued=False,
            called_tools=tools,
            size_bytes=len(response),
        )
        if why := why_not_kept(outcome, route.cache):
            raise _Left(why)
        job = self._job(run, request, wanted.requirements)
        course = job.course = self._course(wanted)
        question = self._cache_reader.question(request)
        course.question = "" if question is None else question.text
        compared = route.cache.mode.looks_for_similar and not tools
        text = self._cache_reader.answer_text(request.dialect, response) if compared else ""
        entry = self._entry(run, wanted, course, response, text)
        entry = entry._replace(
            finish_reason=told.finish_reason, input_tokens=told.input_tokens, output_tokens=told.output_tokens
        )
        if not self._tiers.keep(entry):
            raise _Left("not_allowed")
        if self._similar is not None and compared:
            self._similar.answered(job, course, entry)

    def _entry(
        self, run: _Run, wanted: _Wanted, course: CacheCourse, response: bytes, text: str
    ) -> CachedAnswer:
        now_us, policy, target = self._now_us(), wanted.route.cache, wanted.target
        expires_at_us = now_us + int(lifetime_s(policy, course.wish) * 1e6)
        return CachedAnswer(
            key=course.key,
            tenant_id=run.by.tenant_id,
            route=wanted.route.name,
            namespace=course.partition.namespace,
            tags=tuple(dict.fromkeys((*policy.tags, *course.wish.tags))),
            dialect=wanted.request.dialect,
            streamed=False,
            body=response,
            content_type="application/json",
            finish_reason="",
            target_id=target.id,
            provider=target.provider,
            model=target.model,
            region=target.region or "",
            simulated=target.simulated,
            input_tokens=0,
            output_tokens=0,
            cost_nano_usd=None,
            made_at_us=now_us,
            expires_at_us=expires_at_us,
            kept_until_us=expires_at_us + int(max(policy.stale_s, policy.stale_if_error_s) * 1e6),
            heard=course.heard,
            text=text,
            question=course.question,
            via=LOGGED,
        )

    def _course(self, wanted: _Wanted) -> CacheCourse:
        return CacheCourse(
            table=wanted.table,
            route=wanted.route,
            policy=wanted.route.cache,
            wish=wanted.request.cache_wish,
            partition=wanted.filed.partition,
            key=wanted.filed.key,
            heard=self._tiers.heard,
            beside=REFRESH,
        )

    def _job(self, run: _Run, request: LlmRequest, requirements: Requirements) -> Job:
        now = self._clock.monotonic()
        return Job(
            request_id="",
            principal=run.by,
            request=request,
            requirements=requirements,
            plan=NO_PLAN,
            attribution=run.attribution,
            started=now,
            started_at_us=self._now_us(),
            deadline=Deadline(now),
        )

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)
