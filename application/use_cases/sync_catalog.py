"""Bringing feeds in: from a URL or a file, kept per source, dated and compared with what was there."""

from dataclasses import dataclass

from application.ports.catalog import CatalogFeeds, CatalogStore
from application.ports.system import Clock
from application.use_cases.load_catalog import IMPORTED, LoadCatalog
from domain.catalog.changes import CatalogChanges, changes, dated
from domain.catalog.offering import Catalog
from domain.errors import InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport:
    """What a sync or import brought, and what it changed against the same source's last state."""

    source: str
    version: str
    offerings: int
    providers: int
    changes: CatalogChanges


class SyncCatalog:
    """Reads one feed and keeps it in place of what it said before; other sources stay untouched."""

    def __init__(self, *, feeds: CatalogFeeds, store: CatalogStore, clock: Clock) -> None:
        self._feeds = feeds
        self._store = store
        self._clock = clock

    @property
    def formats(self) -> tuple[str, ...]:
        return self._feeds.formats

    async def __call__(
        self, feed_format: str, *, url: str | None = None, file: str | None = None, source: str | None = None
    ) -> SyncReport:
        """`source` names it for precedence; without, it is the format's name.

        Raises:
            InvalidRequest: not exactly one of `url` and `file`, an unknown format, a feed that cannot be read
                or holds no offering. Nothing is saved then.
            StoreUnavailable: the feed or the store is out of reach; what was there stays.
        """
        if (url is None) == (file is None):
            raise InvalidRequest("give either a url or a file", param="url")
        today = self._clock.utc_now().date()
        if url is not None:
            opened = self._feeds.url(feed_format, url, on=today)
        else:
            opened = self._feeds.file(feed_format, file or "", on=today)
        catalog = await opened.load()
        return await keep(self._store, source or feed_format, catalog, today.isoformat())


class ImportCatalog:
    """Takes an export of Interchange as the operator's own knowledge: above feeds, below settings."""

    def __init__(self, *, feeds: CatalogFeeds, store: CatalogStore, clock: Clock) -> None:
        self._feeds = feeds
        self._store = store
        self._clock = clock

    async def __call__(self, data: bytes, *, source: str = IMPORTED) -> SyncReport:
        """Replaces what was imported before. Raises InvalidRequest or StoreUnavailable, and saves nothing."""
        today = self._clock.utc_now().date()
        catalog = self._feeds.parse("interchange", data, on=today)
        return await keep(self._store, source, catalog, today.isoformat())


class ExportCatalog:
    """The merged catalogue as bytes, or only what one saved source says."""

    def __init__(self, *, load: LoadCatalog, feeds: CatalogFeeds, store: CatalogStore) -> None:
        self._load = load
        self._feeds = feeds
        self._store = store

    async def __call__(self, *, source: str | None = None) -> bytes:
        """Raises InvalidRequest for a source that was never saved, StoreUnavailable."""
        if source is None:
            return self._feeds.export(await self._load())
        saved = dict(await self._store.load_all())
        if source not in saved:
            known = ", ".join(sorted(saved)) or "none"
            raise InvalidRequest(f"no saved source {source!r}; saved: {known}", param="source")
        return self._feeds.export(saved[source])


async def keep(store: CatalogStore, source: str, catalog: Catalog, today: str) -> SyncReport:
    """Saves the catalogue with dates on its prices. An empty one is refused: a broken feed must not erase."""
    if not catalog.offerings:
        raise InvalidRequest(f"{source}: holds no offerings; nothing was changed", param="source")
    before = dict(await store.load_all()).get(source, Catalog())
    kept = dated(catalog, before, today)
    await store.save(source, kept)
    return SyncReport(
        source=source,
        version=kept.version,
        offerings=len(kept.offerings),
        providers=len(kept.providers),
        changes=changes(before, kept),
    )
