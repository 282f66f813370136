"""Random catalogues, prices and usage for the property tests of this room."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from domain.catalog.offering import Catalog, CatalogProvider, Offering
from domain.catalog.prices import BUCKETS, PriceTable, Rates, Tier, Variant
from domain.llm.capabilities import Capability
from domain.llm.usage import Usage


def modest(examples: int) -> settings:
    """So many examples, without limits on elapsed time: the machine may be busy."""
    return settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])


NAMES = st.text(alphabet="abcdefgh0123456789-_./:@", min_size=1, max_size=24).filter(
    lambda text: text.strip()
)
FEW_NAMES = st.sampled_from(["alpha", "beta-2", "gamma-2025-01-31", "Delta.3", "eps/ilon"])
FEW_PROVIDERS = st.sampled_from(["acme", "bolt", "azure"])
RATES_VALUES = st.one_of(st.none(), st.integers(0, 10**12))
TOKENS = st.integers(0, 10**6)

rates = st.builds(Rates, **dict.fromkeys(BUCKETS, RATES_VALUES))
known_rates = st.builds(Rates, **dict.fromkeys(BUCKETS, st.integers(0, 10**12)))


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    thresholds = draw(st.lists(st.integers(1, 10**6), max_size=3, unique=True))
    return tuple(Tier(above_input_tokens=start, rates=draw(rates)) for start in sorted(thresholds))


variants = st.lists(
    st.builds(Variant, name=st.sampled_from(["processing=batch", "speed=fast"]), base=rates, tiers=tiers()),
    max_size=2,
    unique_by=lambda variant: variant.name,
).map(tuple)

price_tables = st.builds(
    PriceTable,
    base=rates,
    tiers=tiers(),
    per_request=st.integers(0, 10**9),
    batch_multiplier_percent=st.one_of(st.none(), st.integers(0, 100)),
    source=st.sampled_from(["one", "two", "three"]),
    effective_from=st.one_of(st.none(), st.just("2026-01-31")),
    variants=variants,
    extras=st.lists(st.tuples(st.sampled_from(["pages", "images"]), st.integers(0, 10**12)), max_size=2).map(
        tuple
    ),
)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """A consistent usage: no part is larger than its whole."""
    read, write, long, audio_in, image_in = (draw(TOKENS) for _ in range(5))
    audio_out, image_out, thought = (draw(TOKENS) for _ in range(3))
    return Usage(
        input_tokens=read + write + long + audio_in + image_in + draw(TOKENS),
        output_tokens=audio_out + image_out + thought + draw(TOKENS),
        cached_read_tokens=read,
        cache_write_tokens=write,
        cache_write_long_tokens=long,
        input_audio_tokens=audio_in,
        input_image_tokens=image_in,
        output_audio_tokens=audio_out,
        output_image_tokens=image_out,
        reasoning_tokens=thought,
    )


texts = st.text(max_size=12)
text_sets = st.frozensets(st.sampled_from(["eu-west", "us-east", "hipaa", "größe"]), max_size=3)


def offerings(
    models: st.SearchStrategy[str] = FEW_NAMES,
    providers: st.SearchStrategy[str] = FEW_PROVIDERS,
) -> st.SearchStrategy[Offering]:
    return st.builds(
        Offering,
        provider=providers,
        model=models,
        prices=price_tables,
        capabilities=st.integers(0, 2 * Capability.FINE_TUNED - 1).map(Capability),
        context_tokens=st.one_of(st.none(), st.integers(1, 10**7)),
        max_output_tokens=st.one_of(st.none(), st.integers(1, 10**6)),
        quality=st.one_of(st.none(), st.floats(0, 1)),
        regions=text_sets,
        compliance=text_sets,
        tags=text_sets,
        aliases=st.lists(
            st.sampled_from(["first", "second-*", "*third", "alpha"]), max_size=3, unique=True
        ).map(tuple),
        prefill=st.booleans(),
        version=st.one_of(st.none(), st.just("2026-01")),
        deprecated_on=st.one_of(st.none(), st.just("2027-01-01")),
        source=st.sampled_from(["one", "two"]),
    )


catalog_providers = st.builds(
    CatalogProvider,
    id=FEW_PROVIDERS,
    name=st.sampled_from(["Acme", "Bolt", "Azure"]),
    wire=st.sampled_from(["openai", "anthropic"]),
    base_url=st.one_of(st.none(), st.just("https://api.acme.example/v1")),
    portkey_slug=st.one_of(st.none(), st.just("acme")),
    key_variables=st.lists(st.just("ACME_API_KEY"), max_size=1).map(tuple),
    regions=text_sets,
    compliance=text_sets,
    price_fallbacks=st.lists(st.just("bolt"), max_size=1).map(tuple),
    aliases=st.lists(st.sampled_from(["acme-ai", "bolt-ai"]), max_size=1).map(tuple),
)

catalogs = st.builds(
    lambda providers, listed, version: Catalog(
        providers={provider.id: provider for provider in providers},
        offerings={offering.id: offering for offering in listed},
        version=version,
    ),
    st.lists(catalog_providers, max_size=2),
    st.lists(offerings(), max_size=3),
    st.sampled_from(["v1", "v2"]),
)
