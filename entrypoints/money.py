"""Puts together what holds money for attempts, from ports alone."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from application.budget_book import BudgetBook
from application.holds import BudgetHolds
from application.lease_book import LeaseBook
from application.ports.budgets import BudgetStore
from application.ports.hold_board import HoldBoard
from application.ports.ledger import LedgerBooks, LedgerStore
from application.ports.system import Clock, IdFactory
from application.use_cases.follow_budgets import FollowBudgets
from application.use_cases.keep_ledger import KeepLedger, LedgerTimes
from domain.budgets.budget import Budget
from entrypoints.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`leases.run`, `keep.run` and `follow.refresh` are for the lifespan to run."""

    leases: LeaseBook
    holds: BudgetHolds
    follow: FollowBudgets
    keep: KeepLedger


def make_money(
    *,
    ledgers: Sequence[LedgerStore],
    books: LedgerBooks,
    budgets: BudgetStore,
    board: HoldBoard,
    clock: Clock,
    ids: IdFactory,
    flush: Callable[[], Awaitable[None]],
    times: LedgerTimes,
) -> Money:
    """`ledgers` in the order in which they are asked for leases; the last one is the database."""
    leases = LeaseBook(ledgers, board, clock, lambda: ids.next("hold"), flush)
    book = BudgetBook()
    return Money(
        leases=leases,
        holds=BudgetHolds(book, leases, board, clock),
        follow=FollowBudgets(budgets, book, lambda: leases.recall(book.budgets)),
        keep=KeepLedger(ledgers, books, clock, times),
    )


def declared_budgets(settings: Settings) -> tuple[Budget, ...]:
    """Those of the configuration file."""
    return tuple(section.budget(settings.budget_alert_threshold) for section in settings.budgets)
