"""The published file of genai-prices: dated, tiered and hourly prices."""

from datetime import date
from typing import Any

import pytest

from adapters.pricing import genai_feed
from adapters.pricing.genai_translation import TIME_OF_DAY_TAG
from domain.catalog.prices import BATCH, Rates, Tier
from domain.errors import InvalidRequest
from tests.unit.pricing.feed_bytes import USD, encoded

ON = date(2026, 11, 20)

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
