"""What a route says after an arm of it was promoted."""

from entrypoints.experimenting import promoted_body


def test_a_promoted_arm_takes_no_protection_from_the_route() -> None:
    asked = {
        "targets": ["a/big"],
        "strategy": "quality",
        "retries": 1,
        "privacy": "strict",
        "guardrails": ["no-secrets"],
        "record": {"prompts": "none"},
        "cache": {"mode": "exact"},
        "max_output_tokens": 100,
        "quality": {"sample": 0.5, "learned": True},
    }
    arm = {
        "targets": ["b/small"],
        "affinity": {"enabled": False},
        "passthrough_credentials": True,
        "record": {"prompts": "full"},
        "max_output_tokens": 500,
    }
    assert promoted_body(asked, arm) == {
        "targets": ["b/small"],
        "affinity": {"enabled": False},
        "privacy": "strict",
        "guardrails": ["no-secrets"],
        "record": {"prompts": "none"},
        "cache": {"mode": "exact"},
        "max_output_tokens": 100,
        "quality": {"sample": 0.5, "learned": False},
    }


def test_an_arm_that_ranks_by_learned_quality_goes_on_to_do_so_and_checks_no_answers() -> None:
    arm = {"targets": ["b/small"], "quality": {"learned": True, "sample": 1.0}}
    assert promoted_body({"targets": ["a/big"]}, arm) == {
        "targets": ["b/small"],
        "quality": {"sample": 0, "learned": True},
    }
