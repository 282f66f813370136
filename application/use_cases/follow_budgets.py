"""Keeps the budgets that requests are held to as they are declared and stored.

Budgets of the file come with the configuration, those of the API from the store, where any instance may
change them; `refresh` notices within its period. A budget that cannot be read is left out and told: hard
limits of people who can be asked are better than a server that does not start.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from application.budget_book import BudgetBook
from application.budget_format import read_budget
from application.ports.budgets import BudgetStore, StoredBudget
from domain.budgets.budget import Budget
from domain.budgets.terms import same_name
from domain.errors import Conflict, InvalidRequest

log = logging.getLogger("interchange")

REFRESH_EVERY_S: Final = 0.5
Changed = Callable[[], None]
"""Told when other budgets are in force: leases are to come anew under their limits."""


def read_budgets(stored: Iterable[StoredBudget]) -> tuple[tuple[Budget, ...], tuple[str, ...]]:
    """What can be read, and what to tell about the rest."""
    budgets: list[Budget] = []
    problems: list[str] = []
    for each in stored:
        try:
            budgets.append(read_budget(each))
        except InvalidRequest as error:
            problems.append(f"a budget made through the API is not in force: {error.message}")
    return tuple(budgets), tuple(problems)


def check_names(declared: Sequence[Budget], stored: Sequence[Budget]) -> None:
    """Raises Conflict for a name that the file and the API both have."""
    by_name: dict[str, list[Budget]] = {}
    for budget in stored:
        by_name.setdefault(budget.name, []).append(budget)
    twice = [
        f"budgets: {budget.name!r} is declared in the file and also made through the API ({other.budget_id}; "
        f"`interchange budget delete {other.budget_id}`); keep one of them"
        for budget in declared
        for other in by_name.get(budget.name, ())
        if same_name(budget, other)
    ]
    if twice:
        raise Conflict("; ".join(twice), param="name")


class FollowBudgets:
    """Belongs to one event loop. `changed` is told after another set of budgets is in force."""

    def __init__(self, store: BudgetStore, book: BudgetBook, changed: Changed) -> None:
        self._store = store
        self._book = book
        self._changed = changed
        self._generation: int | None = None
        self.declared: tuple[Budget, ...] = ()
        self.stored: tuple[Budget, ...] = ()
        self.problems: tuple[str, ...] = ()

    async def start(self, declared: Sequence[Budget]) -> None:
        """The first set. Raises Conflict for a name that both have, StoreUnavailable."""
        await self._read()
        check_names(declared, self.stored)
        self.declare(declared)

    def declare(self, declared: Sequence[Budget]) -> None:
        """Puts other budgets of the file in force, at once."""
        self.declared = tuple(declared)
        self._put_in_force()

    async def refresh(self) -> None:
        """Takes over what changed in the store. Raises StoreUnavailable; nothing changes then."""
        # Asked before the budgets are read: a change in between is seen next time, never missed.
        if await self._store.generation() != self._generation:
            await self._read()
            self._put_in_force()

    async def _read(self) -> None:
        generation = await self._store.generation()
        self.stored, problems = read_budgets(await self._store.all())
        self._generation = generation
        for problem in problems:
            if problem not in self.problems:
                log.error("%s", problem)
        self.problems = problems

    def _put_in_force(self) -> None:
        if self._book.replace((*self.declared, *self.stored)):
            self._changed()
