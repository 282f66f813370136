"""The money of one attempt, from before it is sent until its row is in the journal."""

from typing import Protocol

from application.budget_book import Concerned
from application.tenure import Tenure
from domain.budgets.lease import Lease
from domain.budgets.posting import HoldOutcome, Posting


class Settler(Protocol):
    """Who keeps the leases that a hold was taken from."""

    def settle(self, hold: "Hold", outcome: HoldOutcome, charged: int, cost: int) -> str:
        """Ends the hold; the line for the attempt's row."""
        ...


class Hold:
    """One attempt's money. Settled exactly once; everything else is idempotent."""

    __slots__ = ("_settler", "amount", "attempt_id", "concerned", "leases", "open", "place", "tenure")

    def __init__(self, settler: Settler, concerned: Concerned, amount: int) -> None:
        self._settler = settler
        self.concerned = concerned
        self.amount = amount
        self.tenure: Tenure | None = None
        self.leases: list[Lease] = []
        self.place: int | None = None
        self.open = True
        self.attempt_id = ""
        """Set once something is held."""

    @property
    def charge(self) -> Posting:
        """What hard budgets are charged for the attempt while nobody knows its bill."""
        tenure = self.tenure
        assert tenure is not None, "something is held"
        return Posting(
            self.attempt_id,
            HoldOutcome.UNRESOLVED,
            self.amount,
            self.amount,
            0,
            tenure.holder,
            tenure.payer,
            self.concerned.hard_ids,
        )

    def settle(self, cost: int | None, *, known: bool, billed: bool = True) -> str:
        """Ends the hold with what is known of the bill; the line for the attempt's row.

        `known`: the provider counted. `billed` False: it certainly was not. Otherwise all of it counts until
        somebody knows better.
        """
        if not billed:
            outcome, charged = HoldOutcome.RELEASED, 0
        elif known and cost is not None:
            outcome, charged = HoldOutcome.SETTLED, cost
        else:
            outcome, charged = HoldOutcome.UNRESOLVED, self.amount
        return self._settler.settle(self, outcome, charged, cost or 0)
