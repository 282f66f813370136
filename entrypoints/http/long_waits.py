"""Telling those who still wait after a moment, with one timer for all of them.

Nearly every request reads its body and gets its answer within milliseconds. A timer of its own for each of
these waits would cost more than anything else the wait needs.
"""

import asyncio
from typing import Final, Protocol

NOTICE_AFTER_S: Final = 0.05


class LongWait(Protocol):
    """Somebody who wants to know when a wait turns out to be a long one."""

    def lasts(self) -> None:
        """Called once, between one and two `NOTICE_AFTER_S` after `begin`, unless `end` came before."""
        ...


class LongWaits:
    """Belongs to one event loop. Bounded by the requests that are open."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._new: set[LongWait] = set()
        self._old: set[LongWait] = set()
        self._ringing = False

    def begin(self, wait: LongWait) -> None:
        self._new.add(wait)
        if not self._ringing:
            self._ringing = True
            self.loop.call_later(NOTICE_AFTER_S, self._ring)

    def end(self, wait: LongWait) -> None:
        """Idempotent."""
        self._new.discard(wait)
        self._old.discard(wait)

    def _ring(self) -> None:
        lasting, self._old, self._new = self._old, self._new, set()
        self._ringing = bool(self._old)
        if self._ringing:
            self.loop.call_later(NOTICE_AFTER_S, self._ring)
        for wait in lasting:
            wait.lasts()


_latest: LongWaits | None = None


def long_waits() -> LongWaits:
    """Those of the running loop. A process that serves has one; where there are several, each is served."""
    global _latest
    loop, found = asyncio.get_running_loop(), _latest
    if found is None or found.loop is not loop:
        found = _latest = LongWaits(loop)
    return found
