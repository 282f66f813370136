"""Ending a request from outside: because its caller left, or was stopped."""

import asyncio

from domain.errors import InterchangeError
from entrypoints.http.asgi import Receive
from entrypoints.http.long_waits import long_waits


class DisconnectWatch:
    """Cancels the current task when the caller hangs up, which ASGI servers tell only whoever asks.

    Use it around the wait, then `stop` it. Requests that are over at once never pay for a watcher.

    `left` and `halted` tell our own cancellation from a foreign one (shutdown); `halted` is what the caller,
    who still listens, is to be told. `started` is for whoever answers: whether the answer has begun.
    """

    __slots__ = ("_over", "_receive", "_target", "_waits", "_watcher", "halted", "left", "started")

    def __init__(self, receive: Receive, task: "asyncio.Task[object] | None" = None) -> None:
        """`task`: the current one, of whoever knows it already."""
        self.left = False
        self.started = False
        self.halted: InterchangeError | None = None
        self._over = False
        self._receive = receive
        self._target = asyncio.current_task() if task is None else task
        self._watcher: asyncio.Task[None] | None = None
        self._waits = long_waits()
        self._waits.begin(self)

    def lasts(self) -> None:
        self._watcher = self._waits.loop.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.left = True
                if self._target is not None and self.halted is None:
                    self._target.cancel()
                return

    def halt(self, error: InterchangeError) -> None:
        """Cancels the task, for its caller to be told `error`; too late, or twice, it does nothing."""
        if self._over or self.left or self.halted is not None or self._target is None:
            return
        self.halted = error
        self._target.cancel()

    def stop(self) -> None:
        """No more cancellation from here on. Idempotent."""
        if self._over:
            return
        self._over = True
        self._waits.end(self)
        if self._watcher is not None:
            self._watcher.cancel()

    def forgive(self) -> bool:
        """Whether a CancelledError was ours; it is then taken back, so that the task can end in peace."""
        ours = self.left or self.halted is not None
        if ours and self._target is not None:
            self._target.uncancel()
        return ours
