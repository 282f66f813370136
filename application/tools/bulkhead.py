"""So many calls of one integration at once, and so many that wait: one that hangs drowns nobody else."""

import asyncio
from collections import deque
from contextlib import suppress

from domain.errors import IntegrationUnavailable

RETRY_WHEN_FULL_S = 1.0


class Bulkhead:
    """First come, first served. Belongs to one event loop."""

    def __init__(self, at_once: int, waiting_max: int) -> None:
        self.at_once = at_once
        self.waiting_max = waiting_max
        self.busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return sum(1 for turn in self._waiting if not turn.done())

    async def enter(self, name: str) -> None:
        """Takes a place; `leave` it. Cancelling gives it up. Raises IntegrationUnavailable when too many
        wait already."""
        if self.busy < self.at_once and not self._waiting:
            self.busy += 1
            return
        if self.waiting >= self.waiting_max:
            raise IntegrationUnavailable(
                f"{self.at_once} calls of {name} are running and {self.waiting_max} wait, which is its limit "
                "(max_concurrency, max_waiting)",
                retry_after_s=RETRY_WHEN_FULL_S,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()  # it was our turn already
            else:
                with suppress(ValueError):  # passed over already
                    self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Gives the place to whoever waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1
