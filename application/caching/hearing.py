"""What instances of one installation tell each other about kept answers: one bounded log, read by all.

Everybody reads from its own position on. A log that lost something begins anew for whoever notices: then
nothing asked before counts any more. Each record carries who wrote it, so that an instance knows its own.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from application.ports.answer_store import CacheLog, LogPage, LogRecord
from application.ports.system import Clock
from domain.caching.entry import NOWHERE, Position
from domain.errors import StoreUnavailable
from domain.resilience.backoff import full_jitter_s

log = logging.getLogger("interchange")

LISTEN_EVERY_S: Final = 0.25
CATCH_UP_EVERY_S: Final = 0.05
PAGE_RECORDS: Final = 500
PAGE_BYTES: Final = 1024 * 1024
"""A log may end a page early, but none that is smaller in both: there is no more then."""
CALL_TIMEOUT_S: Final = 2.0
DECLARED_WITHIN_S: Final = 5.0
UNHEARD_S: Final = 60.0
TELL_EVERY_S: Final = 0.05
GROUP_RECORDS: Final = 256
GROUP_BYTES: Final = 1024 * 1024
WAITING_MAX: Final = 10_000
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
ORIGIN_BYTES: Final = 8

Handler = Callable[[Position, bytes, bool], None]
"""Told the position, the data and whether this instance wrote it. Never waits, and should not raise."""


class Hearing:
    """`run` is a task of its owner; `declare` works without it, too. Counters are plain attributes.

    `unheard_s`: after so long without having read the log to its end, `suspended` says that invalidations
    may have been missed.
    """

    def __init__(
        self,
        cache_log: CacheLog,
        clock: Clock,
        *,
        unheard_s: float = UNHEARD_S,
        origin: bytes | None = None,
        chance: random.Random | None = None,
    ) -> None:
        """`origin` are the 8 bytes its records are known by; drawn where none are given."""
        self._log = cache_log
        self._clock = clock
        self._unheard_s = unheard_s
        self._chance = chance or random.Random()  # noqa: S311 (names and spreads, nothing secret)
        self._origin = self._chance.randbytes(ORIGIN_BYTES) if origin is None else origin
        self._position = NOWHERE
        self._heard_at_s = clock.monotonic()
        self._handlers: dict[str, list[Handler]] = {}
        self._on_lost: list[Callable[[Position], None]] = []
        self._reading = asyncio.Lock()
        self._waiting: deque[LogRecord] = deque()
        self._waiting_bytes = 0
        self._something_waits = asyncio.Event()
        self.heard = 0
        self.losses = 0
        """How often something may have been missed; the first reading is not one."""
        self.failures = 0
        self.handler_failures = 0
        self.told = 0
        self.dropped = 0
        """Records that nobody else heard, because the log was away for too long."""

    @property
    def position(self) -> Position:
        """How far this instance has heard."""
        return self._position

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def suspended(self) -> bool:
        return self._clock.monotonic() - self._heard_at_s > self._unheard_s

    def heard_ago_s(self, now_s: float) -> float:
        """Since the log was last known to the end, in monotonic seconds."""
        return max(0.0, now_s - self._heard_at_s)

    def on(self, kind: str, handler: Handler) -> None:
        """Several handlers of one kind are told in the order they came. Unknown kinds are passed over."""
        self._handlers.setdefault(kind, []).append(handler)

    def on_lost(self, handler: Callable[[Position], None]) -> None:
        """Told from which position on everything will be heard; what was said before it is not known. Also
        told at the first reading."""
        self._on_lost.append(handler)

    def tell(self, kind: str, data: bytes) -> None:
        """Soon known to all. Never waits; may be dropped, and may rarely be heard twice."""
        record = LogRecord(kind, self._origin + data)
        self._waiting.append(record)
        self._waiting_bytes += len(record.data)
        self._bound()
        self._something_waits.set()

    async def declare(self, kind: str, data: bytes) -> Position:
        """Written and heard here when this returns, and by all others that are not cut off soon after.

        Raises StoreUnavailable: it is not known whether anybody hears it. Saying it again does no harm.
        """
        try:
            async with asyncio.timeout(DECLARED_WITHIN_S):
                written = await self._log.append([LogRecord(kind, self._origin + data)])
                await self._until_heard(written)
        except TimeoutError:
            raise StoreUnavailable("the log of the cache did not answer in time") from None
        return written

    async def catch_up(self) -> None:
        """Hears everything that was written before the call. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(DECLARED_WITHIN_S):
                while not await self._read_page():
                    pass
        except TimeoutError:
            raise StoreUnavailable("the log of the cache did not answer in time") from None

    async def run(self) -> None:
        """Listens and tells until cancelled; a log that is down is asked again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen())
            group.create_task(self._keep_telling())

    async def flush(self, within_s: float) -> int:
        """Tells what waits, at shutdown; how many records are left when that failed or took too long."""
        try:
            async with asyncio.timeout(within_s):
                while self._waiting:
                    await self._tell_group()
        except (TimeoutError, StoreUnavailable):
            log.warning("%d records of the cache were not told to others", len(self._waiting))
        return len(self._waiting)

    async def _listen(self) -> None:
        down = False
        while True:
            wait_s = LISTEN_EVERY_S
            try:
                if not await self._read_page():
                    wait_s = CATCH_UP_EVERY_S
                if down:
                    log.info("the log of the cache is heard again")
                down = False
            except StoreUnavailable as error:
                self.failures += 1
                if not down:
                    log.warning("invalidations of kept answers are not heard: %s", error.message)
                down = True
            await asyncio.sleep(wait_s)

    async def _read_page(self) -> bool:
        """Whether that was all there is. Raises StoreUnavailable."""
        async with self._reading:
            began_s, before = self._clock.monotonic(), self._position
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    page = await self._log.read(before, PAGE_RECORDS)
            except TimeoutError:
                raise StoreUnavailable("the log of the cache did not answer in time") from None
            self._take(before, page)
            size_bytes = sum(len(record.data) for _, record in page.records)
            all_of_it = len(page.records) < PAGE_RECORDS and size_bytes < PAGE_BYTES
            if all_of_it:
                self._heard_at_s = began_s
            return all_of_it

    def _take(self, before: Position, page: LogPage) -> None:
        epoch, end = page.position
        back = epoch == before.epoch and end < before.number
        if page.lost or back or epoch != before.epoch:
            since = page.records[0][0] - 1 if page.records else end
            if back:
                # An older state of the log has come back. Its numbers are used a second time, so nothing
                # asked at any of them counts until they are passed.
                since = before.number + 1
            if before != NOWHERE:
                self.losses += 1
                log.warning("the log of the cache lost records; answers asked before are not used")
            for forget in self._on_lost:
                forget(Position(epoch, since))
        for number, record in page.records:
            position = Position(epoch, number)
            self._position = position
            self.heard += 1
            own = record.data[:ORIGIN_BYTES] == self._origin
            for handler in self._handlers.get(record.kind, ()):
                try:
                    handler(position, record.data[ORIGIN_BYTES:], own)
                except Exception:
                    # One who cannot read a record must not make this instance deaf to invalidations.
                    self.handler_failures += 1
                    log.exception(
                        "a record of kind %r in the log of the cache was not understood", record.kind
                    )
        self._position = page.position

    async def _until_heard(self, written: Position) -> None:
        while not self._has_heard(written):
            all_of_it = await self._read_page()
            if all_of_it and self._position.epoch != written.epoch:
                return  # in yet another epoch nothing asked before counts, which is more than any record says
            if all_of_it and not self._has_heard(written):
                await asyncio.sleep(CATCH_UP_EVERY_S)

    def _has_heard(self, written: Position) -> bool:
        return self._position.epoch == written.epoch and self._position.number >= written.number

    async def _keep_telling(self) -> None:
        attempt = 0
        while True:
            await self._something_waits.wait()
            await asyncio.sleep(TELL_EVERY_S)
            self._something_waits.clear()
            while self._waiting:
                try:
                    await self._tell_group()
                    attempt = 0
                except StoreUnavailable:
                    # The listener says so in the log.
                    attempt += 1
                    await asyncio.sleep(full_jitter_s(attempt, draw=self._chance.random()))

    async def _tell_group(self) -> None:
        group: list[LogRecord] = []
        size_bytes = 0
        while self._waiting and len(group) < GROUP_RECORDS and size_bytes < GROUP_BYTES:
            record = self._waiting.popleft()
            group.append(record)
            size_bytes += len(record.data)
        self._waiting_bytes -= size_bytes
        written = False
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                await self._log.append(group)
            written = True
            self.told += len(group)
        except TimeoutError:
            raise StoreUnavailable("the log of the cache did not answer in time") from None
        finally:
            if not written:
                self._put_back(group, size_bytes)

    def _put_back(self, group: Sequence[LogRecord], size_bytes: int) -> None:
        self._waiting.extendleft(reversed(group))
        self._waiting_bytes += size_bytes
        self._bound()

    def _bound(self) -> None:
        while self._waiting and (len(self._waiting) > WAITING_MAX or self._waiting_bytes > WAITING_BYTES_MAX):
            self._waiting_bytes -= len(self._waiting.popleft().data)
            self.dropped += 1
