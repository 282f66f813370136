"""Calls that run beside callers' requests: to refresh what is kept, and to audit what was served.

They take the whole way of a request (guards, plan, holds, record), in the name of the caller who gave rise to
them; they never make one wait. What cannot run at once soon is left out, and counted.
"""

import asyncio
import logging
from collections import Counter, deque
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from application.answer_stream import AnswerStream
from application.cache_course import CacheCourse, Candidate
from application.job import Attribution, Job
from application.ports.llm import UpstreamAnswer
from application.ports.system import Clock
from domain.errors import InterchangeError
from domain.llm.request import LlmRequest
from domain.money import NANO_PER_USD
from domain.routing.live import LiveState
from domain.routing.requirements import Requirements
from domain.tenancy.principal import Principal

log = logging.getLogger("interchange")

WAITING_MAX: Final = 256
SUBJECTS_MAX: Final = 4096
"""(tenant, route) pairs whose spending is remembered; more of them are not audited that day."""
DAY_US: Final = 86_400 * 1_000_000
REFRESH: Final = "refresh"
AUDIT: Final = "audit"


class Pipeline(Protocol):
    """The way of requests, as `AnswerLlmRequest` offers it."""

    def begin(
        self,
        principal: Principal,
        request: LlmRequest,
        requirements: Requirements,
        attribution: Attribution,
        *,
        request_id: str | None = None,
        beside: str = "",
    ) -> tuple[Job, LiveState]: ...

    async def complete(self, job: Job, live: LiveState) -> UpstreamAnswer: ...

    async def open(self, job: Job, live: LiveState) -> AnswerStream: ...

    def end(self, job: Job, *, status: int, outcome: str, error_code: str = "") -> None: ...


class _Wanted(NamedTuple):
    why: str
    key: bytes
    job: Job
    candidate: Candidate | None


class BesideCalls:
    """`run` works until cancelled. `concurrency` bounds the calls that run at once."""

    def __init__(self, clock: Clock, *, concurrency: int = 4) -> None:
        self._clock = clock
        self._pipeline: Pipeline | None = None
        self._waiting: deque[_Wanted] = deque()
        self._known: set[tuple[str, bytes]] = set()
        """What waits or runs."""
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(concurrency)
        self._day = 0
        self._spent: dict[tuple[str, str], int] = {}
        self.counts: Counter[str] = Counter()
        """By `refresh` and `audit`: done, and why they were left out."""

    def attach(self, pipeline: Pipeline) -> None:
        """Where calls go; before it nothing runs."""
        self._pipeline = pipeline

    def refresh(self, job: Job) -> None:
        """Asks again what a stale answer was served for."""
        course = job.course
        if course is not None:
            self._want(_Wanted(REFRESH, course.key, job, None))

    def audit(self, job: Job, candidate: Candidate) -> None:
        """Asks what was answered with the answer to a similar question, as far as the route pays for it."""
        course = job.course
        if course is not None and self._affordable(job, course):
            self._want(_Wanted(AUDIT, course.key, job, candidate))

    def spent_nano_usd(self, tenant_id: str, route: str) -> int:
        """What audits cost today."""
        return self._spent.get((tenant_id, route), 0) if self._day == self._today() else 0

    def _affordable(self, job: Job, course: CacheCourse) -> bool:
        subject = job.principal.tenant_id, course.route.name
        cap_nano = int(course.policy.shadow_usd_per_day * NANO_PER_USD)
        room = subject in self._spent or len(self._spent) < SUBJECTS_MAX
        if room and self.spent_nano_usd(*subject) < cap_nano:
            return True
        self.counts[f"{AUDIT}: over its daily budget"] += 1
        return False

    def _want(self, wanted: _Wanted) -> None:
        known = wanted.why, wanted.key
        if self._pipeline is None or known in self._known:
            return
        if len(self._waiting) >= WAITING_MAX:
            self.counts[f"{wanted.why}: too many wait"] += 1
            return
        self._known.add(known)
        self._waiting.append(wanted)
        self._news.set()

    async def run(self) -> None:
        """Runs what is wanted until cancelled; what runs then is cancelled, and recorded as such."""
        async with asyncio.TaskGroup() as group:
            while True:
                while not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                await self._slots.acquire()
                group.create_task(self._one(self._waiting.popleft()))

    async def _one(self, wanted: _Wanted) -> None:
        try:
            await self._ask(wanted)
            self.counts[f"{wanted.why}: done"] += 1
        except InterchangeError as error:
            self.counts[f"{wanted.why}: {error.code}"] += 1
        except Exception:
            # A defect in one of them must not end all others.
            log.exception("a call beside requests failed")
            self.counts[f"{wanted.why}: failed"] += 1
        finally:
            self._known.discard((wanted.why, wanted.key))
            self._slots.release()

    async def _ask(self, wanted: _Wanted) -> Job:
        pipeline, first = self._pipeline, wanted.job
        assert pipeline is not None
        job, live = pipeline.begin(
            first.principal,
            replace(first.request),
            replace(first.requirements),
            replace(first.attribution),
            beside=wanted.why,
        )
        if job.course is not None:
            job.course.candidate = wanted.candidate
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
            raise
        finally:
            pipeline.end(job, status=status, outcome=outcome, error_code=code)
            if wanted.why == AUDIT:
                self._count(job)
        return job

    def _count(self, job: Job) -> None:
        today = self._today()
        if today != self._day:
            self._day, self._spent = today, {}
        subject = job.principal.tenant_id, job.plan.route.name
        self._spent[subject] = self._spent.get(subject, 0) + (job.cost_nano_usd or 0)

    def _today(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6) // DAY_US
