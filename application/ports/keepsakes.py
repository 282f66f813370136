"""What a process leaves to the next one, so that it need not learn and hear everything again.

Failure policy: open. What cannot be read is as if it was never there.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from domain.caching.entry import Position


class Learned(NamedTuple):
    """What is known of one tenant's route, as numbers that its model understands."""

    tenant_id: str
    route: str
    numbers: tuple[float, ...]


class Keepsakes(Protocol):
    @abstractmethod
    async def load(self) -> tuple[Position, Sequence[Learned]] | None:
        """What was saved last, with how far its process had heard; vectors go to the index itself.

        None: there is nothing, or nothing that can be used.
        """
        ...

    @abstractmethod
    async def save(self, heard: Position, learned: Sequence[Learned]) -> None:
        """Replaces what was saved before, whole or not at all. Raises StoreUnavailable."""
        ...
