"""Rate limits made through the API. Those of the configuration file are not here.

Failure policy: raises `StoreUnavailable`; requests go on with the limits that were read last.
"""

from abc import abstractmethod
from typing import NamedTuple, Protocol


class StoredLimit(NamedTuple):
    """`body` is the limit as canonical JSON; who reads it knows its shape. Times are epoch microseconds."""

    limit_id: str
    tenant_id: str
    name: str
    body: str
    created_at_us: int
    updated_at_us: int


class LimitStore(Protocol):
    @abstractmethod
    async def all(self) -> list[StoredLimit]:
        """Every limit of every tenant, by id. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def put(self, limit: StoredLimit) -> bool:
        """Makes or replaces a limit; whether it is new.

        Raises:
            Conflict: another limit of the tenant has this name.
            StoreUnavailable: as said.
        """
        ...

    @abstractmethod
    async def delete(self, tenant_id: str, limit_id: str) -> bool:
        """Whether there was one. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """Counts up with every change. Raises StoreUnavailable."""
        ...
