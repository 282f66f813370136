"""Keeping routes that were made through the API. Those of the configuration file are not here.

Failure policy: raises `StoreUnavailable`; the routes in use stay in use. Nothing on the hot path asks.
"""

from abc import abstractmethod
from datetime import datetime
from typing import NamedTuple, Protocol


class StoredRoute(NamedTuple):
    """A route as it was put. `body` is a JSON object in the shape of the file's `routes` section."""

    name: str
    body: str
    updated_at: datetime
    updated_by: str
    """Id of the key that put it."""


class RouteStore(Protocol):
    @abstractmethod
    async def put(self, route: StoredRoute, *, routes_max: int) -> bool:
        """Keeps the route, in place of an older one of that name. True: there was none.

        Raises Conflict when it would be one more than `routes_max`.
        """
        ...

    @abstractmethod
    async def remove(self, name: str) -> bool:
        """Whether there was such a route."""
        ...

    @abstractmethod
    async def all(self) -> list[StoredRoute]:
        """Every route, by name."""
        ...

    @abstractmethod
    async def generation(self) -> int:
        """A number that changes with every change of any route; cheap to ask."""
        ...
