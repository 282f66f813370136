"""Prices of units as an operator writes them."""

import pytest
from pydantic import ValidationError

from entrypoints.config.provider_sections import ModelSettings
from entrypoints.config.unit_sections import UnitPriceSettings


def test_prices_of_units_are_exact() -> None:
    settings = UnitPriceSettings.model_validate(
        {
            "usd_per_image": "0.04",
            "usd_per_image_of": {"1024x1024:hd": "0.08"},
            "usd_per_audio_minute": "0.006",
            "usd_per_million_characters": 15,
            "usd_per_search": "0.002",
        }
    )
    assert settings.rates() == (
        ("images", 40_000_000_000_000),
        ("audio_in_ms", 100_000_000),
        ("characters", 15_000_000_000),
        ("searches", 2_000_000_000_000),
        ("images:1024x1024:hd", 80_000_000_000_000),
    )


def test_units_alone_are_prices_and_none_are_none() -> None:
    prices = ModelSettings.model_validate({"units": {"usd_per_search": 0}}).prices()
    assert prices is not None and prices.units == (("searches", 0),)
    assert ModelSettings().prices() is None


def test_a_kind_of_picture_is_a_size_and_a_quality() -> None:
    with pytest.raises(ValidationError):
        UnitPriceSettings.model_validate({"usd_per_image_of": {"a:b:c": 1}})
