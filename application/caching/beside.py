"""Calls that run beside callers' requests: to refresh what is kept, and to audit what was served.

They take the whole way of a request (guards, plan, holds, record), in the name of the caller who gave rise to
them; they never make one wait. What cannot run at once soon is left out, and counted.
"""

import asyncio
import logging
from collections import Counter, deque
from dataclasses import replace
from typing import Final, NamedTuple

from application.cache_course import CacheCourse, Candidate
from application.caching.daily_spending import DailySpending
from application.caching.pipeline import Pipeline
from application.job import Job
from application.ports.system import Clock
from domain.errors import InterchangeError

log = logging.getLogger("interchange")

WAITING_MAX: Final = 256
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bodies of requests that wait; they outlive their requests."""
WAITED_MAX_S: Final = 60.0
"""What waited longer is left out: its caller may have been stopped or its key revoked meanwhile."""
REFRESH: Final = "refresh"
AUDIT: Final = "audit"


class _Wanted(NamedTuple):
    why: str
    key: bytes
    job: Job
    candidate: Candidate | None
    since_s: float


class BesideCalls:
    """`run` works until cancelled. `concurrency` bounds the calls that run at once."""

    def __init__(self, clock: Clock, *, concurrency: int = 4) -> None:
        self._clock = clock
        self._pipeline: Pipeline | None = None
        self._waiting: deque[_Wanted] = deque()
        self._waiting_bytes = 0
        self._known: set[tuple[str, bytes]] = set()
        """What waits or runs."""
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(concurrency)
        self.spending = DailySpending(clock)
        self.counts: Counter[str] = Counter()
        """By `refresh` and `audit`: done, and why they were left out."""

    def attach(self, pipeline: Pipeline) -> None:
        """Where calls go; before it nothing runs."""
        self._pipeline = pipeline

    def refresh(self, job: Job) -> None:
        """Asks again what a stale answer was served for."""
        course = job.course
        if course is not None:
            self._want(REFRESH, course.key, job, None)

    def audit(self, job: Job, candidate: Candidate) -> None:
        """Asks what was answered with the answer to a similar question, as far as the route pays for it."""
        course = job.course
        if course is not None and self._affordable(job, course):
            self._want(AUDIT, course.key, job, candidate)

    def _affordable(self, job: Job, course: CacheCourse) -> bool:
        tenant_id, route = job.principal.tenant_id, course.route.name
        if self.spending.affords(tenant_id, route, course.policy.shadow_usd_per_day):
            return True
        self.counts[f"{AUDIT}: over its daily budget"] += 1
        return False

    def _want(self, why: str, key: bytes, job: Job, candidate: Candidate | None) -> None:
        if self._pipeline is None or (why, key) in self._known:
            return
        size_bytes = job.request.size_bytes
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes + size_bytes > WAITING_BYTES_MAX:
            self.counts[f"{why}: too many wait"] += 1
            return
        self._known.add((why, key))
        self._waiting.append(_Wanted(why, key, job, candidate, self._clock.monotonic()))
        self._waiting_bytes += size_bytes
        self._news.set()

    async def run(self) -> None:
        """Runs what is wanted until cancelled; what runs then is cancelled, and recorded as such."""
        async with asyncio.TaskGroup() as group:
            while True:
                while not self._waiting:
                    self._news.clear()
                    await self._news.wait()
                await self._slots.acquire()
                wanted = self._waiting.popleft()
                self._waiting_bytes -= wanted.job.request.size_bytes
                group.create_task(self._one(wanted))

    async def _one(self, wanted: _Wanted) -> None:
        try:
            if not self._still_wanted(wanted):
                return
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

    def _still_wanted(self, wanted: _Wanted) -> bool:
        if self._clock.monotonic() - wanted.since_s > WAITED_MAX_S:
            self.counts[f"{wanted.why}: waited too long"] += 1
            return False
        # What ran while it waited may have used up the day's allowance.
        course = wanted.job.course
        return wanted.why != AUDIT or (course is not None and self._affordable(wanted.job, course))

    async def _ask(self, wanted: _Wanted) -> Job:
        pipeline, first = self._pipeline, wanted.job
        assert pipeline is not None
        job, live = await pipeline.begin(
            first.principal,
            replace(first.request),
            replace(first.requirements),
            replace(first.attribution),
            beside=wanted.why,
        )
        if job.course is None:
            # The route has changed, and would keep nothing that is paid for now.
            pipeline.end(job, status=0, outcome="cancelled")
            return job
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
                self.spending.count(job.principal.tenant_id, job.plan.route.name, job.cost_nano_usd)
        return job
