"""Passing events on to a place outside, one process at a time, from where the last one stopped."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from application.events.writing import epoch_us
from application.ports.event_cursors import Cursor, EventCursors
from application.ports.event_log import EventLog, LoggedEvent
from application.ports.event_sink import EventSink
from application.ports.system import Clock, IdFactory
from domain.errors import StoreUnavailable
from domain.events import EVERYTHING, any_means

log = logging.getLogger("interchange")

LEASE_S: Final = 10.0
LOOK_EVERY_S: Final = 0.25
IDLE_S: Final = 1.0
"""Between looks at a cursor that somebody else holds."""
RENEW_EVERY_S: Final = 3.0
BATCH: Final = 200
REPEATED_MAX: Final = 1_000
"""How far back a sink that may have lost its end is looked after; a new one begins so far back."""


class PassOn:
    """`run` is for the lifespan; several processes may run it, one of them works."""

    def __init__(
        self,
        sink: EventSink,
        events: EventLog,
        cursors: EventCursors,
        clock: Clock,
        ids: IdFactory,
        patterns: Sequence[str] = (EVERYTHING,),
    ) -> None:
        """`patterns` are what is passed on; the rest is passed over."""
        self._sink = sink
        self._events = events
        self._cursors = cursors
        self._clock = clock
        self._holder = ids.next("instance")
        self._patterns = tuple(patterns)
        self._cursor: Cursor | None = None
        self._leased_until_s = 0.0
        self._sure = False
        self.sent = 0
        """Events sent by this process, repetitions included."""
        self.failing = ""
        """Why nothing can be sent now; empty: it can."""

    @property
    def active(self) -> bool:
        """Whether it is this process that passes events on."""
        return self._cursor is not None

    async def look(self) -> bool:
        """Sends what there is, at most one batch; whether there may be more. Raises StoreUnavailable."""
        cursor = await self._held()
        if cursor is None:
            return False
        if not self._sure:
            await self._repeat(cursor)
            self._sure = True
        events = await self._events.after(cursor.seq, limit=BATCH)
        if not events:
            return False
        # Between the last look at the lease and here at most a page was read; the batch itself is bounded.
        if wanted := self._wanted(events):
            await self._sink.send(wanted)
            self.sent += len(wanted)
        if not await self._cursors.advance(self._sink.name, cursor.fence, events[-1].seq):
            self._forget()  # it is in other hands, who send the same again
            return False
        self._cursor = cursor._replace(seq=events[-1].seq)
        return len(events) == BATCH

    async def run(self) -> None:
        """Until cancelled; then somebody else may go on at once."""
        try:
            while True:
                try:
                    more = await self.look()
                    self._told("")
                except StoreUnavailable as error:
                    more = False
                    # It may have come back without its end, or with a batch half sent.
                    self.doubt()
                    self._told(error.message)
                if not more:
                    await asyncio.sleep(LOOK_EVERY_S if self.active else IDLE_S)
        finally:
            await self.release()

    async def _held(self) -> Cursor | None:
        now_s = self._clock.monotonic()
        if self._cursor is not None and now_s < self._leased_until_s - (LEASE_S - RENEW_EVERY_S):
            return self._cursor
        start = 0 if self._cursor is not None else await self._events.newest_seq()
        now_us = epoch_us(self._clock.utc_now())
        until_us = now_us + round(LEASE_S * 1_000_000)
        had = self._cursor
        self._cursor = await self._cursors.take(self._sink.name, self._holder, now_us, until_us, start)
        self._leased_until_s = now_s + LEASE_S
        if had is None or self._cursor is None or self._cursor.fence != had.fence:
            self._sure = False
        return self._cursor

    async def _repeat(self, cursor: Cursor) -> None:
        """What was sent and is not there any more is sent again, as far back as is looked."""
        first = max(0, cursor.seq - REPEATED_MAX)
        before = await self._events.after(first, limit=REPEATED_MAX)
        sent = self._wanted([each for each in before if each.seq <= cursor.seq])
        if not sent:
            return
        lacking = await self._sink.lacking(sent)
        for start in range(0, len(lacking), BATCH):
            await self._sink.send(lacking[start : start + BATCH])
            self.sent += len(lacking[start : start + BATCH])

    def _wanted(self, events: list[LoggedEvent]) -> list[LoggedEvent]:
        return [event for event in events if any_means(self._patterns, event.topic)]

    def doubt(self) -> None:
        """The place may have lost its end: it is looked after with the next look."""
        self._sure = False

    async def release(self) -> None:
        """Somebody else may go on at once."""
        cursor = self._cursor
        self._forget()
        if cursor is not None:
            try:
                await self._cursors.release(self._sink.name, cursor.fence)
            except StoreUnavailable as error:
                log.info("the cursor of %s ends by itself: %s", self._sink.name, error.message)

    def _forget(self) -> None:
        self._cursor, self._sure = None, False

    def _told(self, failing: str) -> None:
        if bool(failing) != bool(self.failing):
            if failing:
                log.warning("events are not passed on to %s: %s", self._sink.name, failing)
            else:
                log.warning("events are passed on to %s again", self._sink.name)
        self.failing = failing
