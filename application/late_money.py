"""Money of what is billed after its request has ended: the charge is made by one request, its bill told by
another."""

import asyncio
import logging
from typing import Final

from application.hold import Hold
from application.holds import BudgetHolds
from application.job import Job
from application.ports.ledger import LedgerBooks, LedgerStore
from application.ports.system import Clock
from domain.budgets.posting import HoldOutcome, Posting
from domain.errors import StoreUnavailable
from domain.routing.target import Target

log = logging.getLogger("interchange")

LOOKED_THROUGH_MAX: Final = 100_000
"""Unresolved charges among which those of one batch are looked for."""
TELLING_TRIES_MAX: Final = 30
TOLD_AGAIN_S: Final = 1.0


class LateMoney:
    """`ledger` is the database, `books` reads what is in it."""

    def __init__(self, holds: BudgetHolds, ledger: LedgerStore, books: LedgerBooks, clock: Clock) -> None:
        self._holds = holds
        self._ledger = ledger
        self._books = books
        self._clock = clock

    def counted(self, job: Job, target: Target, credential: str = "") -> Hold | None:
        """For the row that tells the bill: soft budgets count it, hard ones are charged already."""
        return self._holds.counted(job, target, credential)

    async def charges_of(self, prefix: str) -> dict[str, Posting]:
        """Unresolved charges of attempts whose ids begin so, by attempt. Raises StoreUnavailable."""
        found: dict[str, Posting] = {}
        if self._holds.book.empty:
            return found
        for entry in await self._books.unresolved(None, limit=LOOKED_THROUGH_MAX):
            if entry.attempt_id.startswith(prefix):
                held, holder = entry.held_nano_usd, entry.holder
                known = found.get(entry.attempt_id)
                leased = (*(() if known is None else known.leased), entry.account_id)
                found[entry.attempt_id] = Posting(
                    entry.attempt_id, HoldOutcome.UNRESOLVED, held, held, 0, holder, holder, leased
                )
        return found

    async def billed(self, charge: Posting, bill_nano_usd: int) -> None:
        """Replaces an unresolved charge by its bill, also where its own row comes only later. Idempotent.

        Raises StoreUnavailable: asked again, it is billed once.
        """
        bill = charge._replace(outcome=HoldOutcome.SETTLED, charged_nano_usd=bill_nano_usd)
        await self._ledger.post([bill], int(self._clock.utc_now().timestamp() * 1e6))

    async def repeat_answered(self, charge: Posting, job: Job) -> None:
        """An answer tells what a try in doubt and its repeats were billed together, where it was counted."""
        cost = job.cost_nano_usd
        if cost is not None and not job.cost_estimated:
            await self.billed_in_the_end(charge, cost)

    async def billed_in_the_end(self, charge: Posting, bill_nano_usd: int) -> None:
        """As `billed`, but keeps trying for a while; then the charge stays until somebody resolves it."""
        for tries_left in reversed(range(TELLING_TRIES_MAX)):
            try:
                await self.billed(charge, bill_nano_usd)
                return
            except StoreUnavailable as error:
                if not tries_left:
                    log.error("the bill of %s is not in the ledger: %s", charge.attempt_id, error.message)
                    return
                await asyncio.sleep(TOLD_AGAIN_S)
