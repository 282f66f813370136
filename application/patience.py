"""A time limit for many waits in a row, at the price of one timer.

`asyncio.timeout` arms and disarms a timer around each wait, which for a stream of small events costs more
than reading them. This one keeps a single timer running and only notes when the present wait must be over.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Patience:
    """Bounds one wait at a time, of one task. `close` it when no more waits follow."""

    __slots__ = ("_before", "_ends_at", "_expired", "_handle", "_loop", "_task")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None
        self._ends_at = 0.0
        self._before = 0
        self._expired = False

    async def wait(self, wanted: Awaitable[T], limit_s: float) -> T:
        """What `wanted` gives, within `limit_s`.

        Raises:
            TimeoutError: it took longer; it was cancelled then.
        """
        task = asyncio.current_task(self._loop)
        assert task is not None, "only tasks can wait"
        self._ends_at = self._loop.time() + limit_s
        self._before = task.cancelling()
        self._task = task
        if self._handle is None or self._handle.when() > self._ends_at:
            self._arm()
        try:
            return await wanted
        except asyncio.CancelledError:
            # Whoever else cancelled the task meanwhile must not be told of a time limit.
            if self._expired and task.uncancel() <= self._before:
                raise TimeoutError from None
            raise
        finally:
            self._task = None
            self._expired = False

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(self._ends_at, self._ring)

    def _ring(self) -> None:
        self._handle = None
        if self._task is None:
            return
        if self._loop.time() < self._ends_at:
            self._arm()
            return
        self._expired = True
        self._task.cancel()

    def close(self) -> None:
        """No timer is left behind. Idempotent."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
