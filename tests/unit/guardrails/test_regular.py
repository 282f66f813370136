"""Expressions whose work is bounded: what is taken, what is refused, and that pieces change nothing."""

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.guardrails.regular import PIECE_CHARS, folded, regular

TAKEN = (
    r"project\s*x",
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    r"(?:foo|bar)\s+baz\s*:",
    r"[A-Z]{2}\d{6}",
    r"(?i)secret[_-]?project",
    r"\w+@\w+\.com",
    r"https?://[^\s)]+",
    r"[\]\[^-]x",
    r"\u00e9t\u00e9",
    r"a.{0,20}b.{0,20}c",
)
REFUSED = (
    r"(a+)+",
    r"(a|a)*b",
    r"(a|ab)*c",
    r"(\w+\s?)*x",
    r".*.*x",
    r"\d+\d+\d+z",
    r"(?:x?){50}y",
    r"(?=a)b",
    r"(?P<n>a)",
    r"(a)\1",
    r"^a",
    r"a$",
    r"x*",
    r"a{2,1}",
    r"a{3}{2}",
    r"a**",
    r"a++",
    r"*a",
    r"[a",
    r"(a",
    r"a)",
    "a\\",
    r"[a--b]",
    r"[z-a]",
    r"\U99999999",
    "(" * 30 + "a" + ")" * 30,
    "a" * 501,
    r"a{5000}",
)


@pytest.mark.parametrize("source", TAKEN)
def test_ordinary_expressions_are_taken_and_mean_the_same(source: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = re.compile(source, re.IGNORECASE)
    made = regular(source)
    for text in (
        "project x", "PROJECT   X!", "10.0.0.1", "10.0.0.1234", "foo  baz :", "bar baz:", "AB123456", "x",
        "secretproject Secret_Project", "me@there.com", "(https://a.b/c?d)", "]x [x ^x -x", "été", "a1b2c",
    ):  # fmt: skip
        assert list(made.finditer(text)) == [match.span() for match in plain.finditer(text)]


@pytest.mark.parametrize("source", REFUSED)
def test_what_could_take_for_ever_is_refused_without_repeating_it(source: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]") as refused:
        regular(source)
    assert len(source) < 20 or source not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["a" * 30_000, "ab" * 15_000, " " * 30_000, "1." * 15_000, "http://" * 4_000]
)
def test_no_text_takes_more_than_its_bound(text: str) -> None:
    for source in TAKEN:
        made = regular(source)
        assert made.steps <= 5000
        list(made.finditer(text))


@given(
    st.text(alphabet="ab c.1", max_size=60), st.sampled_from(["a[ab ]{0,9}c", r"\ba+b", r"b\b", "(?:a|b1)+"])
)
@settings(max_examples=80, deadline=None)
def test_a_long_text_is_searched_in_pieces_as_if_it_were_whole(core: str, source: str) -> None:
    text = "x" * (PIECE_CHARS - 20) + core + "y" * 30 + core
    made = regular(source)
    assert list(made.finditer(text)) == [match.span() for match in made.pattern.finditer(text)]


def test_whole_texts_may_be_long() -> None:
    assert regular(r"[\w ,.?]*", whole=True).pattern.fullmatch("word " * 1000)
    with pytest.raises(ValueError, match="look at a character"):
        regular(r".*a.*b", whole=True)


def test_characters_nobody_sees_hide_nothing() -> None:
    assert folded("for\u200bbid\u00adden\uff58") == "forbiddenx"
    assert folded("plain") == "plain"
