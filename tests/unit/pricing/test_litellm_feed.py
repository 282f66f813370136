"""LiteLLM's cost map, read exactly, with its zeros doubted and its complaints named."""

from typing import Any

import pytest

from adapters.pricing import litellm_feed
from adapters.pricing.amounts import ROUNDED_UP_TAG
from domain.catalog.prices import BATCH, Rates, Tier
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from tests.unit.pricing.feed_bytes import USD, encoded

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
        "input_cost_per_token_above_200k_tokens_priority": 1.2e-05,
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
        "input_cost_per_token_above_128k_tokens": None,
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

    def test_a_threshold_without_prices_is_no_tier(self) -> None:
        assert self.catalog.offerings["together/meta-llama/Llama-X"].prices.tiers == ()

    def test_batch_and_priority_become_variants(self) -> None:
        prices = self.catalog.offerings["anthropic/acme-large"].prices
        batch, priority = prices.variant(BATCH), prices.variant("service_tier=priority")

        assert batch is not None
        assert (batch.base.input, batch.base.output) == (1_500_000_000, 7_500_000_000)
        assert priority is not None
        assert (priority.base.input, priority.base.output) == (6 * USD, 15 * USD)

    def test_a_variant_of_a_long_prompt_never_costs_less_than_the_map_says(self) -> None:
        priority = self.catalog.offerings["anthropic/acme-large"].prices.variant("service_tier=priority")

        assert priority is not None
        [tier] = priority.tiers
        assert (tier.above_input_tokens, tier.rates.input, tier.rates.output) == (
            200_000,
            12 * USD,
            22_500_000_000,
        )

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

    def test_a_flag_that_is_missing_leaves_what_the_name_tells(self) -> None:
        """Else a sync would take abilities away from models the bundled book knows well."""
        entry = {"litellm_provider": "openai", "mode": "chat", "supports_vision": False}

        gpt_4o = litellm_feed.parse(encoded({"gpt-4o": entry})).offerings["openai/gpt-4o"]

        assert gpt_4o.capabilities & Capability.FUNCTION_CALLING
        assert not gpt_4o.capabilities & Capability.VISION

    def test_a_denied_ability_is_denied(self) -> None:
        llama = self.catalog.offerings["together/meta-llama/Llama-X"]

        assert not llama.capabilities & Capability.FUNCTION_CALLING

    def test_embeddings_rerankers_and_images_are_no_chat_models(self) -> None:
        assert self.catalog.offerings["openai/text-embedding-z"].capabilities == Capability.EMBEDDINGS
        rerank = self.catalog.offerings["cohere/rerank-q"]
        assert rerank.capabilities == Capability.RERANK
        assert rerank.prices.units == (("searches", 2_000_000_000_000),)
        assert rerank.prices.per_request == 0
        image = self.catalog.offerings["openai/dall-e-3"]
        assert image.capabilities == Capability.IMAGE
        assert ("images", 40_000_000_000_000) in image.prices.units
        assert image.prices.extras == ()

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


def test_a_price_finer_than_a_nano_dollar_is_rounded_up_and_tagged() -> None:
    feed = {"acme/tiny": {"litellm_provider": "acme", "input_cost_per_token": 1.5e-15}}

    offering = litellm_feed.parse(encoded(feed)).offerings["acme/tiny"]

    assert offering.prices.base.input == 2
    assert ROUNDED_UP_TAG in offering.tags


def test_what_is_not_measured_in_tokens_gets_its_units() -> None:
    pixels = {"litellm_provider": "azure", "mode": "image_generation", "input_cost_per_pixel": 4e-08}
    catalog = litellm_feed.parse(
        encoded(
            {
                "azure/dall-e-3": {"litellm_provider": "azure", "mode": "image_generation"},
                "azure/standard/1024-x-1024/dall-e-3": pixels,
                "azure/hd/1024-x-1024/dall-e-3": {**pixels, "input_cost_per_pixel": 8e-08},
                "gpt-image-1": {
                    "litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 5e-06,
                    "output_cost_per_image_token": 4e-05, "output_cost_per_image": 0.1,
                },
                "low/1024-x-1024/gpt-image-1": {"litellm_provider": "openai", "input_cost_per_image": 0.011},
                "whisper-1": {
                    "litellm_provider": "openai", "mode": "audio_transcription",
                    "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001,
                },
                "tts-1": {
                    "litellm_provider": "openai", "mode": "audio_speech", "input_cost_per_character": 1.5e-05
                },
            }
        )
    ).offerings  # fmt: skip

    assert catalog["azure/dall-e-3"].prices.units == (
        ("images:1024x1024", 41_943_040_000_000),
        ("images:1024x1024:hd", 83_886_080_000_000),
    )
    assert catalog["openai/gpt-image-1"].prices.units == (), "its tokens are the bill"
    assert catalog["openai/whisper-1"].prices.units == (("audio_in_ms", 100_000_000),)
    assert catalog["openai/tts-1"].prices.units == (("characters", 15_000_000_000),)
