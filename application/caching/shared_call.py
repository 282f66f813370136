"""One call that several identical requests wait for.

The call runs in a task of its own and belongs to the request that began it. It ends when nobody waits for it
any more, and not before: a caller who leaves takes nothing away from the others. The leading request is
recorded when both are over, its caller's wait and its call.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from application.cache_course import CacheCourse
from application.caching.tape import Tape, again
from application.job import Job
from application.ports.llm import Block, UpstreamAnswer
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer
from domain.errors import DeadlineExceeded, InterchangeError, StoreUnavailable, StreamCut

log = logging.getLogger("interchange")

_STOPPING: Final = "the server is stopping"


class SharedCall:
    """Exactly one of `answer`, `hit`, `tape` and `error` is set when `ready` is."""

    __slots__ = (
        "_ending",
        "_later",
        "_places",
        "answer",
        "course",
        "error",
        "hit",
        "job",
        "ready",
        "settled",
        "tape",
        "task",
        "tier",
    )

    def __init__(self, job: Job, course: CacheCourse) -> None:
        self.job = job
        self.course = course
        self.ready = asyncio.Event()
        self.answer: UpstreamAnswer | None = None
        self.hit: CachedAnswer | None = None
        self.tier = ""
        """Where the hit came from."""
        self.tape: Tape | None = None
        self.error: InterchangeError | None = None
        self.settled = False
        """Whether nothing of the call runs any more."""
        self.task: asyncio.Task[None] | None = None
        self._places: dict[int, int] = {}
        """How far each request that waits has read, by the id of its job."""
        self._later: Callable[[], None] | None = None
        self._ending = False
        """Whether its last caller has left, though it may take a while to end."""

    @property
    def joinable(self) -> bool:
        """Whether a further request would get the whole of it."""
        over = self.settled or self._ending or self.error is not None
        return not over and (self.tape is None or self.tape.whole)

    def start(self, work: Coroutine[Any, Any, None], over: "Callable[[SharedCall], None]") -> None:
        """Runs the call; `work` sets what it found. `over` is told when nothing of it runs any more."""
        self.task = asyncio.get_running_loop().create_task(self._run(work))

        def done(_task: "asyncio.Task[None]") -> None:
            work.close()  # a task cancelled before its first step never ran it
            if not self.ready.is_set():
                self._fail(StoreUnavailable(_STOPPING))
            self.settle()
            over(self)
            # Each knows the other, and no request leaves anything behind that only a collector frees.
            self.course.shared = None

        self.task.add_done_callback(done)

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except InterchangeError as error:
            self._fail(error)
        except asyncio.CancelledError:
            # Nobody waits any more, or the process ends; whoever still does is told.
            self._fail(StoreUnavailable(_STOPPING) if self.tape is None else StreamCut(_STOPPING))
            raise
        except Exception:
            # A defect; nobody waits for ever because of it.
            log.exception("a call that requests share failed")
            self._fail(StoreUnavailable("the call failed inside Interchange"))
        finally:
            self.settle()

    def _fail(self, error: InterchangeError) -> None:
        self.error = again(error)
        if self.tape is not None:
            self.tape.end(self.error)
        self.ready.set()

    def settle(self) -> None:
        """Nothing runs any more; records the leading request if its caller has left already. Idempotent."""
        self.settled = True
        later, self._later = self._later, None
        if later is not None:
            later()

    def end_later(self, later: Callable[[], None]) -> bool:
        """Takes over the recording of the leading request, unless its call is over already."""
        if self.settled:
            return False
        self._later = self._later or later
        return True

    def join(self, job: Job) -> None:
        """This request waits for it now; `leave` in any case."""
        self._places[id(job)] = 0

    async def until_ready(self, job: Job, clock: Clock) -> None:
        """Waits until it has something to give. Raises DeadlineExceeded: not in this request's time."""
        if self.ready.is_set():
            return
        began = clock.monotonic()
        try:
            async with asyncio.timeout(job.deadline.remaining_s(began)):
                await self.ready.wait()
            if self.hit is None:
                job.upstream_s += clock.monotonic() - began  # for a provider, though another asked it
        except TimeoutError:
            waited_s = clock.monotonic() - job.started
            raise DeadlineExceeded(f"no answer within {waited_s:.0f} s") from None

    def leave(self, job: Job) -> None:
        """This request waits no more; the last one ends the call. Idempotent."""
        self._places.pop(id(job), None)
        if not self._places and not self.settled and self.task is not None:
            self._ending = True
            self.task.cancel()

    def read(self, job: Job, place: int) -> None:
        """This request is about to read that block of the tape."""
        self._places[id(job)] = place
        if self.tape is not None and not self.tape.whole and self._places:
            self.tape.release(min(self._places.values()))


class SharedReader:
    """A running stream as one of its readers sees it; an `OpenedStream` to whoever relays it.

    `retold` is how a reader who pays nothing gets a block that tells a cost, `at_end` is called after the
    last one. With a `clock`, its waits for blocks count as waits for a provider.
    """

    __slots__ = ("_at_end", "_call", "_clock", "_job", "_place", "_retold", "_tape", "headers")

    def __init__(
        self,
        call: SharedCall,
        job: Job,
        *,
        retold: Callable[[Block], Block] | None = None,
        at_end: Callable[[], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        assert call.tape is not None
        self._call, self._tape, self._job, self._retold, self._at_end = call, call.tape, job, retold, at_end
        self._clock = clock
        self._place = 0
        self.headers = call.tape.headers if call.job is job else ()  # they are about one caller's call

    async def next_block(self) -> Block | None:
        """Raises StreamCut: the answer broke and cannot be finished, or this reader was far too slow."""
        self._call.read(self._job, self._place)
        began = 0.0 if self._clock is None else self._clock.monotonic()
        block = await self._tape.read(self._place)
        if self._clock is not None:
            self._job.upstream_s += self._clock.monotonic() - began
        if block is None:
            if self._at_end is not None:
                self._at_end()
            return None
        self._place += 1
        return block if self._retold is None else self._retold(block)

    def close(self) -> None:
        """Waits for it no more. Idempotent."""
        self._call.leave(self._job)
