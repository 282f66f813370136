"""An event loop whose time passes only when everybody waits, so that an hour of waiting takes no time.

Only timers move it: nothing here may wait for a socket, a thread or another process. What can never go on
is reported instead of hanging.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from application.ports.system import Clock

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
MONOTONIC_START_S = 1000.0
"""The clock's scale is not the loop's, so that code which mixes them up fails."""


class Deadlock(RuntimeError):
    """Everybody waits, and nothing is due: the program would hang."""


class _AdvancingSelector(selectors.SelectSelector):
    """Moves the loop's time on instead of waiting."""

    def __init__(self, loop: "VirtualTimeLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            ready = super().select(0)
            if not ready:
                raise Deadlock("everybody waits, and no timer is set")
            return ready
        # No file is waited for, so none is asked for, a hundred thousand times in a run.
        self._loop.advance(max(0.0, timeout))
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at 0 s."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_AdvancingSelector(self))

    def time(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Called by the selector alone."""
        self._now_s += seconds


class VirtualClock(Clock):
    """The Clock port over a loop's virtual time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        return MONOTONIC_START_S + self._loop.time()

    def utc_now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time())


def run_virtual(work: Coroutine[Any, Any, T]) -> T:
    """Runs to the end in virtual time. Raises Deadlock when the end cannot be reached."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)
