"""A text in pieces gives the findings of the whole, wherever it is cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.privacy.detector import PatternDetector
from contracts.ports.pii_detector import streamed
from domain.privacy.kinds import ALL_KINDS, PERSONAL_KINDS, PiiKind
from tests.unit.privacy.disguises import WHOLE, texts

DETECTOR = PatternDetector()


@given(texts(), st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=150)
def test_pieces_give_what_the_whole_gives(text: str, places: list[int]) -> None:
    cuts = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    pieces = [text[start:end] for start, end in pairwise(cuts)]
    assert streamed(DETECTOR, pieces) == DETECTOR.find(text, ALL_KINDS)


@given(texts())
@settings(max_examples=60)
def test_characters_one_by_one_give_what_the_whole_gives(text: str) -> None:
    assert streamed(DETECTOR, list(text)) == DETECTOR.find(text, ALL_KINDS)


@given(texts(6), st.sets(st.sampled_from(sorted(PiiKind)), max_size=4))
@settings(max_examples=60)
def test_pieces_give_what_the_whole_gives_for_any_kinds(text: str, chosen: set[PiiKind]) -> None:
    kinds = frozenset(chosen)
    assert streamed(DETECTOR, list(text), kinds) == DETECTOR.find(text, kinds)


@pytest.mark.parametrize("whole", WHOLE)
def test_every_place_at_which_one_may_be_cut_is_the_same(whole: str) -> None:
    for text in (f"Phone, card, ssn: {whole} office, and so on.", f"({whole})", whole):
        expected = DETECTOR.find(text, ALL_KINDS)
        for place in range(len(text) + 1):
            assert streamed(DETECTOR, [text[:place], text[place:]]) == expected


def test_what_ends_is_passed_on() -> None:
    text = "Is that all for today, or shall we go on with the next chapter "
    assert DETECTOR.scan(text, PERSONAL_KINDS).closed == len(text)
    assert DETECTOR.scan(text + "mayb", PERSONAL_KINDS).closed == len(text)


def test_a_number_is_held_until_the_words_behind_it_are_there() -> None:
    text = "Reception is 9761 9808 "
    assert DETECTOR.scan(text, ALL_KINDS).closed == text.index("9761")
    found = DETECTOR.find(text + "office", ALL_KINDS)
    assert [each.kind for each in found] == [PiiKind.PHONE_NUMBER]
