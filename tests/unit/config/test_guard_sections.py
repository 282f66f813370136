"""Guards as they are written, and what they come to for a route."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.guards.policy import NO_GUARDS
from domain.guards.repeated_calls import RepeatedCallRule
from domain.guards.spend_rate import SpendRateRule, SpendScope
from entrypoints.config.guard_sections import GuardSettings, route_policy

GENERAL = GuardSettings.model_validate(
    {
        "repeated_tool_call": {"times": "4", "same_result": "true", "exempt": ["wait"]},
        "spend_rate": {"usd": "0.1", "per_s": 30, "scope": "Session"},
        "steps_without_user": "50",
        "stop_for_s": 60,
    }
)


def test_nothing_is_guarded_unless_it_is_asked_for() -> None:
    assert GuardSettings().policy() == NO_GUARDS
    assert not NO_GUARDS.reads_bodies
    off = GuardSettings.model_validate({"repeated_tool_call": False, "spend_rate": "Off"})
    assert off.policy() == NO_GUARDS
    assert off.model_dump(mode="json", exclude_unset=True) == {
        "repeated_tool_call": "off",
        "spend_rate": "off",
    }


def test_what_is_written_is_what_watches() -> None:
    policy = GENERAL.policy()

    assert policy.repeated_tool_call == RepeatedCallRule(
        times=4, window=20, same_result=True, exempt=frozenset({"wait"})
    )
    assert policy.spend_rate == SpendRateRule(limit_nano_usd=100_000_000, per_s=30, scope=SpendScope.SESSION)
    assert (policy.steps_without_user, policy.stop_for_s) == (50, 60)


def test_what_is_shown_can_be_read_again() -> None:
    for settings in (GENERAL, GuardSettings(), GuardSettings.model_validate({"spend_rate": "off"})):
        for unset in (True, False):
            shown = settings.model_dump(mode="json", exclude_unset=unset)
            assert GuardSettings.model_validate(shown).policy() == settings.policy()


def test_a_routes_own_keys_go_before_the_general_ones() -> None:
    own = GuardSettings.model_validate({"repeated_tool_call": "off", "spend_rate": {"usd": 1}})

    policy = route_policy(GENERAL, own, "cheap")

    assert policy is not None and policy.repeated_tool_call is None
    assert policy.spend_rate == SpendRateRule(limit_nano_usd=10**9, per_s=60, route="cheap")
    assert (policy.steps_without_user, policy.stop_for_s) == (50, 60)
    assert route_policy(GENERAL, None, "cheap") is None
    assert route_policy(GENERAL, GuardSettings(), "cheap") == GENERAL.policy()


@pytest.mark.parametrize(
    "written",
    [
        {"repeated_tool_call": {"times": 1}},
        {"repeated_tool_call": {"times": 9, "window": 8}},
        {"repeated_tool_call": {"window": 1001}},
        {"repeated_tool_call": "on"},
        {"spend_rate": {"per_s": 60}},
        {"spend_rate": {"usd": 0}},
        {"spend_rate": {"usd": 1, "scope": "planet"}},
        {"steps_without_user": 1},
        {"stop_for_s": 0},
        {"loops": True},
    ],
)
def test_what_cannot_be_meant_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GuardSettings.model_validate(written)
