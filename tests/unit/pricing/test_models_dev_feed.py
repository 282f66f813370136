"""models.dev: prices per million tokens, tiers by context, providers of its own."""

from typing import Any

import pytest

from adapters.pricing import models_dev_feed
from adapters.pricing.providers import PROVIDERS
from domain.catalog.prices import Rates, Tier
from domain.errors import InvalidRequest
from tests.unit.pricing.feed_bytes import USD, encoded

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
