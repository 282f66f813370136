"""What `interchange budget` and `interchange limits` work with: stores of this machine, and the file."""

from collections.abc import Iterator
from contextlib import contextmanager

from application.budget_book import BudgetBook
from application.use_cases.manage_limits import ManageLimits
from entrypoints.budgeting import AUTO_ROUTE, Budgeting, BudgetStores, keeping_of, make_budgeting
from entrypoints.command_loop import run
from entrypoints.limiting import stored_limits
from entrypoints.limits_opening import limit_store
from entrypoints.local_stores import local_stores
from entrypoints.money import declared_budgets
from entrypoints.settings import LoadedSettings


@contextmanager
def open_budgeting(loaded: LoadedSettings) -> Iterator[Budgeting]:
    """What `interchange budget` works with: the stores, and what the file declares."""
    with local_stores(loaded) as container:
        made = run(container.route_store().all())
        routes = {AUTO_ROUTE, *loaded.settings.routes, *(route.name for route in made)}
        declared = declared_budgets(loaded.settings)
        stores = BudgetStores(
            budgets=container.budget_store(),
            keys=container.key_store(),
            ledger=container.ledger(),
            books=container.ledger_books(),
            usage=container.usage_query(),
            clock=container.clock(),
            ids=container.ids(),
        )
        keeping = keeping_of(lambda: loaded, lambda: declared, routes.__contains__, _nobody_to_tell)
        yield make_budgeting(stores, keeping, BudgetBook(declared), container.access().keys.create)


@contextmanager
def open_limits(loaded: LoadedSettings) -> Iterator[ManageLimits]:
    """What `interchange limits` works with: the stores, and what the file declares."""
    with local_stores(loaded) as container:
        store = limit_store(container.database())
        yield stored_limits(store, container.clock(), container.ids(), loaded)


async def _nobody_to_tell() -> None:
    """Running servers look for themselves."""
