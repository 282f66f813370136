"""The newest events, read once per process for all who listen.

While somebody listens, the log is read on every quarter of a second, and what came is kept for the listeners
to take at their own pace; nothing is queued per listener. Who fell too far behind, or comes back, reads the
log itself until it has caught up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from application.ports.event_log import EventLog, LoggedEvent
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 0.25
RECENT_MAX: Final = 2_000
PAGE: Final = 500


class EventTail:
    """Belongs to one event loop. `run` is for the lifespan."""

    def __init__(self, events: EventLog) -> None:
        """`events` is the log of all tenants."""
        self._events = events
        self._recent: deque[LoggedEvent] = deque()
        self._complete_after: int | None = None
        """Everything behind this place that was read is in `_recent`; None: nothing was read yet."""
        self._position = 0
        self._listening = 0
        self._somebody = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def listening(self) -> int:
        """How many listen now."""
        return self._listening

    @property
    def position(self) -> int:
        """The place of the newest event that was read."""
        return self._position

    @contextmanager
    def listener(self) -> Iterator[None]:
        """Somebody listens as long as this lasts."""
        self._listening += 1
        self._somebody.set()
        try:
            yield
        finally:
            self._listening -= 1
            if not self._listening:
                self._somebody.clear()
                self._recent.clear()
                self._complete_after = None

    def behind(self, seq: int, tenant_id: str, limit: int) -> tuple[list[LoggedEvent], int] | None:
        """The tenant's events behind a place, and how far that is; None: it reaches back further than what is
        in memory, so the log has to be asked."""
        if self._complete_after is None or seq < self._complete_after:
            return None
        found: list[LoggedEvent] = []
        for event in self._recent:
            if event.seq > seq and event.tenant_id == tenant_id:
                found.append(event)
                if len(found) == limit:
                    return found, event.seq
        return found, max(seq, self._position)

    async def wait(self, seq: int, timeout_s: float) -> None:
        """Until there is something behind this place, or the time is over."""
        if self._position > seq and self._complete_after is not None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        except TimeoutError:
            return

    def wake(self) -> None:
        """Whoever waits looks again now."""
        self._tell()

    async def look(self) -> None:
        """Reads on. Raises StoreUnavailable; listeners wait meanwhile."""
        if self._complete_after is None:
            self._position = self._complete_after = await self._events.newest_seq()
            self._tell()
            return
        while found := await self._events.after(self._position, limit=PAGE):
            if self._complete_after is None:
                return  # the last listener left meanwhile
            self._recent.extend(found)
            self._position = found[-1].seq
            while len(self._recent) > RECENT_MAX:
                self._complete_after = self._recent.popleft().seq
            self._tell()
            if len(found) < PAGE:
                return

    async def run(self) -> None:
        """Until cancelled; rests while nobody listens."""
        told = False
        while True:
            await self._somebody.wait()
            try:
                await self.look()
                told = False
            except StoreUnavailable as error:
                if not told:
                    log.warning("listeners to events wait: %s", error.message)
                told = True
            await asyncio.sleep(LOOK_EVERY_S)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
