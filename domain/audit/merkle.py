"""The Merkle tree of RFC 6962, section 2.1: one log of all entries of all tenants.

Leaf data are the hashes of entries. A root of `n` leaves pins each of them and their order; an inclusion
path proves that one is there, a consistency path that a later root only added to an earlier one.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
KEPT_LEVELS: Final = 8
"""Hashes of complete subtrees are kept at every eighth level: one per 256 of those below."""

Span = tuple[int, int]
"""Leaves from the first number up to and without the second."""


class Node(NamedTuple):
    """The hash of the complete subtree of `2 ** level` leaves that begins at leaf `number * 2 ** level`."""

    level: int
    number: int
    hash: bytes


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a tree: enough to append to it and to know its root. Its size is logarithmic."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """`peaks` are the roots of the complete subtrees, the greatest first. Raises ValueError."""
        if size < 0 or len(peaks) != size.bit_count() or any(len(peak) != 32 for peak in peaks):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} peaks, not {len(peaks)}")
        self.size = size
        self.peaks = list(peaks)

    def append(self, data: bytes) -> list[Node]:
        """Adds a leaf. The subtrees that are to be kept and became complete with it, the lowest first."""
        hashed, level, kept = leaf_hash(data), 0, []
        while self.size >> level & 1:
            hashed = node_hash(self.peaks.pop(), hashed)
            level += 1
            if level % KEPT_LEVELS == 0:
                kept.append(Node(level, self.size >> level, hashed))
        self.peaks.append(hashed)
        self.size += 1
        return kept

    def root(self) -> bytes:
        return fold(self.peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over neighbouring complete subtrees, the greatest first."""
    if not peaks:
        return EMPTY_ROOT
    *rest, root = peaks
    for peak in reversed(rest):
        root = node_hash(peak, root)
    return root


def subtrees(span: Span) -> Iterator[tuple[int, int]]:
    """Level and number of the complete subtrees a span consists of, the greatest first.

    For spans as paths name them: they begin where a subtree of their size, rounded up, begins.
    """
    start, end = span
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Whose hashes make up the path from leaf `index` to the root of `size` leaves, from the leaf upwards.

    Raises ValueError unless 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    found: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_spans(old: int, new: int) -> list[Span]:
    """Whose hashes prove that the tree of `old` leaves is the beginning of the one of `new`.

    Raises ValueError unless 0 < old <= new.
    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {new} leaves cannot be compared with one of {old}")
    found: list[Span] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start, whole = middle, False
    if not whole:
        found.append((start, end))
    return found[::-1]


def root_from_path(index: int, size: int, data: bytes, path: Sequence[bytes]) -> bytes | None:
    """The root of `size` leaves that this path leads to from leaf `index`; None: it cannot be such a path."""
    if not 0 <= index < size:
        return None
    spans = inclusion_spans(index, size)
    if len(spans) != len(path):
        return None
    root = leaf_hash(data)
    for (start, _), beside in zip(spans, path, strict=True):
        root = node_hash(root, beside) if index < start else node_hash(beside, root)
    return root


def consistent(old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the tree with `new_root` begins with the one with `old_root`."""
    if old == 0:
        return old_root == EMPTY_ROOT and not path
    if old > new or len(path) != len(spans := consistency_spans(old, new)):
        return False
    # Where `old` is a subtree of its own, its root is the proof's start and is not sent.
    steps = list(zip(spans, path, strict=True))
    if spans and spans[0][1] == old:
        (_, seed), *steps = steps
    else:
        seed = old_root
    old_seen = new_seen = seed
    for (start, _), beside in steps:
        if start >= old:
            new_seen = node_hash(new_seen, beside)
        else:
            old_seen, new_seen = node_hash(beside, old_seen), node_hash(beside, new_seen)
    return old_seen == old_root and new_seen == new_root


def _split(count: int) -> int:
    """The greatest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1
