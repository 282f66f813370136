"""Budgets made through the API, in memory: for tests and simulations; gone with the process."""

from application.ports.budgets import BudgetStore, StoredBudget
from domain.errors import Conflict, StoreUnavailable


class InMemoryBudgetStore(BudgetStore):
    """Set `reachable` to False to take it away."""

    def __init__(self) -> None:
        self.reachable = True
        self._budgets: dict[str, StoredBudget] = {}
        self._generation = 0

    async def all(self) -> list[StoredBudget]:
        self._check()
        return sorted(self._budgets.values())

    async def put(self, budget: StoredBudget) -> bool:
        self._check()
        known = self._budgets.get(budget.budget_id)
        if known is not None and known.tenant_id != budget.tenant_id:
            raise Conflict(f"the id {budget.budget_id} is taken", param="budget_id")
        for other in self._budgets.values():
            same = (other.tenant_id, other.name) == (budget.tenant_id, budget.name)
            if same and other.budget_id != budget.budget_id:
                raise Conflict(f"another budget is called {budget.name!r}", param="name")
        new = budget.budget_id not in self._budgets
        self._budgets[budget.budget_id] = budget
        self._generation += 1
        return new

    async def delete(self, tenant_id: str, budget_id: str) -> bool:
        self._check()
        found = self._budgets.get(budget_id)
        if found is None or found.tenant_id != tenant_id:
            return False
        del self._budgets[budget_id]
        self._generation += 1
        return True

    async def generation(self) -> int:
        self._check()
        return self._generation

    def _check(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the budget store is not reachable")
