"""The one Redis of a simulated installation, as its processes reach it: late, not at all, or emptied."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.memory.answer_store import InMemoryAnswerStore
from adapters.memory.cache_log import InMemoryCacheLog
from application.ports.answer_store import AnswerStore, CacheLog, LogPage, LogRecord, StoreFacts
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer, Position
from domain.errors import StoreUnavailable
from tests.simulation.purse import Outage

LOST_ANSWER_SHARE = 0.01
SLOW_SHARE = 0.05


class RedisInMemory:
    """What would be in it; `empty` is a restart without persistence."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.log = InMemoryCacheLog()
        self.questions = InMemoryCacheLog()
        self.answers = InMemoryAnswerStore(clock)

    def empty(self) -> None:
        """Everything is gone, and the logs begin another epoch."""
        self.log.lose()
        self.questions.lose()
        self.answers = InMemoryAnswerStore(self._clock)


@dataclass(slots=True, kw_only=True)
class Way:
    """Of one process. Also what was done may be answered with an error, as when the connection breaks."""

    redis: RedisInMemory
    outages: Sequence[Outage]
    chance: random.Random
    process: int
    calm_s: float

    def _reachable(self) -> bool:
        now = asyncio.get_running_loop().time()
        return not any(
            each.begins_s <= now < each.ends_s and each.process in (None, self.process)
            for each in self.outages
        )

    async def there(self) -> None:
        slow = self.chance.random() < SLOW_SHARE
        await asyncio.sleep(self.chance.uniform(0.1, 0.3) if slow else self.chance.uniform(0.0005, 0.01))
        if not self._reachable():
            await asyncio.sleep(0.3)
            raise StoreUnavailable("Redis cannot be reached")

    async def back(self) -> None:
        await asyncio.sleep(self.chance.uniform(0.0005, 0.005))
        calm = asyncio.get_running_loop().time() >= self.calm_s
        if not self._reachable() or (not calm and self.chance.random() < LOST_ANSWER_SHARE):
            await asyncio.sleep(0.3)
            raise StoreUnavailable("the answer got lost")


class FarAnswers(AnswerStore):
    def __init__(self, way: Way) -> None:
        self._way = way

    async def read(self, key: bytes) -> CachedAnswer | None:
        await self._way.there()
        found = await self._way.redis.answers.read(key)
        await self._way.back()
        return found

    async def write(self, answers: Sequence[CachedAnswer]) -> None:
        await self._way.there()
        await self._way.redis.answers.write(answers)
        await self._way.back()

    async def erase(self, keys: Sequence[bytes]) -> None:
        await self._way.there()
        await self._way.redis.answers.erase(keys)
        await self._way.back()

    async def facts(self) -> StoreFacts:
        await self._way.there()
        return await self._way.redis.answers.facts()

    async def aclose(self) -> None:
        """Nothing is open."""


class FarLog(CacheLog):
    def __init__(self, way: Way, log: CacheLog) -> None:
        self._way = way
        self._log = log

    async def append(self, records: Sequence[LogRecord]) -> Position:
        await self._way.there()
        written = await self._log.append(records)
        await self._way.back()
        return written

    async def read(self, after: Position, limit: int) -> LogPage:
        await self._way.there()
        page = await self._log.read(after, limit)
        await self._way.back()
        return page
