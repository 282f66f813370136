"""Several sources, one catalogue: who knows a field last wins, who does not know it erases nothing.

Sources come lowest first. What counts as not knowing: `None`, an empty set or tuple, capabilities that are
only the default (text), `prefill` false, source "unknown". An operator who wants to *deny* something uses an
`OfferingOverride`, which tells "not said" from "said to be empty" and is applied after every source.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from domain.catalog.offering import Catalog, CatalogProvider, Offering
from domain.catalog.prices import BUCKETS, PriceTable, Rates, Tier, overridden
from domain.llm.capabilities import LONG_CONTEXT_TOKENS, Capability

_Value = TypeVar("_Value")

_SILENT_CAPABILITIES: Final = (Capability(0), Capability.TEXT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferingOverride:
    """An operator's word on one offering; `None` leaves what the sources say.

    `rates` replaces known prices bucket by bucket; tiers and variants of the catalogue then go, since they
    belong to the old base.
    """

    provider: str
    model: str
    rates: Rates | None = None
    capabilities: Capability | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    quality: float | None = None
    regions: frozenset[str] | None = None
    compliance: frozenset[str] | None = None
    tags: frozenset[str] | None = None
    aliases: tuple[str, ...] | None = None
    prefill: bool | None = None
    version: str | None = None
    deprecated_on: str | None = None
    source: str = "override"

    @property
    def id(self) -> str:
        return f"{self.provider}/{self.model}"


def merge(catalogs: Sequence[Catalog]) -> Catalog:
    """One catalogue from several, lowest precedence first; `version` names them all.

    Merging is repeatable: a catalogue merged with itself, or with an empty one, stays as it is.
    """
    if len(catalogs) == 1:
        return catalogs[0]
    providers: dict[str, CatalogProvider] = {}
    offerings: dict[str, Offering] = {}
    for catalog in catalogs:
        for key, provider in catalog.providers.items():
            known = providers.get(key)
            providers[key] = provider if known is None else merged_provider(known, provider)
        for key, offering in catalog.offerings.items():
            lower = offerings.get(key)
            offerings[key] = offering if lower is None else merged_offering(lower, offering)
    said = [catalog.version for catalog in catalogs if catalog.providers or catalog.offerings]
    return Catalog(providers=providers, offerings=offerings, version="+".join(dict.fromkeys(said)) or "empty")


def merged_offering(lower: Offering, higher: Offering) -> Offering:
    """`higher` where it knows, `lower` where it does not. Both describe the same offering."""
    if lower == higher:
        return lower
    return Offering(
        provider=higher.provider,
        model=higher.model,
        prices=merged_prices(lower.prices, higher.prices),
        capabilities=lower.capabilities
        if higher.capabilities in _SILENT_CAPABILITIES
        else higher.capabilities,
        context_tokens=_known(higher.context_tokens, lower.context_tokens),
        max_output_tokens=_known(higher.max_output_tokens, lower.max_output_tokens),
        quality=_known(higher.quality, lower.quality),
        regions=higher.regions or lower.regions,
        compliance=higher.compliance or lower.compliance,
        tags=higher.tags | lower.tags,
        aliases=tuple(dict.fromkeys((*higher.aliases, *lower.aliases))),
        prefill=higher.prefill or lower.prefill,
        version=_known(higher.version, lower.version),
        deprecated_on=_known(higher.deprecated_on, lower.deprecated_on),
        source=lower.source if higher.source == "unknown" else higher.source,
    )


def merged_provider(lower: CatalogProvider, higher: CatalogProvider) -> CatalogProvider:
    """As for offerings. A name that only repeats the id counts as not knowing one."""
    return CatalogProvider(
        id=higher.id,
        name=lower.name if higher.name in ("", higher.id) else higher.name,
        wire=higher.wire or lower.wire,
        base_url=_known(higher.base_url, lower.base_url),
        portkey_slug=_known(higher.portkey_slug, lower.portkey_slug),
        key_variables=higher.key_variables or lower.key_variables,
        regions=higher.regions or lower.regions,
        compliance=higher.compliance or lower.compliance,
        price_fallbacks=higher.price_fallbacks or lower.price_fallbacks,
        aliases=tuple(dict.fromkeys((*higher.aliases, *lower.aliases))),
        tags=higher.tags | lower.tags,
    )


def merged_prices(lower: PriceTable, higher: PriceTable) -> PriceTable:
    """Bucket by bucket. What was published relative to a base price only survives beside a base it fits.

    Lower tiers stay while none is cheaper than the new base (a long prompt never gets cheaper by a sync),
    lower variants and batch discounts stay while plain input and output cost the same.
    """
    if lower == higher or higher == PriceTable():
        return lower
    base = _merged_rates(lower.base, higher.base)
    same_base = (base.input, base.output) == (lower.base.input, lower.base.output)
    inherited = lower.tiers if same_base or _not_cheaper(lower.tiers, base) else ()
    tiers = higher.tiers or inherited
    variants = higher.variants or (lower.variants if same_base else ())
    batch = _known(higher.batch_multiplier_percent, lower.batch_multiplier_percent if same_base else None)
    merged = PriceTable(
        base=base,
        tiers=tiers,
        per_request=higher.per_request or lower.per_request,
        batch_multiplier_percent=batch,
        source=higher.source,
        effective_from=higher.effective_from,
        variants=variants,
        extras=higher.extras or lower.extras,
        units=higher.units or lower.units,
    )
    if merged == higher:
        return higher
    if not _says_anything(higher):
        return replace(merged, source=lower.source, effective_from=lower.effective_from)
    sources = dict.fromkeys((*higher.source.split("+"), *lower.source.split("+")))
    return replace(merged, source="+".join(name for name in sources if name != "unknown") or "unknown")


def apply_overrides(catalog: Catalog, overrides: Iterable[OfferingOverride]) -> Catalog:
    """The catalogue with the operator's words in it; offerings it did not know are added."""
    offerings = dict(catalog.offerings)
    for override in overrides:
        offerings[override.id] = overridden_offering(offerings.get(override.id), override)
    return replace(catalog, offerings=offerings)


def overridden_offering(known: Offering | None, override: OfferingOverride) -> Offering:
    """The offering as the operator wants it seen.

    A context window that is said sets or clears `long_context`, unless capabilities are said too.
    """
    offering = known or Offering(provider=override.provider, model=override.model)
    capabilities = offering.capabilities
    if override.capabilities is not None:
        capabilities = override.capabilities
    elif override.context_tokens is not None:
        capabilities &= ~Capability.LONG_CONTEXT
        if override.context_tokens >= LONG_CONTEXT_TOKENS:
            capabilities |= Capability.LONG_CONTEXT
    prices = offering.prices
    if override.rates is not None:
        prices = overridden(prices, _merged_rates(prices.base, override.rates), source=override.source)
    return replace(
        offering,
        prices=prices,
        capabilities=capabilities,
        context_tokens=_known(override.context_tokens, offering.context_tokens),
        max_output_tokens=_known(override.max_output_tokens, offering.max_output_tokens),
        quality=_known(override.quality, offering.quality),
        regions=offering.regions if override.regions is None else override.regions,
        compliance=offering.compliance if override.compliance is None else override.compliance,
        tags=offering.tags if override.tags is None else override.tags,
        aliases=offering.aliases if override.aliases is None else override.aliases,
        prefill=offering.prefill if override.prefill is None else override.prefill,
        version=_known(override.version, offering.version),
        deprecated_on=_known(override.deprecated_on, offering.deprecated_on),
        source=override.source,
    )


def _known(higher: _Value | None, lower: _Value | None) -> _Value | None:
    return lower if higher is None else higher


def _merged_rates(lower: Rates, higher: Rates) -> Rates:
    return Rates(**{bucket: _known(getattr(higher, bucket), getattr(lower, bucket)) for bucket in BUCKETS})


def _not_cheaper(tiers: tuple[Tier, ...], base: Rates) -> bool:
    return all(
        (tier.rates.input or 0) >= (base.input or 0) and (tier.rates.output or 0) >= (base.output or 0)
        for tier in tiers
    )


def _says_anything(prices: PriceTable) -> bool:
    return prices != PriceTable(source=prices.source, effective_from=prices.effective_from)
