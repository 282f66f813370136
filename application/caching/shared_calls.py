"""Which identical requests wait for one call, and which make one of their own."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from application.cache_course import CacheCourse
from application.caching.joining import fails_alike
from application.caching.shared_call import SharedCall
from application.caching.tape import again
from application.job import Job
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer, Position
from domain.errors import UpstreamError

JOINS_MAX: Final = 2
"""Running calls a request waits for one after the other, before it makes its own."""
CLOSE_WITHIN_S: Final = 5.0

Work = Callable[[SharedCall], Coroutine[Any, Any, None]]


def shares(course: CacheCourse) -> bool:
    """Whether a request may wait for another's call, and others for its own."""
    return course.reads and course.policy.coalesce and course.wish.ttl_s is None and not course.alone


class SharedCalls:
    """Belongs to one event loop. `running` is by key, `calls` is every one that has not ended."""

    def __init__(
        self,
        clock: Clock,
        *,
        quiet_since: Callable[[str, Position], bool],
        serve: Callable[[Job, SharedCall, CachedAnswer], bool],
    ) -> None:
        """`quiet_since` says whether nothing was invalidated for a tenant since a position; `serve` serves a
        request what another one found, if it may be served that."""
        self._clock = clock
        self._quiet_since = quiet_since
        self._serve = serve
        self.running: dict[bytes, SharedCall] = {}
        self.calls: set[SharedCall] = set()

    async def call(self, job: Job, course: CacheCourse, work: Work) -> SharedCall:
        """One that is ready and did not fail: a running one, or else this request's own. Leave it."""
        shared = shares(course)
        for joins in range(JOINS_MAX + 1):
            call = self._joinable(job, course) if shared and joins < JOINS_MAX else None
            if call is None:
                return await self._lead(job, course, work, shared=shared)
            call.join(job)
            usable = False
            try:
                await call.until_ready(job, self._clock)
                if isinstance(call.error, UpstreamError) and fails_alike(job, call.job, call.error.failure):
                    raise UpstreamError(call.error.failure, attempts=0)
                # What else kept the other from an answer, such as its budget, need not keep this one; nor is
                # what its budget cut short an answer to this.
                usable = (
                    call.error is None
                    and not call.job.cut_to_budget
                    and (call.hit is None or self._serve(job, call, call.hit))
                )
            finally:
                if not usable:
                    call.leave(job)
            if usable:
                return call
        raise AssertionError("the last call is this request's own")

    def no_longer(self, call: SharedCall) -> None:
        """Nobody new joins it. Idempotent."""
        if self.running.get(call.course.key) is call:
            del self.running[call.course.key]

    async def aclose(self) -> None:
        """Ends whatever still runs, so that it is settled and recorded."""
        tasks = [call.task for call in self.calls if call.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_WITHIN_S)

    def _joinable(self, job: Job, course: CacheCourse) -> SharedCall | None:
        """The running call of this key, unless it was asked before something was invalidated."""
        call = self.running.get(course.key)
        if call is None or not call.joinable:
            return None
        if self._quiet_since(job.principal.tenant_id, call.course.heard):
            return call
        self.no_longer(call)
        return None

    async def _lead(self, job: Job, course: CacheCourse, work: Work, *, shared: bool) -> SharedCall:
        call = course.shared = SharedCall(job, course)
        if shared:
            self.running[course.key] = call
        self.calls.add(call)
        call.join(job)
        call.start(work(call), self._over)
        ready = False
        try:
            await call.ready.wait()  # the attempt loop keeps the deadline
            if call.error is not None:
                raise again(call.error)
            ready = True
        finally:
            if not ready:
                call.leave(job)
        return call

    def _over(self, call: SharedCall) -> None:
        self.no_longer(call)
        self.calls.discard(call)
