"""What a new version of a feed changes, and since when its prices hold."""

from dataclasses import dataclass, replace

from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import PriceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogChanges:
    """Ids of offerings, sorted. `repriced` have other prices, `changed` anything else new."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    repriced: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def none(self) -> bool:
        return not (self.added or self.removed or self.repriced or self.changed)


def changes(old: Catalog, new: Catalog) -> CatalogChanges:
    """From `old` to `new`; an offering is repriced or changed, not both."""
    repriced, changed = [], []
    for offering_id in old.offerings.keys() & new.offerings.keys():
        before, after = old.offerings[offering_id], new.offerings[offering_id]
        if not _same_prices(before.prices, after.prices):
            repriced.append(offering_id)
        elif replace(after, prices=before.prices) != before:
            changed.append(offering_id)
    return CatalogChanges(
        added=tuple(sorted(new.offerings.keys() - old.offerings.keys())),
        removed=tuple(sorted(old.offerings.keys() - new.offerings.keys())),
        repriced=tuple(sorted(repriced)),
        changed=tuple(sorted(changed)),
    )


def dated(new: Catalog, old: Catalog, on: str) -> Catalog:
    """`new` with an effective date on every price that its feed gave none.

    A price that is as it was keeps its date; one that is new or different holds from the day we saw it
    (`on`, ISO), which is the latest it can have begun. Unknown prices need no date.
    """
    offerings: dict[str, Offering] = {}
    for offering_id, offering in new.offerings.items():
        prices = offering.prices
        if prices.effective_from is None and prices != PriceTable(source=prices.source):
            before = old.offerings.get(offering_id)
            kept = before.prices.effective_from if before and _same_prices(before.prices, prices) else None
            offering = replace(offering, prices=replace(prices, effective_from=kept or on))
        offerings[offering_id] = offering
    return replace(new, offerings=offerings)


def _same_prices(one: PriceTable, other: PriceTable) -> bool:
    return replace(one, effective_from=None) == replace(other, effective_from=None)
