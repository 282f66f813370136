"""What guards alone tell apart of the CheckList pairs, where those are on this machine."""

from collections import defaultdict

import pytest

from benchmarks.semantic.questions import Pair, checklist, data_directory
from domain.caching.guards import why_different

TOLD_APART = {
    "Coref": 0.99,
    "NER": 0.98,
    "Negation": 0.99,
    "SRL": 0.99,
    "Temporal": 0.99,
    "Vocabulary": 0.95,
}
"""By capability, at least this share of the traps."""


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    found = checklist(data_directory(None))
    if not found:
        pytest.skip("the CheckList pairs are not on this machine")
    return found


def test_traps_are_told_apart_whatever_they_differ_in(pairs: list[Pair]) -> None:
    told: dict[str, list[bool]] = defaultdict(list)
    for pair in pairs:
        if not pair.same:
            told[pair.capability].append(bool(why_different(pair.new, pair.kept)))
    shares = {capability: sum(each) / len(each) for capability, each in told.items()}
    assert {name: share for name, share in shares.items() if share < TOLD_APART.get(name, 0.0)} == {}


def test_half_of_the_harmless_pairs_are_left_to_the_decision(pairs: list[Pair]) -> None:
    passed = [not why_different(pair.new, pair.kept) for pair in pairs if pair.same]
    assert sum(passed) / len(passed) > 0.5
