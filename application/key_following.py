"""How the key ring stays current: it looks for itself, and is told sooner where instances can tell."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from application.key_ring import KeyRing
from application.ports.keys import KeyNews, KeyUses
from application.ports.system import Clock
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

LOOK_EVERY_S: Final = 0.5
NEWS_EVERY_S: Final = 0.1
NEWS_AGAIN_S: Final = 1.0
"""After news could not be asked for: the ring looks for itself meanwhile."""
FLUSH_EVERY_S: Final = 60.0


class KeyFollowing:
    """`look` is what counts: a key that was revoked anywhere lets nobody in here after its next round. News
    only make it sooner."""

    def __init__(
        self,
        ring: KeyRing,
        uses: KeyUses,
        clock: Clock,
        news: KeyNews | None = None,
        before_looking: Callable[[], None] = lambda: None,
    ) -> None:
        """`before_looking` is called before every round, for what a new record may depend on."""
        self._ring = ring
        self._uses = uses
        self._clock = clock
        self._news = news
        self._before_looking = before_looking
        self._heard = ""

    async def look(self) -> None:
        """One round. Raises StoreUnavailable; the last snapshot stays."""
        self._before_looking()
        await self._ring.refresh()

    async def changed(self) -> None:
        """Somebody changed a key here: known here when this returns, and told to the others.

        Raises StoreUnavailable; they see it for themselves.
        """
        if self._ring.stale_for_s is None:
            return  # a command that serves nobody needs no ring
        await self.look()
        if self._news is not None:
            await self._news.tell()

    async def listen(self) -> None:
        """Follows news until cancelled; without anybody to tell them it only waits."""
        while True:
            try:
                await self._hear()
                await asyncio.sleep(NEWS_EVERY_S if self._news is not None else FLUSH_EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(NEWS_AGAIN_S)  # `look` goes on, and Redis tells of itself

    async def _hear(self) -> None:
        if self._news is None:
            return
        last = await self._news.last()
        if last and last != self._heard:
            await self.look()
            self._heard = last  # only now: what could not be read is looked for again

    async def flush(self) -> None:
        """Writes down which keys were used, and secrets that came under the newest pepper.

        Raises StoreUnavailable; the uses of this round are forgotten then, and those secrets come again.
        """
        used, found = self._ring.take_used(), self._ring.take_rehashes()
        if used:
            await self._uses.used(sorted(used), self._clock.utc_now())
        if found and (done := await self._uses.rehash(found)):
            log.info("%d secrets of API keys are kept under the newest pepper now", done)
