"""What is done once for a tenant and a period, whichever of many instances does it.

Failure policy: raises StoreUnavailable; it is tried again later.
"""

from abc import abstractmethod
from typing import Final, Protocol

from application.ports.outbox import OutboxEvent

KEPT_US: Final = 400 * 86_400_000_000
"""How long marks are kept; periods that ended before are never done again anyway."""


class PeriodMarks(Protocol):
    """Marks by (tenant, name, start of the period in UTC epoch microseconds)."""

    @abstractmethod
    async def marked(self, tenant_id: str, name: str, start_us: int) -> bool:
        """Whether it is done. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def newest(self, tenant_id: str, name: str) -> int | None:
        """The start of the newest period that is done; None: none is. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def mark(
        self, tenant_id: str, name: str, start_us: int, *, at_us: int, event: OutboxEvent | None = None
    ) -> bool:
        """Whether this is the first mark; of many at once one is. The event is told with it, in the same
        transaction, or not at all. Raises StoreUnavailable."""
        ...
