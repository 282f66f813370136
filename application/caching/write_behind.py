"""Writing to the second tier beside requests: in groups, bounded, and given up rather than waited for."""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from application.ports.answer_store import AnswerStore
from application.ports.system import Clock
from domain.caching.entry import CachedAnswer
from domain.errors import StoreUnavailable
from domain.resilience.backoff import full_jitter_s

log = logging.getLogger("interchange")

WAITING_MAX: Final = 10_000
WAITING_BYTES_MAX: Final = 64 * 1024 * 1024
GROUP_MAX: Final = 128
GROUP_BYTES: Final = 4 * 1024 * 1024
GROUP_EVERY_S: Final = 0.02
WRITE_TIMEOUT_S: Final = 5.0


class WriteBehind:
    """`put` never waits; `run` is a task of its owner. What waits beyond either bound is dropped, oldest
    first, which costs hits and nothing else. Counters are plain attributes."""

    def __init__(
        self,
        store: AnswerStore,
        clock: Clock,
        *,
        waiting_max: int = WAITING_MAX,
        waiting_bytes_max: int = WAITING_BYTES_MAX,
        chance: random.Random | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._waiting_max = waiting_max
        self._waiting_bytes_max = waiting_bytes_max
        self._chance = chance or random.Random()  # noqa: S311 (spreads retries, nothing secret)
        self._waiting: OrderedDict[bytes, CachedAnswer] = OrderedDict()
        self._something_waits = asyncio.Event()
        self._writing = asyncio.Lock()
        self._failures_in_a_row = 0
        self.waiting_bytes = 0
        self.written = 0
        self.dropped = 0
        self.failures = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def down(self) -> bool:
        """Whether the last write failed."""
        return self._failures_in_a_row > 0

    def put(self, answer: CachedAnswer) -> None:
        """One of the same key that still waits is replaced."""
        self._remove(answer.key)
        self._waiting[answer.key] = answer
        self.waiting_bytes += answer.size_bytes
        while self._waiting and (
            len(self._waiting) > self._waiting_max or self.waiting_bytes > self._waiting_bytes_max
        ):
            self._remove(next(iter(self._waiting)))
            self.dropped += 1
        self._something_waits.set()

    def waits(self, key: bytes) -> CachedAnswer | None:
        """What is not written yet."""
        return self._waiting.get(key)

    def forget(self, keys: Iterable[bytes]) -> None:
        """They are not written any more, unless their group is on its way."""
        for key in keys:
            self._remove(key)

    def clear(self) -> None:
        self._waiting.clear()
        self.waiting_bytes = 0

    async def run(self) -> None:
        """Until cancelled. A store that is down is tried again, at most every 8 seconds."""
        while True:
            await self._something_waits.wait()
            await asyncio.sleep(GROUP_EVERY_S)
            self._something_waits.clear()
            while self._waiting:
                if await self._write_group():
                    continue
                await asyncio.sleep(full_jitter_s(self._failures_in_a_row, draw=self._chance.random()))

    async def flush(self, within_s: float) -> int:
        """Writes what waits, at shutdown; how many are left when that failed or took too long."""
        try:
            async with asyncio.timeout(within_s):
                while self._waiting and await self._write_group():
                    pass
        except TimeoutError:
            log.warning("%d kept answers were not written in time", len(self._waiting))
        return len(self._waiting)

    async def _write_group(self) -> bool:
        """Whether the store took it. What was replaced meanwhile waits on."""
        async with self._writing:
            group = self._next_group()
            if not group:
                return True
            try:
                async with asyncio.timeout(WRITE_TIMEOUT_S):
                    await self._store.write(group)
            except (StoreUnavailable, TimeoutError) as error:
                self.failures += 1
                self._failures_in_a_row += 1
                if self._failures_in_a_row == 1:
                    log.warning("kept answers wait for the second tier: %s", str(error) or "it is slow")
                return False
            if self._failures_in_a_row:
                log.info("the second tier takes answers again")
            self._failures_in_a_row = 0
            self.written += len(group)
            for answer in group:
                if self._waiting.get(answer.key) is answer:
                    self._remove(answer.key)
            return True

    def _next_group(self) -> list[CachedAnswer]:
        now_us = int(self._clock.utc_now().timestamp() * 1e6)
        group: list[CachedAnswer] = []
        over: list[bytes] = []
        size_bytes = 0
        for key, answer in self._waiting.items():
            if answer.kept_until_us <= now_us:
                over.append(key)
                continue
            group.append(answer)
            size_bytes += answer.size_bytes
            if len(group) >= GROUP_MAX or size_bytes >= GROUP_BYTES:
                break
        self.forget(over)
        return group

    def _remove(self, key: bytes) -> None:
        before = self._waiting.pop(key, None)
        if before is not None:
            self.waiting_bytes -= before.size_bytes
