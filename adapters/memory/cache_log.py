"""The log that instances read, in memory: for one process alone, and for several instances in tests."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from application.ports.answer_store import CacheLog, LogPage, LogRecord
from domain.caching.entry import Position
from domain.errors import StoreUnavailable

RECORDS_MAX: Final = 10_000


class InMemoryCacheLog(CacheLog):
    """Set `reachable` to False to take it away; clear `answering` to let every call hang; `lose` empties it,
    as a restart without persistence does."""

    def __init__(self, *, records_max: int = RECORDS_MAX) -> None:
        self.reachable = True
        self.answering = asyncio.Event()
        self.answering.set()
        self._records_max = records_max
        self._records: deque[tuple[int, LogRecord]] = deque()
        self._last = 0
        self._life = 1

    async def append(self, records: Sequence[LogRecord]) -> Position:
        await self._check()
        for record in records:
            self._last += 1
            self._records.append((self._last, record))
        while len(self._records) > self._records_max:
            self._records.popleft()
        return Position(self._epoch, self._last)

    async def read(self, after: Position, limit: int) -> LogPage:
        await self._check()
        same = after.epoch == self._epoch and after.number <= self._last
        asked = after.number if same else 0
        kept = self._last - len(self._records)
        found: list[tuple[int, LogRecord]] = []
        # From the newest backwards: readers are usually close behind.
        for number, record in reversed(self._records):
            if number <= asked:
                break
            found.append((number, record))
        found.reverse()
        page = found[:limit]
        reached = page[-1][0] if page else self._last
        return LogPage(page, Position(self._epoch, reached), not same or asked < kept)

    def lose(self) -> None:
        """Everything written is gone; the epoch is another one."""
        self._records.clear()
        self._last = 0
        self._life += 1

    async def _check(self) -> None:
        await self.answering.wait()
        if not self.reachable:
            raise StoreUnavailable("the log of the cache is not reachable")

    @property
    def _epoch(self) -> str:
        return f"memory-{self._life}"
