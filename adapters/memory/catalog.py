"""Synced feeds and overrides that live as long as the process."""

from application.ports.catalog import CatalogStore
from domain.catalog.offering import Catalog
from domain.errors import StoreUnavailable


class InMemoryCatalogStore(CatalogStore):
    """Keeps the newest catalogue of each source, in order of source name.

    Never waits, so saves are atomic and cannot be cancelled half-way. `reachable` can be switched off to see
    what a caller does when its store is down.
    """

    def __init__(self, *, reachable: bool = True) -> None:
        self.reachable = reachable
        self._catalogs: dict[str, Catalog] = {}

    async def save(self, source: str, catalog: Catalog) -> None:
        self._require_reachable()
        self._catalogs[source] = _copy(catalog)

    async def load_all(self) -> list[tuple[str, Catalog]]:
        self._require_reachable()
        return [(source, _copy(self._catalogs[source])) for source in sorted(self._catalogs)]

    async def remove(self, source: str) -> bool:
        self._require_reachable()
        return self._catalogs.pop(source, None) is not None

    def _require_reachable(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("the catalogue store is switched off")


def _copy(catalog: Catalog) -> Catalog:
    """Offerings are immutable, but the dicts around them are not: two holders must not share those."""
    return Catalog(
        providers=dict(catalog.providers), offerings=dict(catalog.offerings), version=catalog.version
    )
