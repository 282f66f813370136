"""Where knowledge about models comes from, and where an operator's corrections are kept.

Failure policy: a source that cannot be read raises `StoreUnavailable` and changes nothing; the catalogue
in use stays. Nothing here is called while a request waits.
"""

from abc import abstractmethod
from typing import Protocol

from domain.catalog.offering import Catalog


class CatalogSource(Protocol):
    """One feed of models and prices, such as the bundled price book or a file in a known format."""

    name: str

    @abstractmethod
    async def load(self) -> Catalog:
        """Everything the source knows now. Raises StoreUnavailable, or InvalidRequest for a bad format."""
        ...


class CatalogStore(Protocol):
    """Synced feeds and overrides of this installation, newest per source."""

    @abstractmethod
    async def save(self, source: str, catalog: Catalog) -> None:
        """Replaces what this source said before. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def load_all(self) -> list[tuple[str, Catalog]]:
        """Every saved source with its catalogue. Raises StoreUnavailable."""
        ...

    @abstractmethod
    async def remove(self, source: str) -> bool:
        """Whether there was something to remove."""
        ...
