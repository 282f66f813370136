"""Who keeps which answer: known at once in this process, and soon to all others.

A caller may continue an answer in the same millisecond it got its id, so entries are found in memory first.
They are written beside the requests, in groups, by one owner; other processes find them in the store.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection, Sequence

from application.ports.stored_answers import StoredAnswer, StoredAnswers
from application.ports.system import Clock
from application.reach import EVERY_TENANT, reaching
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

RECENT_MAX = 8_192
RECENT_BYTES_MAX = 64 * 1024 * 1024
"""Kept contents in memory, at most; what leaves it is in the store."""
WAITING_MAX = 8_192
WAITING_BYTES_MAX = 256 * 1024 * 1024
"""Waiting for the store, at most; beyond either bound the oldest are given up."""
GROUP_EVERY_S = 0.01
RETRY_AFTER_S = 1.0
PURGE_EVERY_S = 60.0
CONTENT_TRUSTED_S = 5.0
"""How long a kept content is taken from memory: another process may have deleted it."""
LOOKED_AGAIN_AFTER_S = 0.05
"""Another process may have the answer still in its queue when its id comes back."""


class AnswerMemory:
    """`run` owns the writing; everything else may be called by any request of this loop."""

    def __init__(self, store: StoredAnswers, clock: Clock, *, per_tenant_max: int) -> None:
        self._store = store
        self._clock = clock
        self._per_tenant_max = per_tenant_max
        self._recent: OrderedDict[tuple[str, str], StoredAnswer] = OrderedDict()
        self._recent_bytes = 0
        self._waiting: dict[tuple[str, str], StoredAnswer] = {}
        self._waiting_bytes = 0
        self._writing = asyncio.Lock()
        self._something_waits = asyncio.Event()
        self.lost = 0
        """Entries this process alone knew and forgot, because the store could not be written for too long."""

    def now_us(self) -> int:
        """The time entries are stamped with."""
        return int(self._clock.utc_now().timestamp() * 1e6)

    def keep(self, answers: Sequence[StoredAnswer]) -> None:
        """Knows them from now on; they are in the store a moment later. Never waits."""
        for answer in answers:
            key = (answer.tenant_id, answer.id)
            self._remember(key, answer)
            self._no_longer_waits(key)
            self._waiting[key] = answer
            self._waiting_bytes += len(answer.content or b"")
        while len(self._waiting) > WAITING_MAX or self._waiting_bytes > WAITING_BYTES_MAX:
            self._no_longer_waits(next(iter(self._waiting)))
            self.lost += 1
        self._something_waits.set()

    async def find(
        self, tenant_id: str, ids: Collection[str], *, again: bool = False
    ) -> dict[str, StoredAnswer]:
        """Those of this tenant that are known and have not expired.

        `again`: looks a second time after a moment for what was not found. Raises StoreUnavailable.
        """
        now_us = self.now_us()
        found: dict[str, StoredAnswer] = {}
        missing: list[str] = []
        for one in ids:
            entry = self._recent.get((tenant_id, one))
            if entry is None or self._may_be_deleted(entry, now_us):
                missing.append(one)
            elif entry.expires_at_us > now_us:
                found[one] = entry
        for wait_s in (0.0, LOOKED_AGAIN_AFTER_S) if again else (0.0,):
            if missing:
                await asyncio.sleep(wait_s)
                stored = await self._store.get(tenant_id, missing, now_us=now_us)
                found.update(stored)
                missing = [one for one in missing if one not in stored]
        return found

    async def forget(self, tenant_id: str, answer_id: str) -> None:
        """It is unknown from now on, everywhere. Raises StoreUnavailable."""
        key = (tenant_id, answer_id)
        async with self._writing:
            self._no_longer_waits(key)
            entry = self._recent.pop(key, None)
            if entry is not None:
                self._recent_bytes -= len(entry.content or b"")
            await self._store.delete(tenant_id, answer_id)

    async def settle(self, answer: StoredAnswer) -> bool:
        """Closes its open bill; whether this call was the one to do it. Raises StoreUnavailable."""
        key = (answer.tenant_id, answer.id)
        await self.flush()
        recent = self._recent.get(key)
        if recent is not None and recent.open_bill is not None:
            self._recent[key] = recent._replace(open_bill=None)
        return await self._store.settle(answer.tenant_id, answer.id)

    async def unsettled(self, older_than_s: float, limit: int) -> Sequence[StoredAnswer]:
        """Open bills of that age, oldest first. Raises StoreUnavailable."""
        return await self._store.unsettled(before_us=self.now_us() - int(older_than_s * 1e6), limit=limit)

    async def flush(self) -> None:
        """Everything kept so far is in the store. Raises StoreUnavailable; nothing is lost then."""
        async with self._writing:
            while self._waiting:
                group = dict(self._waiting)
                with reaching(EVERY_TENANT):  # whoever asks, it is everybody's answers that are kept
                    await self._store.put(tuple(group.values()))
                for key, answer in group.items():
                    if self._waiting.get(key) is answer:
                        self._no_longer_waits(key)

    async def run(self) -> None:
        """Writes what waits and drops what has expired, until cancelled."""
        purge_at = self._clock.monotonic() + PURGE_EVERY_S
        while True:
            try:
                async with asyncio.timeout(max(0.0, purge_at - self._clock.monotonic())):
                    await self._something_waits.wait()
            except TimeoutError:
                pass
            else:
                await asyncio.sleep(GROUP_EVERY_S)
            self._something_waits.clear()
            try:
                await self.flush()
                if self._clock.monotonic() >= purge_at:
                    purge_at = self._clock.monotonic() + PURGE_EVERY_S
                    await self._store.purge(now_us=self.now_us(), per_tenant_max=self._per_tenant_max)
            except StoreUnavailable as error:
                log.warning("kept answers wait for the store: %s", error.message)
                await asyncio.sleep(RETRY_AFTER_S)
                self._something_waits.set()

    def _no_longer_waits(self, key: tuple[str, str]) -> None:
        before = self._waiting.pop(key, None)
        if before is not None:
            self._waiting_bytes -= len(before.content or b"")

    def _may_be_deleted(self, entry: StoredAnswer, now_us: int) -> bool:
        old = now_us - entry.created_at_us > CONTENT_TRUSTED_S * 1e6
        return old and entry.content is not None and (entry.tenant_id, entry.id) not in self._waiting

    def _remember(self, key: tuple[str, str], answer: StoredAnswer) -> None:
        before = self._recent.pop(key, None)
        if before is not None:
            self._recent_bytes -= len(before.content or b"")
        self._recent[key] = answer
        self._recent_bytes += len(answer.content or b"")
        while len(self._recent) > RECENT_MAX or (
            self._recent_bytes > RECENT_BYTES_MAX and len(self._recent) > 1
        ):
            _, oldest = self._recent.popitem(last=False)
            self._recent_bytes -= len(oldest.content or b"")
