"""Keeping stops, so that every instance refuses what one was told to refuse.

Failure policy: raises `StoreUnavailable`; what was known before stays in force, and nobody is let through
because the store is down. Nothing on the hot path asks.
"""

from abc import abstractmethod
from datetime import datetime
from typing import Protocol

from domain.guards.stop import Stop


class StopStore(Protocol):
    @abstractmethod
    async def add(self, stop: Stop, *, stops_max: int) -> bool:
        """Keeps the stop. False: it was not needed, because a guard made it and one of the same tenant,
        subject and cause is in force at its `created_at`.

        A tenant has at most `stops_max`: one that ended makes room, the earliest first. Raises Conflict when
        so many are in force, or when the id exists.
        """
        ...

    @abstractmethod
    async def lift(self, tenant_id: str, stop_id: str, at: datetime, by: str) -> bool:
        """Whether there was such a stop in this tenant that nobody had lifted."""
        ...

    @abstractmethod
    async def all(self) -> list[Stop]:
        """Every stop that is kept, ended ones included, the oldest first."""
        ...

    @abstractmethod
    async def forget_ended_before(self, before: datetime) -> int:
        """Removes stops that ended earlier; how many."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change of any stop; cheap to ask."""
        ...
