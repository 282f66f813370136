"""Looks at all budgets now and then, for metrics and health: figures per budget, never per subject."""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from application.budget_alerts import log_alerts
from application.budget_book import BudgetBook
from application.budget_format import to_us
from application.ports.ledger import AccountFilter, AccountRow, LedgerBooks
from application.ports.system import Clock
from domain.budgets.alerts import Alert
from domain.budgets.budget import Budget
from domain.errors import StoreUnavailable

LOOK_EVERY_S: Final = 10.0
ACCOUNTS_MAX: Final = 10_000
"""Accounts that are looked at; of budgets with more subjects than that, the figures are of the newest."""
BUDGETS_MAX: Final = 500
"""Budgets with figures: those of the file first, then the oldest."""
RATE_OVER_S: Final = 600.0


class BudgetFigures(NamedTuple):
    """Over the accounts of one budget's present period."""

    budget: Budget
    accounts: int
    utilization: float
    """Of the account that is used most, as a share of its limit."""
    remaining_nano_usd: int
    """Of the account with the least left."""
    unresolved_nano_usd: int
    spend_nano_usd_per_hour: int


class WatchBudgets:
    """`look` is for the lifespan to run; everything else answers at once, from the last look."""

    def __init__(self, book: BudgetBook, books: LedgerBooks, clock: Clock) -> None:
        self._book = book
        self._books = books
        self._clock = clock
        self._seen: dict[str, deque[tuple[float, int]]] = {}
        self.figures: tuple[BudgetFigures, ...] = ()
        self.reachable = True
        """Whether the ledger answered when it was last asked."""
        self.alerts: dict[str, int] = {}
        """By budget: alerts that this process wrote."""

    def told(self, alerts: Iterable[Alert]) -> None:
        """Counts and logs alerts that were written for the first time."""
        written = list(alerts)
        for alert in written:
            budget_id = str(alert.fields["budget_id"])
            if budget_id in self.alerts or len(self.alerts) < BUDGETS_MAX:
                self.alerts[budget_id] = self.alerts.get(budget_id, 0) + 1
        log_alerts(written)

    async def look(self) -> None:
        """Asks the ledger once. An unreachable one leaves the figures as they were."""
        if self._book.empty:
            self.figures, self.reachable = (), True
            self._seen.clear()
            return
        where = AccountFilter(current_at_us=to_us(self._clock.utc_now()))
        try:
            rows = await self._books.accounts(where, limit=ACCOUNTS_MAX)
        except StoreUnavailable:
            self.reachable = False
            return
        self.reachable = True
        by_budget: dict[str, list[AccountRow]] = {}
        for row in rows:
            by_budget.setdefault(row.account.budget_id, []).append(row)
        budgets = self._book.budgets[:BUDGETS_MAX]
        self.figures = tuple(self._figures(budget, by_budget.get(budget.budget_id, ())) for budget in budgets)
        known = {budget.budget_id for budget in budgets}
        for gone in self._seen.keys() - known:
            del self._seen[gone]

    def _figures(self, budget: Budget, rows: Iterable[AccountRow]) -> BudgetFigures:
        states = [row.state for row in rows]
        limit = budget.limit_nano_usd
        most = max((state.committed_nano_usd for state in states), default=0)
        return BudgetFigures(
            budget,
            len(states),
            most / limit if limit else float(most > 0),
            max(0, limit - most),
            sum(state.unresolved_nano_usd for state in states),
            self._rate(budget.budget_id, sum(state.committed_nano_usd for state in states)),
        )

    def _rate(self, budget_id: str, committed: int) -> int:
        """Per hour, over the last minutes. A period that ended begins a new count."""
        now = self._clock.monotonic()
        seen = self._seen.setdefault(budget_id, deque(maxlen=int(RATE_OVER_S / LOOK_EVERY_S) + 1))
        if seen and committed < seen[-1][1]:
            seen.clear()
        seen.append((now, committed))
        since, before = seen[0]
        passed = now - since
        return int((committed - before) * 3600 / passed) if passed > 0 else 0
