"""Pages of `/v1/models` as Anthropic's SDKs turn them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidRequest
from entrypoints.http.models import anthropic_page

MODELS: list[dict[str, Any]] = [{"id": f"m{number}"} for number in range(7)]


def ids(page: dict[str, Any]) -> list[str]:
    return [model["id"] for model in page["data"]]


def test_without_a_limit_everything_is_one_page() -> None:
    page = anthropic_page(MODELS, {})
    assert (len(page["data"]), page["has_more"], page["first_id"], page["last_id"]) == (7, False, "m0", "m6")


def test_an_empty_list_is_a_page() -> None:
    assert anthropic_page([], {}) == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@given(limit=st.integers(1, 9))
def test_turning_pages_forwards_shows_each_model_once(limit: int) -> None:
    seen: list[str] = []
    query = {"limit": str(limit)}
    while True:
        page = anthropic_page(MODELS, query)
        seen += ids(page)
        if not page["has_more"]:
            break
        query["after_id"] = page["last_id"]
    assert seen == [model["id"] for model in MODELS]


@given(limit=st.integers(1, 9))
def test_turning_pages_backwards_shows_each_model_once(limit: int) -> None:
    seen: list[str] = ["m6"]
    query = {"limit": str(limit), "before_id": "m6"}
    while True:
        page = anthropic_page(MODELS, query)
        seen = ids(page) + seen
        if not page["has_more"]:
            break
        query["before_id"] = page["first_id"]
    assert seen == [model["id"] for model in MODELS]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"limit": "1001"}, {"after_id": "m9"}])
def test_a_page_that_cannot_be_cut_names_its_parameter(query: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        anthropic_page(MODELS, query)
    assert refused.value.param == next(iter(query))
