"""How alike two answers are, in figures."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.experiments.likeness import Likeness, LikenessSums, likeness, words_in_common
from domain.experiments.telling import likeness_text
from domain.quality.checks import AnswerText


def said(text: str, **more: object) -> AnswerText:
    return AnswerText(text, **more)  # type: ignore[arg-type]


@given(st.text(max_size=200), st.text(max_size=200))
def test_words_in_common_are_a_share_that_has_no_sides(one: str, other: str) -> None:
    found = words_in_common(one, other)
    assert 0.0 <= found <= 1.0
    assert found == words_in_common(other, one)
    assert words_in_common(one, one) == 1.0


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ("red green blue", "red green", 0.8),
        ("red red", "red", 2 / 3),
        ("Paris.", "paris", 1.0),
        ("yes", "no", 0.0),
        ("東京です", "東京", 2 / 3),
    ],
)
def test_words_count_as_often_as_they_stand_there(one: str, other: str, share: float) -> None:
    assert words_in_common(one, other) == pytest.approx(share)


def test_equal_words_are_the_same_whatever_their_marks() -> None:
    found = likeness(said("**Paris**, of course."), said("paris of course"))
    assert (found.same_words, found.words_in_common) == (True, 1.0)
    assert (found.control_chars, found.shadow_chars) == (21, 15)


def test_an_answer_that_is_missing_is_not_compared() -> None:
    assert likeness(said("a"), None) == Likeness()
    assert likeness(None, said("a")) == Likeness()
    assert likeness(said("a", whole=False), said("a")).same_words is None


def test_tools_are_told_and_their_words_are_not_compared() -> None:
    assert likeness(said("", calls_tools=True), said("text")).same_turn is False
    both = likeness(said("", calls_tools=True), said("", calls_tools=True))
    assert (both.same_turn, both.same_words) == (True, None)


def test_what_is_wrong_with_each_is_told() -> None:
    broken = likeness(
        said(json.dumps({"a": 1}), wants_json=True),
        said("no json at all", wants_json=True),
    )
    assert (broken.control_findings, broken.shadow_findings) == ("", "invalid_json")
    ended = likeness(said("a b c", finish_reason="length"), said("I'm sorry, but I can't help with that."))
    assert (ended.control_findings, ended.shadow_findings) == ("truncated", "refusal")


def test_sums_are_told_in_words() -> None:
    found = LikenessSums(
        turns=10,
        same_turn=9,
        compared=8,
        same_words=2,
        words_in_common=6.0,
        control_chars=200,
        shadow_chars=100,
        shadow_findings={"refusal": 3},
        control_findings={"invalid_json": 1},
    )
    assert likeness_text(found) == (
        "words in common 75 %, the same words 25 %, length 50 % of control's, invalid json 0 (control 1), "
        "refusal 3 (control 0), tools called by one alone 10 %"
    )
    assert likeness_text(LikenessSums()) == ""
