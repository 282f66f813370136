"""Where knowledge about models comes from, and where an operator's corrections are kept.

Failure policy: a source that cannot be read raises `StoreUnavailable` and changes nothing; the catalogue
in use stays. Nothing here is called while a request waits.
"""

from abc import abstractmethod
from datetime import date
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


class CatalogFeeds(Protocol):
    """The known public formats, and how a catalogue leaves and enters as bytes.

    Opening reads nothing yet; the source's `load` does. `on` is the day whose prices are wanted, for formats
    with dated prices. An unknown format raises InvalidRequest with the allowed ones.
    """

    @property
    @abstractmethod
    def formats(self) -> tuple[str, ...]:
        """Names of the formats, such as `litellm` and `interchange` (our own export)."""
        ...

    @abstractmethod
    def file(self, feed_format: str, path: str, *, on: date) -> CatalogSource:
        """A feed in a file. At most 64 MiB."""
        ...

    @abstractmethod
    def url(self, feed_format: str, url: str, *, on: date) -> CatalogSource:
        """A feed behind an http(s) URL: no redirects, at most 64 MiB and one minute."""
        ...

    @abstractmethod
    def parse(self, feed_format: str, data: bytes, *, on: date) -> Catalog:
        """A feed that is already here. Raises InvalidRequest naming the entry that cannot be read."""
        ...

    @abstractmethod
    def export(self, catalog: Catalog) -> bytes:
        """The catalogue in our own format, without loss."""
        ...
