"""The catalogue of this installation: the bundled book, then synced feeds, then the operator's word."""

from collections.abc import Sequence
from typing import Final

from application.ports.catalog import CatalogSource, CatalogStore
from domain.catalog.merge import OfferingOverride, apply_overrides, merge
from domain.catalog.offering import Catalog

IMPORTED: Final = "import"
"""Name of the saved source that an operator's own import goes to; it outranks every feed."""


class LoadCatalog:
    """Merges everything known, lowest first: bundled < saved feeds < imports < overrides of the settings.

    `precedence` names saved feeds from low to high. A saved feed it does not name comes below those it does,
    in order of name, so that a forgotten entry cannot outrank a chosen one.
    """

    def __init__(
        self,
        *,
        bundled: CatalogSource,
        store: CatalogStore,
        precedence: Sequence[str] = (),
        overrides: Sequence[OfferingOverride] = (),
    ) -> None:
        self._bundled = bundled
        self._store = store
        self._precedence = tuple(precedence)
        self._overrides = tuple(overrides)

    async def __call__(self) -> Catalog:
        """Raises StoreUnavailable when the saved feeds cannot be read: half a catalogue has wrong prices."""
        bundled = await self._bundled.load()
        saved = sorted(await self._store.load_all(), key=lambda entry: self._rank(entry[0]))
        merged = merge([bundled, *(catalog for _, catalog in saved)])
        return apply_overrides(merged, self._overrides) if self._overrides else merged

    def _rank(self, source: str) -> tuple[bool, int, str]:
        chosen = self._precedence.index(source) if source in self._precedence else -1
        return source == IMPORTED, chosen, source
