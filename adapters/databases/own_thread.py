"""A thread for a driver that blocks: its objects live there, and calls run one after another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class OwnThread:
    """Whoever leaves `call` leaves it running: tell the driver to stop, then `call` waits for its turn."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self.working = False
        """Whether the driver is doing something right now."""

    async def call(self, work: Callable[[], T]) -> T:
        """Raises what `work` raises; RuntimeError after `end`."""
        return await asyncio.wrap_future(self._executor.submit(self._do, work))

    def end(self, last: Callable[[], object]) -> None:
        """Does `last` and no more after it; never waits."""
        try:
            self._executor.submit(self._do, last)
        except RuntimeError:
            return  # it has ended already
        self._executor.shutdown(wait=False)

    def _do(self, work: Callable[[], T]) -> T:
        self.working = True
        try:
            return work()
        finally:
            self.working = False
