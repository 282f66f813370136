"""Keeping where conversations were answered, so that restarts and other instances know.

Failure policy: open. What is lost costs prompt-cache hits, never an answer; the hot path works from memory
and never waits for this store. Sharing is eventual: an instance learns of another's conversations with its
next look, about a second later.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from domain.routing.conversation import Place


class AffinityRow(NamedTuple):
    """One place of one conversation. `key` is a digest that contains the tenant."""

    key: bytes
    tenant_id: str
    place: Place


class AffinityChanges(NamedTuple):
    """What was saved after some revision, oldest first, and the revision to ask from next time."""

    rows: list[AffinityRow]
    revision: int


class AffinityStore(Protocol):
    @abstractmethod
    async def save(self, rows: Sequence[AffinityRow]) -> None:
        """Keeps each row unless one of the same key and target with a later use is there.

        Raises StoreUnavailable; then nothing was kept.
        """
        ...

    @abstractmethod
    async def changes(self, after: int, *, limit: int) -> AffinityChanges:
        """At most `limit` rows saved after a revision; 0 is before everything. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def forget(self, *, before_us: int, keep_max: int) -> int:
        """Drops what was last used before a moment, and the oldest beyond `keep_max`; how many went.

        Raises StoreUnavailable.
        """
        ...
