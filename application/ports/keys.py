"""Keeping API keys. The secret itself is never kept, only its keyed hash.

Failure policy: reads raise `StoreUnavailable`; the key ring then keeps serving its last snapshot for a
bounded time. Writes raise `StoreUnavailable` or `Conflict` and change nothing.
"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.tenancy.key import KeyRecord


class KeyStore(Protocol):
    @abstractmethod
    async def add(self, record: KeyRecord) -> None:
        """Raises Conflict when the id exists."""
        ...

    @abstractmethod
    async def all(self) -> list[KeyRecord]:
        """Every key of every tenant, revoked ones included."""
        ...

    @abstractmethod
    async def revoke(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        """Whether there was such a live key in this tenant."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change of any key; cheap to ask."""
        ...
