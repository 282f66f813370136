"""One thread for everything that blocks on the disk, so that the event loop never does.

One, because SQLite has one writer anyway, and because work then happens in the order it was asked for.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from domain.errors import StoreUnavailable

Result = TypeVar("Result")
WAITING_MAX = 256


class BlockingThread:
    """Runs blocking calls one after another. At most `waiting_max` wait; more are refused."""

    def __init__(self, name: str, *, waiting_max: int = WAITING_MAX) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._name = name
        self._waiting = 0
        self._waiting_max = waiting_max
        self._closed = False

    async def call(self, work: Callable[[], Result]) -> Result:
        """What `work` returns or raises. A cancelled caller does not stop work that has begun.

        Raises:
            StoreUnavailable: too much is waiting already, or the thread is closed.
        """
        if self._closed:
            raise StoreUnavailable(f"{self._name} is closed")
        if self._waiting >= self._waiting_max:
            raise StoreUnavailable(
                f"{self._name} is overloaded: {self._waiting} jobs wait", retry_after_s=1.0
            )
        self._waiting += 1
        job = asyncio.get_running_loop().run_in_executor(self._executor, work)
        job.add_done_callback(self._done)
        return await job

    def _done(self, job: "asyncio.Future[Result]") -> None:
        self._waiting -= 1
        if not job.cancelled():
            job.exception()  # seen, also when the caller has left

    async def aclose(self) -> None:
        """Waits for the work that was taken, then ends the thread. Idempotent."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        last = loop.create_future()
        # Queued behind everything else, so its answer means that nothing is left to wait for.
        self._executor.submit(lambda: loop.call_soon_threadsafe(last.set_result, None))
        await last
        self._executor.shutdown(wait=True)
