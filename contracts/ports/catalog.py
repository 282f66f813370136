"""What every CatalogStore promises: feeds kept whole, apart from each other, newest per source."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from application.ports.catalog import CatalogStore
from contracts.ports._base import PortContract
from domain.catalog.offering import Catalog, CatalogProvider, Offering
from domain.catalog.prices import PriceTable, Rates, Tier, Variant
from domain.errors import StoreUnavailable
from domain.llm.capabilities import NO_CAPABILITY, Capability

EVERYTHING = Offering(
    provider="acme",
    model="ft:small:team::9",
    prices=PriceTable(
        base=Rates(
            input=37_500_000,
            output=150_000_000,
            cached_read=0,
            cache_write=46_875_000,
            cache_write_long=75_000_000,
            input_audio=1,
            input_image=2,
            output_audio=3,
            output_image=4,
            reasoning=5,
        ),
        tiers=(
            Tier(above_input_tokens=128_000, rates=Rates(input=75_000_000, output=300_000_000)),
            Tier(above_input_tokens=200_000, rates=Rates(input=2**60, output=None)),
        ),
        per_request=5_000_000,
        batch_multiplier_percent=50,
        source="feed",
        effective_from="2026-01-31",
        variants=(
            Variant(name="processing=batch", base=Rates(input=18_750_000)),
            Variant(
                name="service_tier=priority",
                base=Rates(input=1, output=2),
                tiers=(Tier(above_input_tokens=1, rates=Rates(input=9)),),
            ),
        ),
        extras=(("web_searches_kcount", 10_000_000_000),),
    ),
    capabilities=Capability.TEXT | Capability.STREAMING | Capability.FINE_TUNED,
    context_tokens=200_000,
    max_output_tokens=8_192,
    quality=0.625,
    regions=frozenset({"eu-west", "us-east"}),
    compliance=frozenset({"hipaa"}),
    tags=frozenset({"own", "größe"}),
    aliases=("small", "small-*", "acme small"),
    prefill=True,
    version="2026-01",
    deprecated_on="2027-01-01",
    source="feed",
)
UNKNOWN_AND_FREE = Offering(
    provider="acme",
    model="free",
    prices=PriceTable(base=Rates(input=0, output=None)),
    capabilities=NO_CAPABILITY,
)
ACME = CatalogProvider(
    id="acme",
    name="Acme & Söhne",
    wire="openai",
    base_url="https://api.acme.example/v1",
    portkey_slug="acme",
    key_variables=("ACME_API_KEY", "ACME_KEY"),
    regions=frozenset({"eu-west"}),
    compliance=frozenset({"soc2"}),
    price_fallbacks=("openai",),
    aliases=("acme-ai",),
)


def catalog_of(*offerings: Offering, version: str = "v1") -> Catalog:
    return Catalog(
        providers={ACME.id: ACME},
        offerings={offering.id: offering for offering in offerings},
        version=version,
    )


class CatalogStoreContract(PortContract):
    """Bind `store` and `unreachable_store`; bind `second_store` when two instances can share one backend."""

    @pytest.fixture
    def store(self) -> CatalogStore:
        """Empty and reachable."""
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> CatalogStore:
        """The same adapter with its backend down."""
        raise NotImplementedError

    @pytest.fixture
    def second_store(self, store: CatalogStore) -> CatalogStore:
        """Another instance over the same backend as `store`."""
        return store

    async def test_a_new_store_holds_no_source(self, store: CatalogStore) -> None:
        assert await store.load_all() == []

    async def test_what_was_saved_is_what_is_loaded_field_by_field(self, store: CatalogStore) -> None:
        catalog = catalog_of(EVERYTHING, UNKNOWN_AND_FREE)

        await store.save("feed", catalog)

        assert await store.load_all() == [("feed", catalog)]

    async def test_an_unknown_price_is_loaded_as_unknown_and_a_free_one_as_zero(
        self, store: CatalogStore
    ) -> None:
        await store.save("feed", catalog_of(UNKNOWN_AND_FREE))

        [(_, loaded)] = await store.load_all()

        rates = loaded.offerings["acme/free"].prices.base
        assert rates.input == 0
        assert rates.output is None

    async def test_a_provider_without_offerings_is_kept(self, store: CatalogStore) -> None:
        await store.save("feed", catalog_of())

        assert dict(await store.load_all())["feed"].providers == {"acme": ACME}

    async def test_saving_again_replaces_what_this_source_said(self, store: CatalogStore) -> None:
        await store.save("feed", catalog_of(EVERYTHING, version="v1"))
        newer = catalog_of(UNKNOWN_AND_FREE, version="v2")

        await store.save("feed", newer)

        assert await store.load_all() == [("feed", newer)]

    async def test_sources_are_kept_apart_even_when_they_name_the_same_offering(
        self, store: CatalogStore
    ) -> None:
        first = catalog_of(EVERYTHING)
        second = catalog_of(replace(EVERYTHING, context_tokens=1))

        await store.save("first", first)
        await store.save("second", second)

        assert dict(await store.load_all()) == {"first": first, "second": second}

    async def test_sources_are_told_apart_by_case_and_may_hold_any_text(self, store: CatalogStore) -> None:
        names = ["Feed", "feed", "fe/ed 'x' \"y\"; --", "フィード"]
        for index, name in enumerate(names):
            await store.save(name, catalog_of(version=str(index)))

        loaded = dict(await store.load_all())

        assert {name: catalog.version for name, catalog in loaded.items()} == {
            name: str(index) for index, name in enumerate(names)
        }

    async def test_removing_says_whether_there_was_something_and_spares_the_others(
        self, store: CatalogStore
    ) -> None:
        await store.save("first", catalog_of(EVERYTHING))
        await store.save("second", catalog_of(UNKNOWN_AND_FREE))

        removed, removed_again = await store.remove("first"), await store.remove("first")

        assert (removed, removed_again) == (True, False)
        assert [name for name, _ in await store.load_all()] == ["second"]

    async def test_a_removed_source_can_be_saved_again(self, store: CatalogStore) -> None:
        await store.save("feed", catalog_of(EVERYTHING))
        await store.remove("feed")

        await store.save("feed", catalog_of(UNKNOWN_AND_FREE))

        assert await store.load_all() == [("feed", catalog_of(UNKNOWN_AND_FREE))]

    async def test_changing_a_catalogue_after_saving_changes_nothing_saved(self, store: CatalogStore) -> None:
        catalog = catalog_of(EVERYTHING)
        await store.save("feed", catalog)

        catalog.offerings.clear()
        [(_, loaded)] = await store.load_all()
        loaded.offerings.clear()

        assert await store.load_all() == [("feed", catalog_of(EVERYTHING))]

    async def test_another_instance_sees_what_was_saved_and_removed(
        self, store: CatalogStore, second_store: CatalogStore
    ) -> None:
        await store.save("feed", catalog_of(EVERYTHING))
        seen = [name for name, _ in await second_store.load_all()]
        await second_store.remove("feed")

        assert seen == ["feed"]
        assert await store.load_all() == []

    async def test_a_catalogue_of_two_thousand_offerings_comes_back_whole(self, store: CatalogStore) -> None:
        offerings = [replace(EVERYTHING, model=f"model-{number}") for number in range(2_000)]
        catalog = catalog_of(*offerings)

        await store.save("feed", catalog)

        assert await store.load_all() == [("feed", catalog)]

    async def test_of_two_concurrent_saves_of_one_source_one_wins_whole(
        self, store: CatalogStore, second_store: CatalogStore
    ) -> None:
        rivals = [
            catalog_of(*(replace(EVERYTHING, model=f"{rival}-{n}") for n in range(20)), version=rival)
            for rival in ("left", "right")
        ]

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(store.save("feed", rivals[0]))
            group.create_task(second_store.save("feed", rivals[1]))

        [(_, kept)] = await store.load_all()
        assert kept in rivals

    async def test_concurrent_saves_of_different_sources_are_all_kept(self, store: CatalogStore) -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(store.save(f"feed-{number}", catalog_of(EVERYTHING, version=str(number))))

        assert {name: catalog.version for name, catalog in await store.load_all()} == {
            f"feed-{number}": str(number) for number in range(10)
        }

    async def test_a_cancelled_save_leaves_the_old_or_the_new_catalogue_and_a_working_store(
        self, store: CatalogStore
    ) -> None:
        old, new = catalog_of(EVERYTHING, version="old"), catalog_of(UNKNOWN_AND_FREE, version="new")
        await store.save("feed", old)

        saving = asyncio.create_task(store.save("feed", new))
        await asyncio.sleep(0)
        saving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await saving

        async with asyncio.timeout(10):
            [(_, kept)] = await store.load_all()
            assert kept in (old, new)
            await store.save("feed", new)
            assert await store.load_all() == [("feed", new)]

    async def test_an_unreachable_store_says_so_in_the_words_of_the_port(
        self, unreachable_store: CatalogStore
    ) -> None:
        async with asyncio.timeout(10):
            with pytest.raises(StoreUnavailable):
                await unreachable_store.save("feed", catalog_of(EVERYTHING))
            with pytest.raises(StoreUnavailable):
                await unreachable_store.load_all()
            with pytest.raises(StoreUnavailable):
                await unreachable_store.remove("feed")
