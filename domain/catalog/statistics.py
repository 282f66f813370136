"""What a catalogue holds, counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import BATCH
from domain.llm.capabilities import Capability, capability_names

_NO_TEXT_OUT = Capability.EMBEDDINGS | Capability.RERANK


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCount:
    """One provider's share of the catalogue."""

    offerings: int
    priced: int
    with_context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogStatistics:
    """Counts of offerings unless said otherwise. `by_source` is by where the prices come from."""

    version: str
    providers: int
    """Providers known, with or without offerings."""
    offerings: int
    priced: int
    unpriced: int
    free: int
    tiered: int
    with_batch_price: int
    with_context: int
    with_max_output: int
    with_quality: int
    with_effective_date: int
    deprecated: int
    by_provider: dict[str, ProviderCount] = field(default_factory=dict)
    by_capability: dict[str, int] = field(default_factory=dict)
    by_source: dict[str, int] = field(default_factory=dict)


def priced(offering: Offering) -> bool:
    """Whether an ordinary call has a known price; embeddings and rerankers give no tokens to pay for."""
    if offering.capabilities & _NO_TEXT_OUT:
        return offering.prices.base.input is not None or offering.prices.per_request > 0
    return offering.prices.known


def statistics(catalog: Catalog) -> CatalogStatistics:
    """Counts over every offering; dicts are in falling order of count, then by name."""
    offerings = list(catalog.offerings.values())
    capabilities: Counter[str] = Counter()
    for offering in offerings:
        capabilities.update(capability_names(offering.capabilities))
    count_priced = _count(offerings, priced)
    return CatalogStatistics(
        version=catalog.version,
        providers=len(catalog.providers.keys() | {offering.provider for offering in offerings}),
        offerings=len(offerings),
        priced=count_priced,
        unpriced=len(offerings) - count_priced,
        free=_count(offerings, _free),
        tiered=_count(offerings, lambda o: bool(o.prices.tiers)),
        with_batch_price=_count(offerings, _has_batch_price),
        with_context=_count(offerings, lambda o: o.context_tokens is not None),
        with_max_output=_count(offerings, lambda o: o.max_output_tokens is not None),
        with_quality=_count(offerings, lambda o: o.quality is not None),
        with_effective_date=_count(offerings, lambda o: o.prices.effective_from is not None),
        deprecated=_count(offerings, lambda o: o.deprecated_on is not None or "deprecated" in o.tags),
        by_provider=_by_provider(offerings),
        by_capability=_falling(capabilities),
        by_source=_falling(Counter(offering.prices.source for offering in offerings)),
    )


def _by_provider(offerings: list[Offering]) -> dict[str, ProviderCount]:
    grouped: dict[str, list[Offering]] = {}
    for offering in offerings:
        grouped.setdefault(offering.provider, []).append(offering)
    order = sorted(grouped, key=lambda provider: (-len(grouped[provider]), provider))
    return {
        provider: ProviderCount(
            offerings=len(grouped[provider]),
            priced=_count(grouped[provider], priced),
            with_context=_count(grouped[provider], lambda o: o.context_tokens is not None),
        )
        for provider in order
    }


def _free(offering: Offering) -> bool:
    prices = offering.prices
    return priced(offering) and not (prices.base.input or prices.base.output or prices.per_request)


def _has_batch_price(offering: Offering) -> bool:
    return offering.prices.batch_multiplier_percent is not None or offering.prices.variant(BATCH) is not None


def _count(offerings: list[Offering], holds: Callable[[Offering], bool]) -> int:
    return sum(1 for offering in offerings if holds(offering))


def _falling(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))
