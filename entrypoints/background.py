"""What runs beside requests, and how it outlives its own failures."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")


class BackgroundTasks:
    """The one owner of what runs beside requests. A task that ends by itself is logged and started again."""

    RESTART_AFTER_S = 1.0
    CANCEL_AGAIN_AFTER_S = 1.0
    CANCELLATIONS_MAX = 10

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Runs `run` until `aclose`."""
        self._tasks.append(asyncio.create_task(self._keep(name, run), name=name))

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except Exception:  # a background task must outlive its own bugs; each one is logged
                log.exception("background task %s failed; it starts again", name)
            await asyncio.sleep(self.RESTART_AFTER_S)

    async def aclose(self) -> None:
        """Cancels all and waits for their end. Again where a cancellation was lost on its way, as happens in
        libraries that catch their own timeouts: nothing that runs on may keep a process from ending."""
        left: set[asyncio.Task[None]] = set(self._tasks)
        for _ in range(self.CANCELLATIONS_MAX):
            if not left:
                return
            for task in left:
                task.cancel()
            ended, left = await asyncio.wait(left, timeout=self.CANCEL_AGAIN_AFTER_S)
            for task in ended:
                if not task.cancelled():
                    task.exception()  # seen
        names = ", ".join(sorted(task.get_name() for task in left))
        log.error("background tasks did not end: %s", names)


async def in_any_case(work: Callable[[], Awaitable[None]]) -> None:
    """Work whose failure must keep nobody from starting or ending."""
    try:
        await work()
    except StoreUnavailable as error:
        log.warning("store unavailable: %s", error.message)


async def every(period_s: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except StoreUnavailable as error:
            log.warning("store unavailable: %s", error.message)
        await asyncio.sleep(period_s)
