"""How a member's part of a pool ends: in good order, adopted after its death, or booked as lost.

Whoever ends it also gives back what the pool has left of its accounts, because perhaps nobody else will ever
ask about them.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from adapters.redis.connection import RedisConnection
from adapters.redis.dealing import Dealer, PoolLost
from application.ports.ledger_pools import LedgerPools
from domain.errors import StoreUnavailable

TOLD_AT_ONCE: Final = 200
"""Accounts that one transaction of the ledger locks."""
CHECKS_MAX: Final = 5
CHECK_AGAIN_S: Final = 0.1


class PartEndings:
    """Each of them can be done again, by anybody, to the same end. False: the pool is to be retired, because
    it has forgotten something, or was granted what was never put in."""

    def __init__(self, pools: LedgerPools, redis: RedisConnection, fresh_for_us: int) -> None:
        self._pools = pools
        self._redis = redis
        self._fresh_for_us = fresh_for_us

    async def end(self, pool: str, holder: str, now_us: int, *, adopted: bool) -> bool:
        """Tells the pool what the holder was charged, and gives back the rest. `adopted`: for a process that
        died, of which nobody knows what was granted for it in that moment. Raises StoreUnavailable."""
        charged = await self._pools.settled_by(holder)
        dealer = Dealer(self._redis, pool, self._fresh_for_us)
        try:
            accounts = sorted(await dealer.accounts_of(holder) | set(charged))
            await dealer.end(holder, accounts, charged, {})
            sound = await self._give_back(dealer, accounts, now_us, CHECKS_MAX if adopted else 1)
        except (PoolLost, StoreUnavailable):
            return False
        with contextlib.suppress(StoreUnavailable):  # it is forgotten after a while by itself
            await dealer.forget(holder)
        return sound or not adopted

    async def book(self, pool: str, holder: str, now_us: int) -> bool:
        """Books what a lost member had been dealt, and gives back the rest. Where Redis cannot tell, it
        counts as leased until the whole pool is booked or closed. Raises PoolLost, StoreUnavailable."""
        dealer = Dealer(self._redis, pool, self._fresh_for_us)
        accounts = sorted(await dealer.accounts_of(holder))
        if not accounts:
            return True
        if dealt := await dealer.dealt_to(holder, accounts):
            booked = await self._pools.book(holder, dealt, now_us)
            charged = await self._pools.settled_by(holder)
            await dealer.end(holder, sorted(dealt), charged, booked)
        sound = await self._give_back(dealer, accounts, now_us, CHECKS_MAX)
        await dealer.forget(holder)
        return sound

    async def _give_back(self, dealer: Dealer, account_ids: Sequence[str], now_us: int, checks: int) -> bool:
        """Whether everything that the ledger granted was put in. What is on its way to a living member looks
        as if it was not: so it is looked at again."""
        lacking = await self._tell(dealer, account_ids, now_us)
        for _ in range(checks - 1):
            if not lacking:
                break
            await asyncio.sleep(CHECK_AGAIN_S)
            lacking = await self._tell(dealer, lacking, now_us)
        return not lacking

    async def _tell(self, dealer: Dealer, account_ids: Sequence[str], now_us: int) -> list[str]:
        """One round; accounts of which the ledger granted more than was put in here."""
        lacking: list[str] = []
        left = await dealer.give_back(account_ids, now_us)
        ids = sorted(left)
        for start in range(0, len(ids), TOLD_AT_ONCE):
            returned = {each: left[each].returned for each in ids[start : start + TOLD_AT_ONCE]}
            granted = await self._pools.give_back(dealer.pool, returned, now_us)
            lacking += [each for each, total in sorted(granted.items()) if total > left[each].granted]
        return lacking
