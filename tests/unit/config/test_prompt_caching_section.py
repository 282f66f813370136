"""`prompt_caching` of a route, as YAML gives it."""

import pytest
from pydantic import ValidationError

from domain.routing.prompt_cache import PromptCaching, PromptCachingPolicy
from entrypoints.config.route_sections import RouteSettings


def policy(**section: object) -> PromptCachingPolicy:
    route = RouteSettings.model_validate({"targets": ["a/b"], **section})
    return route.prompt_caching.policy()


def test_bodies_go_as_they_are_unless_somebody_says_otherwise() -> None:
    assert policy() == PromptCachingPolicy(mode=PromptCaching.OFF)


@pytest.mark.parametrize("off", ["off", "Off", False])
def test_the_bare_mode_stands_for_the_whole(off: object) -> None:
    assert policy(prompt_caching=off).mode is PromptCaching.OFF
    assert policy(prompt_caching="auto") == PromptCachingPolicy(mode=PromptCaching.AUTO)


def test_a_mapping_says_it_in_detail() -> None:
    said = {"mode": "auto", "min_tokens": "2048", "ttl": "1h", "retention": "24h"}

    assert policy(prompt_caching=said) == PromptCachingPolicy(
        mode=PromptCaching.AUTO, tokens_min=2048, long=True, retention="24h"
    )


@pytest.mark.parametrize(
    "wrong", ["always", True, {"mode": "auto", "ttl": "2h"}, {"min_tokens": 0}, {"x": 1}]
)
def test_what_nobody_knows_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        policy(prompt_caching=wrong)
