"""One thread for what would hold up the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from domain.errors import StoreUnavailable

Result = TypeVar("Result")
WAITING_MAX: Final = 256
CLOSE_TIMEOUT_S: Final = 30.0


def _nothing() -> None:
    return


class Worker:
    """Runs jobs one after another, so that nothing they touch needs a lock. Belongs to one event loop."""

    def __init__(self, name: str, *, waiting_max: int = WAITING_MAX) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._name = name
        self._waiting = 0
        self._waiting_max = waiting_max
        self._closed = False

    async def call(
        self,
        work: Callable[[], Result],
        *,
        over: Callable[[], None] = _nothing,
        timeout_s: float | None = None,
    ) -> Result:
        """What `work` returns or raises. `over` is called in the event loop once the job is over, maybe long
        after the caller has left: a job that has begun is not stopped.

        Raises:
            StoreUnavailable: too many wait, it took too long, or the thread is closed.
        """
        if self._closed or self._waiting >= self._waiting_max:
            over()
            why = "is closed" if self._closed else f"is overloaded: {self._waiting} jobs wait"
            raise StoreUnavailable(f"{self._name} {why}", retry_after_s=1.0)
        loop = asyncio.get_running_loop()
        job = self._executor.submit(work)
        self._waiting += 1

        def settle() -> None:
            self._waiting -= 1
            over()

        def done(finished: "Future[Result]") -> None:
            if not finished.cancelled():
                finished.exception()  # seen, also when the caller has left
            loop.call_soon_threadsafe(settle)

        job.add_done_callback(done)
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(job)
        except TimeoutError:
            raise StoreUnavailable(f"{self._name} is too slow", retry_after_s=1.0) from None

    async def aclose(self) -> None:
        """Waits for jobs that were taken, but not for a disk that stands still. Idempotent."""
        if self._closed:
            return
        self._closed = True
        last = asyncio.wrap_future(self._executor.submit(_nothing))
        ended, _ = await asyncio.wait({last}, timeout=CLOSE_TIMEOUT_S)
        self._executor.shutdown(wait=bool(ended))
