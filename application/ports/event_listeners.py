"""Who listens to the events of a tenant, wherever they are connected, so that every instance writes for them.

Failure policy: raises `StoreUnavailable`; whoever listened before is still written for.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Listening(NamedTuple):
    """Somebody wants what these patterns mean, of this tenant, until then (UTC epoch microseconds)."""

    tenant_id: str
    patterns: tuple[str, ...]
    until_us: int


class EventListeners(Protocol):
    @abstractmethod
    async def keep(self, listening: Listening, now_us: int, *, per_tenant_max: int) -> None:
        """Known from now on; the same patterns of the same tenant are one entry, which lasts the longer of
        both times. A tenant has at most `per_tenant_max` entries: the one that ends first makes room.
        Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def all(self, now_us: int) -> Sequence[Listening]:
        """Those that have not ended, of every tenant. Raises StoreUnavailable."""
        ...
