"""Budgets made through the API. Those of the configuration file are not here.

Failure policy: raises `StoreUnavailable`; requests go on with the budgets that were read last.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol


class StoredBudget(NamedTuple):
    """`body` is the budget as canonical JSON; who reads it knows its shape. Times are epoch microseconds."""

    budget_id: str
    tenant_id: str
    name: str
    body: str
    created_at_us: int
    updated_at_us: int


class BudgetStore(Protocol):
    @abstractmethod
    async def all(self) -> list[StoredBudget]:
        """Every budget of every tenant, by id. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def put(self, budget: StoredBudget) -> bool:
        """Makes or replaces a budget; whether it is new.

        Raises:
            Conflict: another budget of the tenant has this name.
            StoreUnavailable: as said.
        """
        ...

    @abstractmethod
    async def delete(self, tenant_id: str, budget_id: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """Counts up with every change. Raises StoreUnavailable."""
        ...
