"""Which findings stand where they overlap."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domain.privacy.finding import CLUSTER_CHARS_MAX, Finding, clusters_of, merged, resolved
from domain.privacy.kinds import ALL_KINDS, NATIONAL_ID_KINDS, PERSONAL_KINDS, SECRET_KINDS, PiiKind, priority

CANDIDATES = st.lists(
    st.builds(
        lambda kind, start, length, score: Finding(kind, start, start + length, score),
        st.sampled_from(sorted(PiiKind)),
        st.integers(0, 2_000),
        st.integers(1, 300),
        st.floats(0.1, 1.0),
    ),
    max_size=40,
)


@given(CANDIDATES)
def test_what_stands_is_in_order_without_overlap(candidates: list[Finding]) -> None:
    found = resolved(candidates)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert all(each.start < each.end for each in found)


@given(CANDIDATES, st.randoms(use_true_random=False))
def test_the_order_of_candidates_does_not_matter(candidates: list[Finding], chance: Random) -> None:
    shuffled = list(candidates)
    chance.shuffle(shuffled)
    assert resolved(shuffled) == resolved(candidates)


@given(CANDIDATES)
def test_every_candidate_touches_what_stands(candidates: list[Finding]) -> None:
    found = resolved(candidates)
    assert all(any(each.start < one.end and one.start < each.end for one in found) for each in candidates)


@given(CANDIDATES)
def test_what_begins_behind_a_cluster_never_changes_it(candidates: list[Finding]) -> None:
    whole = clusters_of(candidates)
    for cluster in whole:
        rest = [each for each in candidates if each.start >= cluster.start]
        assert clusters_of(rest) == [each for each in whole if each.start >= cluster.start]


@given(CANDIDATES)
def test_a_chain_is_bounded_by_the_stretch_and_its_longest_finding(candidates: list[Finding]) -> None:
    longest = max((each.end - each.start for each in candidates), default=0)
    assert all(each.end - each.start <= CLUSTER_CHARS_MAX + longest for each in clusters_of(candidates))


def test_the_more_certain_form_stands() -> None:
    phone = Finding(PiiKind.PHONE_NUMBER, 0, 19, 0.9)
    card = Finding(PiiKind.CREDIT_CARD, 5, 19, 0.9)
    assert resolved([phone, card]) == [card]


def test_of_one_kind_the_longest_stands() -> None:
    short, long = Finding(PiiKind.PHONE_NUMBER, 3, 10, 0.9), Finding(PiiKind.PHONE_NUMBER, 0, 10, 0.5)
    assert resolved([short, long]) == [long]


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=20))
def test_merged_places_are_the_same_places(intervals: list[tuple[int, int]]) -> None:
    found = merged(intervals)
    covered = {place for start, end in intervals for place in range(start, end)}
    assert {place for start, end in found for place in range(start, end)} == covered
    assert all(one[1] < other[0] for one, other in pairwise(found))


def test_every_kind_is_personal_or_secret_and_has_a_priority() -> None:
    assert PERSONAL_KINDS | SECRET_KINDS == ALL_KINDS
    assert not PERSONAL_KINDS & SECRET_KINDS
    assert NATIONAL_ID_KINDS < PERSONAL_KINDS
    assert min(map(priority, ALL_KINDS)) == priority(PiiKind.PHONE_NUMBER)
