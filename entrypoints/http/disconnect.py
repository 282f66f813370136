"""Noticing that a caller left: ASGI servers tell only whoever asks."""

import asyncio

from entrypoints.http.asgi import Receive

NOTICE_AFTER_S = 0.05
"""Requests that are over sooner never pay for a watcher."""


class DisconnectWatch:
    """Cancels the current task when the caller hangs up. Use it around the wait, then `stop` it.

    `left` tells our own cancellation from a foreign one (shutdown).
    """

    __slots__ = ("_handle", "_receive", "_target", "_watcher", "left")

    def __init__(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        self.left = False
        self._receive = receive
        self._target = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._handle = loop.call_later(NOTICE_AFTER_S, self._start)

    def _start(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.left = True
                if self._target is not None:
                    self._target.cancel()
                return

    def stop(self) -> None:
        """No more cancellation from here on. Idempotent."""
        self._handle.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def forgive(self) -> bool:
        """Whether a CancelledError was ours; it is then taken back, so that the task can end in peace."""
        if self.left and self._target is not None:
            self._target.uncancel()
        return self.left
