"""The four public formats and our own, each read exactly, with complaints that name the entry."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.pricing import genai_feed, litellm_feed, models_dev_feed, openrouter_feed, portable
from adapters.pricing.amounts import ROUNDED_UP_TAG
from adapters.pricing.genai_translation import TIME_OF_DAY_TAG
from adapters.pricing.providers import PROVIDERS, canonical_id
from contracts.ports.catalog import EVERYTHING, catalog_of
from domain.catalog.offering import Catalog
from domain.catalog.prices import BATCH, Rates, Tier
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from tests.unit.catalog.strategies import catalogs

ON = date(2026, 11, 20)
USD = 1_000_000_000


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


LITELLM: dict[str, Any] = {
    "sample_spec": {"max_input_tokens": "a text that is no number", "mode": "one of: chat"},
    "acme-large": {
        "litellm_provider": "anthropic",
        "mode": "chat",
        "max_input_tokens": 200_000,
        "max_output_tokens": 64_000,
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_creation_input_token_cost": 3.75e-06,
        "cache_creation_input_token_cost_above_1hr": 6e-06,
        "cache_read_input_token_cost": 3e-07,
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "output_cost_per_token_above_200k_tokens": 2.25e-05,
        "input_cost_per_token_batches": 1.5e-06,
        "output_cost_per_token_batches": 7.5e-06,
        "input_cost_per_token_priority": 6e-06,
        "supports_function_calling": True,
        "supports_vision": True,
        "supports_assistant_prefill": True,
        "deprecation_date": "2027-05-14",
        "supported_regions": ["global"],
    },
    "together_ai/meta-llama/Llama-X": {
        "litellm_provider": "together_ai",
        "mode": "chat",
        "input_cost_per_token": 8.8e-07,
        "output_cost_per_token": 8.8e-07,
        "supports_function_calling": False,
    },
    "vertex_ai/claude-y": {
        "litellm_provider": "vertex_ai-anthropic_models",
        "mode": "chat",
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 5e-06,
    },
    "text-embedding-z": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 2e-08},
    "rerank-q": {"litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002},
    "hosted/zero": {
        "litellm_provider": "hosted",
        "mode": "chat",
        "input_cost_per_token": 0.0,
        "output_cost_per_token": 0,
    },
    "ollama/local": {
        "litellm_provider": "ollama",
        "mode": "chat",
        "input_cost_per_token": 0.0,
        "output_cost_per_token": 0.0,
    },
    "dashscope/ranged": {
        "litellm_provider": "dashscope",
        "mode": "chat",
        "tiered_pricing": [
            {"range": [0, 32_000], "input_cost_per_token": 1e-06, "output_cost_per_token": 5e-06},
            {
                "range": [32_000.0, None],
                "output_range": [0, 200],
                "input_cost_per_token": 2e-06,
                "output_cost_per_token": 9e-06,
            },
            {
                "range": [32_000, None],
                "output_range": [200, None],
                "input_cost_per_token": 1.9e-06,
                "output_cost_per_token": 9.5e-06,
            },
        ],
    },
    "256-x-256/dall-e-2": {"litellm_provider": "openai", "mode": "image_generation"},
    "dall-e-3": {"litellm_provider": "openai", "mode": "image_generation", "output_cost_per_image": 0.04},
}


class TestLiteLlm:
    catalog = litellm_feed.parse(encoded(LITELLM))

    def test_every_token_bucket_is_read_exactly(self) -> None:
        prices = self.catalog.offerings["anthropic/acme-large"].prices

        assert prices.base == Rates(
            input=3 * USD,
            output=15 * USD,
            cached_read=300_000_000,
            cache_write=3_750_000_000,
            cache_write_long=6 * USD,
        )

    def test_a_tier_inherits_what_it_does_not_say(self) -> None:
        [tier] = self.catalog.offerings["anthropic/acme-large"].prices.tiers

        assert tier.above_input_tokens == 200_000
        assert (tier.rates.input, tier.rates.output) == (6 * USD, 22_500_000_000)
        assert tier.rates.cached_read == 300_000_000

    def test_batch_and_priority_become_variants(self) -> None:
        prices = self.catalog.offerings["anthropic/acme-large"].prices
        batch, priority = prices.variant(BATCH), prices.variant("service_tier=priority")

        assert batch is not None
        assert (batch.base.input, batch.base.output) == (1_500_000_000, 7_500_000_000)
        assert priority is not None
        assert (priority.base.input, priority.base.output) == (6 * USD, 15 * USD)

    def test_sizes_flags_and_dates_are_kept(self) -> None:
        offering = self.catalog.offerings["anthropic/acme-large"]

        assert (offering.context_tokens, offering.max_output_tokens) == (200_000, 64_000)
        assert offering.capabilities & Capability.VISION
        assert offering.capabilities & Capability.LONG_CONTEXT
        assert (offering.prefill, offering.deprecated_on, offering.source) == (True, "2027-05-14", "litellm")

    def test_its_prefixes_and_provider_names_become_ours(self) -> None:
        assert "together/meta-llama/Llama-X" in self.catalog.offerings
        assert "vertex/claude-y" in self.catalog.offerings
        assert set(self.catalog.providers) >= {"together", "vertex", "dashscope", "hosted"}

    def test_a_denied_ability_is_denied(self) -> None:
        llama = self.catalog.offerings["together/meta-llama/Llama-X"]

        assert not llama.capabilities & Capability.FUNCTION_CALLING

    def test_embeddings_rerankers_and_images_are_no_chat_models(self) -> None:
        assert self.catalog.offerings["openai/text-embedding-z"].capabilities == Capability.EMBEDDINGS
        rerank = self.catalog.offerings["cohere/rerank-q"]
        assert rerank.capabilities == Capability.RERANK
        assert rerank.prices.per_request == 2_000_000
        image = self.catalog.offerings["openai/dall-e-3"]
        assert image.capabilities == Capability.IMAGE
        assert image.prices.extras == (("output_cost_per_image", 40_000_000),)

    def test_a_zero_of_a_hosted_chat_model_is_unknown_and_said_so(self) -> None:
        """Taking it as free let unpriced models through every budget."""
        zero = self.catalog.offerings["hosted/zero"]

        assert zero.prices.base.input is None
        assert litellm_feed.UNBELIEVED_ZERO_TAG in zero.tags

    def test_a_local_model_is_free(self) -> None:
        assert self.catalog.offerings["ollama/local"].prices.base == Rates(input=0, output=0)

    def test_ranges_become_tiers_and_output_ranges_their_dearest(self) -> None:
        prices = self.catalog.offerings["dashscope/ranged"].prices

        assert prices.base == Rates(input=USD, output=5 * USD)
        assert prices.tiers == (
            Tier(above_input_tokens=32_000, rates=Rates(input=2 * USD, output=9_500_000_000)),
        )

    def test_the_sample_and_sized_images_are_left_out(self) -> None:
        assert not any("sample_spec" in key or "256-x-256" in key for key in self.catalog.offerings)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("input_cost_per_token", "free"),
            ("input_cost_per_token", -1e-06),
            ("input_cost_per_token", True),
            ("max_input_tokens", "many"),
            ("max_input_tokens", 1.5),
            ("supports_vision", "yes"),
            ("mode", 3),
            ("tiered_pricing", {}),
        ],
    )
    def test_a_bad_field_is_named_with_its_entry(self, field: str, value: object) -> None:
        with pytest.raises(InvalidRequest) as caught:
            litellm_feed.parse(encoded({"acme/bad": {"litellm_provider": "acme", field: value}}))

        assert caught.value.param == f"acme/bad.{field}"
        assert "litellm" in caught.value.message


OPENROUTER: dict[str, Any] = {
    "data": [
        {
            "id": "anthropic/claude-x",
            "canonical_slug": "anthropic/claude-x-20260131",
            "context_length": 1_000_000,
            "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
            "pricing": {
                "prompt": "0.000003",
                "completion": "0.000015",
                "request": "0.005",
                "image": "0.0048",
                "input_cache_read": "0.0000003",
                "input_cache_write": "0.00000375",
                "internal_reasoning": "0",
                "web_search": "0.01",
            },
            "top_provider": {"context_length": 1_000_000, "max_completion_tokens": 64_000},
            "supported_parameters": ["tools", "reasoning", "max_tokens"],
        },
        {
            "id": "openrouter/auto",
            "context_length": 2_000_000,
            "pricing": {"prompt": "-1", "completion": "-1"},
            "top_provider": {},
        },
        {"id": "acme/small:free", "context_length": None, "pricing": {"prompt": "0", "completion": "0"}},
        {"id": "acme/odd", "pricing": {"prompt": "1e-6", "completion": "1e-6", "overrides": [{"x": 1}]}},
    ]
}


class TestOpenRouter:
    catalog = openrouter_feed.parse(encoded(OPENROUTER))

    def test_prices_in_text_are_read_exactly_and_zero_surcharges_are_none(self) -> None:
        prices = self.catalog.offerings["openrouter/anthropic/claude-x"].prices

        assert prices.base == Rates(
            input=3 * USD, output=15 * USD, cached_read=300_000_000, cache_write=3_750_000_000
        )
        assert prices.per_request == 5_000_000
        assert dict(prices.extras) == {"image_each": 4_800_000, "web_search_each": 10_000_000}

    def test_parameters_and_modalities_say_what_it_can_and_cannot(self) -> None:
        offering = self.catalog.offerings["openrouter/anthropic/claude-x"]

        assert offering.capabilities & Capability.FUNCTION_CALLING
        assert offering.capabilities & Capability.VISION
        assert not offering.capabilities & Capability.STRUCTURED_OUTPUT
        assert (offering.context_tokens, offering.max_output_tokens) == (1_000_000, 64_000)
        assert offering.aliases == ("anthropic/claude-x-20260131",)

    def test_a_router_costs_what_it_picks_which_is_unknown(self) -> None:
        assert not self.catalog.offerings["openrouter/openrouter/auto"].prices.known

    def test_a_free_model_is_free_and_its_unknown_window_unknown(self) -> None:
        free = self.catalog.offerings["openrouter/acme/small:free"]

        assert free.prices.base == Rates(input=0, output=0)
        assert free.context_tokens is None

    def test_prices_it_could_not_read_are_said(self) -> None:
        assert openrouter_feed.UNREAD_OVERRIDES_TAG in self.catalog.offerings["openrouter/acme/odd"].tags

    @pytest.mark.parametrize(
        ("document", "param"),
        [
            ([], "data"),
            ({"data": {}}, "data"),
            ({"data": ["text"]}, "data[0]"),
            ({"data": [{"pricing": {}}]}, "data[0].id"),
            ({"data": [{"id": "a/b", "pricing": {"prompt": "x"}}]}, "a/b.pricing.prompt"),
            ({"data": [{"id": "a/b", "pricing": []}]}, "a/b.pricing"),
            ({"data": [{"id": "a/b", "supported_parameters": "tools"}]}, "a/b.supported_parameters"),
        ],
    )
    def test_a_bad_entry_is_named(self, document: object, param: str) -> None:
        with pytest.raises(InvalidRequest) as caught:
            openrouter_feed.parse(encoded(document))

        assert caught.value.param == param


MODELS_DEV: dict[str, Any] = {
    "amazon-bedrock": {
        "id": "amazon-bedrock",
        "env": ["AWS_ACCESS_KEY_ID"],
        "npm": "@ai-sdk/amazon-bedrock",
        "name": "Amazon Bedrock",
        "models": {
            "acme.large-v1": {
                "id": "acme.large-v1",
                "reasoning": True,
                "tool_call": True,
                "release_date": "2026-01-31",
                "modalities": {"input": ["text", "image"], "output": ["text"]},
                "cost": {
                    "input": 2.5,
                    "output": 10,
                    "cache_read": 0.25,
                    "cache_write": 0,
                    "context_over_200k": {"input": 5, "output": 15, "cache_read": 0.5},
                },
                "limit": {"context": 1_000_000, "output": 65_536},
            }
        },
    },
    "newcomer": {
        "id": "newcomer",
        "name": "Newcomer",
        "env": ["NEWCOMER_API_KEY"],
        "api": "https://api.newcomer.example/v1",
        "models": {
            "tiered": {
                "release_date": "2026-01",
                "status": "beta",
                "tool_call": False,
                "cost": {
                    "input": 1,
                    "output": 2,
                    "reasoning": 3,
                    "tiers": [
                        {"input": 4, "output": 8, "tier": {"type": "context", "size": 256_000}},
                        {"input": 2, "output": 4, "tier": {"type": "context", "size": 32_000}},
                        {"input": 9, "output": 9, "tier": {"type": "moon", "size": 1}},
                    ],
                },
                "limit": {"context": 0, "output": 0},
            },
            "priceless": {},
        },
    },
}


class TestModelsDev:
    catalog = models_dev_feed.parse(encoded(MODELS_DEV))

    def test_prices_per_million_and_the_long_prompt_tier_are_read(self) -> None:
        prices = self.catalog.offerings["aws/acme.large-v1"].prices

        assert prices.base == Rates(input=2_500_000_000, output=10 * USD, cached_read=250_000_000)
        assert prices.tiers == (
            Tier(
                above_input_tokens=200_000,
                rates=Rates(input=5 * USD, output=15 * USD, cached_read=500_000_000),
            ),
        )

    def test_context_tiers_are_sorted_and_others_are_said(self) -> None:
        offering = self.catalog.offerings["newcomer/tiered"]

        assert [tier.above_input_tokens for tier in offering.prices.tiers] == [32_000, 256_000]
        assert offering.prices.tiers[0].rates.reasoning == 3 * USD
        assert offering.tags >= {models_dev_feed.UNREAD_TIER_TAG, "beta"}

    def test_a_known_provider_keeps_our_entry_and_a_new_one_gets_its_own(self) -> None:
        assert self.catalog.providers["aws"] == PROVIDERS["aws"]
        newcomer = self.catalog.providers["newcomer"]
        assert (newcomer.base_url, newcomer.key_variables) == (
            "https://api.newcomer.example/v1",
            ("NEWCOMER_API_KEY",),
        )

    def test_what_is_not_said_stays_unknown(self) -> None:
        priceless = self.catalog.offerings["newcomer/priceless"]
        tiered = self.catalog.offerings["newcomer/tiered"]

        assert not priceless.prices.known
        assert (tiered.context_tokens, tiered.max_output_tokens, tiered.version) == (None, None, None)
        assert self.catalog.offerings["aws/acme.large-v1"].version == "2026-01-31"

    def test_a_bad_entry_is_named(self) -> None:
        with pytest.raises(InvalidRequest) as caught:
            models_dev_feed.parse(encoded({"p": {"models": {"m": {"cost": {"input": "x"}}}}}))

        assert caught.value.param == "p/m.cost.input"


GENAI: list[Any] = [
    {
        "id": "acme",
        "name": "Acme",
        "api_pattern": "https://api\\.acme\\.example",
        "models": [
            {
                "id": "large",
                "match": {"or": [{"equals": "acme-large"}, {"starts_with": "large-"}]},
                "context_window": 200_000,
                "prices": [
                    {"prices": {"input_mtok": 1, "output_mtok": 2}},
                    {
                        "constraint": {"start_date": "2026-06-01"},
                        "prices": {
                            "input_mtok": {"base": 0.5, "tiers": [{"start": 128_000, "price": 1.5}]},
                            "output_mtok": 4,
                            "requests_kcount": 12,
                            "web_searches_kcount": 10,
                        },
                    },
                ],
                "price_variants": [{"when": {"processing": "batch"}, "prices": {"input_mtok": 0.25}}],
            },
            {
                "id": "hourly",
                "match": {"and": [{"contains": "hour"}, {"regex": "^(?!x)"}]},
                "prices": [
                    {"prices": {"input_mtok": 1, "output_mtok": 1}},
                    {
                        "constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"},
                        "prices": {"input_mtok": 2, "output_mtok": 2},
                    },
                ],
            },
        ],
    }
]


class TestGenaiPrices:
    catalog = genai_feed.parse(encoded(GENAI), on=ON)

    def test_the_price_of_the_day_with_its_tiers_is_read(self) -> None:
        prices = self.catalog.offerings["acme/large"].prices

        assert prices.base == Rates(input=500_000_000, output=4 * USD)
        assert prices.tiers == (
            Tier(above_input_tokens=128_000, rates=Rates(input=1_500_000_000, output=4 * USD)),
        )
        assert (prices.effective_from, prices.source) == ("2026-06-01", "genai-prices")
        assert prices.per_request == 12_000_000
        assert prices.extras == (("web_searches_kcount", 10 * USD),)

    def test_an_earlier_day_has_the_earlier_price(self) -> None:
        earlier = genai_feed.parse(encoded(GENAI), on=date(2026, 5, 31)).offerings["acme/large"].prices

        assert (earlier.base, earlier.effective_from) == (Rates(input=USD, output=2 * USD), None)

    def test_a_variant_holds_complete_prices(self) -> None:
        batch = self.catalog.offerings["acme/large"].prices.variant(BATCH)

        assert batch is not None
        assert batch.base == Rates(input=250_000_000, output=4 * USD)

    def test_match_rules_become_aliases(self) -> None:
        assert self.catalog.offerings["acme/large"].aliases == ("acme-large", "large-*")
        assert self.catalog.offerings["acme/hourly"].aliases == ("*hour*",)

    def test_of_hourly_prices_the_dearest_is_taken(self) -> None:
        hourly = self.catalog.offerings["acme/hourly"]

        assert hourly.prices.base.input == 2 * USD
        assert TIME_OF_DAY_TAG in hourly.tags

    @pytest.mark.parametrize(
        "model",
        [
            {"id": "bad", "match": {"telepathy": "x"}, "prices": {}},
            {"id": "bad", "match": {"equals": "x"}, "prices": {"input_mtok": "x"}},
            {"id": "bad", "match": {"equals": "x"}, "prices": {"input_mtok": -1}},
            {"id": "bad", "match": {"equals": "x"}, "prices": {"input_mtok": {"base": 1, "tiers": [{}]}}},
            {"id": "bad", "match": {"equals": "x"}, "context_window": "big", "prices": {}},
            {"id": "bad", "match": {"equals": "x"}, "prices": [{"constraint": {"moon": 1}, "prices": {}}]},
            {
                "id": "bad",
                "match": {"equals": "x"},
                "prices": [{"constraint": {"start_date": "soon"}, "prices": {}}],
            },
        ],
    )
    def test_a_bad_entry_is_named(self, model: object) -> None:
        with pytest.raises(InvalidRequest, match="acme/bad"):
            genai_feed.parse(encoded([{"id": "acme", "models": [model]}]), on=ON)


class TestOwnExport:
    @given(catalogs)
    @settings(max_examples=60)
    def test_an_export_comes_back_as_it_was(self, catalog: Catalog) -> None:
        assert portable.parse(portable.export_catalog(catalog)) == catalog

    def test_equal_catalogues_export_equal_bytes(self) -> None:
        assert portable.export_catalog(catalog_of(EVERYTHING)) == portable.export_catalog(
            catalog_of(EVERYTHING)
        )


PARSERS: dict[str, Any] = {
    "litellm": litellm_feed.parse,
    "openrouter": openrouter_feed.parse,
    "models.dev": models_dev_feed.parse,
    "genai-prices": lambda data: genai_feed.parse(data, on=ON),
    "interchange": portable.parse,
}
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["data", "id", "models", "prices", "pricing", "cost", "match", "mode", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", list(PARSERS))
@given(value=JSON_VALUES)
@settings(max_examples=60)
def test_whatever_json_comes_it_is_read_or_refused(name: str, value: object) -> None:
    try:
        read = PARSERS[name](encoded(value))
    except InvalidRequest:
        return
    assert isinstance(read, Catalog)


@pytest.mark.parametrize("name", list(PARSERS))
@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}', b"null"])
def test_what_is_no_feed_is_refused(name: str, data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        PARSERS[name](data)


def test_a_price_finer_than_a_nano_dollar_is_rounded_up_and_tagged() -> None:
    feed = {"acme/tiny": {"litellm_provider": "acme", "input_cost_per_token": 1.5e-15}}

    offering = litellm_feed.parse(encoded(feed)).offerings["acme/tiny"]

    assert offering.prices.base.input == 2
    assert ROUNDED_UP_TAG in offering.tags


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("together_ai", "together"),
        ("amazon-bedrock", "aws"),
        ("xai", "x-ai"),
        ("gemini", "google"),
        ("OpenAI", "openai"),
        ("nobody-knows", "nobody-knows"),
    ],
)
def test_provider_names_of_feeds_become_ours(foreign: str, ours: str) -> None:
    assert canonical_id(foreign) == ours


def test_no_two_providers_share_a_name_and_each_is_under_its_id() -> None:
    names = [name for provider in PROVIDERS.values() for name in (provider.id, *provider.aliases)]

    assert len(names) == len(set(names))
    assert all(provider.id == key for key, provider in PROVIDERS.items())
    assert {alias for provider in PROVIDERS.values() for alias in provider.price_fallbacks} <= set(PROVIDERS)
