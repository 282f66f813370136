"""Loading, syncing, importing and asking, over the in-memory store and real feeds."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.memory.catalog import InMemoryCatalogStore
from adapters.pricing.feed_sources import PublicFeeds
from application.ports.catalog import CatalogSource
from application.ports.system import Clock
from application.use_cases.catalog_queries import ListOfferings, ReportCatalogStatistics, ShowOffering
from application.use_cases.load_catalog import IMPORTED, LoadCatalog
from application.use_cases.sync_catalog import ExportCatalog, ImportCatalog, SyncCatalog
from contracts.ports.catalog import EVERYTHING, catalog_of
from domain.catalog.merge import OfferingOverride
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import PriceTable, Rates
from domain.errors import InvalidRequest, StoreUnavailable, UnknownModel
from domain.llm.capabilities import Capability

USD = 1_000_000_000
SMALL = Offering(
    provider="acme",
    model="small",
    prices=PriceTable(base=Rates(input=USD, output=3 * USD), source="book"),
    capabilities=Capability.TEXT | Capability.STREAMING,
    context_tokens=8_000,
)


class FixedSource(CatalogSource):
    name = "bundled"

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def load(self) -> Catalog:
        return self._catalog


class FixedClock(Clock):
    def __init__(self, day: str = "2026-11-20") -> None:
        self.day = day

    def monotonic(self) -> float:
        return 0.0

    def utc_now(self) -> datetime:
        return datetime.fromisoformat(self.day).replace(tzinfo=UTC)


@pytest.fixture
def store() -> InMemoryCatalogStore:
    return InMemoryCatalogStore()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def load(store: InMemoryCatalogStore) -> LoadCatalog:
    return LoadCatalog(bundled=FixedSource(catalog_of(SMALL)), store=store)


@pytest.fixture
def sync(store: InMemoryCatalogStore, clock: FixedClock) -> SyncCatalog:
    return SyncCatalog(feeds=PublicFeeds(), store=store, clock=clock)


WriteFeed = Callable[[float, int], str]


@pytest.fixture
def write_feed(tmp_path: Path) -> WriteFeed:
    """Writes a feed with one price and one context window; gives its path."""

    def write(input_usd_per_token: float, context_tokens: int) -> str:
        path = tmp_path / "feed.json"
        entry = {
            "litellm_provider": "acme",
            "mode": "chat",
            "input_cost_per_token": input_usd_per_token,
            "output_cost_per_token": 2e-06,
            "max_input_tokens": context_tokens,
        }
        path.write_text(json.dumps({"acme/small": entry}))
        return str(path)

    return write


def with_input_price(price: int) -> Catalog:
    return catalog_of(replace(SMALL, prices=PriceTable(base=Rates(input=price, output=1), source=str(price))))


class TestLoading:
    async def test_feeds_come_over_the_book_and_overrides_over_everything(
        self, store: InMemoryCatalogStore
    ) -> None:
        await store.save("feed", with_input_price(2))
        override = OfferingOverride(provider="acme", model="small", context_tokens=64_000)
        load = LoadCatalog(bundled=FixedSource(catalog_of(SMALL)), store=store, overrides=[override])

        seen = (await load()).offerings["acme/small"]

        assert (seen.prices.base.input, seen.context_tokens) == (2, 64_000)

    async def test_declared_precedence_decides_and_the_undeclared_come_below(
        self, store: InMemoryCatalogStore
    ) -> None:
        for name, price in (("a", 1), ("b", 2), ("z-undeclared", 9)):
            await store.save(name, with_input_price(price))
        book = FixedSource(catalog_of(SMALL))

        rising = await LoadCatalog(bundled=book, store=store, precedence=["a", "b"])()
        falling = await LoadCatalog(bundled=book, store=store, precedence=["b", "a"])()

        assert rising.offerings["acme/small"].prices.base.input == 2
        assert falling.offerings["acme/small"].prices.base.input == 1

    async def test_an_import_outranks_every_feed_whatever_its_name(self, store: InMemoryCatalogStore) -> None:
        await store.save(IMPORTED, with_input_price(5))
        await store.save("zzz", with_input_price(6))
        load = LoadCatalog(bundled=FixedSource(Catalog()), store=store, precedence=["zzz"])

        assert (await load()).offerings["acme/small"].prices.base.input == 5

    async def test_with_the_store_down_there_is_no_half_catalogue(self) -> None:
        load = LoadCatalog(
            bundled=FixedSource(catalog_of(SMALL)), store=InMemoryCatalogStore(reachable=False)
        )

        with pytest.raises(StoreUnavailable):
            await load()


class TestSyncing:
    async def test_a_synced_feed_is_kept_dated_and_reported(
        self, sync: SyncCatalog, load: LoadCatalog, write_feed: WriteFeed
    ) -> None:
        report = await sync("litellm", file=write_feed(5e-07, 16_000))

        seen = (await load()).offerings["acme/small"]
        assert (report.source, report.offerings, report.changes.added) == ("litellm", 1, ("acme/small",))
        assert (seen.prices.base.input, seen.context_tokens) == (500_000_000, 16_000)
        assert seen.prices.effective_from == "2026-11-20"

    async def test_a_second_sync_says_what_changed_and_keeps_old_dates(
        self, sync: SyncCatalog, clock: FixedClock, store: InMemoryCatalogStore, write_feed: WriteFeed
    ) -> None:
        await sync("litellm", file=write_feed(5e-07, 16_000))
        clock.day = "2026-11-21"
        wider = await sync("litellm", file=write_feed(5e-07, 32_000))
        [(_, kept)] = await store.load_all()
        clock.day = "2026-11-22"
        dearer = await sync("litellm", file=write_feed(6e-07, 32_000))

        assert (wider.changes.changed, wider.changes.repriced) == (("acme/small",), ())
        assert kept.offerings["acme/small"].prices.effective_from == "2026-11-20"
        assert dearer.changes.repriced == ("acme/small",)

    async def test_a_broken_or_empty_feed_leaves_everything_as_it_was(
        self, sync: SyncCatalog, store: InMemoryCatalogStore, write_feed: WriteFeed, tmp_path: Path
    ) -> None:
        await sync("litellm", file=write_feed(5e-07, 16_000))
        before = await store.load_all()
        bad = tmp_path / "bad.json"
        for content in ('{"acme/small": {"mode": 3}}', '{"sample_spec": {}}', "{"):
            bad.write_text(content)
            with pytest.raises(InvalidRequest):
                await sync("litellm", file=str(bad))

        assert await store.load_all() == before

    async def test_one_format_can_feed_several_sources(
        self, sync: SyncCatalog, store: InMemoryCatalogStore, write_feed: WriteFeed
    ) -> None:
        await sync("litellm", file=write_feed(5e-07, 16_000), source="mirror")

        assert [name for name, _ in await store.load_all()] == ["mirror"]

    async def test_exactly_one_of_url_and_file_is_needed(self, sync: SyncCatalog) -> None:
        with pytest.raises(InvalidRequest):
            await sync("litellm")
        with pytest.raises(InvalidRequest):
            await sync("litellm", url="https://x.example", file="x")


class TestImportAndExport:
    async def test_an_export_imported_elsewhere_is_the_same_catalogue(
        self, load: LoadCatalog, store: InMemoryCatalogStore, clock: FixedClock
    ) -> None:
        feeds, elsewhere = PublicFeeds(), InMemoryCatalogStore()
        await store.save("feed", catalog_of(EVERYTHING))
        data = await ExportCatalog(load=load, feeds=feeds, store=store)()

        await ImportCatalog(feeds=feeds, store=elsewhere, clock=clock)(data)

        there = await LoadCatalog(bundled=FixedSource(Catalog()), store=elsewhere)()
        here = await load()
        assert there.offerings.keys() == here.offerings.keys()
        assert there.offerings[EVERYTHING.id] == here.offerings[EVERYTHING.id]

    async def test_one_saved_source_can_be_exported_alone(
        self, load: LoadCatalog, store: InMemoryCatalogStore
    ) -> None:
        await store.save("feed", catalog_of(EVERYTHING))
        export = ExportCatalog(load=load, feeds=PublicFeeds(), store=store)

        document = json.loads(await export(source="feed"))

        assert [entry["model"] for entry in document["offerings"]] == [EVERYTHING.model]
        with pytest.raises(InvalidRequest, match="saved: feed"):
            await export(source="other")


class TestAsking:
    async def test_offerings_are_filtered_by_provider_capability_and_price(
        self, load: LoadCatalog, store: InMemoryCatalogStore
    ) -> None:
        await store.save("feed", catalog_of(EVERYTHING, Offering(provider="bolt", model="mystery")))
        listing = ListOfferings(load)

        assert [o.id for o in await listing()] == ["acme/ft:small:team::9", "acme/small", "bolt/mystery"]
        assert [o.id for o in await listing(provider="Acme_AI")] == ["acme/ft:small:team::9", "acme/small"]
        assert [o.id for o in await listing(capabilities=Capability.FINE_TUNED)] == [EVERYTHING.id]
        assert [o.id for o in await listing(max_nano_usd_per_mtok=2 * USD)] == [EVERYTHING.id, "acme/small"]
        assert [o.id for o in await listing(max_nano_usd_per_mtok=2 * USD - 1)] == [EVERYTHING.id]
        with pytest.raises(UnknownModel):
            await listing(provider="nobody")

    async def test_an_unknown_name_is_answered_with_near_ones(self, load: LoadCatalog) -> None:
        show = ShowOffering(load)

        assert [o.id for o in await show("acme/small")] == ["acme/small"]
        assert [o.id for o in await show("SMALL")] == ["acme/small"]
        with pytest.raises(UnknownModel) as caught:
            await show("smal")
        assert caught.value.nearest == ("small",)

    async def test_statistics_count_the_merged_catalogue(
        self, load: LoadCatalog, store: InMemoryCatalogStore
    ) -> None:
        await store.save("feed", catalog_of(EVERYTHING))

        assert (await ReportCatalogStatistics(load)()).offerings == 2
