"""The bundled book: large enough, exact, and of one mind with the package it is made from."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from types import SimpleNamespace

import pytest
from genai_prices import types as genai
from genai_prices.data import providers as published

from adapters.pricing.amounts import ROUNDED_UP_TAG
from adapters.pricing.bundled import BundledPriceBook, bundled_catalog
from adapters.pricing.genai_translation import TIME_OF_DAY_TAG
from domain.catalog.names import ModelNames
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import BATCH, BUCKETS, bill
from domain.catalog.statistics import statistics
from domain.llm.capabilities import LONG_CONTEXT_TOKENS, Capability
from domain.llm.usage import Usage
from entrypoints.store_container import StoreContainer

ON = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return bundled_catalog(ON)


@pytest.fixture(scope="module")
def names(catalog: Catalog) -> ModelNames:
    return ModelNames(catalog)


def at(catalog: Catalog, offering_id: str) -> Offering:
    return catalog.offerings[offering_id]


class TestSize:
    async def test_the_port_gives_more_than_sixteen_hundred_offerings_of_more_than_forty_providers(
        self,
    ) -> None:
        catalog = await BundledPriceBook(today=lambda: ON).load()

        counted = statistics(catalog)

        assert counted.offerings >= 1_600
        assert sum(1 for share in counted.by_provider.values() if share.offerings) >= 40
        assert len(catalog.providers) >= 40
        assert counted.priced >= 1_600

    async def test_a_server_that_outlives_its_first_day_gets_the_prices_of_the_next(self) -> None:
        now = [NOON]
        container = StoreContainer()
        container.clock.override(SimpleNamespace(utc_now=lambda: now[0]))
        book = container.bundled_prices()

        first = await book.load()
        now[0] += timedelta(days=1)
        second = await book.load()

        assert await book.load() is second, "a day's is made once"
        assert first.version.endswith("on 2026-11-20")
        assert second.version.endswith("on 2026-11-21")

    def test_every_offering_is_under_its_own_id_and_of_a_known_provider(self, catalog: Catalog) -> None:
        for offering_id, offering in catalog.offerings.items():
            assert offering.id == offering_id
            assert offering.provider in catalog.providers

    def test_every_capability_of_the_closed_list_is_known_somewhere(self, catalog: Catalog) -> None:
        seen = Capability(0)
        for offering in catalog.offerings.values():
            seen |= offering.capabilities

        # No reranker publishes a token price, so this book has none; feeds bring them.
        assert seen | Capability.RERANK == Capability(2 * Capability.FINE_TUNED - 1)


class TestExactness:
    def test_every_price_is_a_whole_number_that_says_where_it_comes_from(self, catalog: Catalog) -> None:
        for offering in catalog.offerings.values():
            assert offering.prices.source == "genai-prices"
            for rates in (offering.prices.base, *(tier.rates for tier in offering.prices.tiers)):
                for bucket in BUCKETS:
                    rate = getattr(rates, bucket)
                    assert rate is None or (type(rate) is int and rate >= 0)

    def test_no_price_had_to_be_rounded_by_more_than_float_noise(self, catalog: Catalog) -> None:
        assert [o.id for o in catalog.offerings.values() if ROUNDED_UP_TAG in o.tags] == []

    def test_known_prices_are_what_their_publishers_say(self, catalog: Catalog) -> None:
        mini = at(catalog, "openai/gpt-4o-mini").prices
        sonnet = at(catalog, "anthropic/claude-sonnet-4-5").prices

        assert (mini.base.input, mini.base.output, mini.base.cached_read) == (
            150_000_000,
            600_000_000,
            75_000_000,
        )
        assert sonnet.base.cache_write == 3_750_000_000
        assert sonnet.base.cache_write_long == 6_000_000_000

    def test_our_bill_is_the_packages_own_calculation_rounded_up(self, catalog: Catalog) -> None:
        """An independent bill: tiers, batch and cached tokens, for every priced model."""
        chance = random.Random(20261120)
        compared = 0
        for provider, model in published_models():
            offering = at(catalog, f"{provider.id}/{model.id}")
            if TIME_OF_DAY_TAG in offering.tags or has_float_noise(model):
                continue
            read, write = chance.randint(0, 50_000), chance.randint(0, 50_000)
            length = read + write + chance.choice([0, 10, 128_001, 200_000, 200_001, 272_001, 600_000])
            usage = Usage(length, chance.randint(0, 9_999), cached_read_tokens=read, cache_write_tokens=write)
            for context, variant in ((None, None), ({"processing": "batch"}, BATCH)):
                billed = bill(offering.prices, usage, variant=variant)
                if billed is None:
                    continue
                theirs = model.calc_price(
                    genai.Usage(
                        input_tokens=usage.input_tokens,
                        output_tokens=usage.output_tokens,
                        cache_read_tokens=read,
                        cache_write_tokens=write,
                    ),
                    provider,
                    genai_request_timestamp=NOON,
                    price_context=context,
                ).total_price
                assert billed == int((theirs * 10**9).to_integral_value(rounding=ROUND_CEILING)), offering.id
                compared += 1
        assert compared > 3_000


class TestDates:
    def test_a_price_change_takes_effect_on_its_day(self) -> None:
        before = at(bundled_catalog(date(2026, 3, 15)), "mistral/mistral-small-latest").prices
        after = at(bundled_catalog(date(2026, 3, 16)), "mistral/mistral-small-latest").prices

        assert (before.base.input, before.effective_from) == (100_000_000, None)
        assert (after.base.input, after.effective_from) == (150_000_000, "2026-03-16")

    def test_of_prices_that_change_with_the_hour_the_dearest_is_taken_and_said(
        self, catalog: Catalog
    ) -> None:
        offering = at(catalog, "deepseek/deepseek-chat")

        assert TIME_OF_DAY_TAG in offering.tags
        assert (offering.prices.base.input, offering.prices.base.output) == (270_000_000, 1_100_000_000)

    def test_a_variant_that_is_not_yet_in_force_is_left_out(self) -> None:
        early = at(bundled_catalog(date(2026, 10, 13)), "openai/gpt-4o").prices
        late = at(bundled_catalog(date(2026, 10, 14)), "openai/gpt-4o").prices

        assert early.variant(BATCH) is None
        batch = late.variant(BATCH)
        assert batch is not None
        assert batch.base.input == 1_250_000_000
        assert batch.base.cached_read == late.base.cached_read


class TestAbilities:
    @pytest.mark.parametrize(
        ("offering_id", "has", "lacks"),
        [
            (
                "openai/gpt-4o",
                "vision function_calling structured_output streaming text",
                "audio_in reasoning",
            ),
            ("openai/gpt-5", "reasoning long_context function_calling vision", "embeddings"),
            ("openai/o1-mini", "reasoning", "vision function_calling"),
            ("openai/text-embedding-3-small", "embeddings", "text streaming"),
            ("openai/whisper-1", "audio_in", "text"),
            ("openai/gpt-image-1", "image", "function_calling"),
            ("openai/gpt-4o-audio-preview", "audio_in audio_out text", "embeddings"),
            ("openai/ft:gpt-4o", "fine_tuned text", "embeddings"),
            ("anthropic/claude-sonnet-4-5", "vision reasoning function_calling long_context", "audio_in"),
            ("google/gemini-2.5-pro", "vision audio_in reasoning long_context", "embeddings"),
            ("google/gemini-embedding-001", "embeddings", "text"),
            ("x-ai/grok-4-fast-non-reasoning", "vision", "reasoning"),
            ("groq/llama-3.3-70b-versatile", "function_calling streaming", "vision long_context"),
            ("voyageai/voyage-3", "embeddings", "text"),
            ("openrouter/thinkingmachines/inkling-small:free", "text streaming", "image"),
            ("perplexity/perplexity/kimi-k3", "text reasoning", "function_calling"),
        ],
    )
    def test_known_models_can_what_they_can(
        self, catalog: Catalog, offering_id: str, has: str, lacks: str
    ) -> None:
        from domain.llm.capabilities import capability_names

        found = set(capability_names(at(catalog, offering_id).capabilities))

        assert set(has.split()) <= found
        assert not set(lacks.split()) & found

    def test_long_windows_and_only_these_are_long_context(self, catalog: Catalog) -> None:
        for offering in catalog.offerings.values():
            long = offering.context_tokens is not None and offering.context_tokens >= LONG_CONTEXT_TOKENS
            assert bool(offering.capabilities & Capability.LONG_CONTEXT) == long

    def test_what_speaks_text_streams(self, catalog: Catalog) -> None:
        chat = Capability.TEXT | Capability.FUNCTION_CALLING
        for offering in catalog.offerings.values():
            if offering.capabilities & chat == chat:
                assert offering.capabilities & Capability.STREAMING, offering.id

    def test_unknown_stays_unknown(self, catalog: Catalog) -> None:
        assert any(offering.quality is None for offering in catalog.offerings.values())
        assert any(offering.context_tokens is None for offering in catalog.offerings.values())

    def test_quality_is_a_share(self, catalog: Catalog) -> None:
        known = [o.quality for o in catalog.offerings.values() if o.quality is not None]

        assert len(known) > 500
        assert all(0 < quality < 1 for quality in known)

    @pytest.mark.parametrize(
        ("offering_id", "prefill"),
        [
            ("anthropic/claude-sonnet-4-5", True),
            ("anthropic/claude-opus-4-1", True),
            ("anthropic/claude-opus-4-6", False),
            ("anthropic/claude-opus-5", False),
            ("deepseek/deepseek-chat", True),
            ("mistral/mistral-large", True),
            ("openai/gpt-4o", False),
            ("openrouter/anthropic/claude-sonnet-4.5", False),
        ],
    )
    def test_prefill_is_only_claimed_where_it_is_documented(
        self, catalog: Catalog, offering_id: str, prefill: bool
    ) -> None:
        assert at(catalog, offering_id).prefill is prefill


class TestNames:
    def test_a_name_means_the_model_the_package_says(self, names: ModelNames) -> None:
        compared = 0
        for provider, model in published_models():
            accepted = {model.id, *literals(model.match)}
            for name in accepted | {f"{name}-2025-01-31" for name in accepted} | {model.id.upper()}:
                theirs = provider.find_model(name)
                if theirs is None:
                    continue
                ours = names.at(provider.id, name)
                assert ours is not None, name
                assert ours.model == theirs.id, name
                compared += 1
        assert compared > 4_000

    @pytest.mark.parametrize(
        ("name", "offering_id"),
        [
            ("openai/gpt-4o-2024-08-06", "openai/gpt-4o"),
            ("anthropic/claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
            ("anthropic/claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
            ("gemini/models/gemini-2.5-pro", "google/gemini-2.5-pro"),
            (
                "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "aws/regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
            ),
        ],
    )
    def test_names_of_the_field_resolve(self, names: ModelNames, name: str, offering_id: str) -> None:
        assert [offering.id for offering in names.find(name)] == [offering_id]

    def test_clouds_resell_at_the_makers_prices(self, names: ModelNames, catalog: Catalog) -> None:
        azure = names.at("azure", "gpt-4o")
        vertex = names.at("vertex", "gemini-2.5-pro")

        assert azure is not None
        assert azure.prices == at(catalog, "openai/gpt-4o").prices
        assert vertex is not None
        assert vertex.prices == at(catalog, "google/gemini-2.5-pro").prices
        assert "hipaa-eligible" in vertex.compliance


def published_models() -> Iterator[tuple[genai.Provider, genai.ModelInfo]]:
    for provider in published:
        for model in provider.models:
            yield provider, model


def has_float_noise(model: genai.ModelInfo) -> bool:
    priced = (
        [model.prices] if isinstance(model.prices, genai.ModelPrice) else [c.prices for c in model.prices]
    )
    variants = [variant.prices for variant in model.price_variants or ()]
    for prices in (*priced, *variants):
        for price in vars(prices).values():
            base = price.base if isinstance(price, genai.TieredPrices) else price
            if isinstance(base, Decimal) and (base * 10**9) % 1:
                return True
    return False


def literals(match: object) -> Iterator[str]:
    if isinstance(match, genai.ClauseEquals):
        yield match.equals
    for clause in getattr(match, "or_", ()):
        yield from literals(clause)
