"""Which targets are tagged as answering the Responses API."""

import pytest

from domain.catalog.tags import (
    KEEPS_ANSWERS_TAG,
    RESPONSES_ONLY_TAG,
    RESPONSES_TAG,
    ResponsesSupport,
)
from entrypoints.responses_support import responses_support, responses_tags


@pytest.mark.parametrize(
    ("kind", "support"),
    [
        ("openai", ResponsesSupport.NATIVE),
        ("azure", ResponsesSupport.NATIVE),
        ("openrouter", ResponsesSupport.STATELESS),
        ("mistral", ResponsesSupport.TRANSLATED),
        ("anthropic", ResponsesSupport.TRANSLATED),
    ],
)
def test_what_is_known_of_a_kind(kind: str, support: ResponsesSupport) -> None:
    assert responses_support(kind) is support


@pytest.mark.parametrize(
    "model", ["gpt-5-pro", "gpt-5.1-codex-max", "o3-pro-2025-06-10", "o4-mini-deep-research"]
)
def test_models_that_are_only_there_are_told_by_their_names(model: str) -> None:
    assert RESPONSES_ONLY_TAG in responses_tags(ResponsesSupport.NATIVE, "openai", model)
    assert RESPONSES_ONLY_TAG not in responses_tags(ResponsesSupport.TRANSLATED, "openrouter", model)


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-mini", "gpt-4o", "o3", "gpt-5-prophet"])
def test_other_models_are_there_too(model: str) -> None:
    tags = responses_tags(ResponsesSupport.NATIVE, "openai", model)
    assert tags == {RESPONSES_TAG, KEEPS_ANSWERS_TAG}
