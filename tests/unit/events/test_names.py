"""Names of events, and patterns over them."""

import pytest

from domain.errors import InvalidRequest
from domain.events import TOPICS, any_means, check_patterns, means


def test_a_pattern_means_its_name_its_group_or_everything() -> None:
    assert means("key.created", "key.created")
    assert not means("key.created", "key.revoked")
    assert means("key.*", "key.revoked")
    assert not means("key.*", "keys.revoked")
    assert means("*", "key.revoked")
    assert any_means(["cost.*", "key.*"], "key.revoked")
    assert not any_means([], "key.revoked")


def test_patterns_are_kept_once_in_their_order() -> None:
    assert check_patterns(["key.*", "cost.budget_alert", "key.*"], "types") == ("key.*", "cost.budget_alert")
    assert check_patterns(TOPICS, "types") == TOPICS


@pytest.mark.parametrize(
    "pattern", ["", "key", "key.", "ke*", "key.cre*", "no.*", "Key.created", "key.created\n"]
)
def test_what_means_no_event_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_patterns([pattern], "types")

    assert refused.value.param == "types"


def test_none_and_too_many_are_refused() -> None:
    for patterns in ([], [f"key.a{n}" for n in range(51)]):
        with pytest.raises(InvalidRequest):
            check_patterns(patterns, "types")
