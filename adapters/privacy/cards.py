"""Card numbers: an issuer's range, the length it issues, the check digit."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from adapters.privacy.reading import Reading
from adapters.privacy.words import CARDS
from domain.privacy.context import speaks_against, speaks_for
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind

_ONE_ROW: Final = re.compile(r"[0-9]{12,19}(?![0-9])")
_IN_FOURS: Final = re.compile(r"[0-9]{4}([ .-])[0-9]{4}\1[0-9]{4}\1[0-9]{1,4}(?![0-9])")
_IN_FOURS_LONG: Final = re.compile(r"[0-9]{4}([ .-])[0-9]{4}\1[0-9]{4}\1[0-9]{4}\1[0-9]{1,3}(?![0-9])")
_FOUR_SIX: Final = re.compile(r"[0-9]{4}([ .-])[0-9]{6}\1[0-9]{4,5}(?![0-9])")
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
"""Twice each digit, and the digits of that added."""
_FORMS: Final = (_IN_FOURS_LONG, _IN_FOURS, _FOUR_SIX, _ONE_ROW)


class Issued(NamedTuple):
    """`certain`: this range and length is not met by chance often, so no word need say that it is a card."""

    first: str
    last: str
    lengths: frozenset[int]
    certain: bool


_ISSUED: Final = (
    Issued("4", "4", frozenset({16}), True),
    Issued("4", "4", frozenset({13, 19}), False),
    Issued("51", "55", frozenset({16}), True),
    Issued("2221", "2720", frozenset({16}), True),
    Issued("34", "34", frozenset({15}), True),
    Issued("37", "37", frozenset({15}), True),
    Issued("6011", "6011", frozenset({16, 19}), True),
    Issued("644", "649", frozenset({16, 19}), True),
    Issued("65", "65", frozenset({16, 19}), True),
    Issued("300", "305", frozenset({14, 16}), True),
    Issued("3095", "3095", frozenset({14, 16}), True),
    Issued("36", "36", frozenset({14}), True),
    Issued("38", "39", frozenset({14, 16}), True),
    Issued("3528", "3589", frozenset({16, 19}), True),
    Issued("62", "62", frozenset({16, 17, 18, 19}), True),
    Issued("50", "50", frozenset(range(12, 20)), False),
    Issued("56", "58", frozenset(range(12, 20)), False),
    Issued("6", "6", frozenset(range(12, 20)), False),
    Issued("1800", "1800", frozenset({15}), False),
    Issued("2131", "2131", frozenset({15}), False),
)


def card_candidates(reading: Reading, place: int) -> Iterator[Finding]:
    """At a place where a row of digits begins."""
    text = reading.text
    for form in _FORMS:
        match = form.match(text, place)
        if match is None or not _is_number(text, match.end()):
            continue
        digits = re.sub(r"[^0-9]", "", match.group())
        if not has_luhn_digit(digits) or len(set(digits)) < 2:
            continue
        score = _score(reading, place, match.end(), digits)
        if score:
            yield Finding(PiiKind.CREDIT_CARD, place, match.end(), score)


def has_luhn_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of ISO/IEC 7812."""
    # Every row of digits comes by here: so no arithmetic for each of them.
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def _score(reading: Reading, place: int, end: int, digits: str) -> float:
    rows = [each for each in _ISSUED if len(digits) in each.lengths and _in_range(digits, each)]
    if not rows:
        return 0.0
    before = reading.before(place)
    if speaks_for(before, reading.after(end), CARDS):
        return 0.98
    if not any(row.certain for row in rows):
        return 0.0
    # A word for something else makes it less likely, never none: orders are paid with cards.
    return 0.6 if speaks_against(before, CARDS) else 0.9


def _in_range(digits: str, issued: Issued) -> bool:
    return issued.first <= digits[: len(issued.first)] <= issued.last


def _is_number(text: str, end: int) -> bool:
    """Not the digits of a fraction or of a longer code."""
    follows = text[end : end + 2]
    return not (follows[:1].isalpha() or follows[:1] == "_" or (follows[:1] == "." and follows[1:].isdigit()))
