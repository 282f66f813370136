"""A catalogue survives its document form without loss, and a broken document says where it is broken."""

import json
from typing import Any

import pytest
from hypothesis import given

from contracts.ports.catalog import EVERYTHING, catalog_of
from domain.catalog.document import (
    from_document,
    offering_from_document,
    offering_to_document,
    prices_from_document,
    prices_to_document,
    to_document,
)
from domain.catalog.offering import Catalog, Offering
from domain.catalog.prices import PriceTable
from domain.errors import InvalidRequest
from tests.unit.catalog.strategies import catalogs, modest, offerings, price_tables


@given(catalogs)
@modest(40)
def test_a_catalogue_comes_back_as_it_was(catalog: Catalog) -> None:
    assert from_document(json.loads(json.dumps(to_document(catalog)))) == catalog


@given(offerings())
@modest(30)
def test_an_offering_comes_back_as_it_was(offering: Offering) -> None:
    assert offering_from_document(offering_to_document(offering)) == offering


@given(price_tables)
@modest(30)
def test_prices_come_back_as_they_were(prices: PriceTable) -> None:
    assert prices_from_document(prices_to_document(prices)) == prices


def test_equal_catalogues_have_equal_documents_whatever_their_order() -> None:
    forwards = catalog_of(EVERYTHING, Offering(provider="acme", model="a"))
    backwards = catalog_of(Offering(provider="acme", model="a"), EVERYTHING)

    assert json.dumps(to_document(forwards)) == json.dumps(to_document(backwards))


def broken(path: list[Any], value: object) -> object:
    document: Any = json.loads(json.dumps(to_document(catalog_of(EVERYTHING))))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "param"),
    [
        (["format"], "other", "format"),
        (["format_version"], 2, "format_version"),
        (["surprise"], 1, "$"),
        (["offerings"], {}, "$.offerings"),
        (["offerings", 0], 1, "$.offerings[0]"),
        (["offerings", 0, "model"], "", "$.offerings[0].model"),
        (["offerings", 0, "new_field"], 1, "$.offerings[0]"),
        (["offerings", 0, "capabilities"], ["telepathy"], "$.offerings[0].capabilities"),
        (["offerings", 0, "context_tokens"], -1, "$.offerings[0].context_tokens"),
        (["offerings", 0, "context_tokens"], 1.5, "$.offerings[0].context_tokens"),
        (["offerings", 0, "context_tokens"], True, "$.offerings[0].context_tokens"),
        (["offerings", 0, "quality"], 1.1, "$.offerings[0].quality"),
        (["offerings", 0, "prefill"], "yes", "$.offerings[0].prefill"),
        (["offerings", 0, "tags"], [1], "$.offerings[0].tags"),
        (["offerings", 0, "prices", "base", "input"], "3", "$.offerings[0].prices.base.input"),
        (["offerings", 0, "prices", "base", "input"], 2**63, "$.offerings[0].prices.base.input"),
        (["offerings", 0, "prices", "base", "telepathy"], 3, "$.offerings[0].prices.base"),
        (["offerings", 0, "prices", "tiers", 0, "above_input_tokens"], 10**9, "$.offerings[0].prices.tiers"),
        (["offerings", 0, "prices", "extras", 0], ["x"], "$.offerings[0].prices.extras[0]"),
        (["providers", 0, "wire"], None, "$.providers[0].wire"),
    ],
)
def test_a_broken_document_names_the_field(path: list[Any], value: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_document(broken(path, value))

    assert caught.value.param == param


def test_what_appears_twice_is_refused() -> None:
    document = to_document(catalog_of(EVERYTHING))
    document["offerings"] *= 2

    with pytest.raises(InvalidRequest, match="appears twice"):
        from_document(document)


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_what_is_no_object_is_refused(document: object) -> None:
    with pytest.raises(InvalidRequest):
        from_document(document)
