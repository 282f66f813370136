"""What holds for every format: hostile input is refused, our own export is lossless, names become ours."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.pricing import genai_feed, litellm_feed, models_dev_feed, openrouter_feed, portable
from adapters.pricing.providers import PROVIDERS, canonical_id
from contracts.ports.catalog import EVERYTHING, catalog_of
from domain.catalog.offering import Catalog
from domain.errors import InvalidRequest
from tests.unit.catalog.strategies import catalogs, modest
from tests.unit.pricing.feed_bytes import encoded

ON = date(2026, 11, 20)


class TestOwnExport:
    @given(catalogs)
    @modest(30)
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
@modest(30)
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
