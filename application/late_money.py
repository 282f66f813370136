"""Money of what is billed after its request has ended: the charge is made by one request, its bill told by
another."""

import asyncio
import logging
from typing import Final

from application.hold import Hold
from application.holds import BudgetHolds
from application.job import Job
from application.ports.ledger import LedgerStore
from application.ports.system import Clock
from domain.budgets.posting import HoldOutcome, Posting
from domain.errors import StoreUnavailable
from domain.routing.target import Target

log = logging.getLogger("interchange")

TELLING_TRIES_MAX: Final = 30
TOLD_AGAIN_S: Final = 1.0


class LateMoney:
    """`ledger` is the database."""

    def __init__(self, holds: BudgetHolds, ledger: LedgerStore, clock: Clock) -> None:
        self._holds = holds
        self._ledger = ledger
        self._clock = clock

    def counted(self, job: Job, target: Target, credential: str = "") -> Hold | None:
        """For the row that tells the bill: soft budgets count it, hard ones are charged already."""
        return self._holds.counted(job, target, credential)

    async def billed(self, charge: Posting, bill_nano_usd: int) -> None:
        """Replaces an unresolved charge by its bill, also where its own row comes only later. Idempotent.

        Raises StoreUnavailable: asked again, it is billed once.
        """
        bill = charge._replace(outcome=HoldOutcome.SETTLED, charged_nano_usd=bill_nano_usd)
        await self._ledger.post([bill], int(self._clock.utc_now().timestamp() * 1e6))

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
