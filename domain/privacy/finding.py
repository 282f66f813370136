"""What was found where, and which of several findings stands where they overlap."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from domain.privacy.kinds import PiiKind, priority

CLUSTER_CHARS_MAX: Final = 512
"""A chain of findings that overlap is decided in stretches of this length, so that a stream need never wait
for the end of an endless one. A single finding may be longer."""


class Finding(NamedTuple):
    """`text[start:end]` is of this kind. `score`: how certain that is, above 0 and at most 1."""

    kind: PiiKind
    start: int
    end: int
    score: float


class Cluster(NamedTuple):
    """A chain of candidates that overlap, and the stretch they cover."""

    start: int
    end: int
    candidates: tuple[Finding, ...]


def clusters_of(candidates: Iterable[Finding]) -> list[Cluster]:
    """Chains of overlapping candidates in the order of the text; each stretch of text belongs to one at most.

    A chain is decided by what begins in it alone, left to right, so what begins later never changes it. One
    that grows beyond CLUSTER_CHARS_MAX ends where the next candidate begins; what reaches over is cut there.
    """
    found: list[Cluster] = []
    open_ones: list[Finding] = []
    start = end = 0
    for each in sorted(candidates, key=_place):
        if open_ones and each.start < end and (each.end <= end or each.start < start + CLUSTER_CHARS_MAX):
            open_ones.append(each)
            end = max(end, each.end)
            continue
        beside = [other for other in open_ones if other.start == each.start]
        if len(open_ones) > len(beside):
            found.append(_closed(start, min(end, each.start), open_ones[: len(open_ones) - len(beside)]))
        open_ones, start, end = [*beside, each], each.start, each.end
    if open_ones:
        found.append(_closed(start, end, open_ones))
    return found


def standing(cluster: Cluster) -> list[Finding]:
    """Those that stand, in order and without overlap: the one of the highest priority first, among equals the
    longest, the most certain, the leftmost; then those that do not overlap with it, and so on."""
    if len(cluster.candidates) == 1:
        return list(cluster.candidates)
    kept: list[Finding] = []
    for each in sorted(cluster.candidates, key=_rank):
        if all(each.end <= other.start or other.end <= each.start for other in kept):
            kept.append(each)
    kept.sort(key=_place)
    return kept


def resolved(candidates: Iterable[Finding]) -> list[Finding]:
    """The findings that stand, of any number of candidates that may overlap; in order, without overlap."""
    return [finding for cluster in clusters_of(candidates) for finding in standing(cluster)]


def merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places as disjoint, ordered intervals; those that overlap or touch become one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def _closed(start: int, end: int, candidates: Sequence[Finding]) -> Cluster:
    cut = tuple(each if each.end <= end else each._replace(end=end) for each in candidates)
    return Cluster(start, end, cut)


def _place(finding: Finding) -> tuple[int, int, str]:
    return (finding.start, finding.end, finding.kind)


def _rank(finding: Finding) -> tuple[int, int, float, int, str]:
    length = finding.end - finding.start
    return (-priority(finding.kind), -length, -finding.score, finding.start, finding.kind)
