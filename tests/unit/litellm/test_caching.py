"""Caching of a LiteLLM configuration: on where it was on, never looser than it was."""

from typing import Any

import pytest

from domain.caching.policy import CacheMode
from entrypoints.config.cache_sections import CacheDefaults, cache_policy
from entrypoints.litellm.importing import make_usable, read_config
from entrypoints.litellm.report import Outcome, Report
from entrypoints.local_stores import bundled_catalog

MODEL = "model_list: [{model_name: m, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY}}]\n"


def imported(settings: str) -> tuple[dict[str, Any], Report]:
    draft, report = read_config(MODEL + f"litellm_settings: {settings}\n", "config.yaml")
    make_usable(draft, report, bundled_catalog(), {})
    return draft.document(), report


def told(report: Report) -> dict[str, Outcome]:
    return {finding.path.removeprefix("litellm_settings."): finding.outcome for finding in report.findings}


def test_an_exact_cache_with_its_time_to_live_is_taken() -> None:
    document, report = imported("{cache: true, cache_params: {type: redis, ttl: 600, host: h, namespace: n}}")

    policy = cache_policy(CacheDefaults.model_validate(document["cache"]))

    assert (policy.mode, policy.ttl_s) == (CacheMode.EXACT, 600)
    assert told(report)["cache_params.ttl"] is Outcome.TAKEN
    assert told(report)["cache_params.host"] is Outcome.ATTENTION
    assert told(report)["cache_params.namespace"] is Outcome.NO_COUNTERPART


def test_a_semantic_cache_becomes_a_verified_one() -> None:
    """Likeness alone answers wrongly too often to be taken over in silence."""
    document, report = imported(
        "{cache: true, cache_params: {type: qdrant-semantic, similarity_threshold: 0.8, "
        "qdrant_semantic_cache_embedding_model: e}}"
    )

    assert document["cache"] == {"mode": "verified", "similarity_threshold": 0.8}
    assert told(report)["cache_params.type"] is Outcome.CHANGED
    assert told(report)["cache_params.qdrant_semantic_cache_embedding_model"] is Outcome.ATTENTION


@pytest.mark.parametrize(
    "settings",
    [
        "{cache: false, cache_params: {type: redis}}",
        "{cache: true, cache_params: {mode: default_off, ttl: 5}}",
    ],
)
def test_what_was_off_stays_off(settings: str) -> None:
    document, _ = imported(settings)

    assert "cache" not in document


def test_a_number_that_is_out_of_bounds_is_told_and_left_out() -> None:
    document, report = imported("{cache: true, cache_params: {ttl: -1, similarity_threshold: much}}")

    assert document["cache"] == {"mode": "exact"}
    assert told(report)["cache_params.ttl"] is Outcome.ATTENTION
    assert told(report)["cache_params.similarity_threshold"] is Outcome.ATTENTION
