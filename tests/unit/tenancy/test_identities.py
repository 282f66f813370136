"""Whom a caller may speak for."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.identities import speak_for
from application.job import Attribution
from domain.errors import IdentityNotAllowed, InvalidRequest
from domain.tenancy.identities import check_assertable
from domain.tenancy.patterns import beyond, covers, matches
from domain.tenancy.principal import Principal

NAMES = st.text("ab*", max_size=4).filter(lambda text: "*" not in text[:-1])


def principal(*assertable: str, key_id: str = "Key000000001") -> Principal:
    return Principal(
        tenant_id="acme",
        key_id=key_id,
        key_name="k",
        role="agent",
        permissions=frozenset({"llm.call"}),
        assertable=frozenset(assertable),
    )


def said(by: Principal, **who: Any) -> Attribution:
    attribution = Attribution(**who)
    speak_for(by, attribution)
    return attribution


def test_a_key_without_a_limit_names_whom_it_likes() -> None:
    free = Principal(tenant_id="t", key_id="k", key_name="", role="agent", permissions=frozenset())

    assert said(free, user_id="bob", session_id="s") == Attribution(user_id="bob", session_id="s")


def test_the_only_user_is_filled_in_and_several_are_not() -> None:
    assert said(principal("user:alice")).user_id == "alice"
    assert said(principal("user:alice", "agent:planner")).agent_id == "planner"
    assert said(principal("user:alice", "user:bob")).user_id == ""
    assert said(principal("user:team-*")).user_id == ""
    assert said(principal("agent:planner")).user_id == ""


@pytest.mark.parametrize(
    "forged",
    ["bob", "Alice", "alice ", "\u0430lice", "ali\u200bce", "alice\x00", "alice,bob", "*", "user:alice"],
)
def test_nobody_else_is_named_however_much_they_look_alike(forged: str) -> None:
    attribution = Attribution(user_id=forged, session_id="s")

    with pytest.raises(IdentityNotAllowed) as refused:
        speak_for(principal("user:alice"), attribution)

    assert refused.value.param == "user_id"
    assert attribution == Attribution(), "nothing is recorded on whoever was named"


def test_patterns_hold_by_kind_and_beginning() -> None:
    crawler = principal("agent:crawler-*")

    assert said(crawler, agent_id="crawler-7").agent_id == "crawler-7"
    for who in ({"agent_id": "crawler"}, {"agent_id": "Crawler-7"}, {"user_id": "crawler-7"}):
        with pytest.raises(IdentityNotAllowed):
            said(crawler, **who)
    with pytest.raises(IdentityNotAllowed):
        said(crawler, agent_id="crawler-\x007")


def test_sessions_of_bound_keys_are_their_own_and_stay_so() -> None:
    one, other = principal("user:a"), principal("user:b", key_id="Key000000002")
    mine, theirs = said(one, session_id="s1"), said(other, session_id="s1")
    assert mine.session_id != theirs.session_id

    again = Attribution(session_id=mine.session_id)
    speak_for(one, again)
    assert again.session_id == mine.session_id
    assert said(other, session_id=mine.session_id).session_id != mine.session_id
    assert said(one).session_id == ""


@pytest.mark.parametrize(
    "wrong", ["alice", "user:", "user: ", "team:x", "user:a*b", "user:\x00", "*", "agent:" + "x" * 300]
)
def test_what_is_no_identity_is_told(wrong: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        check_assertable(["user:alice", wrong])
    assert told.value.param == "assertable"


@settings(max_examples=200)
@given(NAMES, NAMES, st.text("ab", max_size=5))
def test_what_a_pattern_covers_it_matches(wide: str, narrow: str, name: str) -> None:
    if covers(wide, narrow) and matches(narrow, name):
        assert matches(wide, name)


def test_no_limit_covers_all_and_is_covered_by_none() -> None:
    assert beyond(None, None) == beyond({"a"}, None) == beyond((), frozenset()) == []
    assert beyond(None, frozenset({"a*"})) == ["*"]
    assert beyond({"ab", "b"}, frozenset({"a*"})) == ["b"]
