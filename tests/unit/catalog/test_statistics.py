"""Counting a catalogue, and what a new version of a feed changes."""

from dataclasses import replace

from hypothesis import given

from contracts.ports.catalog import EVERYTHING, UNKNOWN_AND_FREE, catalog_of
from domain.catalog.changes import CatalogChanges, changes, dated
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import PriceTable, Rates
from domain.catalog.statistics import priced, statistics
from domain.llm.capabilities import Capability
from tests.unit.catalog.strategies import catalogs, modest

EMBEDDER = Offering(
    provider="bolt",
    model="embed",
    prices=PriceTable(base=Rates(input=5)),
    capabilities=Capability.EMBEDDINGS,
)


def test_embeddings_need_no_output_price_to_count_as_priced() -> None:
    assert priced(EMBEDDER)
    assert priced(EVERYTHING)
    assert not priced(UNKNOWN_AND_FREE)
    assert not priced(Offering(provider="bolt", model="mystery"))


def test_everything_is_counted_by_provider_capability_and_source() -> None:
    counted = statistics(catalog_of(EVERYTHING, UNKNOWN_AND_FREE, EMBEDDER))

    assert (counted.providers, counted.offerings, counted.priced, counted.unpriced) == (2, 3, 2, 1)
    assert (counted.tiered, counted.with_batch_price, counted.with_context, counted.deprecated) == (
        1,
        1,
        1,
        1,
    )
    assert list(counted.by_provider) == ["acme", "bolt"]
    assert counted.by_provider["acme"].priced == 1
    assert counted.by_capability["embeddings"] == 1
    assert counted.by_source == {"unknown": 2, "feed": 1}


@given(catalogs)
@modest(25)
def test_counts_add_up(catalog: Catalog) -> None:
    counted = statistics(catalog)

    assert counted.priced + counted.unpriced == counted.offerings == len(catalog.offerings)
    assert sum(share.offerings for share in counted.by_provider.values()) == counted.offerings
    assert sum(counted.by_source.values()) == counted.offerings


class TestChanges:
    def test_added_removed_repriced_and_changed_are_told_apart(self) -> None:
        stays = Offering(provider="acme", model="stays")
        old = catalog_of(EVERYTHING, UNKNOWN_AND_FREE, EMBEDDER, stays)
        new = catalog_of(
            replace(EVERYTHING, prices=PriceTable(base=Rates(input=1, output=1))),
            replace(EMBEDDER, context_tokens=8_192),
            stays,
            Offering(provider="acme", model="fresh"),
        )

        assert changes(old, new) == CatalogChanges(
            added=("acme/fresh",), removed=("acme/free",), repriced=(EVERYTHING.id,), changed=("bolt/embed",)
        )

    @given(catalogs)
    @modest(25)
    def test_nothing_changes_from_a_catalogue_to_itself(self, catalog: Catalog) -> None:
        assert changes(catalog, catalog).none

    def test_an_undated_price_holds_from_the_day_it_was_first_seen(self) -> None:
        first = dated(catalog_of(EMBEDDER), Catalog(), "2026-11-01")
        again = dated(catalog_of(EMBEDDER), first, "2026-11-20")
        dearer = replace(EMBEDDER, prices=PriceTable(base=Rates(input=6)))
        later = dated(catalog_of(dearer), again, "2026-11-21")

        dates = [seen.offerings["bolt/embed"].prices.effective_from for seen in (first, again, later)]
        assert dates == ["2026-11-01", "2026-11-01", "2026-11-21"]

    def test_a_feeds_own_date_and_an_unknown_price_are_left_alone(self) -> None:
        unpriced = Offering(provider="acme", model="unpriced")

        seen = dated(catalog_of(EVERYTHING, unpriced), Catalog(), "2026-11-20")

        assert seen.offerings[EVERYTHING.id].prices.effective_from == "2026-01-31"
        assert seen.offerings[unpriced.id].prices.effective_from is None
