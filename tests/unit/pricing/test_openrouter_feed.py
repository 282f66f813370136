"""OpenRouter's model list, whose zeros mean two things."""

from typing import Any

import pytest

from adapters.pricing import openrouter_feed
from domain.catalog.prices import Rates
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from tests.unit.pricing.feed_bytes import USD, encoded

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
