"""Money of batches that a provider works on.

It works for a day and longer, while our processes come and go. So all lines together are one charge in the
ledger, made before they are handed over and replaced by their bill at the end.
"""

from typing import Final

from application.hold import Hold
from application.holds import BudgetHolds
from application.job import Job
from application.ports.ledger import LedgerBooks, LedgerStore
from application.ports.system import Clock
from domain.budgets.posting import lines_charge_id
from domain.routing.target import Target

LOOKED_THROUGH_MAX: Final = 100_000
"""Unresolved charges among which the one of a batch is looked for."""


class BatchMoney:
    """Belongs to one event loop. `ledger` is the database, `books` reads and resolves what is in it."""

    def __init__(self, holds: BudgetHolds, ledger: LedgerStore, books: LedgerBooks, clock: Clock) -> None:
        self._holds = holds
        self._ledger = ledger
        self._books = books
        self._clock = clock
        self._begun: dict[str, Hold] = {}
        """What is held, while nobody knows whether it is in the ledger."""

    async def set_aside(self, job: Job, target: Target, batch_id: str, bound_nano_usd: int | None) -> None:
        """Charges all lines of a batch at most they can cost, on every hard budget or on none. Idempotent.

        When it returns, the charge survives this process. `job` says on whose behalf.

        Raises:
            BudgetExceeded, CostUnbounded: nothing is charged.
            StoreUnavailable: nobody knows; asked again, it is charged once.
        """
        if self._holds.book.empty:
            return
        charge_id = lines_charge_id(batch_id)
        hold = self._begun.get(charge_id)
        if hold is None:
            if await self._is_charged(charge_id):
                return
            if bound_nano_usd is None:
                refusal = self._holds.unbounded(job, target, "nothing bounds what one of its lines costs")
                if refusal is not None:
                    raise refusal
                return
            hold = await self._holds.set_aside(job, target, bound_nano_usd, charge_id)
            if hold is None:
                return
            self._begun[charge_id] = hold
        await self._ledger.post([hold.charge], self._now_us())
        del self._begun[charge_id]
        self._holds.posted(hold)

    async def _is_charged(self, charge_id: str) -> bool:
        found = await self._books.unresolved(None, limit=LOOKED_THROUGH_MAX)
        return any(entry.attempt_id == charge_id for entry in found)

    async def lines_billed(self, batch_id: str, bill_nano_usd: int | None) -> None:
        """Replaces the charge of a batch by what its lines cost; None: by all that was set aside, 0: nothing
        was handed over. Idempotent; for batches without a charge nothing happens.

        Raises StoreUnavailable.
        """
        await self._books.resolve(lines_charge_id(batch_id), bill_nano_usd, self._now_us())

    def counted(self, job: Job, target: Target) -> Hold | None:
        """For the row of a line, whose charge is that of the whole batch: soft budgets count it."""
        return self._holds.counted(job, target)

    def _now_us(self) -> int:
        return int(self._clock.utc_now().timestamp() * 1e6)
