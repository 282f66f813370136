"""Puts together what holds money for attempts, from ports alone."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from application.batch_money import BatchMoney
from application.budget_book import BudgetBook
from application.holds import BudgetHolds
from application.late_money import LateMoney
from application.lease_book import LeaseBook
from application.ports.budgets import BudgetStore
from application.ports.hold_board import HoldBoard
from application.ports.ledger import LedgerBooks, LedgerStore
from application.ports.system import Clock, IdFactory
from application.prefix_counts import PrefixCounts
from application.use_cases.follow_budgets import FollowBudgets, check_names
from application.use_cases.keep_ledger import KeepLedger, LedgerTimes
from application.use_cases.watch_budgets import WatchBudgets
from domain.budgets.budget import Budget
from domain.errors import Conflict, StoreUnavailable
from entrypoints.provisioning import ProvisioningError
from entrypoints.settings import Settings

FLUSH_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`leases.run`, `keep.run`, `follow.refresh` and `watch.look` are for the lifespan to run."""

    leases: LeaseBook
    holds: BudgetHolds
    follow: FollowBudgets
    keep: KeepLedger
    watch: WatchBudgets
    books: LedgerBooks
    batches: BatchMoney
    late: LateMoney


def make_money(
    *,
    ledgers: Sequence[LedgerStore],
    books: LedgerBooks,
    watch: WatchBudgets,
    book: BudgetBook,
    budgets: BudgetStore,
    board: HoldBoard,
    clock: Clock,
    ids: IdFactory,
    flush: Callable[[], Awaitable[None]],
    times: LedgerTimes,
    prefixes: PrefixCounts | None = None,
) -> Money:
    """`ledgers` in the order in which they are asked for leases; the last one is the database. `prefixes`:
    what is known of conversations' lengths; without it every turn is bounded by its bytes."""
    leases = LeaseBook(ledgers, board, clock, lambda: ids.next("hold"), partial(_in_time, flush))
    holds = BudgetHolds(book, leases, board, clock, prefixes=prefixes)
    return Money(
        leases=leases,
        holds=holds,
        follow=FollowBudgets(budgets, book, lambda: leases.recall(book.budgets)),
        keep=KeepLedger(ledgers, books, clock, times),
        watch=watch,
        books=books,
        batches=BatchMoney(holds, ledgers[-1], books, clock),
        late=LateMoney(holds, ledgers[-1], books, clock),
    )


async def _in_time(flush: Callable[[], Awaitable[None]]) -> None:
    """Leases in use must not wait for those that end; what did not flush in time is tried again."""
    try:
        async with asyncio.timeout(FLUSH_WITHIN_S):
            await flush()
    except TimeoutError:
        raise StoreUnavailable(f"usage rows were not written within {FLUSH_WITHIN_S:g} s") from None


def declared_budgets(settings: Settings) -> tuple[Budget, ...]:
    """Those of the configuration file."""
    return tuple(section.budget(settings.budget_alert_threshold) for section in settings.budgets)


def check_budget_names(declared: Sequence[Budget], stored: Sequence[Budget]) -> None:
    """Raises ProvisioningError for a name that was also given to a budget made through the API."""
    try:
        check_names(declared, stored)
    except Conflict as error:
        raise ProvisioningError([error.message]) from None


async def start_budgets(follow: FollowBudgets, settings: Settings) -> None:
    """Puts the first set of budgets in force. Raises ProvisioningError, StoreUnavailable."""
    try:
        await follow.start(declared_budgets(settings))
    except Conflict as error:
        raise ProvisioningError([error.message]) from None
