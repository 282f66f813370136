"""Kept answers of a second tier in memory: for tests and simulations; several instances may share one."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from application.ports.answer_store import AnswerStore, StoreFacts
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer
from domain.errors import StoreUnavailable


class InMemoryAnswerStore(AnswerStore):
    """Set `reachable` to False to take it away; clear `answering` to let every call hang.

    Of more than `bytes_max` bytes the oldest leave.
    """

    def __init__(self, clock: Clock, *, bytes_max: int = 64 * 1024 * 1024) -> None:
        self.reachable = True
        self.answering = asyncio.Event()
        self.answering.set()
        self.reads = 0
        self._clock = clock
        self._bytes_max = bytes_max
        self._bytes = 0
        self._evictions = 0
        self._answers: OrderedDict[bytes, CachedAnswer] = OrderedDict()

    async def read(self, key: bytes) -> CachedAnswer | None:
        self.reads += 1
        await self._check()
        answer = self._answers.get(key)
        if answer is not None and answer.kept_until_us <= self._now_us():
            self._remove(key)
            return None
        return answer

    async def write(self, answers: Sequence[CachedAnswer]) -> None:
        await self._check()
        now_us = self._now_us()
        for answer in answers:
            self._remove(answer.key)
            if answer.kept_until_us > now_us:
                self._answers[answer.key] = answer
                self._bytes += answer.size_bytes
        while self._bytes > self._bytes_max:
            self._remove(next(iter(self._answers)))
            self._evictions += 1

    async def erase(self, keys: Sequence[bytes]) -> None:
        await self._check()
        for key in keys:
            self._remove(key)

    async def facts(self) -> StoreFacts:
        await self._check()
        return StoreFacts(
            kind="memory",
            entries=len(self._answers),
            bytes_used=self._bytes,
            bytes_max=self._bytes_max,
            evictions=self._evictions,
        )

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _check(self) -> None:
        await self.answering.wait()
        if not self.reachable:
            raise StoreUnavailable("the store of kept answers is not reachable")

    def _remove(self, key: bytes) -> None:
        before = self._answers.pop(key, None)
        if before is not None:
            self._bytes -= before.size_bytes

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)
