"""Keys that end soon by themselves.

Failure policy: raises `StoreUnavailable`; nobody is told then, until it answers again.
"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.tenancy.key import KeyRecord


class ExpiringKeys(Protocol):
    @abstractmethod
    async def ending(self, after: datetime, before: datetime, *, limit: int) -> list[KeyRecord]:
        """Keys of all tenants, not revoked, that end after one moment and before the other; the first to end
        first, at most `limit`. Raises StoreUnavailable."""
        ...
