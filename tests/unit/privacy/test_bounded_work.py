"""However a text is made, reading it is bounded: counted in steps of the interpreter, not in time."""

import sys
from types import FrameType
from typing import Any

import pytest

from adapters.privacy.detector import PatternDetector
from domain.privacy.kinds import ALL_KINDS

DETECTOR = PatternDetector()
ADVERSARIES = (
    "a", "@", "1", "-", ".", ":", "+", "(", "4 ", "44-", "4444 ", "1.1.", "a@", "a@a.", "@a.", "a.", "%a@b.c",
    "eyJ", "eyJ.", "sk-", "-eyJ", "AB12", "AB12 ", "GB82 WEST 1234 5698 ", "password:", "password: \"a",
    "key=", "://", "://a:", "bearer ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "f:", "::", "00:",
    "0x", "1A",
    "\u200b", "\uff14", "\u00a0", "é", "漢", "\U0001d7ce",
)  # fmt: skip
ROWS = 2_000
GROWTH_MAX = 2.6
"""Twice the text may cost twice the steps, and what a constant part rounds up to."""


def steps(text: str) -> int:
    """Lines and calls of our own code while it reads a text; patterns are bounded by their quantifiers."""
    count = 0

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()  # that of whoever measures coverage
    sys.settrace(trace)
    try:
        DETECTOR.find(text, ALL_KINDS)
        DETECTOR.scan(text, ALL_KINDS)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("unit", ADVERSARIES)
def test_twice_the_text_is_at_most_twice_the_work(unit: str) -> None:
    DETECTOR.find(unit * 200, ALL_KINDS)
    enough = GROWTH_MAX * steps(unit * (ROWS // len(unit))) + 1_000
    # Counted again before it fails: whoever measures coverage may have worked in between.
    assert any(steps(unit * (2 * ROWS // len(unit))) <= enough for _ in range(2))


@pytest.mark.parametrize("unit", ADVERSARIES)
def test_a_long_text_of_it_is_read(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert 0 <= DETECTOR.scan(text, ALL_KINDS).closed <= len(text)
