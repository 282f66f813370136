"""Keeping the ledger in order beside requests: lost processes, and charges whose bill never came."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from application.ports.ledger import LedgerBooks, LedgerStore
from application.ports.system import Clock
from domain.budgets.vigil import Vigil
from domain.errors import StoreUnavailable

log = logging.getLogger("interchange")

ROUND_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTimes:
    """A process silent for `lost_after_s` gets no more leases; after `booked_after_s` what it had counts as
    unresolved. What is unresolved for `resolved_after_s` is spent at the held amount: the stated deadline."""

    lost_after_s: float = 30.0
    booked_after_s: float = 600.0
    resolved_after_s: float = 86_400.0


class KeepLedger:
    """Safe to run on every instance at once. `run` is a task of its owner."""

    def __init__(
        self,
        stores: Sequence[LedgerStore],
        books: LedgerBooks,
        clock: Clock,
        times: LedgerTimes,
        *,
        round_every_s: float = ROUND_EVERY_S,
    ) -> None:
        self._stores = tuple(stores)
        self._books = books
        self._clock = clock
        self._times = times
        self._round_every_s = round_every_s
        self._vigil = Vigil(long_s=times.lost_after_s, gap_s_max=max(times.lost_after_s / 2, round_every_s))

    async def run(self) -> None:
        """Keeps order until cancelled; an unreachable ledger is asked again in the next round."""
        down = False
        while True:
            try:
                await self.round()
                down = False
            except StoreUnavailable as error:
                if not down:
                    log.warning("the budget ledger cannot be kept in order: %s", error.message)
                down = True
            await asyncio.sleep(self._round_every_s)

    async def round(self) -> None:
        """Raises StoreUnavailable."""
        now = self._clock.utc_now().timestamp()
        resolved = await self._books.resolve_older(_us(now - self._times.resolved_after_s), _us(now))
        if resolved:
            log.warning(
                "%d charges had no bill within %g hours and are spent at the held amount",
                resolved,
                self._times.resolved_after_s / 3600,
            )
        self._vigil.saw(now)
        if not self._vigil.may_judge(now):
            return
        silent_since_us = _us(now - self._times.lost_after_s)
        book_before_us = _us(now - self._times.booked_after_s)
        for store in self._stores:
            if booked := await store.give_up_lost(silent_since_us, book_before_us, _us(now)):
                log.warning("%d lost processes: what they had leased counts as unresolved", booked)


def _us(seconds: float) -> int:
    return int(seconds * 1e6)
