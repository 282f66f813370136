"""Merging: who knows last wins, who does not know erases nothing, and the operator has the last word."""

from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from domain.catalog.merge import (
    OfferingOverride,
    apply_overrides,
    merge,
    merged_offering,
    merged_prices,
    overridden_offering,
)
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import BUCKETS, PriceTable, Rates, Tier, Variant
from domain.llm.capabilities import NO_CAPABILITY, Capability
from tests.unit.catalog.strategies import catalogs, modest, offerings, price_tables

USD = 1_000_000_000
CHAT = Capability.TEXT | Capability.STREAMING
LOWER = Offering(
    provider="acme",
    model="small",
    prices=PriceTable(
        base=Rates(input=USD, output=4 * USD, cached_read=USD // 10),
        tiers=(Tier(above_input_tokens=200_000, rates=Rates(input=2 * USD, output=6 * USD)),),
        variants=(Variant(name="processing=batch", base=Rates(input=USD // 2, output=2 * USD)),),
        source="book",
        effective_from="2026-01-01",
    ),
    capabilities=CHAT | Capability.VISION,
    context_tokens=128_000,
    quality=0.6,
    aliases=("tiny",),
    prefill=True,
    source="book",
)
same_offering = offerings(models=st.just("small"), providers=st.just("acme"))


class TestMerge:
    def test_a_source_that_knows_only_the_context_changes_only_that(self) -> None:
        higher = Offering(provider="acme", model="small", context_tokens=256_000)

        merged = merged_offering(LOWER, higher)

        assert merged == replace(LOWER, context_tokens=256_000)

    def test_a_higher_price_list_wins_and_missing_buckets_are_filled(self) -> None:
        higher = PriceTable(base=Rates(input=USD, output=3 * USD), source="feed")

        merged = merged_prices(LOWER.prices, higher)

        assert merged.base == Rates(input=USD, output=3 * USD, cached_read=USD // 10)
        assert merged.source == "feed+book"

    def test_tiers_stay_while_none_is_cheaper_than_the_new_base(self) -> None:
        cheaper = merged_prices(LOWER.prices, PriceTable(base=Rates(input=USD // 2), source="feed"))
        dearer = merged_prices(LOWER.prices, PriceTable(base=Rates(input=3 * USD), source="feed"))

        assert cheaper.tiers == LOWER.prices.tiers
        assert dearer.tiers == ()

    def test_discounts_of_an_old_base_go_with_it(self) -> None:
        same = merged_prices(LOWER.prices, PriceTable(base=Rates(input=USD, output=4 * USD), source="feed"))
        other = merged_prices(LOWER.prices, PriceTable(base=Rates(input=2 * USD), source="feed"))

        assert same.variants == LOWER.prices.variants
        assert other.variants == ()

    def test_free_is_knowledge_and_replaces_a_price(self) -> None:
        merged = merged_prices(LOWER.prices, PriceTable(base=Rates(input=0, output=0), source="feed"))

        assert (merged.base.input, merged.base.output) == (0, 0)

    def test_the_version_names_every_source_that_said_something(self) -> None:
        one = Catalog(offerings={LOWER.id: LOWER}, version="book 1")
        other = Catalog(offerings={LOWER.id: LOWER}, version="feed 2")

        assert merge([one, Catalog(version="nothing"), other]).version == "book 1+feed 2"
        assert merge([]).version == "empty"

    @given(catalogs)
    @modest(30)
    def test_merging_with_itself_or_with_nothing_changes_no_offering(self, catalog: Catalog) -> None:
        for merged in (merge([catalog, catalog]), merge([Catalog(), catalog]), merge([catalog, Catalog()])):
            assert merged.offerings == catalog.offerings
            assert merged.providers == catalog.providers

    @given(catalogs, catalogs)
    @modest(30)
    def test_nothing_is_lost_and_nothing_is_invented(self, lower: Catalog, higher: Catalog) -> None:
        merged = merge([lower, higher])

        assert merged.offerings.keys() == lower.offerings.keys() | higher.offerings.keys()
        assert merged.providers.keys() == lower.providers.keys() | higher.providers.keys()

    @given(same_offering, same_offering)
    @modest(50)
    def test_what_the_higher_source_knows_wins(self, lower: Offering, higher: Offering) -> None:
        merged = merged_offering(lower, higher)

        for name in ("context_tokens", "max_output_tokens", "quality", "version", "deprecated_on"):
            if getattr(higher, name) is not None:
                assert getattr(merged, name) == getattr(higher, name)
        for bucket in BUCKETS:
            if (rate := getattr(higher.prices.base, bucket)) is not None:
                assert getattr(merged.prices.base, bucket) == rate

    @given(same_offering, same_offering)
    @modest(50)
    def test_what_the_higher_source_does_not_know_is_not_erased(
        self, lower: Offering, higher: Offering
    ) -> None:
        merged = merged_offering(lower, higher)

        for field in fields(Offering):
            if getattr(lower, field.name) not in (None, frozenset(), (), False, NO_CAPABILITY):
                assert getattr(merged, field.name) not in (None, frozenset(), ())
        for bucket in BUCKETS:
            if getattr(lower.prices.base, bucket) is not None:
                assert getattr(merged.prices.base, bucket) is not None

    @given(price_tables, price_tables)
    @modest(50)
    def test_merging_prices_again_changes_nothing(self, lower: PriceTable, higher: PriceTable) -> None:
        once = merged_prices(lower, higher)

        assert replace(merged_prices(lower, once), source="") == replace(once, source="")


class TestOverrides:
    def test_an_override_survives_a_sync_that_knows_better(self) -> None:
        override = OfferingOverride(
            provider="acme", model="small", rates=Rates(input=5), context_tokens=1_000, prefill=False
        )
        synced = Catalog(offerings={LOWER.id: replace(LOWER, context_tokens=999_999)})

        seen = apply_overrides(merge([Catalog(offerings={LOWER.id: LOWER}), synced]), [override]).offerings[
            LOWER.id
        ]

        assert (seen.prices.base.input, seen.context_tokens, seen.prefill) == (5, 1_000, False)
        assert seen.prices.base.output == 4 * USD
        assert seen.prices.tiers == ()
        assert (seen.source, seen.prices.source) == ("override", "override")

    def test_an_override_can_deny_what_sources_claim(self) -> None:
        override = OfferingOverride(
            provider="acme", model="small", capabilities=Capability.TEXT, aliases=(), tags=frozenset()
        )

        seen = overridden_offering(LOWER, override)

        assert (seen.capabilities, seen.aliases, seen.tags) == (Capability.TEXT, (), frozenset())

    def test_an_offering_nobody_knew_is_added(self) -> None:
        override = OfferingOverride(provider="acme", model="own", rates=Rates(input=1, output=2))

        seen = apply_overrides(Catalog(), [override]).offerings["acme/own"]

        assert seen.prices.known

    def test_a_new_context_window_sets_and_clears_long_context(self) -> None:
        grown = overridden_offering(
            LOWER, OfferingOverride(provider="acme", model="small", context_tokens=200_000)
        )
        shrunk = overridden_offering(
            grown, OfferingOverride(provider="acme", model="small", context_tokens=8_000)
        )

        assert grown.capabilities & Capability.LONG_CONTEXT
        assert not shrunk.capabilities & Capability.LONG_CONTEXT

    @given(catalogs, same_offering)
    @modest(30)
    def test_an_empty_override_changes_nothing_but_the_source(
        self, catalog: Catalog, known: Offering
    ) -> None:
        seen = overridden_offering(known, OfferingOverride(provider="acme", model="small"))

        assert replace(seen, source=known.source) == known
