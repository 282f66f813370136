"""The tree is that of RFC 6962, and its proofs prove nothing else."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_spans,
    consistent,
    fold,
    inclusion_spans,
    leaf_hash,
    node_hash,
    root_from_path,
    subtrees,
)

RFC_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
RFC_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""The roots of no, one, … eight of these leaves, as the reference implementation of the RFC tests them."""
SIZES = st.integers(1, 600)


def data(count: int) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in range(count)]


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word for word."""
    if len(leaves) < 2:
        return leaf_hash(leaves[0]) if leaves else EMPTY_ROOT
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return node_hash(root_of(leaves[:middle]), root_of(leaves[middle:]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_rfc(size: int) -> None:
    frontier = Frontier()
    for leaf in RFC_LEAVES[:size]:
        frontier.append(leaf)

    assert frontier.root().hex() == RFC_ROOTS[size]


@settings(max_examples=30, deadline=None)
@given(SIZES)
def test_appending_gives_the_root_of_the_definition(size: int) -> None:
    leaves, frontier, kept = data(size), Frontier(), []
    for leaf in leaves:
        kept += frontier.append(leaf)

    assert frontier.root() == root_of(leaves)
    assert [(node.level, node.number) for node in kept] == [(8, number) for number in range(size // 256)]
    assert all(node.hash == root_of(leaves[node.number * 256 : (node.number + 1) * 256]) for node in kept)
    assert Frontier(size, frontier.peaks).root() == frontier.root()


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_an_inclusion_path_leads_from_its_leaf_to_the_root_and_from_no_other(
    size: int, draw: st.DataObject
) -> None:
    leaves = data(size)
    index = draw.draw(st.integers(0, size - 1))
    other = draw.draw(st.integers(0, size - 1))
    path = [root_of(leaves[start:end]) for start, end in inclusion_spans(index, size)]

    assert root_from_path(index, size, leaves[index], path) == root_of(leaves)
    if other != index:
        assert root_from_path(other, size, leaves[index], path) != root_of(leaves)
        assert root_from_path(index, size, leaves[other], path) != root_of(leaves)
    assert root_from_path(index, size, leaves[index], [*path, b"x" * 32]) is None


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_a_consistency_path_proves_growth_and_no_change(size: int, draw: st.DataObject) -> None:
    leaves = data(size)
    old = draw.draw(st.integers(1, size))
    changed = list(leaves)
    changed[draw.draw(st.integers(0, old - 1))] = b"changed"
    path = [root_of(leaves[start:end]) for start, end in consistency_spans(old, size)]

    assert consistent(old, size, root_of(leaves[:old]), root_of(leaves), path)
    assert not consistent(old, size, root_of(changed[:old]), root_of(leaves), path)
    if old < size:
        assert not consistent(old, size, root_of(leaves[:old]), root_of(changed), path)


@given(SIZES)
def test_every_span_of_a_path_is_made_of_complete_subtrees(size: int) -> None:
    leaves = data(size)
    for start, end in inclusion_spans(size // 2, size):
        parts = [
            root_of(leaves[number << level : (number + 1) << level])
            for level, number in subtrees((start, end))
        ]
        assert fold(parts) == root_of(leaves[start:end])


def test_a_frontier_of_the_wrong_number_of_peaks_is_refused() -> None:
    with pytest.raises(ValueError, match="2 peaks"):
        Frontier(3, [b"x" * 32])
