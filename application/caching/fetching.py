"""Reading the second tier in the way of requests: bounded in time whatever the store does, never an error.

Identical reads that run at once are one. A store that fails three times in a row is asked once a second, by a
request or, where none comes, for nobody, until it answers in time again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from application.ports.answer_store import AnswerStore
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer
from domain.caching.key import KEY_BYTES
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

L2_TIMEOUT_S: Final = 0.25
FAILURES_MAX: Final = 3
ASKED_AGAIN_AFTER_S: Final = 1.0
RUNNING_MAX: Final = 256
"""Reads at once, those included that were given up and have not ended; beyond, it is a miss."""
_NOBODYS: Final = bytes(KEY_BYTES)
"""A key without an answer, to see whether the store answers."""


class Fetching:
    """Counters are plain attributes; each read for somebody ends in exactly one of found, missed,
    slow, failed."""

    def __init__(
        self,
        store: AnswerStore,
        clock: Clock,
        arrived: Callable[[CachedAnswer], CachedAnswer | None],
        *,
        timeout_s: float = L2_TIMEOUT_S,
    ) -> None:
        """`arrived` is told once of what was found, and returns it if it may be served."""
        self._store = store
        self._clock = clock
        self._arrived = arrived
        self._timeout_s = timeout_s
        self._running: dict[bytes, asyncio.Future[CachedAnswer | None]] = {}
        self._tasks: set[asyncio.Task[CachedAnswer | None]] = set()
        self._failures_in_a_row = 0
        self._asked_again_at_s = 0.0
        self._look_again_timer: asyncio.TimerHandle | None = None
        self.found = 0
        self.missed = 0
        self.slow = 0
        self.failed = 0
        self.joined = 0
        self.not_asked = 0
        """While the store was down, or too many reads ran."""

    @property
    def down(self) -> bool:
        return self._failures_in_a_row >= FAILURES_MAX

    async def fetch(self, key: bytes) -> CachedAnswer | None:
        """Never raises but on cancellation, which ends nobody else's read."""
        running = self._running.get(key)
        if running is not None:
            self.joined += 1
        elif self._may_ask():
            running = self._begin(key)
        else:
            self.not_asked += 1
            return None
        return await asyncio.shield(running)

    async def aclose(self) -> None:
        """Ends what runs; whoever waits gets a miss."""
        if self._look_again_timer is not None:
            self._look_again_timer.cancel()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timeout_s)

    def _may_ask(self) -> bool:
        if len(self._tasks) >= RUNNING_MAX:
            return False
        if not self.down:
            return True
        now_s = self._clock.monotonic()
        if now_s < self._asked_again_at_s:
            return False
        self._asked_again_at_s = now_s + ASKED_AGAIN_AFTER_S
        return True

    def _begin(self, key: bytes) -> asyncio.Future[CachedAnswer | None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[CachedAnswer | None] = loop.create_future()
        self._running[key] = answer
        task = loop.create_task(self._store.read(key))
        self._tasks.add(task)
        # A timer of our own: a store that does not end when it is cancelled must not be waited for.
        timer = loop.call_later(self._timeout_s, self._give_up, key, answer, task)

        def ended(task: asyncio.Task[CachedAnswer | None]) -> None:
            timer.cancel()
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if not answer.done():
                found = None if task.cancelled() or error is not None else task.result()
                self._settle(key, answer, found, error)

        task.add_done_callback(ended)
        return answer

    def _give_up(
        self,
        key: bytes,
        answer: asyncio.Future[CachedAnswer | None],
        task: asyncio.Task[CachedAnswer | None],
    ) -> None:
        if answer.done():
            return
        self.slow += 1
        self._failed("it is slow")
        self._end(key, answer, None)
        task.cancel()

    def _settle(
        self,
        key: bytes,
        answer: asyncio.Future[CachedAnswer | None],
        found: CachedAnswer | None,
        error: BaseException | None,
    ) -> None:
        if error is not None:
            self.failed += 1
            if not isinstance(error, StoreUnavailable):
                log.error("the second tier failed in its own way", exc_info=error)
            self._failed(str(error))
            self._end(key, answer, None)
            return
        if self.down:
            log.info("the second tier answers again")
        self._failures_in_a_row = 0
        served: CachedAnswer | None = None
        try:
            served = self._arrived(found) if found is not None and found.key == key else None
        except Exception:
            # Whoever waits has nobody else to end its wait.
            log.exception("what the second tier gave could not be taken")
        if key != _NOBODYS:
            self.found += served is not None
            self.missed += served is None
        self._end(key, answer, served)

    def _end(
        self, key: bytes, answer: asyncio.Future[CachedAnswer | None], served: CachedAnswer | None
    ) -> None:
        if self._running.get(key) is answer:
            del self._running[key]
        answer.set_result(served)

    def _failed(self, why: str) -> None:
        self._failures_in_a_row += 1
        if self._failures_in_a_row == FAILURES_MAX:
            self._asked_again_at_s = self._clock.monotonic() + ASKED_AGAIN_AFTER_S
            log.warning("the second tier of kept answers is not asked for now: %s", why)
        if self.down and self._look_again_timer is None:
            self._look_again_later()

    def _look_again_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._look_again_timer = loop.call_later(ASKED_AGAIN_AFTER_S, self._look_again)

    def _look_again(self) -> None:
        """Without it, a server that nobody asks would call a store down that came back long ago."""
        self._look_again_timer = None
        if not self.down:
            return
        if _NOBODYS not in self._running and self._may_ask():
            self._begin(_NOBODYS)
        self._look_again_later()
